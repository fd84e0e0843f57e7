"""What goes into a fast round and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import PipelineError

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]


@dataclass
class PoolFeatures:
    """The clips of a project, labelled or not, evaluation clips included.

    `blocks` maps a block's name to its features, float32 (n, d): `egemaps`, `mel`, `speech.0` to `speech.L` (the time
    means of a speech model's hidden states) and whatever else a caller adds. Row i of each block, `clips[i]` and
    `speakers[i]` (None: not known) belong to one clip.
    """

    clips: list[str]
    blocks: dict[str, Floats]
    speakers: list[str | None]

    def __post_init__(self) -> None:
        n = len(self.clips)
        if len(self.speakers) != n:
            raise PipelineError(f"{n} clips but {len(self.speakers)} speakers: give one speaker (or None) a clip")
        if not self.blocks:
            raise PipelineError("no features: enable at least one view (egemaps, mel or wav2vec2)")
        for name, block in self.blocks.items():
            if block.ndim != 2 or len(block) != n or block.shape[1] == 0:
                raise PipelineError(f"block {name} has shape {block.shape}: {n} rows of features are needed")


@dataclass
class RoundModel:
    """A fitted fast round.

    probabilities: float32 (n, C), calibrated, rows sum to 1, for every clip of the pool, evaluation clips included.
    components: float32 (n, k), the pool's leading principal components, strongest first, for acquisition.
    because: what is in use and why, in a sentence for the page. details: the figures behind it, ready for JSON.
    """

    probabilities: Floats
    components: Floats
    because: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Extra:
    """A model from outside the fast round, such as fine-tuned encoders: probabilities float (n, C) of every clip of the
    pool, and the share of the mixture that cross-validation gave it. It says the same until it is made anew."""

    name: str
    share: float
    probabilities: npt.NDArray[np.float32]
