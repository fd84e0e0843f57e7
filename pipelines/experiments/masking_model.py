"""A small model of several audio views, with views masked out as SSLCL's further positives.

SSLCL: arXiv 2310.16676, methods.md 2.1. One branch a view; a masked view's branch gives 0. The paper keeps the text in
every mask (t, t+a, t+v, t+a+v) and weighs these positives 1/3, 2/3, 2/3, 1: as much as the share of the views kept.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from pipelines.losses import SSLCL, SupervisedLoss, build_loss
from pipelines.losses.sslcl import _log_rest, _others, label_label

Indices = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float32]
Kept = tuple[str, ...]
Join = Literal["concat", "sum"]


@dataclass(frozen=True)
class Arm:
    """What is trained: class-weighted cross-entropy (weights N/n_c), a contrast beside it or none, and masks.

    masks: the views that each further positive keeps. to_classifier: cross-entropy takes them too, as further samples.
    by_position: weights 1/3, 2/3, 2/3, 1 in the order of `masks`, whatever they keep, as `fine_tuning` has them.
    """

    name: str
    contrast: Literal["none", "sslcl", "supcon"] = "none"
    masks: tuple[Kept, ...] = ()
    to_classifier: bool = False
    by_position: bool = False


@dataclass(frozen=True)
class Settings:
    """The same for every arm. width: of a branch; join: branches side by side (as `fine_tuning`) or added up;
    steps: of AdamW on batches of `batch` clips."""

    join: Join = "concat"
    width: int = 64
    dropout: float = 0.3
    steps: int = 150
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3


def make_arms(views: Sequence[str]) -> list[Arm]:
    """Without masks; each mask alone; the paper's set with each view as anchor; every mask; two controls."""
    proper = [kept for size in range(1, len(views)) for kept in combinations(views, size)]
    arms = [Arm("ce"), Arm("ce+supcon", "supcon"), Arm("ce+sslcl", "sslcl")]
    arms += [Arm(f"mask {short(kept)}", "sslcl", (kept,)) for kept in proper]
    if len(views) > 2:  # with two views the anchor's set is that view alone
        for anchor in views:
            arms.append(Arm(f"anchor {short([anchor])}", "sslcl", tuple(kept for kept in proper if anchor in kept)))
    if len(views) > 1:
        singles = tuple((view,) for view in views)
        arms += [
            Arm("every mask", "sslcl", tuple(proper)),
            Arm("as fine-tuning", "sslcl", singles, to_classifier=True, by_position=True),
            Arm("ce, masks as samples", "none", tuple(proper), to_classifier=True),
        ]
    return arms


def short(kept: Sequence[str]) -> str:
    """`speech+mel`: the views that are kept, in few words."""
    return "+".join("speech" if view == "wav2vec2" else view for view in kept)


class MaskedSSLCL(SSLCL):
    """SSLCL with a weight for each masked positive; SSLCL itself weighs them by their position, which is the paper's
    only for the paper's own set (a pair alone would weigh 1/3).

    positive_weights: float (V + 1,), of `views` and of the full features.
    """

    positive_weights: Tensor

    def __init__(self, classes: int, width: int, counts: Sequence[int], positive_weights: Sequence[float]) -> None:
        super().__init__(classes, width, counts)
        self.register_buffer("positive_weights", torch.tensor(positive_weights, dtype=torch.get_default_dtype()))

    def forward(self, features: Tensor, labels: Tensor, views: Tensor | None = None) -> Tensor:
        """As SSLCL without focal terms. Raises ValueError where views and weights do not match."""
        masked = [] if views is None else list(views)
        if len(masked) + 1 != len(self.positive_weights):
            raise ValueError(f"{len(self.positive_weights)} weights for {len(masked)} masked views and the full one")
        embeddings = self.labels.forward()
        full = self._logits(features, labels, embeddings, remember=True)
        own = labels[:, None]
        positives = [self._logits(view, labels, embeddings).gather(1, own) for view in masked] + [full.gather(1, own)]
        log_p = log_softmax(torch.cat([*positives, _others(full, labels)], dim=1), dim=1)
        count = len(positives)
        per_sample = (log_p[:, :count] * self.positive_weights).mean(1) + _log_rest(log_p)[:, count:].mean(1)
        loss = -(self._sample_weights(labels, per_sample) * per_sample).mean()
        return loss + self.label_weight * label_label(embeddings)


def share_kept(masks: Sequence[Kept], views: int) -> list[float]:
    """Weights of masked positives, and of the full one: how many of the `views` views each keeps."""
    return [len(kept) / views for kept in masks] + [1.0]


