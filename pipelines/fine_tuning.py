"""Encoders and classifier trained together on the labels: head first, then all (LP-FT, arXiv 2202.10054).

No batch statistics: with ten labels a batch's mean says nothing, so every batch norm keeps the statistics of the
pool. Resumable like pre-training, to the same bits. The number of steps is fixed: a few labels leave nothing to stop
early on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pipelines import checkpoints
from pipelines.augmentation import augment
from pipelines.encoder_inputs import Indices, Inputs
from pipelines.encoders import MultiViewEncoder, SpeechEncoder, batch_of, embed
from pipelines.errors import PipelineError
from pipelines.heads import HeadedEncoders, head_loss
from pipelines.losses import SupervisedLoss
from pipelines.pairwise_cl import T, autocast

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Tuning:
    """How to fine-tune.

    loss: a name for `build_loss`; one that cannot predict gets `balanced_ce` beside it. heads: `views` = a classifier
    for each view, probabilities averaged; `joint` = one on all embeddings side by side, where a loss with masked
    views (SSLCL) sees single views as masks. layers: the weights of the speech model's layers are `learned`, `kept`, or
    `as_recipe` says. head_steps: steps with frozen encoders; steps: after that, of
    everything. average: weights averaged over the last half of the steps (SWA, arXiv 1803.05407).
    """

    loss: str = "balanced_ce"
    heads: str = "views"
    head_steps: int = 100
    steps: int = 80
    batch: int = 64
    learning_rate: float = 1e-3
    head_learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    augment: bool = False
    average: bool = False
    layers: str = "as_recipe"


@dataclass
class FineTuned:
    """What came out, for every clip of the inputs.

    embeddings: float32 (n, views * width); probabilities: float32 (n, C); by_view: the same by view (heads = views).
    history: loss of each step. closeness: largest cosine of two label embeddings, None without any.
    """

    model: MultiViewEncoder
    embeddings: Floats
    probabilities: Floats
    by_view: dict[str, Floats]
    history: list[float]
    closeness: float | None
    details: dict[str, Any] = field(default_factory=dict)


def fine_tune(
    inputs: Inputs,
    encoders: MultiViewEncoder,
    rows: Indices,
    y: Indices,
    classes: int,
    tuning: Tuning,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
    should_yield: Callable[[], bool] | None = None,
    checkpoint_seconds: float = 10.0,
    identity: Sequence[str] = (),
) -> FineTuned | None:
    """Fine-tune a copy of `encoders` on the clips `rows` with classes `y` (0..classes-1), and apply it to all clips.

    Encoders that were never pre-trained need `settle_batch_norm` first. checkpoint, should_yield, identity: as
    `pretrain`; None is returned when it yielded. on_step: called with step, steps and loss.
    Raises PipelineError without labels or with fewer than two classes among them.
    """
    rows, y = np.asarray(rows, np.intp), np.asarray(y, np.intp)
    if len(rows) != len(y) or len(np.unique(y)) < 2:
        raise PipelineError(f"fine-tuning needs labels of two or more classes, not {len(np.unique(y))}")
    if tuning.heads not in ("views", "joint"):
        raise PipelineError(f"heads {tuning.heads!r} are not known: views or joint")
    where = torch.device(device)
    key = checkpoints.fingerprint(
        asdict(tuning),
        seed,
        rows.tolist(),
        y.tolist(),
        classes,
        list(identity),
        checkpoints.digest(encoders.state_dict()),
    )
    with torch.random.fork_rng([where] if where.type == "cuda" else []):
        run = _Run(inputs, encoders, rows, y, classes, tuning, seed, where, key)
        if checkpoint is not None:
            run.restore(checkpoint)
        return run.go(checkpoint, on_step, should_yield, checkpoint_seconds)


class _Run:
    """The state of one fine-tuning."""

    def __init__(
        self,
        inputs: Inputs,
        encoders: MultiViewEncoder,
        rows: Indices,
        y: Indices,
        classes: int,
        tuning: Tuning,
        seed: int,
        device: torch.device,
        key: str,
    ) -> None:
        self.inputs, self.rows, self.y, self.classes = inputs, rows, y, classes
        self.tuning, self.seed, self.device, self.key = tuning, seed, device, key
        torch.manual_seed(seed)
        self.generator = torch.Generator().manual_seed(seed + 1)
        counts = np.bincount(y, minlength=classes).tolist()
        names = ["joint"] if tuning.heads == "joint" else list(inputs.views)
        width = encoders.width * (len(inputs.views) if tuning.heads == "joint" else 1)
        losses = {name: head_loss(tuning.loss, classes, width, counts) for name in names}
        self.model = HeadedEncoders(copy.deepcopy(encoders), losses).to(device)
        if tuning.layers != "as_recipe":
            for part in self.model.modules():
                if isinstance(part, SpeechEncoder):
                    part.layer_weights.requires_grad_(tuning.layers == "learned")
        self.optimiser = torch.optim.AdamW(
            [
                {"params": list(self.model.encoders.encoders.parameters()), "lr": tuning.learning_rate},
                {"params": list(self.model.losses.parameters()), "lr": tuning.head_learning_rate},
            ],
            weight_decay=tuning.weight_decay,
        )
        self.mean: dict[str, Tensor] = {}
        self.averaged = 0
        self.step, self.history = 0, list[float]()
        self.frozen: dict[str, Tensor] | None = None

    @property
    def total(self) -> int:
        return self.tuning.head_steps + self.tuning.steps

    def go(self, checkpoint: Path | None, on_step: Callable[[int, int, float], None] | None,
           should_yield: Callable[[], bool] | None, checkpoint_seconds: float) -> FineTuned | None:  # fmt: skip
        timer = checkpoints.Timer(checkpoint_seconds)
        while self.step < self.total:
            self.train_step()
            if on_step is not None:
                self.undisturbed(lambda: on_step(self.step, self.total, self.history[-1]))
            if checkpoint is not None and timer.due():
                self.save(checkpoint)
            if should_yield is not None and self.yields(should_yield, checkpoint):
                return None
        if checkpoint is not None:
            self.save(checkpoint)
        if self.mean:
            self.model.load_state_dict(self.mean)
        return self.apply()

    def train_step(self) -> None:
        chosen = self.draw()
        labels = torch.as_tensor(self.y[chosen], device=self.device)
        head_only = self.step < self.tuning.head_steps
        self.model.train()
        for part in self.model.encoders.modules():
            if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) or head_only:
                part.eval()
        if head_only:
            h = self.head_inputs(chosen)
        else:
            batch = batch_of(self.inputs, self.rows[chosen], self.device)
            if self.tuning.augment:
                batch = augment(batch, self.generator)
            with autocast(self.device):
                h = {name: one.float() for name, one in self.model.encoders(batch).items()}
        loss = self.model.loss(h, labels)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.step += 1
        self.history.append(float(loss.detach()))
        if self.tuning.average and self.step > self.total - self.tuning.steps // 2:
            self.add_to_mean()

    def draw(self) -> Indices:
        """Labels of this step: passes over all of them in random orders that depend on seed and step alone."""
        n, size = len(self.rows), min(self.tuning.batch, len(self.rows))
        start = self.step * size
        passes = range(start // n, (start + size - 1) // n + 1)
        orders = np.concatenate([np.random.default_rng([self.seed, 5, one]).permutation(n) for one in passes])
        offset = start - passes[0] * n
        return orders[offset : offset + size]

    def head_inputs(self, chosen: Indices) -> dict[str, Tensor]:
        """Embeddings of the labelled clips by the untouched encoders, computed once."""
        if self.frozen is None:
            self.frozen = embed(self.model.encoders, self.inputs, self.rows, self.device)
        return {name: h[chosen].to(self.device) for name, h in self.frozen.items()}

    def add_to_mean(self) -> None:
        """Running mean of parameters (and of whatever else is in the state, which does not change but for counters)."""
        self.averaged += 1
        for name, tensor in self.model.state_dict().items():
            old = self.mean.get(name)
            if old is None or not tensor.is_floating_point():
                self.mean[name] = tensor.detach().clone()
            else:
                old.add_((tensor.detach() - old) / self.averaged)

    @torch.no_grad()
    def apply(self) -> FineTuned:
        self.model.eval()
        h = embed(self.model.encoders, self.inputs, np.arange(len(self.inputs)), self.device)
        scores = self.model.scores({name: one.to(self.device) for name, one in h.items()})
        by_view = {name: one.softmax(1).cpu().numpy().astype(np.float32) for name, one in scores.items()}
        log_mean = torch.stack([one.log_softmax(1) for one in scores.values()]).mean(0)
        closeness = [
            c
            for part in self.model.losses.values()
            if isinstance(part, SupervisedLoss) and (c := part.closeness()) is not None
        ]
        return FineTuned(
            model=self.model.encoders.cpu().eval(),
            embeddings=torch.cat(list(h.values()), dim=1).numpy().astype(np.float32),
            probabilities=log_mean.softmax(1).cpu().numpy().astype(np.float32),
            by_view=by_view,
            history=self.history,
            closeness=max(closeness, default=None),
            details={"tuning": asdict(self.tuning), "labels": len(self.rows), "device": str(self.device)},
        )

    def yields(self, should_yield: Callable[[], bool], checkpoint: Path | None) -> bool:
        """Ask, and write the state before giving way: on True, or when the caller ends the training by raising."""
        try:
            stop = self.undisturbed(should_yield)
        except BaseException:
            if checkpoint is not None:
                self.save(checkpoint)
            raise
        if stop and checkpoint is not None:
            self.save(checkpoint)
        return stop

    def undisturbed(self, call: Callable[[], T]) -> T:
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            return call()

    def save(self, path: Path) -> None:
        tensors = {
            **checkpoints.module_tensors("model", self.model),
            **checkpoints.optimiser_tensors(self.optimiser),
            **checkpoints.random_tensors(self.generator, self.device),
            **{f"mean/{name}": tensor for name, tensor in self.mean.items()},
        }
        state = {"key": self.key, "step": self.step, "history": self.history, "averaged": self.averaged}
        checkpoints.write(path, tensors, state)

    def restore(self, path: Path) -> None:
        found = checkpoints.read(path)
        if found is None or found[1].get("key") != self.key:
            return
        tensors, state = found
        self.model.load_state_dict(checkpoints.under("model", tensors))
        checkpoints.restore_optimiser(self.optimiser, tensors)
        checkpoints.restore_random(self.generator, self.device, tensors)
        self.mean = {name: tensor.to(self.device) for name, tensor in checkpoints.under("mean", tensors).items()}
        self.step, self.history, self.averaged = state["step"], state["history"], state["averaged"]
