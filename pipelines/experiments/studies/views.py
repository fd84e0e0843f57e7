"""Which views are pre-trained together: all, and all but one."""

from __future__ import annotations

from pipelines.experiments.studies.contract import Study, Variant


def study(views: tuple[str, ...]) -> Study:
    """All views, then each left out, while two are left."""
    rows = [Variant("all views", scratch=True)]
    if len(views) > 2:
        rows += [Variant(f"without {one}", views=tuple(v for v in views if v != one)) for one in views]
    return Study("views", "What does each view give the others, and what does it cost?", tuple(rows))
