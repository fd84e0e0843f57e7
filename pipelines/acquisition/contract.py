"""What a strategy is given and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Pool:
    """All clips of a project, by number, as a strategy sees them.

    components: float32 (n, k), leading principal components of the pool, strongest first. probabilities: float32
    (n, C), calibrated, or None before the first model. labelled, y: clips with a label and their classes. candidates:
    the clips that may be asked for. speakers: one a clip, None where not known. classes: C.
    """

    components: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32] | None
    labelled: Indices
    y: Indices
    candidates: Indices
    speakers: Sequence[str | None]
    classes: int


@dataclass(frozen=True)
class Choice:
    """One clip to ask for. `reason` stands beside it while the page is blind: it names no class, speaker or figure.

    index: row of the pool. score: what the strategy ranked by, higher is sooner. chosen_by: the strategy's name, kept
    with the label.
    """

    index: int
    reason: str
    score: float
    chosen_by: str


@runtime_checkable
class Strategy(Protocol):
    """A rule for what to hear next. A module of this package that has a `STRATEGY` is found by the registry."""

    name: str

    def select(self, pool: Pool, n: int, seed: int) -> list[Choice]:
        """The next n clips, best first: distinct candidates, fewer if there are fewer; same arguments, same answer."""
        ...
