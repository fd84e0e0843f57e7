"""The speech model itself trained on a few labels: kept frozen, its last layers, or LoRA on its attention.

Whatever the mode, layers go on as ten segments, through a standardisation fixed by the frozen model's features, into
the speech encoder of encoders.py (methods.md 1.2) and a linear classifier with balanced cross-entropy. Every mode sees
the same draws of labels in the same number of steps: first a few `head_steps` on the frozen features, which are cached
and cost nothing, then `steps` of everything that the mode trains. Few, because only so the speech model learns from
something: after a hundred on 20 % of EmoDB the loss is 0.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from pipelines.encoder_inputs import CLIP, Normalise, Statistics, ViewInputs
from pipelines.encoders import SpeechEncoder
from pipelines.errors import PipelineError
from pipelines.lora import add_lora
from pipelines.losses import SupervisedLoss, build_loss
from pipelines.speech_layers import HeardClip, SpeechLayers, UpperLayers
from pipelines.torch_setup import torch
from pipelines.view_batch import ViewBatch

Indices = npt.NDArray[np.intp]
Mode = Literal["frozen", "last", "lora"]
MODES: tuple[Mode, ...] = get_args(Mode)
SPEECH_RATE: dict[Mode, float] = {"frozen": 0.0, "last": 1e-5, "lora": 1e-4}
"""Learning rate of the speech model's own parameters: below the encoder's 1e-3, and lower where whole matrices move."""


@dataclass(frozen=True)
class SpeechTuning:
    """How to train.

    mode: `frozen`; `last` = the last `layers` transformer layers; `lora` = rank `rank`, scaled by alpha / rank, on the
    query and value projections of every layer. head_steps, head_batch: with the speech model as it was; steps, batch:
    then, with everything. The three learning rates: of the speech model (None: `SPEECH_RATE`), of the speech encoder,
    of the classifier.
    """

    mode: Mode = "frozen"
    head_steps: int = 10
    head_batch: int = 64
    steps: int = 40
    batch: int = 16
    layers: int = 2
    rank: int = 8
    alpha: float = 16.0
    speech_learning_rate: float | None = None
    learning_rate: float = 1e-3
    head_learning_rate: float = 3e-3
    weight_decay: float = 1e-3

    def first_layer(self, depth: int) -> int | None:
        """The lowest layer that is computed anew in each step, from 0; None for none."""
        return {"frozen": None, "last": max(0, depth - self.layers), "lora": 0}[self.mode]


class Standard:
    """z-scores of each layer's number as in encoder_inputs.py, clipped at 5, fixed by the frozen model's features.

    Args:
        segments: float32 (n, layers + 1, 10, D), frozen.
        speakers: int (n,), -1 where not known.
        fit_rows: the rows whose statistics are the pool's.
        normalise: `pool`, or `speaker` for each speaker's own.
    """

    def __init__(self, segments: npt.NDArray[Any], speakers: Indices, fit_rows: Indices, normalise: Normalise) -> None:
        statistics = Statistics(normalise)
        fit = np.zeros(len(segments), bool)
        fit[fit_rows] = True
        statistics.add(ViewInputs("wav2vec2", segments), speakers, fit)
        self._of = {
            int(speaker): tuple(torch.from_numpy(one) for one in statistics.moments_of(int(speaker)))
            for speaker in np.unique(speakers)
        }

    def __call__(self, segments: torch.Tensor, speaker: int) -> torch.Tensor:
        """One clip's segments, float32 (layers + 1, 10, D), as z-scores."""
        mean, deviation = (one.to(segments.device) for one in self._of[speaker])
        return ((segments - mean) / deviation).clamp(-CLIP, CLIP)


