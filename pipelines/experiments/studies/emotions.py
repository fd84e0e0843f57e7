"""Pre-training on the emotions that are asked for, and on others: labels are unused, the clips differ."""

from __future__ import annotations

from pipelines.experiments.studies.contract import Study, Variant


def study(views: tuple[str, ...]) -> Study:
    """All clips; those of the target emotions; those of the others; the last two at the same number of clips."""
    rows = (
        Variant("all emotions", scratch=True),
        Variant("target emotions", clips="target"),
        Variant("other emotions", clips="other"),
        Variant("target emotions, as many clips as of the fewer", clips="target", matched=True),
        Variant("other emotions, as many clips as of the fewer", clips="other", matched=True),
    )
    return Study("emotions", "Must pre-training have heard the emotions?", rows, target_only=True)
