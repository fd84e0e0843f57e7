"""Which clips are learnt from and which are tested on: by speaker, by session, or plain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold

from pipelines.errors import PipelineError

ALLOWED = "allowed are speaker, speaker:K, session and a number K of at least 2"


@dataclass(frozen=True)
class Fold:
    """Rows to label from and rows to test on; together they are the corpus."""

    name: str
    train: npt.NDArray[np.intp]
    test: npt.NDArray[np.intp]


def make_folds(
    spec: str, y: npt.NDArray[np.integer], speakers: Sequence[str | None], sessions: Sequence[str | None]
) -> list[Fold]:
    """Folds for a specification: `speaker[:K]`, `session` or `K`.

    `speaker:K`: the speakers in order of their names, cut into K runs of equal length; `speaker`: one fold a speaker.
    `session`: one fold a session. `K`: stratified by class, drawn once with a fixed seed.

    Raises:
        PipelineError: the specification is none of these, or the corpus has no such thing (or only one).
    """
    if match := re.fullmatch(r"speaker(?::(\d+))?", spec):
        groups = _names(speakers, "speaker")
        k = int(match[1]) if match[1] else len(groups)
        if k < 2:
            raise PipelineError(f"folds {spec!r}: {ALLOWED}")
        if k > len(groups):
            raise PipelineError(f"folds {spec!r}: there are only {len(groups)} speakers")
        return [_fold(speakers, [str(s) for s in part]) for part in np.array_split(np.array(groups), k)]
    if spec == "session":
        return [_fold(sessions, [name]) for name in _names(sessions, "session")]
    if not spec.isdecimal() or int(spec) < 2:
        raise PipelineError(f"folds {spec!r}: {ALLOWED}")
    rarest = int(np.bincount(y)[np.unique(y)].min())
    if int(spec) > rarest:
        raise PipelineError(f"folds {spec!r}: the rarest class has only {rarest} clips")
    parts = StratifiedKFold(int(spec), shuffle=True, random_state=0).split(np.zeros(len(y)), y)
    return [Fold(str(i + 1), train.astype(np.intp), test.astype(np.intp)) for i, (train, test) in enumerate(parts)]


def _names(values: Sequence[str | None], what: str) -> list[str]:
    missing = sum(value is None for value in values)
    if missing:
        raise PipelineError(
            f"folds by {what}: {missing} clips have no {what}; give a `{what}` column, or use a number K"
        )
    names = sorted({str(value) for value in values})
    if len(names) < 2:
        raise PipelineError(f"folds by {what}: there is only one {what}; use a number K")
    return names


def _fold(values: Sequence[str | None], tested: list[str]) -> Fold:
    test = np.array([value in tested for value in values])
    return Fold("+".join(tested), np.flatnonzero(~test), np.flatnonzero(test))