class TunedSpeech(torch.nn.Module):
    """Speech model, speech encoder and classifier in one. upper: None while the speech model is frozen."""

    def __init__(
        self, upper: UpperLayers | None, encoder: SpeechEncoder, loss: SupervisedLoss, standard: Standard
    ) -> None:
        super().__init__()
        self.upper, self.encoder, self.loss = upper, encoder, loss
        self._standard = standard

    def train(self, mode: bool = True) -> TunedSpeech:
        """As ever, but the speech model stays without dropout."""
        super().train(mode)
        if self.upper is not None:
            self.upper.eval()
        return self

    def embed(
        self, clips: Sequence[HeardClip], speakers: Sequence[int], *, speech: bool, device: torch.device | str = "cpu"
    ) -> torch.Tensor:
        """Embeddings (N, width), clip by clip through the speech model (padding would change what it hears).

        speech: whether the layers of `upper` are computed anew, or taken as the frozen model gave them.
        """
        anew = self.upper if speech else None
        values = [
            self._standard(anew(one, device) if anew is not None else one.segments.to(device), speaker)
            for one, speaker in zip(clips, speakers, strict=True)
        ]
        h: torch.Tensor = self.encoder(ViewBatch(torch.stack(values)))
        return h


@dataclass
class SpeechTuned:
    """probabilities: float32 (m, C) of the rows asked for. history: loss of each step. cpu_seconds: processor time of
    the training alone. step_ms: of one step of the second part. memory_mb: what such a step needs. trained: number of
    the speech model's parameters that were trained."""

    probabilities: npt.NDArray[np.float32]
    model: TunedSpeech
    history: list[float]
    cpu_seconds: float
    step_ms: float
    memory_mb: float
    trained: int


def tune_speech(
    speech: SpeechLayers,
    clips: Sequence[HeardClip],
    speakers: Indices,
    standard: Standard,
    encoder: SpeechEncoder,
    rows: Indices,
    y: Indices,
    classes: int,
    settings: SpeechTuning,
    *,
    predict: Indices,
    seed: int = 0,
) -> SpeechTuned:
    """Train on the clips `rows` with classes `y` (0..classes-1), and predict the clips `predict`.

    speech and encoder are copied, never changed. clips: all clips, heard with the layer that the mode starts at.
    `frozen` trains as fine_tuning.py does on the same inputs, with the same draws and dropout.

    Raises:
        PipelineError: an unknown mode, or labels of fewer than two classes.
    """
    if settings.mode not in MODES:
        raise PipelineError(f"mode {settings.mode!r} is not known: use {', '.join(MODES)}")
    rows, y = np.asarray(rows, np.intp), np.asarray(y, np.intp)
    if len(rows) != len(y) or len(np.unique(y)) < 2:
        raise PipelineError(f"tuning needs labels of two or more classes, not {len(np.unique(y))}")
    device = speech.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        loss = build_loss("balanced_ce", classes, encoder.out.out_features, np.bincount(y, minlength=classes).tolist())
        upper, trained = _prepared(speech, settings, seed)
        model = TunedSpeech(upper, copy.deepcopy(encoder), loss, standard).to(device)
        run = _Run(model, trained, clips, speakers, rows, y, settings, seed, device)
        run.go()
    return SpeechTuned(
        run.predict(predict),
        model,
        run.history,
        run.cpu_seconds,
        run.step_ms,
        run.memory_mb,
        sum(p.numel() for p in trained),
    )


def _prepared(
    speech: SpeechLayers, settings: SpeechTuning, seed: int
) -> tuple[UpperLayers | None, list[torch.nn.Parameter]]:
    """The layers that a mode computes anew, and which of their parameters it trains."""
    first = settings.first_layer(speech.depth)
    if first is None:
        return None, []
    upper = speech.upper(first)
    if settings.mode == "lora":
        return upper, add_lora(upper.layers, settings.rank, settings.alpha, seed)
    upper.layers.requires_grad_(True)
    return upper, list(upper.layers.parameters())


