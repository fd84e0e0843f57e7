"""Signs that the learning has gone wrong, in words for the Progress page; each says what to do.

What both papers' methods fail by (arXiv 2406.07900, arXiv 2310.16676): views that do not agree after pre-training,
encoders that do better from scratch, validation that promises more than the evaluation clips hold, label embeddings
that fall into one, and training that does not settle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

NEAR_FLOOR = 0.05
BETTER_FROM_SCRATCH = 0.05
ABOVE_EVALUATION = 0.05
COLLAPSED = 0.95
DRIFTED = 0.15
"""Of the way from the first validation loss to the best, lost again at the end."""
Document = Mapping[str, Any]


def failure_signs(
    *, alignment: Document | None, pretraining: Document | None, slow_round: Document | None, now: Document | None
) -> list[str]:
    """Warnings from the newest artefacts' details and the newest point of the curve, most serious first."""
    return [*_unstable(pretraining), *_unaligned(alignment), *_fine_tuned(slow_round), *_promised(now)]


def _unstable(pretraining: Document | None) -> list[str]:
    history: Sequence[Sequence[float]] = (pretraining or {}).get("history") or []
    losses = [row[2] for row in history]
    if not losses:
        return []
    if not all(math.isfinite(row[1]) and math.isfinite(row[2]) for row in history):
        return ["Pre-training is unstable: a loss was not a number. The encoders of the best epoch before are used."]
    best, gained = min(losses), losses[0] - min(losses)
    if gained <= 0:
        return [
            "Pre-training taught the encoders nothing: the first epoch was the best. Its result is used only where "
            "cross-validation asks for it; --pretraining none saves the time."
        ]
    if losses[-1] - best > max(DRIFTED, DRIFTED * gained) and len(losses) > 5:
        return [
            f"Pre-training over-learned: its validation loss rose from {best:.2f} to {losses[-1]:.2f} after the best "
            "epoch. The encoders of that epoch are in use; more unlabelled clips would help."
        ]
    return []


def _unaligned(alignment: Document | None) -> list[str]:
    pairs = (alignment or {}).get("pairs") or []
    near = sorted({pair["views"] for pair in pairs if pair["after"] < pair["shuffled"] + NEAR_FLOOR})
    if not near:
        return []
    return [
        f"After pre-training these views agree hardly more than by chance: {', '.join(near)}. Fine-tuned encoders are "
        "not to be relied on here; look whether one of the views is noise (recordings of mixed quality, a wrong model)."
    ]


def _fine_tuned(slow_round: Document | None) -> list[str]:
    details = slow_round or {}
    signs = []
    scratch, pretrained = details.get("scratch"), details.get("pretrained")
    if scratch is not None and pretrained is not None and scratch > pretrained + BETTER_FROM_SCRATCH:
        signs.append(
            f"Encoders learn the labels better from scratch (UAR {scratch:.2f}) than pre-trained ones do "
            f"({pretrained:.2f}), on the same held-out speakers: pre-training does not suit these clips. "
            "--pretraining none leaves it out."
        )
    closeness = details.get("label_embeddings_cosine")
    if closeness is not None and closeness > COLLAPSED:
        signs.append(
            f"Two classes' label embeddings have become one (cosine {closeness:.2f}): SSLCL cannot tell them apart. "
            "--fine-tuning-loss ce does without."
        )
    return signs


def _promised(now: Document | None) -> list[str]:
    if now is None or now.get("cv_uar") is None or now.get("high") is None:
        return []
    promised, high = now["cv_uar"], now["high"]
    if promised <= high + ABOVE_EVALUATION:
        return []
    return [
        f"Cross-validation on the labelled clips says {promised:.2f}, the evaluation clips {now['uar']:.2f} "
        f"({now['low']:.2f} to {high:.2f}): the model does not carry over to speakers that were held out. Trust the "
        "evaluation clips; label clips of more speakers."
    ]
