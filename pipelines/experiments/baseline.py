"""`baseline:logreg+random`: what a careful person would do without this tool. Fixed: never tune it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from pipelines.classifiers.normalisation import speaker_codes, standardise

NAME = "baseline:logreg+random"
NORMALISATIONS = ("raw", "speaker")


def baseline_features(
    blocks: dict[str, npt.NDArray[np.float32]],
    speakers: Sequence[str | None],
    train: npt.NDArray[np.intp],
    normalisation: str,
) -> npt.NDArray[np.float32]:
    """eGeMAPS, log-mel and every hidden layer, each z-scored, clipped at 5, over the root of its width; (n, d).

    normalisation `raw`: z-scores of the training clips; `speaker`: of each speaker's own clips.
    """
    wanted = [name for name in sorted(blocks) if re.fullmatch(r"egemaps|mel|speech\.\d+", name)]
    codes = speaker_codes(speakers) if normalisation == "speaker" else None
    return np.concatenate([standardise(blocks[name], train, codes) for name in wanted], axis=1)


def baseline_predictions(
    x: npt.NDArray[np.float32], labelled: npt.NDArray[np.intp], y: npt.NDArray[np.intp], rows: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """Classes of `rows` by scikit-learn's LogisticRegression(C=10, class_weight='balanced') on the labels; one class
    alone is predicted everywhere."""
    if len(np.unique(y)) == 1:
        return np.full(len(rows), y[0], np.intp)
    model = LogisticRegression(C=10, class_weight="balanced").fit(x[labelled], y)
    return np.asarray(model.predict(x[rows]), np.intp)
