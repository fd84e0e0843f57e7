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


def kind(name: str) -> str:
    """Which view a name is of: `mel` and `mel:again` are both of mel. An experiment may have a view twice."""
    return name.partition(":")[0]


@dataclass(frozen=True)
class Inputs:
    """All views of the same n clips, by name (see `kind`). speakers: int (n,), -1 where not known."""

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
    statistics = Statistics(normalise, prior)
    fit = np.zeros(len(inputs), bool)
    fit[fit_rows] = True
    statistics.add(inputs, speakers, fit)
    return statistics.apply(inputs, speakers)


@dataclass
class _Sums:
    clips: int = 0
    values: int = 0
    total: Any = 0.0
    squares: Any = 0.0

    def add(self, total: Array, squares: Array, values: int) -> None:
        self.clips, self.values = self.clips + 1, self.values + values
        self.total, self.squares = self.total + total, self.squares + squares

    def moments(self) -> tuple[Array, Array]:
        mean = np.asarray(self.total) / max(1, self.values)
        return mean, np.maximum(np.asarray(self.squares) / max(1, self.values) - mean**2, 0.0)


class Statistics:
    """Means and deviations of one view, of the pool and of each speaker; clips can be added a few at a time."""

    def __init__(self, normalise: Normalise, prior: float = 0.0) -> None:
        self.normalise, self.prior = normalise, prior
        self._pool = _Sums()
        self._speakers: dict[int, _Sums] = {}

    def add(self, inputs: ViewInputs, speakers: npt.NDArray[np.intp], fit: npt.NDArray[np.bool_]) -> None:
        """Count these clips: those with `fit` in the pool, all in their speaker."""
        for row, speaker in enumerate(speakers):
            counted = [self._pool] if fit[row] else []
            if self.normalise == "speaker" and speaker >= 0:
                counted.append(self._speakers.setdefault(int(speaker), _Sums()))
            if counted:
                sums = _sums_of(inputs, row)
                for one in counted:
                    one.add(*sums)

    def apply(self, inputs: ViewInputs, speakers: npt.NDArray[np.intp]) -> ViewInputs:
        """Normalised inputs, float16; zero beyond a clip's end."""
        values = np.zeros(inputs.values.shape, np.float16)
        for speaker in np.unique(speakers):
            mean, deviation = self.moments_of(int(speaker))
            for row in np.flatnonzero(speakers == speaker):  # one clip at a time: the double-precision copy stays small
                values[row] = np.clip((inputs.values[row] - mean) / deviation, -CLIP, CLIP)
                if inputs.lengths is not None:
                    values[row, inputs.lengths[row] :] = 0
        return ViewInputs(inputs.view, values, inputs.lengths)

    def moments_of(self, speaker: int) -> tuple[Array, Array]:
        """Mean and deviation, float32, that this speaker's clips are normalised with; infinite where nothing varies."""
        mean, variance = self._pool.moments()
        own = self._speakers.get(speaker)
        if own is not None:
            share = own.clips / (own.clips + self.prior)
            own_mean, own_variance = own.moments()
            mean = share * own_mean + (1 - share) * mean
            variance = share * own_variance + (1 - share) * variance
        flat = variance <= 1e-12 * (1 + mean**2)
        return mean.astype(np.float32), np.sqrt(np.where(flat, np.inf, variance)).astype(np.float32)


def _sums_of(inputs: ViewInputs, row: int) -> tuple[Array, Array, int]:
    """Sum and sum of squares over time, shaped to broadcast over the clip, and the number of values summed."""
    x = inputs.values[row].astype(np.float64)
    if inputs.view == "wav2vec2":  # (layers, segments, D): over segments
        return x.sum(1, keepdims=True), (x**2).sum(1, keepdims=True), x.shape[1]
    if inputs.lengths is not None:
        x = x[: inputs.lengths[row]]
        return x.sum(0), (x**2).sum(0), len(x)
    return x, x**2, 1
