"""What encoders are fed: each view of all clips as one array, made comparable over the pool or within each speaker.

Kept in half precision: a clip costs about 72 kB with a 7-layer, 512-wide speech model and 200 kB with 13 layers of 768.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipelines.errors import PipelineError

Array = npt.NDArray[Any]
Indices = npt.NDArray[np.intp]
Normalise = Literal["pool", "speaker"]

MEL_HOP = 4  # frames of 10 ms averaged to one input frame
CLIP = 5.0
FEATURE = {"wav2vec2": "segments", "mel": "frames", "egemaps": "functionals"}


@dataclass(frozen=True)
class ViewInputs:
    """One view of n clips.

    values: `wav2vec2` float16 (n, layers, segments, D); `mel` float16 (n, T, bands), zero beyond a clip's end;
    `egemaps` float16 (n, 88). lengths: int32 (n,), the frames of each clip, for mel only.
    """

    view: str
    values: Array
    lengths: npt.NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Inputs:
    """All views of the same n clips. speakers: int (n,), -1 where not known."""

    views: dict[str, ViewInputs]
    speakers: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.speakers)

    def only(self, names: Sequence[str]) -> Inputs:
        """The same clips with some of the views."""
        return Inputs({name: self.views[name] for name in names}, self.speakers)


def stack(view: str, features: Sequence[Mapping[str, Array]]) -> ViewInputs:
    """One view's features of each clip, as the feature store gives them, as one array (not normalised yet).

    Raises PipelineError for a view that has no encoder.
    """
    if view not in FEATURE:
        raise PipelineError(f"view {view!r} has no encoder; views with one: {', '.join(FEATURE)}")
    arrays = [np.asarray(one[FEATURE[view]]) for one in features]
    if view != "mel":
        return ViewInputs(view, np.stack(arrays).astype(np.float32 if view == "egemaps" else np.float16))
    short = [_average(a) for a in arrays]
    lengths = np.array([len(a) for a in short], np.int32)
    values = np.zeros((len(short), int(lengths.max(initial=1)), short[0].shape[1]), np.float16)
    for row, a in zip(values, short, strict=True):
        row[: len(a)] = a
    return ViewInputs(view, values, lengths)


def _average(frames: Array) -> npt.NDArray[np.float32]:
    """(bands, T) -> (ceil(T / MEL_HOP), bands), each the mean of up to MEL_HOP frames."""
    edges = np.arange(0, frames.shape[1], MEL_HOP)
    counts = np.diff(np.append(edges, frames.shape[1]))
    sums = np.add.reduceat(frames.astype(np.float32), edges, axis=1)
    return (sums / counts).T.astype(np.float32)


def prepare(
    features: Mapping[str, Sequence[Mapping[str, Array]]],
    speakers: npt.NDArray[np.intp],
    fit_rows: Indices,
    normalise: Normalise,
    prior: float = 0.0,
) -> Inputs:
    """Stack and normalise all views; see `stack` and `standardised`."""
    views = {
        name: standardised(stack(name, of_view), speakers, fit_rows, normalise, prior)
        for name, of_view in features.items()
    }
    return Inputs(views, speakers)


def standardised(
    inputs: ViewInputs,
    speakers: npt.NDArray[np.intp],
    fit_rows: Indices,
    normalise: Normalise,
    prior: float = 0.0,
) -> ViewInputs:
    """z-scores, clipped at 5: of each layer's number, mel band or functional over time and clips.

    `pool`: statistics of `fit_rows`. `speaker`: each speaker's own (of all its clips, without labels), shrunk towards
    the pool's as if the pool had given `prior` clips more; clips of unknown speakers (-1) get the pool's.
    """
    groups: list[tuple[Indices, Indices]] = []  # rows whose statistics count, rows that they are applied to
    if normalise == "pool":
        groups = [(fit_rows, np.arange(len(inputs)))]
    else:
        for speaker in np.unique(speakers):
            rows = np.flatnonzero(speakers == speaker)
            groups.append((rows if speaker >= 0 else fit_rows, rows))
    pool_mean, pool_variance, _ = _moments(inputs, fit_rows)
    values = np.zeros(inputs.values.shape, np.float16)
    for of, to in groups:
        mean, variance, n = _moments(inputs, of)
        share = 1.0 if normalise == "pool" or prior == 0 else n / (n + prior)
        mean = share * mean + (1 - share) * pool_mean
        variance = share * variance + (1 - share) * pool_variance
        deviation = np.sqrt(np.where(variance <= 1e-12 * (1 + mean**2), np.inf, variance))
        for row in to:  # one clip at a time: the double-precision copy stays small
            values[row] = np.clip((inputs.values[row] - mean) / deviation, -CLIP, CLIP)
            if inputs.lengths is not None:
                values[row, inputs.lengths[row] :] = 0
    return ViewInputs(inputs.view, values, inputs.lengths)


def _moments(inputs: ViewInputs, rows: Indices) -> tuple[Array, Array, int]:
    """Mean and variance over clips and time, shaped to broadcast over one clip; and the number of clips."""
    total, squares, count = 0.0, 0.0, 0
    for row in rows:
        x = inputs.values[row].astype(np.float64)
        if inputs.lengths is not None:
            x = x[: inputs.lengths[row]]
        if inputs.view == "wav2vec2":  # (layers, segments, D): over segments
            total, squares, count = (
                total + x.sum(1, keepdims=True),
                squares + (x**2).sum(1, keepdims=True),
                count + x.shape[1],
            )
        elif inputs.view == "mel":
            total, squares, count = total + x.sum(0), squares + (x**2).sum(0), count + len(x)
        else:
            total, squares, count = total + x, squares + x**2, count + 1
    mean = np.asarray(total) / max(1, count)
    return mean, np.maximum(np.asarray(squares) / max(1, count) - mean**2, 0.0), len(rows)