class _Run:
    """One training."""

    def __init__(
        self,
        model: TunedSpeech,
        trained: list[torch.nn.Parameter],
        clips: Sequence[HeardClip],
        speakers: Indices,
        rows: Indices,
        y: Indices,
        settings: SpeechTuning,
        seed: int,
        device: torch.device,
    ) -> None:
        self.model, self.clips, self.speakers, self.rows, self.y = model, clips, speakers, rows, y
        self.settings, self.seed, self.device = settings, seed, device
        rate = settings.speech_learning_rate
        groups: list[dict[str, Any]] = [
            {"params": list(model.encoder.parameters()), "lr": settings.learning_rate},
            {"params": list(model.loss.parameters()), "lr": settings.head_learning_rate},
        ]
        if trained:
            groups.append({"params": trained, "lr": SPEECH_RATE[settings.mode] if rate is None else rate})
        self.optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
        self.history: list[float] = []
        self.cpu_seconds = self.step_ms = self.memory_mb = 0.0

    def go(self) -> None:
        began = time.process_time()
        taken = 0
        for _ in range(self.settings.head_steps):
            taken += self.step(taken, self.settings.head_batch, speech=False)
        second = time.process_time()
        for number in range(self.settings.steps):
            taken += self.step(taken, self.settings.batch, speech=True, measure=number == 0)
        ended = time.process_time()
        self.cpu_seconds, self.step_ms = ended - began, 1000 * (ended - second) / max(1, self.settings.steps)

    def step(self, taken: int, batch: int, *, speech: bool, measure: bool = False) -> int:
        """One step on the labels that follow the first `taken`; how many it took."""
        chosen = drawn(len(self.rows), taken, min(batch, len(self.rows)), self.seed)
        labels = torch.as_tensor(self.y[chosen], device=self.device)
        self.model.train()
        kept: dict[int, int] = {}
        with torch.autograd.graph.saved_tensors_hooks(_noting(kept), lambda one: one) if measure else nullcontext():
            loss = self.model.loss(self.embed(self.rows[chosen], speech), labels)
        if measure:  # while the graph stands, so that no storage was freed and its place given to another
            self.memory_mb = _megabytes(self.model, kept)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.history.append(float(loss.detach()))
        return len(chosen)

    def embed(self, rows: Indices, speech: bool) -> torch.Tensor:
        heard, speakers = [self.clips[int(i)] for i in rows], [int(self.speakers[i]) for i in rows]
        return self.model.embed(heard, speakers, speech=speech, device=self.device)

    @torch.no_grad()
    def predict(self, rows: Indices) -> npt.NDArray[np.float32]:
        self.model.eval()
        parts = [self.embed(rows[start : start + 64], speech=True) for start in range(0, len(rows), 64)]
        scores = self.model.loss.scores(torch.cat(parts))
        assert scores is not None  # balanced cross-entropy has a classifier of its own
        return np.asarray(scores.softmax(1).cpu().numpy(), np.float32)


def drawn(n: int, taken: int, size: int, seed: int) -> Indices:
    """Positions `taken` to `taken + size` in endless passes over n labels, each in its own random order; the order is
    fine_tuning.py's, and depends on the seed alone."""
    passes = range(taken // n, (taken + size - 1) // n + 1)
    orders = np.concatenate([np.random.default_rng([seed, 5, one]).permutation(n) for one in passes])
    offset = taken - passes[0] * n
    return np.asarray(orders[offset : offset + size], np.intp)


def _noting(kept: dict[int, int]) -> Any:
    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    return note


def _megabytes(model: torch.nn.Module, kept: dict[int, int]) -> float:
    """Parameters once, those that are trained three times more (gradient and AdamW's two moments), and everything kept
    for the backward pass. Counted, so that other programs on the machine do not change it."""
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    sizes = sum(p.untyped_storage().nbytes() * (4 if p.requires_grad else 1) for p in model.parameters())
    return (sizes + sum(size for place, size in kept.items() if place not in own)) / 2**20
