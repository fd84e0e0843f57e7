"""Pairwise-CL pre-training (arXiv 2406.07900; methods.md 1): the views of a clip find each other among other clips.

Early stopping on held-out speakers at a fixed batch size (NT-Xent's floor moves with the batch), restoring the best
state. A run can be stopped between any two steps, or killed at any instant, and goes on from its checkpoint to the
same result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from pipelines import checkpoints
from pipelines.augmentation import augment
from pipelines.encoder_inputs import Indices, Inputs
from pipelines.encoders import MultiViewEncoder, batch_of, shapes_of
from pipelines.errors import PipelineError
from pipelines.losses import PAIR_LOSSES
from pipelines.losses.nt_xent import false_negatives, over_pairs, retrieval_accuracy
from pipelines.recipes import Recipe, from_json
from pipelines.reconstruction import reconstruction_loss
from pipelines.validation_split import fixed_batches, held_out_by_speaker, split_validation
from pipelines.view_batch import Batch

T = TypeVar("T")
CHECKPOINT_SECONDS = 10.0
_LEAST = 8  # clips; below this there is nothing to contrast


@dataclass(frozen=True)
class Epoch:
    """One pass over the training clips. Losses as `over_pairs`; retrieval: share of validation clips found, 0..1."""

    epoch: int
    loss: float
    validation_loss: float
    retrieval: float
    seconds: float


@dataclass
class Pretrained:
    """What came out. history: one entry an epoch. best_epoch: the one whose state `model` has; stopped: why it
    ended."""

    model: MultiViewEncoder
    history: list[Epoch]
    best_epoch: int
    stopped: str
    details: dict[str, Any] = field(default_factory=dict)


def pretrain(
    inputs: Inputs,
    rows: Indices,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch, int], None] | None = None,
    should_yield: Callable[[], bool] | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    identity: Sequence[str] = (),
) -> Pretrained | None:
    """Pre-train encoders for all views of `inputs` on the clips `rows` (never evaluation or test clips; no labels are
    seen).

    checkpoint: file to continue from and to write at most every `checkpoint_seconds`; one of other settings, seed or
        clips (`identity`: their ids) is not continued but replaced.
    on_epoch: called after each epoch with it and the number of epochs at most.
    should_yield: called between any two steps; when it returns True the state is written and None is returned: call
        again to go on. Whatever it does in between (a fast round), training's random numbers are not touched.
    Returns the encoders in their best state, on the CPU. Raises PipelineError with fewer than two views or 8 clips.
    """
    if len(inputs.views) < 2:
        raise PipelineError(
            "Pairwise-CL contrasts views with each other: enable at least two of wav2vec2, mel and egemaps"
        )
    if len(rows) < _LEAST:
        raise PipelineError(f"{len(rows)} clips are too few for pre-training: {_LEAST} or more are needed")
    if recipe.loss not in PAIR_LOSSES:
        raise PipelineError(f"unknown loss between views {recipe.loss!r}: {', '.join(PAIR_LOSSES)}")
    where = torch.device(device)
    key = checkpoints.fingerprint(recipe.to_json(), seed, [int(r) for r in rows], list(identity), shapes_of(inputs))
    with torch.random.fork_rng([where] if where.type == "cuda" else []):
        run = _Run(inputs, rows, recipe, seed, where, key)
        if checkpoint is not None:
            run.restore(checkpoint)
        return run.go(checkpoint, on_epoch, should_yield, checkpoint_seconds)


class _Run:
    """The state of one pre-training."""

    def __init__(
        self, inputs: Inputs, rows: Indices, recipe: Recipe, seed: int, device: torch.device, key: str
    ) -> None:
        self.inputs, self.recipe, self.seed, self.device, self.key = inputs, recipe, seed, device, key
        self.training, self.validation = split_validation(inputs.speakers, rows, recipe.validation_share, seed)
        torch.manual_seed(seed)
        self.generator = torch.Generator().manual_seed(seed + 1)
        self.model = MultiViewEncoder(shapes_of(inputs), recipe).to(device)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.batches = max(1, round(len(self.training) / recipe.batch))
        self.epoch, self.step, self.losses = 0, 0, [0.0]
        self.history: list[Epoch] = []
        self.best_loss, self.best_epoch = math.inf, -1
        self.best = checkpoints.module_tensors("best", self.model)
        self.spent = 0.0
        self.validation_batches = fixed_batches(self.validation, recipe.batch, seed)

    def go(
        self,
        checkpoint: Path | None,
        on_epoch: Callable[[Epoch, int], None] | None,
        should_yield: Callable[[], bool] | None,
        checkpoint_seconds: float,
    ) -> Pretrained | None:
        timer = checkpoints.Timer(checkpoint_seconds)
        while not (stopped := self.verdict()):
            began = time.monotonic()
            self.train_step()
            self.spent += time.monotonic() - began
            if self.step == self.batches:
                self.end_epoch()
                if on_epoch is not None:
                    self.undisturbed(lambda: on_epoch(self.history[-1], self.recipe.epochs))
            if checkpoint is not None and timer.due():
                self.save(checkpoint)
            if should_yield is not None and self.yields(should_yield, checkpoint):
                return None
        if checkpoint is not None:
            self.save(checkpoint)
        self.model.load_state_dict(checkpoints.under("best", self.best))
        details = {
            "training_clips": len(self.training),
            "validation_clips": len(self.validation),
            "batch": len(self.training) // self.batches,
            "validation_batch": len(self.validation_batches[0]),
            "by_speaker": held_out_by_speaker(self.inputs.speakers, self.training, self.validation),
            "seconds": self.spent,
            "device": str(self.device),
        }
        return Pretrained(self.model.cpu().eval(), self.history, self.best_epoch, stopped, details)

    def verdict(self) -> str:
        """Why training ends here, or nothing."""
        if self.step:
            return ""
        if self.epoch >= self.recipe.epochs:
            return f"after {self.epoch} epochs, the most there are"
        if self.history and self.epoch - 1 - self.best_epoch >= self.recipe.patience:
            return f"no better validation loss for {self.recipe.patience} epochs"
        return ""

    def train_step(self) -> None:
        """One optimiser step. Which clips are in it depends on seed, epoch and step alone."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.training)
        rows = np.array_split(order, self.batches)[self.step]
        self.model.train()
        clean = batch_of(self.inputs, rows, self.device)
        batch = augment(clean, self.generator) if self.recipe.augment else clean
        loss = self.loss(batch, rows, clean)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.losses[0] += float(loss.detach())
        self.step += 1

    def loss(self, batch: Batch, rows: Indices, clean: Batch) -> Tensor:
        """The recipe's loss of these clips. clean: the same clips before augmentation."""
        with autocast(self.device):
            embeddings = self.model(batch)
            projected = self.model.project(embeddings)
        weight = self.recipe.contrastive_weight
        if weight == 1:
            return self.contrast(projected, rows)
        own = reconstruction_loss(
            cast("Mapping[str, nn.Module]", self.model.decoders), {k: h.float() for k, h in embeddings.items()}, clean
        )
        return weight * self.contrast(projected, rows) + (1 - weight) * own

    def contrast(self, projected: Mapping[str, Tensor], rows: Indices) -> Tensor:
        views = [z.float() for z in projected.values()]
        if self.recipe.loss != "nt_xent":
            return torch.stack([PAIR_LOSSES[self.recipe.loss](a, b) for a, b in combinations(views, 2)]).mean()
        exclude = None
        if self.recipe.within_speaker:
            speakers = torch.as_tensor(self.inputs.speakers[rows], device=self.device)
            exclude = false_negatives(speakers=speakers, within_speaker=True)
        return over_pairs(
            views,
            self.recipe.temperature,
            within_view_negatives=self.recipe.within_view_negatives,
            exclude=exclude,
        )

    def end_epoch(self) -> None:
        validation, retrieval = self.validate()
        self.history.append(Epoch(self.epoch, self.losses[0] / self.batches, validation, retrieval, self.spent))
        if not math.isfinite(validation):
            raise PipelineError(
                f"pre-training became unstable in epoch {self.epoch} (loss {validation}): lower the learning rate"
            )
        if validation < self.best_loss:
            self.best_loss, self.best_epoch = validation, self.epoch
            self.best = checkpoints.module_tensors("best", self.model)
        self.epoch, self.step, self.losses = self.epoch + 1, 0, [0.0]

    @torch.no_grad()
    def validate(self) -> tuple[float, float]:
        """Loss and retrieval accuracy on the held-out clips, mean over batches of one fixed size."""
        self.model.eval()
        losses, found = [], []
        for rows in self.validation_batches:
            batch = batch_of(self.inputs, rows, self.device)
            losses.append(float(self.loss(batch, rows, batch)))
            with autocast(self.device):
                views = [z.float() for z in self.model.project(self.model(batch)).values()]
            found.append(retrieval_accuracy(views))
        return float(np.mean(losses)), float(np.mean(found))

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
        """Call out without letting the caller's use of torch's random numbers into the training."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            return call()

    def save(self, path: Path) -> None:
        tensors = {
            **checkpoints.module_tensors("model", self.model),
            **checkpoints.optimiser_tensors(self.optimiser),
            **checkpoints.random_tensors(self.generator, self.device),
            **self.best,
        }
        state = {
            "key": self.key,
            "epoch": self.epoch,
            "step": self.step,
            "loss": self.losses[0],
            "history": [asdict(epoch) for epoch in self.history],
            "best_loss": self.best_loss if math.isfinite(self.best_loss) else None,
            "best_epoch": self.best_epoch,
            "seconds": self.spent,
        }
        checkpoints.write(path, tensors, state)

    def restore(self, path: Path) -> None:
        found = checkpoints.read(path)
        if found is None or found[1].get("key") != self.key:
            return
        tensors, state = found
        self.model.load_state_dict(checkpoints.under("model", tensors))
        checkpoints.restore_optimiser(self.optimiser, tensors)
        checkpoints.restore_random(self.generator, self.device, tensors)
        self.best = {name: tensor.to(self.device) for name, tensor in tensors.items() if name.startswith("best/")}
        self.epoch, self.step, self.losses = state["epoch"], state["step"], [state["loss"]]
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.best_loss = math.inf if state["best_loss"] is None else state["best_loss"]
        self.best_epoch, self.spent = state["best_epoch"], state["seconds"]


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 for the encoders on a GPU (losses stay in float32); nothing on a CPU."""
    if device.type != "cuda":
        return nullcontext()
    context: AbstractContextManager[Any] = torch.autocast("cuda", torch.bfloat16)
    return context


def save_encoders(path: Path, model: MultiViewEncoder, details: dict[str, Any]) -> None:
    """Write encoders and heads with all that is needed to build them again; see checkpoints.py."""
    state = {"recipe": model.recipe.to_json(), "shapes": model.shapes, "details": details}
    checkpoints.write(path, checkpoints.module_tensors("model", model), state)


def load_encoders(path: Path) -> tuple[MultiViewEncoder, dict[str, Any]]:
    """Encoders that `save_encoders` wrote, and their details. Raises PipelineError when the file is missing or
    damaged."""
    found = checkpoints.read(path)
    if found is None:
        raise PipelineError(f"{path} holds no encoders: delete it, and the worker trains them again")
    tensors, state = found
    model = MultiViewEncoder(state["shapes"], from_json(state["recipe"]))
    model.load_state_dict(checkpoints.under("model", tensors))
    return model.eval(), state["details"]
