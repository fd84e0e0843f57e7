"""The temperature of NT-Xent; the paper's is 0.5."""

from __future__ import annotations

from pipelines.experiments.studies.contract import Study, Variant, changed


def study(views: tuple[str, ...]) -> Study:
    """0.5, and above and below."""
    others = [changed(f"temperature {value:g}", temperature=value) for value in (0.05, 0.1, 0.2, 1.0)]
    return Study("temperature", "How sharp should the contrast be?", (Variant("temperature 0.5"), *others))
