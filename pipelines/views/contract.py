"""What a view is: one way of hearing a clip, as arrays.

A view is one file in this folder with a function `open_view(speech_model: str, device: str) -> View`; the name of the
file is the name of the view (registry.py finds it). The contract test runs on every one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Features = dict[str, npt.NDArray[Any]]
"""What a view found in one clip, by feature name."""


class View(Protocol):
    """One way of hearing clips. The same clip gives the same features alone and among others."""

    name: str
    summary: str
    """The feature that `blocks` reads; its shape is the same for every clip."""

    @property
    def key(self) -> str:
        """`name-fingerprint` over weights, settings and version: the folder of these features in the store."""

    def extract(self, waves: Sequence[npt.NDArray[np.float32]]) -> list[Features]:
        """Return the features of each clip.

        Args:
            waves: 16 kHz mono float32 (n,) in [-1, 1], each of its own length (at least 0.3 s).

        Raises:
            PipelineError: a clip for which there are no finite features.
        """

    def blocks(self, features: Features) -> dict[str, npt.NDArray[np.float32]]:
        """Return the flat float32 vectors (d,) that linear models use, by block name.

        Only `features[summary]` is read, and leading axes pass through: a stack (n, ...) gives (n, d).
        """