class MaskedModel(nn.Module):
    """Branches (Linear, ReLU, dropout), joined to one vector; a linear classifier and the arm's contrast on it."""

    def __init__(self, arm: Arm, settings: Settings, dims: Mapping[str, int], classes: int, counts: list[int]) -> None:
        super().__init__()
        self.arm, self.settings = arm, settings
        self.branches = nn.ModuleDict(
            {
                view: nn.Sequential(nn.Linear(dim, settings.width), nn.ReLU(), nn.Dropout(settings.dropout))
                for view, dim in dims.items()
            }
        )
        width = settings.width * (len(dims) if settings.join == "concat" else 1)
        self.classifier = build_loss("balanced_ce", classes, width, counts)
        self.contrast: SupervisedLoss | None = None
        if arm.contrast == "supcon":
            self.contrast = build_loss("supcon", classes, width, counts)
        elif arm.contrast == "sslcl" and arm.by_position:
            self.contrast = SSLCL(classes, width, counts)
        elif arm.contrast == "sslcl":
            self.contrast = MaskedSSLCL(classes, width, counts, share_kept(arm.masks, len(dims)))

    def hidden(self, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """float (N, width) of every view."""
        return {view: branch(x[view]) for view, branch in self.branches.items()}

    def join(self, hidden: Mapping[str, Tensor], kept: Collection[str] | None = None) -> Tensor:
        """float (N, D): branches in one vector; with `kept`, those of the other views as 0."""
        parts = [h if kept is None or view in kept else torch.zeros_like(h) for view, h in hidden.items()]
        return torch.cat(parts, dim=1) if self.settings.join == "concat" else torch.stack(parts).sum(0)

    def loss(self, x: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """Cross-entropy and contrast of a batch. The masks share their branches' dropout with the full features."""
        hidden = self.hidden(x)
        full = self.join(hidden)
        masked = torch.stack([self.join(hidden, kept) for kept in self.arm.masks]) if self.arm.masks else None
        value = self.classifier(full, labels, masked if self.arm.to_classifier else None)
        return value if self.contrast is None else value + self.contrast(full, labels, masked)


def train_and_test(
    arm: Arm, settings: Settings, x: Mapping[str, Floats], y: Indices, classes: int, rows: Indices, test: Indices,
    seed: int, device: torch.device | str = "cpu",
) -> tuple[dict[str, Indices], dict[str, Any]]:  # fmt: skip
    """Train on the clips `rows` and answer for `test`. The same seed draws the same batches and first branches in every
    arm.

    x: normalised features (n, d) by view; y: classes (n,). Given back: the class of each test clip by the classifier,
    with all views (`all`), with each view alone (`speech`, …), and by the label embeddings (`labels`, SSLCL only); and
    loss, closest label embeddings and CPU seconds.
    """
    where, began = torch.device(device), time.process_time()
    with torch.random.fork_rng([where] if where.type == "cuda" else []):
        torch.manual_seed(seed)
        counts = np.bincount(y[rows], minlength=classes).tolist()
        model = MaskedModel(arm, settings, {view: part.shape[1] for view, part in x.items()}, classes, counts).to(where)
        optimiser = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        inputs = {view: torch.from_numpy(part).to(where) for view, part in x.items()}
        labels = torch.from_numpy(y).to(where)
        value = torch.zeros(())
        for chosen in batches(rows, settings, seed):
            at = torch.from_numpy(chosen).to(where)
            value = model.loss({view: part[at] for view, part in inputs.items()}, labels[at])
            optimiser.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    model.eval()
    at = torch.from_numpy(test).to(where)
    with torch.no_grad():
        hidden = model.hidden({view: part[at] for view, part in inputs.items()})
        joined = {"all": model.join(hidden)} | {short([view]): model.join(hidden, [view]) for view in x}
        scores = {name: model.classifier.scores(f) for name, f in joined.items()}
        if isinstance(model.contrast, SSLCL):
            scores["labels"] = model.contrast.scores(joined["all"])
    guesses = {name: one.argmax(1).cpu().numpy() for name, one in scores.items() if one is not None}
    details = {
        "loss": float(value.detach()),
        "closeness": None if model.contrast is None else model.contrast.closeness(),
        "cpu_seconds": time.process_time() - began,
    }
    return guesses, details


def batches(rows: Indices, settings: Settings, seed: int) -> list[Indices]:
    """The clips of every step: passes over all rows, each in a new order."""
    size = min(settings.batch, len(rows))
    rng = np.random.default_rng([seed, 5])
    passes = -(-settings.steps * size // len(rows))
    order = np.concatenate([rng.permutation(rows) for _ in range(passes)])
    return [order[step * size : (step + 1) * size] for step in range(settings.steps)]
