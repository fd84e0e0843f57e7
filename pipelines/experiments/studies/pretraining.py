"""Beyond the paper: what else could make pre-training pay."""

from __future__ import annotations

from dataclasses import replace

from pipelines.experiments.studies.contract import SHORT, Study, Variant, changed
from pipelines.recipes import RECIPES


def study(views: tuple[str, ...]) -> Study:
    """One change at a time, then the recipe `default`."""
    ours = replace(RECIPES["default"], mel_down=SHORT.mel_down)
    rows = (
        Variant("paper, short"),
        changed("augmentation", augment=True),
        changed("batch 512, as many steps", batch=512, epochs=3 * SHORT.epochs, patience=3 * SHORT.patience),
        changed("middle layers first", layer_start="middle"),
        changed("negatives within a speaker", within_speaker=True),
        changed("negatives within a view too", within_view_negatives=True),
        changed("mel bands kept", mel_channels=ours.mel_channels, mel_frequency=ours.mel_frequency),
        changed("Barlow Twins", loss="barlow_twins"),
        changed("VICReg", loss="vicreg"),
        Variant("default", ours),
        Variant("default, half of it reconstruction", replace(ours, contrastive_weight=0.5)),
        Variant("default, all of it reconstruction", replace(ours, contrastive_weight=0.0)),
    )
    return Study("pretraining", "Which changes to pre-training pay?", rows)
