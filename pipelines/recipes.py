"""Named settings of pre-training. `paper` is Pairwise-CL as published, with our choice where it is silent (methods.md
1.2, 1.3)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from pipelines.errors import PipelineError


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes encoders and their pre-training, and goes into a checkpoint's fingerprint.

    width: numbers of an embedding. layer_start: `uniform`, `middle` or `single` start of the speech layers' weights;
    `learn_layers` False keeps it. mel_channels, mel_kernel, mel_down, mel_frequency: the convolutions of the mel
    encoder. loss: a name in PAIR_LOSSES; temperature, within_view_negatives, within_speaker: see losses/nt_xent.py.
    contrastive_weight: share of that loss, 0..1; the rest is each view's reconstruction of itself
    (reconstruction.py). batch: clips a step.
    epochs, patience: at most, and without a better validation loss. augment: off reproduces the paper.
    """

    name: str = "paper"
    width: int = 128
    layer_start: str = "uniform"
    learn_layers: bool = True
    layer_norm: bool = True
    mel_channels: tuple[int, ...] = (32, 64, 96, 128)
    mel_kernel: int = 3
    mel_down: str = "pool"
    mel_frequency: str = "mean"
    loss: str = "nt_xent"
    temperature: float = 0.5
    within_view_negatives: bool = False
    within_speaker: bool = False
    batch: int = 128
    epochs: int = 200
    patience: int = 30
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    augment: bool = False
    validation_share: float = 0.1
    contrastive_weight: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """As plain values. A field younger than `_YOUNGER` says is left out while it is what it always was: encoders
        that were trained before it existed keep their fingerprint, and are not trained again."""
        return {key: value for key, value in asdict(self).items() if _YOUNGER.get(key) != value}


_YOUNGER: dict[str, Any] = {"contrastive_weight": 1.0}

RECIPES: dict[str, Recipe] = {
    "paper": Recipe(),
    "default": Recipe(
        name="default",
        layer_start="middle",
        mel_channels=(16, 32, 64),
        mel_frequency="keep",
        temperature=0.1,
        batch=512,
        augment=True,
        learning_rate=1.5e-3,
    ),
}


def recipe(name: str) -> Recipe:
    """The recipe of that name. Raises PipelineError with the allowed names."""
    if name not in RECIPES:
        raise PipelineError(f"pre-training {name!r} is not known: use {', '.join(RECIPES)} or none")
    return RECIPES[name]


def from_json(values: dict[str, Any]) -> Recipe:
    """A recipe from what `to_json` gave; unknown entries of a newer version are left out."""
    known = {field.name for field in fields(Recipe)}
    kept: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items() if key in known
    }
    return Recipe(**kept)
