"""Each loss once more, slow and literal, as its formula is printed; float64 loops over samples."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def unit(x: Tensor) -> Tensor:
    return x / x.pow(2).sum(-1, keepdim=True).sqrt()


def nt_xent(a: Tensor, b: Tensor, tau: float, within: bool = False, exclude: Tensor | None = None) -> Tensor:
    a, b = unit(a), unit(b)
    n, total = len(a), torch.zeros((), dtype=a.dtype)
    for x, y in ((a, b), (b, a)):
        for l in range(n):
            below = torch.zeros((), dtype=a.dtype)
            for j in range(n):
                allowed = exclude is None or not bool(exclude[l, j])
                if j == l or allowed:
                    below = below + (x[l] @ y[j] / tau).exp()
                if within and j != l and allowed:
                    below = below + (x[l] @ x[j] / tau).exp()
            total = total - ((x[l] @ y[l] / tau).exp() / below).log()
    return total / (2 * n)


def supcon(z: Tensor, labels: Tensor, tau: float) -> Tensor:
    z, terms = unit(z), []
    for i in range(len(z)):
        others = [a for a in range(len(z)) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        if positives:
            below = sum((z[i] @ z[a] / tau).exp() for a in others)
            terms.append(-sum(((z[i] @ z[p] / tau).exp() / below).log() for p in positives) / len(positives))
    return torch.stack(terms).mean()


def barlow(a: Tensor, b: Tensor, off: float) -> Tensor:
    n, d = a.shape
    columns = []
    for x in (a, b):
        mean = x.sum(0) / n
        columns.append((x - mean) / ((x - mean).pow(2).sum(0) / n).sqrt())
    total = torch.zeros((), dtype=a.dtype)
    for i in range(d):
        for j in range(d):
            m = (columns[0][:, i] * columns[1][:, j]).sum() / n
            total = total + ((1 - m) ** 2 if i == j else off * m**2)
    return total


def vicreg(a: Tensor, b: Tensor, lam: float, mu: float, nu: float, eps: float) -> Tensor:
    n, d = a.shape
    total = lam * ((a - b) ** 2).sum() / (n * d)
    for x in (a, b):
        mean = x.sum(0) / n
        cov = sum(torch.outer(row - mean, row - mean) for row in x) / (n - 1)
        for i in range(d):
            total = total + mu * torch.clamp(1 - (cov[i, i] + eps).sqrt(), min=0) / d
            for j in range(d):
                if i != j:
                    total = total + nu * cov[i, j] ** 2 / d
    return total


def hgr_exact(f: Tensor, y: Tensor, g: Tensor) -> Tensor:
    """Scores (N, C) of the exact decomposition: <f~, g~_c> - 1/2 g~_c^T C_f g~_c."""
    n, c = len(f), len(g)
    share = [float((y == k).sum()) / n for k in range(c)]
    centre = sum(share[k] * g[k] for k in range(c))
    mean = f.sum(0) / n
    cov = sum(torch.outer(row - mean, row - mean) for row in f) / max(1, n - 1)
    rows = []
    for i in range(n):
        rows.append(
            torch.stack(
                [(f[i] - mean) @ (g[k] - centre) - 0.5 * (g[k] - centre) @ cov @ (g[k] - centre) for k in range(c)]
            )
        )
    return torch.stack(rows)


def hgr_public_row(x: Tensor, y: Tensor) -> Tensor:
    """One row of the public code: covariances between samples, N x N, built in full."""
    n, d = x.shape
    x, y = x - x.sum(0) / n, y - y.sum(0) / n

    def between_samples(m: Tensor) -> Tensor:
        centred = m - (m.sum(1) / d)[:, None]
        return torch.stack(
            [torch.stack([(centred[i] * centred[j]).sum() / (d - 1) for j in range(n)]) for i in range(n)]
        )

    product = between_samples(x) @ between_samples(y)
    return torch.stack([(x[i] * y[i]).sum() / (n - 1) - product[i, i] / 2 for i in range(n)])


def hgr_public(f: Tensor, y: Tensor, g: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Positive scores (N,) and the C - 1 negative rows (N,) of the public code."""
    n, c = len(f), len(g)
    positive = hgr_public_row(f, torch.stack([g[int(y[i])] for i in range(n)]))
    negatives = []
    for k in range(1, c):
        paired = torch.stack([g[0] if int(y[i]) == k else g[k] for i in range(n)])
        negatives.append(hgr_public_row(f, paired))
    return positive, negatives


def label_label(g: Tensor, focus: float) -> Tensor:
    total, count = torch.zeros((), dtype=g.dtype), 0
    for c in range(len(g)):
        others = [k for k in range(len(g)) if k != c]
        below = 1 + sum((g[c] @ g[k]).exp() for k in others)
        for k in others:
            q = (g[c] @ g[k]).exp() / below
            total, count = total - (1 - q).log() * q**focus, count + 1
    return total / count


def sslcl(
    f: Tensor,
    y: Tensor,
    g: Tensor,
    *,
    similarity: str,
    tau: float,
    a: float,
    b: float,
    lam: float,
    weights: list[float],
    views: Any = None,
) -> Tensor:
    """The whole loss. f, views and g as given to the similarity (already of unit length where it wants that); weights
    by class."""
    every = [f] if views is None else [*views, f]
    n, c = len(f), len(g)
    factor = {1: [1.0], 3: [1 / 3, 2 / 3, 1.0], 4: [1 / 3, 2 / 3, 2 / 3, 1.0]}[len(every)]
    if similarity == "soft_hgr_ref":
        positives = [hgr_public(v, y, g)[0] for v in every]
        rows = hgr_public(f, y, g)[1]
        negatives = [[row[i] for row in rows] for i in range(n)]
    else:
        scored = [hgr_exact(v, y, g) if similarity == "soft_hgr" else v @ g.T for v in every]
        positives = [torch.stack([s[i, int(y[i])] for i in range(n)]) for s in scored]
        negatives = [[scored[-1][i, k] for k in range(c) if k != int(y[i])] for i in range(n)]
    total = torch.zeros((), dtype=f.dtype)
    for i in range(n):
        exps = [(p[i] / tau).exp() for p in positives] + [(s / tau).exp() for s in negatives[i]]
        probs = [e / sum(exps) for e in exps]
        pos = sum(w * p.log() * (1 - p) ** a for w, p in zip(factor, probs, strict=False)) / len(every)
        neg = sum((1 - p).log() * p**b for p in probs[len(every) :]) / (c - 1)
        total = total - weights[int(y[i])] * (pos + neg)
    return total / n + lam * label_label(g, b)
