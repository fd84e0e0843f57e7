"""Training a context encoder on dialogues with any registered loss; the epoch is chosen on the development split."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from pipelines.conversation import ContextEncoder, build_context
from pipelines.conversation.dialogues import NONE, Dialogues, batches
from pipelines.conversation.loss_names import make_loss
from pipelines.conversation.scoring import Scores, scores
from pipelines.errors import PipelineError
from pipelines.losses import SupervisedLoss

WARM_UP = 0.1  # of all steps; then the rate falls as half a cosine
EVALUATION_BATCH = 64  # dialogues
Predictions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Training:
    """loss: as `loss_names.parse` takes it. encoder: in `CONTEXTS`. batch: dialogues. rate: AdamW's, at its highest.
    views: with several modalities, SSLCL's masked views of the same utterances (each first one alone, then pairs)."""

    loss: str = "ce"
    encoder: str = "gru"
    batch: int = 8
    epochs: int = 12
    rate: float = 1e-3
    weight_decay: float = 0.01
    dropout: float = 0.3
    width: int = 128
    causal: bool = False
    views: bool = False
    seed: int = 0


class ConversationModel(nn.Module):
    """Standardised features, context encoder, and what predicts: the loss's own scores, else a linear classifier
    trained beside it by cross-entropy, from which nothing flows back into the encoder."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, train: Dialogues, classes: int, settings: Training) -> None:
        super().__init__()
        used = train.features[train.mask]
        self.register_buffer("mean", used.mean(0))
        self.register_buffer("deviation", used.std(0).clamp(min=1e-6))
        self.encoder: ContextEncoder = build_context(
            settings.encoder, used.shape[1], settings.width, causal=settings.causal, dropout=settings.dropout
        )
        self.loss: SupervisedLoss = make_loss(settings.loss, classes, settings.width, train.counts(classes))
        needs_one = self.loss.scores(torch.zeros(2, settings.width)) is None
        self.classifier = nn.Linear(settings.width, classes) if needs_one else None

    def represent(self, batch: Dialogues, keep: Sequence[str] | None = None) -> Tensor:
        """float (B, T, width); `keep`: with only these modalities, the others at their mean."""
        x = ((batch.features - self.mean) / self.deviation).clamp(-5, 5)
        if keep is not None:
            blind = torch.ones(x.shape[-1], dtype=torch.bool, device=x.device)
            for name in keep:
                blind[batch.modalities[name]] = False
            x = x.masked_fill(blind, 0.0)
        return self.encoder(x, batch.speakers, batch.mask)

    def training_loss(self, batch: Dialogues, kept: Sequence[Sequence[str]] = ()) -> Tensor:
        """The loss of a batch over its labelled utterances. kept: the modalities of each masked view."""
        counted = batch.labels != NONE
        features, labels = self.represent(batch)[counted], batch.labels[counted]
        views = torch.stack([self.represent(batch, keep)[counted] for keep in kept]) if kept else None
        value = self.loss(features, labels, views)
        if self.classifier is not None:
            value = value + cross_entropy(self.classifier(features.detach()), labels)
        return value

    @torch.inference_mode()
    def predict(self, dialogues: Dialogues) -> Tensor:
        """Scores of every utterance, float (n, T, C); whatever in the padding."""
        self.eval()
        n, longest = dialogues.mask.shape
        out: Tensor | None = None
        for rows in torch.split(dialogues.mask.sum(1).argsort(stable=True), EVALUATION_BATCH):
            batch = dialogues.take(rows)
            features = self.represent(batch)
            own = self.loss.scores(features.flatten(0, 1)) if self.classifier is None else self.classifier(features)
            assert own is not None
            own = own.view(*features.shape[:2], -1)
            if out is None:
                out = own.new_zeros(n, longest, own.shape[-1])
            out[rows, : own.shape[1]] = own
        assert out is not None
        return out


@dataclass(frozen=True)
class Trained:
    """The model at its best epoch. history: what was chosen by, on the development split, after each epoch. closeness:
    of label embeddings at the best epoch (None without any). step_ms: CPU time of a training step, median."""

    model: ConversationModel
    best_epoch: int
    history: list[float]
    losses: list[float]
    closeness: float | None
    step_ms: float

    def evaluate(self, dialogues: Dialogues, classes: int) -> tuple[Scores, Predictions]:
        """Scores and predictions (n,) over the labelled utterances, dialogue by dialogue."""
        return evaluate(self.model, dialogues, classes)


def train(
    training: Dialogues, development: Dialogues, classes: int, settings: Training, device: str = "cpu"
) -> Trained:
    """Train for all epochs and go back to the one that was best on the development split.

    The same settings, data and seed give the same model. Raises PipelineError for settings that cannot be used and
    when the loss is no longer a number.
    """
    if settings.epochs < 1 or settings.batch < 1 or not settings.rate > 0:
        raise PipelineError("a training needs at least one epoch, one dialogue a batch and a learning rate above 0")
    torch.manual_seed(settings.seed)
    order = torch.Generator().manual_seed(settings.seed)
    training, development = (d.to(torch.device(device)) for d in (training, development))
    model = ConversationModel(training, classes, settings).to(device)
    kept = masked_views(list(training.modalities)) if settings.views else []
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.rate, weight_decay=settings.weight_decay, fused=True)
    planned = [list(batches(training, settings.batch, order)) for _ in range(settings.epochs)]
    if not planned[0]:
        raise PipelineError("the training split has fewer than two labelled utterances")
    steps = sum(map(len, planned))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, total_steps=max(steps, 2), pct_start=WARM_UP, cycle_momentum=False
    )
    best, best_state, history, losses, times, closeness = -1.0, {}, [], [], [], None
    best_epoch = 0
    for epoch, rows_of_epoch in enumerate(planned):
        model.train()
        total = 0.0
        for rows in rows_of_epoch:
            began = time.thread_time()
            value = model.training_loss(training.take(rows), kept)
            optimiser.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(value.detach())
            times.append(time.thread_time() - began)
        losses.append(total / len(rows_of_epoch))
        if not np.isfinite(losses[-1]):
            raise PipelineError(f"the loss {settings.loss!r} became {losses[-1]} in epoch {epoch + 1}: lower the rate")
        found, _ = evaluate(model, development, classes)
        history.append(found.selection)
        if found.selection > best:
            best, best_epoch, closeness = found.selection, epoch, model.loss.closeness()
            best_state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best_state)
    return Trained(model, best_epoch, history, losses, closeness, 1000 * float(np.median(times)))


def evaluate(model: ConversationModel, dialogues: Dialogues, classes: int) -> tuple[Scores, Predictions]:
    """Scores and predictions (n,) over the labelled utterances of `dialogues`, dialogue by dialogue."""
    counted = dialogues.labels != NONE
    predicted = model.predict(dialogues).argmax(-1)[counted].cpu().numpy()
    return scores(dialogues.labels[counted].cpu().numpy(), predicted, classes), predicted


def masked_views(modalities: Sequence[str]) -> list[list[str]]:
    """What SSLCL's views keep, poorest first: the anchor (the first modality) alone, then with one other each. The
    whole is not among them, so with two modalities the anchor alone is left, and with one nothing."""
    if len(modalities) < 2:
        return []
    pairs = [[modalities[0], other] for other in modalities[1:]]
    return [[modalities[0]], *(pairs if len(modalities) > 2 else [])]


def restrict(dialogues: Dialogues, keep: Tensor) -> Dialogues:
    """The same dialogues with labels only where `keep` (n, T) is true: the others stay as context."""
    return replace(dialogues, labels=dialogues.labels.masked_fill(~keep, NONE))


def as_text(predicted: Predictions) -> str:
    """Predictions of fewer than 36 classes as one character each, for JSON."""
    return "".join(np.base_repr(int(p), 36) for p in predicted)


def from_text(text: str) -> Any:
    """What `as_text` wrote, int (n,)."""
    return np.array([int(c, 36) for c in text], dtype=np.int64)
