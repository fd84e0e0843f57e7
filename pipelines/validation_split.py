"""Which clips pre-training is stopped by: whole speakers, in batches of one size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipelines.encoder_inputs import Indices


def split_validation(speakers: npt.NDArray[np.intp], rows: Indices, share: float, seed: int) -> tuple[Indices, Indices]:
    """Training and validation rows: whole speakers drawn at random until `share` of the clips is held out.

    With fewer than three known speakers among `rows`, or clips of unknown speakers only, single clips are drawn.
    """
    rng = np.random.default_rng([seed, 77])
    rows = np.asarray(rows, np.intp)
    names, counts = np.unique(speakers[rows][speakers[rows] >= 0], return_counts=True)
    wanted = max(2, round(share * len(rows)))
    if len(names) >= 3 and counts.sum() >= 0.5 * len(rows):
        order = rng.permutation(len(names))
        # The fewest speakers that reach the share; never so many that less than half is left to train on.
        total, chosen = 0, []
        for i in order:
            if total >= wanted:
                break
            if total + counts[i] <= 0.5 * len(rows):
                chosen.append(names[i])
                total += int(counts[i])
        if total >= 2:
            held = np.isin(speakers[rows], chosen)
            return rows[~held], rows[held]
    order = rng.permutation(rows)
    return np.sort(order[wanted:]), np.sort(order[:wanted])


def held_out_by_speaker(speakers: npt.NDArray[np.intp], training: Indices, validation: Indices) -> bool:
    """Whether no speaker of the validation clips is among the training clips' (and they are known)."""
    held = speakers[validation]
    return bool((held >= 0).all()) and not np.isin(held, speakers[training]).any()


def fixed_batches(rows: Indices, batch: int, seed: int) -> list[Indices]:
    """Batches of one size for validation, the same in every epoch: NT-Xent's floor moves with the batch.

    The size is the largest power of two that is at most `batch` and the number of clips; three random orders are cut
    so, and a remainder is left out, so that nearly every clip counts.
    """
    size = min(batch, 1 << (len(rows).bit_length() - 1))
    rng = np.random.default_rng([seed, 78])
    batches: list[Indices] = []
    for _ in range(3):
        order = rng.permutation(rows)
        batches += [order[start : start + size] for start in range(0, len(order) - size + 1, size)]
    return batches
