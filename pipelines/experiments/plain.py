"""The plain peers of every representation: LDA and self-training on raw features, fixed as methods.md 5.2 measured
them.

They do not follow the product's classifiers, so that a table means the same after those have improved.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines.classifiers.lda import fit_lda, softmax
from pipelines.classifiers.self_training import pseudo_labels

SCHEDULE = (0.1, 0.2, 0.3)
TRUE_SHARE = 2.0 / 3.0
SOFTENING = 5.0
Indices = npt.NDArray[np.intp]
Floats = npt.NDArray[np.floating]


def lda_probabilities(x: Floats, rows: Indices, y: Indices, classes: int) -> npt.NDArray[np.float64]:
    """Softened posteriors (n, classes) of every row of x, by shrinkage LDA on the labels alone."""
    return softmax(fit_lda(x[rows], y, classes).scores(x) / SOFTENING)


def self_training_probabilities(
    x: Floats, rows: Indices, y: Indices, classes: int, unlabelled: Indices, schedule: Sequence[float] = SCHEDULE
) -> npt.NDArray[np.float64]:
    """The same after self-training: in each round every class takes its surest unlabelled clips, a few more each
    time; the labels are repeated until they weigh two thirds of them."""
    p = lda_probabilities(x, rows, y, classes)
    for share in schedule:
        chosen, guesses = pseudo_labels(p[unlabelled], share)
        weight = max(1.0, TRUE_SHARE * len(chosen) / len(rows))
        weights = np.concatenate([np.full(len(rows), weight), np.ones(len(chosen))])
        joined = np.concatenate([x[rows], x[unlabelled[chosen]]])
        p = softmax(fit_lda(joined, np.concatenate([y, guesses]), classes, weights).scores(x) / SOFTENING)
    return p
