"""Does alignment help? The contrast as a dose: its weight, the rest of the loss is each view's reconstruction."""

from __future__ import annotations

from pipelines.experiments.studies.contract import Study, Variant, changed


def study(views: tuple[str, ...]) -> Study:
    """Weights 1, 1/2, 1/4, 0."""
    others = [changed(f"contrast {weight:g}", contrastive_weight=weight) for weight in (0.5, 0.25, 0.0)]
    return Study("alignment", "Does a classifier gain as views are aligned?", (Variant("contrast 1"), *others))
