"""F1 of each class, macro and weighted, over a fixed class list."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Scores:
    """All in [0, 1]. each: F1 (C,), 0 for a class that is never right. macro: their mean over classes that occur in
    the answers. weighted: their mean by the classes' shares of the answers."""

    each: npt.NDArray[np.float64]
    macro: float
    weighted: float

    @property
    def selection(self) -> float:
        """What epochs, learning rates and baselines are chosen by on the development split: the mean of macro and
        weighted, since both are asked for."""
        return (self.macro + self.weighted) / 2


def scores(y: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer], classes: int) -> Scores:
    """F1 = 2 TP / (2 TP + FP + FN) of each class, and its means. y, predicted: (n,), n >= 1."""
    answers = np.bincount(y, minlength=classes).astype(np.float64)
    given = np.bincount(predicted, minlength=classes).astype(np.float64)
    right = np.bincount(y[y == predicted], minlength=classes).astype(np.float64)
    each = 2 * right / np.maximum(answers + given, 1)
    return Scores(each, float(each[answers > 0].mean()), float(each @ answers / answers.sum()))
