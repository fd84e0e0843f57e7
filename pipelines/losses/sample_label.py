"""Losses between two batches of vectors, set between the samples and their label embeddings: the similarity ablation
of SSLCL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from pipelines.losses.barlow_twins import barlow_twins
from pipelines.losses.base import SupervisedLoss
from pipelines.losses.label_network import LabelNetwork
from pipelines.losses.nt_xent import false_negatives, nt_xent
from pipelines.losses.supcon import supcon
from pipelines.losses.vicreg import vicreg


class SampleLabel(SupervisedLoss):
    """NT-Xent, Barlow Twins or VICReg between the features of a batch and the label embeddings G[y].

    NT-Xent: clips of the same class have the same label embedding, so those columns are masked out of the negatives.
    Barlow Twins and VICReg: G[y] has rank C - 1 at most after centring, so both sides are first projected to
    `project` numbers (default C - 1); with more the decorrelated diagonal cannot be reached and a floor of about D -
    (C - 1) stays.
    """

    def __init__(
        self,
        classes: int,
        width: int,
        counts: Sequence[int] | None = None,
        *,
        kind: Literal["nt_xent", "barlow_twins", "vicreg"],
        temperature: float = 0.1,
        hidden: int = 128,
        label_layers: int = 1,
        project: int | None = None,
    ) -> None:
        super().__init__()
        if kind not in ("nt_xent", "barlow_twins", "vicreg"):
            raise ValueError(f"unknown loss between samples and labels {kind!r}: nt_xent, barlow_twins or vicreg")
        self.kind, self.temperature = kind, temperature
        inner = width if kind == "nt_xent" else (project or max(1, classes - 1))
        self.project: nn.Module = nn.Identity() if kind == "nt_xent" else nn.Linear(width, inner, bias=False)
        self.labels = LabelNetwork(classes, inner, hidden, label_layers)

    def forward(self, features: Tensor, labels: Tensor, views: Tensor | None = None) -> Tensor:
        """Mean over the full features and the masked views, each against the label embeddings."""
        embeddings = self.labels.forward()
        every = [features] if views is None else [features, *views]
        return torch.stack([self._one(self.project(f), labels, embeddings) for f in every]).mean()

    def _one(self, f: Tensor, labels: Tensor, embeddings: Tensor) -> Tensor:
        paired = embeddings[labels]
        if self.kind == "nt_xent":
            return nt_xent(f, paired, self.temperature, exclude=false_negatives(classes=labels))
        if self.kind == "barlow_twins":
            return barlow_twins(f, paired)
        return vicreg(f, paired)

    def scores(self, features: Tensor) -> Tensor | None:
        """Closeness to each label embedding, float (N, C); None for Barlow Twins, which only sees standardised
        columns."""
        if self.kind == "barlow_twins":
            return None
        f, embeddings = self.project(features), self.labels.forward()
        if self.kind == "vicreg":
            return -torch.cdist(f, embeddings).square() / self.temperature
        return normalize(f, dim=-1) @ embeddings.T / self.temperature

    def closeness(self) -> float:
        """Largest cosine between the embeddings of two classes; near 1 they have collapsed."""
        return self.labels.closeness()


class SupCon(SupervisedLoss):
    """`supcon` as a SupervisedLoss, on the features or on a projection of them (Khosla et al.: a head that is thrown
    away)."""

    def __init__(
        self,
        classes: int,
        width: int,
        counts: Sequence[int] | None = None,
        *,
        temperature: float = 0.1,
        project: int | None = None,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.project: nn.Module = (
            nn.Identity()
            if project is None
            else nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, project))
        )

    def forward(self, features: Tensor, labels: Tensor, views: Tensor | None = None) -> Tensor:
        """The views are further samples of the same label."""
        every = features if views is None else torch.cat([features, *views])
        target = labels if views is None else labels.repeat(1 + len(views))
        return supcon(self.project(every), target, self.temperature)
