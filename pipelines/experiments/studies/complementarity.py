"""Controls: does a third view help because it says something of its own?"""

from __future__ import annotations

from pipelines.experiments.studies.contract import Study, Variant


def study(views: tuple[str, ...]) -> Study:
    """The last view replaced by noise or by the first one again, left out; and all views of clips with noise in the
    audio."""
    *kept, last = views
    rows = [
        Variant("all views"),
        Variant(f"{last} replaced by noise", views=(*kept, f"{last}:noise"), tuned_views=tuple(kept)),
        Variant(f"{last} replaced by {views[0]} again", views=(*kept, f"{views[0]}:again"), tuned_views=tuple(kept)),
    ]
    if len(kept) > 1:
        rows.append(Variant(f"without {last}", views=tuple(kept)))
    rows += [Variant(f"audio at {db:g} dB", noise_db=db, scratch=True) for db in (10.0, 0.0)]
    return Study("complementarity", "Does a view help by what it adds?", tuple(rows), focus=views[0])
