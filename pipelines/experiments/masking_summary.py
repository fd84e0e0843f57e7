"""From the trainings of `view_masking` to its tables: UAR, differences with intervals, and what they say in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Outcome = Mapping[str, Any]
Floats = npt.NDArray[np.float64]

DRAWS = 2000
BASELINES = ("ce", "ce+sslcl")
"""What every arm is compared with: cross-entropy alone, and SSLCL without masks."""
UNMASKED = ("ce", "ce+supcon", "ce+sslcl")


def summarise(outcomes: Sequence[Outcome], folds: Mapping[str, int]) -> dict[str, Any]:
    """The keys `summary` and `advice` of the document: a row a task, join, fraction and arm, in %.

    folds: how many each task has; a seed counts where it has them all. UAR is that of all held-out speakers together,
    mean over seeds; `deviation` over seeds. gains: less each of BASELINES with the same seeds, with 95 % percentile
    bootstrap limits over speakers and seeds: the clips of a speaker go right and wrong together, and every seed tests
    the same ones. fraction None: the mean of all fractions.
    """
    cells: dict[tuple[str, str], dict[tuple[str, float], dict[int, list[Outcome]]]] = {}
    for one in outcomes:
        cell = one["cell"]
        by_seed = cells.setdefault((cell["task"], cell["join"]), {}).setdefault((cell["arm"], cell["fraction"]), {})
        by_seed.setdefault(cell["seed"], []).append(one)
    rows: list[dict[str, Any]] = []
    for (task, join), group in cells.items():
        draws = _Draws([one for by_seed in group.values() for found in by_seed.values() for one in found])
        whole = {
            at: {seed: found for seed, found in by_seed.items() if len(found) == folds[task]}
            for at, by_seed in group.items()
        }
        tables = {at: {seed: draws.uar(found) for seed, found in one.items()} for at, one in whole.items()}
        fractions = list(dict.fromkeys(fraction for _, fraction in group))
        for arm in dict.fromkeys(arm for arm, _ in group):
            of = {name: [tables.get((name, fraction), {}) for fraction in fractions] for name in {arm, *BASELINES}}
            for number, fraction in enumerate(fractions):
                row = _row(arm, {name: parts[number] for name, parts in of.items()})
                if row is not None:
                    details = _details(whole[arm, fraction], draws)
                    rows.append({"task": task, "join": join, "fraction": fraction, **row, **details})
            row = _row(arm, {name: _mean_of(parts) for name, parts in of.items()})
            if row is not None:
                rows.append({"task": task, "join": join, "fraction": None, **row})
    return {"summary": rows, "advice": advice(rows)}


class _Draws:
    """Draws of speakers, the same for every arm, seed and fraction of a task, so that differences are paired."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.speakers = sorted({speaker for one in outcomes for speaker in one["n"]})
        count = len(self.speakers)
        drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), DRAWS)
        self.weights = np.concatenate([np.ones((1, count)), drawn])

    def uar(self, outcomes: Sequence[Outcome], which: str = "all") -> Floats:
        """UAR in % over all folds of a seed: of the speakers as they are, then of each draw, (1 + DRAWS,)."""
        right = self.weights @ self._counts([one["right"][which] for one in outcomes])
        n = self.weights @ self._counts([one["n"] for one in outcomes])
        values: Floats = 100 * (right / np.maximum(n, 1)).sum(1) / np.maximum((n > 0).sum(1), 1)
        return values

    def _counts(self, parts: Sequence[Mapping[str, Sequence[int]]]) -> Floats:
        """float (speakers, C)."""
        width = len(next(iter(parts[0].values())))
        total = np.zeros((len(self.speakers), width))
        for part in parts:
            for speaker, counts in part.items():
                total[self.speakers.index(speaker)] += counts
        return total


def _mean_of(parts: Sequence[Mapping[int, Floats]]) -> dict[int, Floats]:
    """Mean over fractions, of the seeds that all of them have."""
    common = sorted(set.intersection(*(set(part) for part in parts)))
    return {seed: np.mean([part[seed] for part in parts], axis=0) for seed in common}


def _row(arm: str, tables: Mapping[str, Mapping[int, Floats]]) -> dict[str, Any] | None:
    own, gains = tables[arm], {}
    if not own:
        return None
    for name in BASELINES:
        seeds = sorted(set(own) & set(tables[name]))
        if name != arm and seeds:
            difference = np.stack([own[seed] - tables[name][seed] for seed in seeds])
            picks = np.random.default_rng(1).integers(0, len(seeds), (DRAWS, len(seeds)))
            drawn = difference[picks, np.arange(1, DRAWS + 1)[:, None]].mean(1)
            low, high = np.quantile(drawn, [0.025, 0.975])
            gains[name] = {"mean": float(difference[:, 0].mean()), "low": float(low), "high": float(high)}
    values = [float(one[0]) for one in own.values()]
    return {
        "arm": arm,
        "seeds": len(own),
        "uar": float(np.mean(values)),
        "deviation": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "gains": gains,
    }


def _details(by_seed: Mapping[int, Sequence[Outcome]], draws: _Draws) -> dict[str, Any]:
    """What is said beside the UAR: labels, the classifier on one view alone, answers by the label embeddings."""
    found = [one for part in by_seed.values() for one in part]
    close = [one["closeness"] for one in found if one["closeness"] is not None]
    names = [name for name in found[0]["right"] if name != "all"]
    others = {name: float(np.mean([draws.uar(part, name)[0] for part in by_seed.values()])) for name in names}
    return {
        "labels": float(np.mean([one["labels"] for one in found])),
        "by_labels": others.pop("labels", None),
        "one_view": others,
        "closeness": max(close, default=None),
        "cpu_seconds": float(np.mean([one["cpu_seconds"] for one in found])),
    }


def advice(rows: Sequence[Mapping[str, Any]]) -> str:
    """Whether masks paid, in a few sentences."""
    masked = [row for row in rows if row["arm"].startswith(("mask ", "anchor ", "every ")) and len(row["gains"]) == 2]
    if not masked:
        return "Masks need two views or more, and both baselines: nothing can be said."
    sentences = []
    for base, name in (("ce+sslcl", "SSLCL without masks"), ("ce", "cross-entropy alone")):
        gains = [row["gains"][base] for row in masked if row["fraction"] is not None]
        above, below = sum(g["low"] > 0 for g in gains), sum(g["high"] < 0 for g in gains)
        mean = float(np.mean([g["mean"] for g in gains]))
        sentences.append(
            f"Masks against {name}, {len(gains)} comparisons: mean {mean:+.2f} points of UAR, {above} with a 95 % "
            f"interval above 0 and {below} below; by chance about {0.025 * len(gains):.0f} each."
        )
    means = [row for row in masked if row["fraction"] is None]
    if not means:
        return " ".join(sentences)
    best = max(means, key=lambda row: float(row["gains"]["ce+sslcl"]["mean"]))
    gain = best["gains"]["ce+sslcl"]
    sentences.append(
        f"The best of {len(means)} over all fractions, picked after the fact: {best['arm']} ({best['task']}, "
        f"{best['join']}), {gain['mean']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f}) over SSLCL without masks."
    )
    return " ".join(sentences)
