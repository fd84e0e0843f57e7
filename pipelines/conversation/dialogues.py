"""Dialogues as arrays, and their batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipelines.errors import PipelineError

Rows = npt.NDArray[np.intp]
NONE = -1
"""The label of an utterance that is context only, and of padding."""


@dataclass(frozen=True)
class Turn:
    """One utterance: its dialogue, its place there, who speaks, and its class (None: context only)."""

    dialogue: str
    turn: int
    speaker: str | None
    label: int | None


@dataclass(frozen=True)
class Dialogues:
    """Padded to the longest dialogue, utterances first.

    features: float (n, T, D). speakers: int (n, T), numbered within each dialogue as they come in. mask: bool (n, T).
    labels: int (n, T), -1 for context and padding. modalities: which columns of the features each modality has.
    """

    features: Tensor
    speakers: Tensor
    mask: Tensor
    labels: Tensor
    modalities: Mapping[str, slice] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.mask)

    def take(self, rows: Tensor) -> Dialogues:
        """Those dialogues, without padding that none of them needs."""
        mask = self.mask[rows]
        longest = int(mask.sum(1).max())
        return Dialogues(
            self.features[rows, :longest],
            self.speakers[rows, :longest],
            mask[:, :longest],
            self.labels[rows, :longest],
            self.modalities,
        )

    def to(self, device: torch.device) -> Dialogues:
        """The same on a device."""
        x, speakers, mask, labels = (t.to(device) for t in (self.features, self.speakers, self.mask, self.labels))
        return Dialogues(x, speakers, mask, labels, self.modalities)

    def counts(self, classes: int) -> list[int]:
        """Labelled utterances of each class."""
        counts: list[int] = self.labels[self.labels != NONE].bincount(minlength=classes).tolist()
        return counts


def assemble(
    turns: Sequence[Turn], features: npt.NDArray[np.float32], modalities: Mapping[str, slice] | None = None
) -> Dialogues:
    """Dialogues in the order in which they first occur, each sorted by turn. features: (len(turns), D).

    Raises PipelineError when there is no turn at all.
    """
    if not turns:
        raise PipelineError("there is no utterance to make dialogues of")
    places: dict[str, list[int]] = {}
    for i, turn in enumerate(turns):
        places.setdefault(turn.dialogue, []).append(i)
    ordered = [sorted(one, key=lambda i: turns[i].turn) for one in places.values()]
    shape = len(ordered), max(len(one) for one in ordered)
    x = np.zeros((*shape, features.shape[1]), np.float32)
    speakers, labels = np.zeros(shape, np.int64), np.full(shape, NONE, np.int64)
    mask = np.zeros(shape, bool)
    for row, indices in enumerate(ordered):
        n = len(indices)
        numbers: dict[str | None, int] = {}
        x[row, :n], mask[row, :n] = features[indices], True
        speakers[row, :n] = [numbers.setdefault(turns[i].speaker, len(numbers)) for i in indices]
        found = [turns[i].label for i in indices]
        labels[row, :n] = [NONE if label is None else label for label in found]
    a, b, c, d = (torch.from_numpy(one) for one in (x, speakers, mask, labels))
    return Dialogues(a, b, c, d, dict(modalities or {}))


def batches(dialogues: Dialogues, size: int, generator: torch.Generator | None = None) -> Iterator[Tensor]:
    """Rows of each batch of `size` dialogues of about the same length; in random order with a generator.

    A batch with fewer than two labelled utterances (one short dialogue) is joined to the one after it, or at the end
    to the one before, since some losses compare utterances.
    """
    lengths = dialogues.mask.sum(1).double().cpu()
    if generator is not None:
        lengths = lengths + 2 * torch.rand(len(lengths), generator=generator, dtype=torch.float64)
    chunks = list(torch.split(lengths.argsort(stable=True), size))
    if generator is not None:
        chunks = [chunks[i] for i in torch.randperm(len(chunks), generator=generator).tolist()]
    labelled = (dialogues.labels != NONE).sum(1).cpu()
    joined: list[Tensor] = []
    rest: Tensor | None = None
    for chunk in chunks:
        rows = chunk if rest is None else torch.cat([rest, chunk])
        rest = None
        if int(labelled[rows].sum()) < 2:
            rest = rows
        else:
            joined.append(rows)
    if rest is not None and joined:
        joined[-1] = torch.cat([joined[-1], rest])
    yield from joined
