"""Which features to trust: weights for several models from cross-validation over speakers (methods.md 5.9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .lda import Array
from .pool import Indices
from .temperature import fit_temperature, scale

SHARPNESS = 0.15
FLOOR = 1e-4


@dataclass(frozen=True)
class CrossValidated:
    """Out-of-fold probabilities (L, C) of each member, their weights (M,), and (training, held-out) positions."""

    members: list[Array]
    weights: Array
    splits: list[tuple[Indices, Indices]]
    by_speaker: bool

    @property
    def mixed(self) -> Array:
        """The mixture's out-of-fold probabilities (L, C)."""
        return mix(self.members, self.weights)


def held_out_groups(
    y: npt.NDArray[np.intp], speakers: npt.NDArray[np.intp], folds: int = 5
) -> tuple[npt.NDArray[np.intp], bool]:
    """Fold of each label (L,), and whether whole speakers are held out.

    Speakers (codes (L,), -1 for not known) are dealt to `folds` groups, most labels first, each to the smallest group;
    with two to four speakers each is its own. Where fewer than two speakers are known, or a fifth of the labels has
    none, labels are dealt class by class instead. Deterministic.
    """
    known = speakers >= 0
    distinct, counts = np.unique(speakers[known], return_counts=True)
    if len(distinct) >= 2 and known.mean() > 0.8:
        folds = min(folds, len(distinct))
        sizes = np.zeros(folds)
        group = {-1: 0}
        for i in np.argsort(-counts, kind="stable"):
            group[int(distinct[i])] = int(sizes.argmin())
            sizes[sizes.argmin()] += counts[i]
        return np.array([group[int(s)] for s in speakers], np.intp), True
    order = np.argsort(y, kind="stable")
    fold = np.empty(len(y), np.intp)
    fold[order] = np.arange(len(y)) % max(1, min(folds, len(y)))
    return fold, False


def macro_recall(predicted: npt.NDArray[np.intp], y: npt.NDArray[np.intp], classes: int) -> float:
    """Mean recall over the classes that occur in y; nan without any."""
    totals = np.bincount(y, minlength=classes)
    hits = np.bincount(y[predicted == y], minlength=classes)
    present = totals > 0
    return float(np.mean(hits[present] / totals[present])) if present.any() else float("nan")


def weights_from(evidence: Sequence[float], prior: Array | None = None) -> Array:
    """prior * exp(0.15 * (evidence - best)), summing to 1: (M,) from each member's `evidence`; all alike by default.

    methods.md 5.9 takes exp(20 * UAR). The likelihood is as good with many labels and steadier with few, because it
    moves with every label and not only where the best class changes (docs/results/fast_round.md).
    """
    values = np.asarray(evidence, float)
    raised = np.exp(SHARPNESS * (values - values.max())) * (1.0 if prior is None else prior)
    return np.asarray(raised / raised.sum())


def evidence(probabilities: Array, y: npt.NDArray[np.intp]) -> float:
    """Log likelihood of the labels y (L,) under out-of-fold probabilities (L, C), after scaling them by temperature.

    Scaled, so that a member is not preferred for being less sure of itself; no p counts as less than 0.01, so that one
    surprise does not decide.
    """
    logs = np.log(np.maximum(probabilities, FLOOR))
    scaled = scale(logs, fit_temperature(logs, y, prior=20.0))
    return float(np.log(np.maximum(scaled[np.arange(len(y)), y], 0.01)).sum())


def mix(members: Sequence[Array], weights: Array) -> Array:
    """The weighted mean of members' probabilities (n, C)."""
    return np.asarray(np.tensordot(weights, np.stack(members), axes=1))


def rows_of(fold: npt.NDArray[np.intp]) -> list[tuple[Indices, Indices]]:
    """(training, held-out) positions of each fold that leaves at least one label to learn from."""
    splits = []
    for f in np.unique(fold):
        kept, held = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        if len(kept):
            splits.append((kept, held))
    return splits
