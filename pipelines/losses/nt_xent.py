"""NT-Xent between views (Chen et al. 2020, eq. 1; Tian et al. 2020, eq. 3; Pairwise-CL, arXiv 2406.07900).

For projections z (N, D) of the same N clips in two views v and w, both of unit length, and temperature tau:

    l(v->w)_l = -log exp(<z_l^v, z_l^w>/tau) / sum_j exp(<z_l^v, z_j^w>/tau)
    L_{v,w}   = 1/(2N) sum_l [l(v->w)_l + l(w->v)_l]

Over several views the loss is the mean over the pairs: with Adam mean and sum differ only by a factor that Adam
removes, and with the mean the value can be compared between two and three views.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize


def nt_xent(
    first: Tensor,
    second: Tensor,
    temperature: float = 0.5,
    *,
    within_view_negatives: bool = False,
    exclude: Tensor | None = None,
) -> Tensor:
    """Symmetric NT-Xent of one pair of views.

    first, second: float (N, D), normalised here; row l of both is the same clip.
    within_view_negatives: the SimCLR form, in which the denominator also holds the same view's other clips (2N - 2
        negatives).
    exclude: bool (N, N); True at [l, j] says that clip j is no negative of clip l (`false_negatives`). The diagonal
        is the positive and always stays. Must be symmetric when the two directions are to agree about who is a
        negative.
    Returns a scalar; log N at chance, `floor(N, temperature)` at best. Needs N >= 1 (0 with no negative at all).
    """
    first, second = normalize(first, dim=-1), normalize(second, dim=-1)
    n = len(first)
    itself = torch.eye(n, dtype=torch.bool, device=first.device)
    across = first @ second.T / temperature
    left, right = across, across.T
    if exclude is not None:
        gone = exclude & ~itself
        left, right = left.masked_fill(gone, -math.inf), right.masked_fill(gone, -math.inf)
    if within_view_negatives:
        within = itself if exclude is None else exclude | itself
        left = torch.cat([left, (first @ first.T / temperature).masked_fill(within, -math.inf)], dim=1)
        right = torch.cat([right, (second @ second.T / temperature).masked_fill(within, -math.inf)], dim=1)
    target = torch.arange(n, device=first.device)
    return 0.5 * (cross_entropy(left, target) + cross_entropy(right, target))


def over_pairs(
    views: Sequence[Tensor],
    temperature: float = 0.5,
    *,
    within_view_negatives: bool = False,
    exclude: Tensor | None = None,
) -> Tensor:
    """Mean of `nt_xent` over all pairs of views; views: V >= 2 tensors (N, D)."""
    pairs = [
        nt_xent(a, b, temperature, within_view_negatives=within_view_negatives, exclude=exclude)
        for a, b in combinations(views, 2)
    ]
    return torch.stack(pairs).mean()


def floor(n: int, temperature: float) -> float:
    """The least value NT-Xent can take with n clips: positives at cosine 1, negatives at the simplex's -1/(n-1)."""
    if n < 2:
        return 0.0
    return math.log1p((n - 1) * math.exp(-(1 + 1 / (n - 1)) / temperature))


def retrieval_accuracy(views: Sequence[Tensor]) -> float:
    """Share of clips whose nearest clip in another view is the clip itself, mean over ordered pairs of views (0..1)."""
    hits = []
    for a, b in combinations([normalize(view, dim=-1) for view in views], 2):
        scores = a @ b.T
        target = torch.arange(len(a), device=a.device)
        hits += [(scores.argmax(1) == target).float().mean(), (scores.argmax(0) == target).float().mean()]
    return float(torch.stack(hits).mean())


def false_negatives(
    inputs: Tensor | None = None,
    *,
    threshold: float = 0.999,
    speakers: Tensor | None = None,
    within_speaker: bool = False,
    classes: Tensor | None = None,
) -> Tensor:
    """Which pairs of a batch are no negatives of each other: bool (N, N), symmetric, diagonal True.

    inputs: float (N, d); pairs with a cosine of at least `threshold` are the same sound twice (a clip imported under
        two names, a cut of the same recording).
    within_speaker with speakers (N,), -1 = unknown: only clips of one speaker are negatives, so that the views cannot
        be told apart by the voice alone (arXiv 2401.11017). A clip without a speaker, or the only one of its speaker
        in the batch, keeps all negatives.
    classes (N,), -1 = unknown: clips known (or believed) to share a class are no negatives.
    """
    given = next((x for x in (inputs, speakers, classes) if x is not None), None)
    if given is None:
        raise ValueError("false_negatives needs inputs, speakers or classes to tell pairs apart")
    n = len(given)
    gone = torch.eye(n, dtype=torch.bool, device=given.device)
    if inputs is not None:
        unit = normalize(inputs, dim=-1)
        gone = gone | (unit @ unit.T >= threshold)
    if within_speaker and speakers is not None:
        known = speakers >= 0
        same = (speakers[:, None] == speakers[None, :]) & known[:, None] & known[None, :]
        alone = same.sum(1) < 2
        free = alone[:, None] | alone[None, :]
        gone = gone | ~(same | free)
    if classes is not None:
        known = classes >= 0
        gone = gone | ((classes[:, None] == classes[None, :]) & known[:, None] & known[None, :])
    return gone
