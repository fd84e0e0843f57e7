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


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The keys `summary` and `advice` of the document: a row a task, join, fraction and arm, in %.

    UAR is that of all held-out speakers together, mean over seeds; `deviation` over seeds. gains: less each of
    BASELINES, paired by fold and seed, with 95 % percentile bootstrap limits over speakers and seeds: the clips of a
    speaker go right and wrong together, and every seed tests the same ones. fraction None: the mean of all fractions.
    """
    groups: dict[tuple[str, str], dict[float, dict[str, list[Outcome]]]] = {}
    for one in outcomes:
        cell = one["cell"]
        by_fraction = groups.setdefault((cell["task"], cell["join"]), {})
        by_fraction.setdefault(cell["fraction"], {}).setdefault(cell["arm"], []).append(one)
    rows: list[dict[str, Any]] = []
    for (task, join), fractions in groups.items():
        draws = _Draws(next(iter(next(iter(fractions.values())).values())))
        tables = {f: {arm: draws.uar(found) for arm, found in arms.items()} for f, arms in fractions.items()}
        for fraction, arms in fractions.items():
            for arm, found in arms.items():
                rows.append(_row(task, join, fraction, arm, tables[fraction]) | _details(found, draws))
        for arm in next(iter(fractions.values())):
            mean = {name: _mean_of([tables[f][name] for f in fractions]) for name in {arm, *BASELINES}}
            rows.append(_row(task, join, None, arm, mean))
    return {"summary": rows, "advice": advice(rows)}


class _Draws:
    """Draws of speakers and seeds, the same for every arm and fraction of a task, so that differences are paired."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.speakers = sorted({speaker for one in outcomes for speaker in one["n"]})
        self.seeds = sorted({one["cell"]["seed"] for one in outcomes})
        rng, count = np.random.default_rng(0), len(self.speakers)
        drawn = rng.multinomial(count, np.full(count, 1 / count), DRAWS)
        self.weights = np.concatenate([np.ones((1, count)), drawn])  # the first is the corpus as it is
        self.picks = rng.integers(0, len(self.seeds), (DRAWS, len(self.seeds)))

    def uar(self, outcomes: Sequence[Outcome], which: str = "all") -> tuple[Floats, Floats]:
        """UAR in % of each seed (seeds,), and of each draw (DRAWS,)."""
        whole = np.stack([self._of_seed(outcomes, seed, which) for seed in self.seeds])  # (seeds, 1 + DRAWS)
        drawn = whole[self.picks, np.arange(1, DRAWS + 1)[:, None]].mean(1)
        return whole[:, 0], drawn

    def _of_seed(self, outcomes: Sequence[Outcome], seed: int, which: str) -> Floats:
        own = [one for one in outcomes if one["cell"]["seed"] == seed]
        right, n = self.weights @ self._counts(own, which), self.weights @ self._counts(own, None)
        return 100 * np.where(n > 0, right / np.maximum(n, 1), 0).sum(1) / np.maximum((n > 0).sum(1), 1)  # type: ignore[no-any-return]

    def _counts(self, outcomes: Sequence[Outcome], which: str | None) -> Floats:
        total: dict[str, Floats] = {}
        for one in outcomes:
            for speaker, counts in (one["n"] if which is None else one["right"][which]).items():
                total[speaker] = total.get(speaker, np.zeros(len(counts))) + np.asarray(counts, float)
        width = len(next(iter(total.values())))
        return np.stack([total.get(speaker, np.zeros(width)) for speaker in self.speakers])


def _mean_of(tables: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    return np.mean([t[0] for t in tables], axis=0), np.mean([t[1] for t in tables], axis=0)


def _row(
    task: str, join: str, fraction: float | None, arm: str, tables: Mapping[str, tuple[Floats, Floats]]
) -> dict[str, Any]:
    seeds, drawn = tables[arm]
    gains = {}
    for name in BASELINES:
        if name != arm and name in tables:
            low, high = np.quantile(drawn - tables[name][1], [0.025, 0.975])
            gains[name] = {"mean": float((seeds - tables[name][0]).mean()), "low": float(low), "high": float(high)}
    return {
        "task": task,
        "join": join,
        "fraction": fraction,
        "arm": arm,
        "uar": float(seeds.mean()),
        "deviation": float(seeds.std(ddof=1)) if len(seeds) > 1 else None,
        "gains": gains,
    }


def _details(found: Sequence[Outcome], draws: _Draws) -> dict[str, Any]:
    """What is said beside the UAR: labels, trainings, the classifier on one view alone, answers by the label
    embeddings."""
    close = [one["closeness"] for one in found if one["closeness"] is not None]
    others = {name: float(draws.uar(found, name)[0].mean()) for name in found[0]["right"] if name != "all"}
    return {
        "labels": float(np.mean([one["labels"] for one in found])),
        "trainings": len(found),
        "by_labels": others.pop("labels", None),
        "one_view": others,
        "closeness": max(close, default=None),
        "cpu_seconds": float(np.mean([one["cpu_seconds"] for one in found])),
    }


def advice(rows: Sequence[Mapping[str, Any]]) -> str:
    """Whether masks paid, in a few sentences."""
    masked = [row for row in rows if row["arm"].startswith(("mask ", "anchor ", "every "))]
    if not masked or any(not row["gains"] for row in masked):
        return "Masks need two views or more: nothing can be said."
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
    best = max(means, key=lambda row: float(row["gains"]["ce+sslcl"]["mean"]))
    gain = best["gains"]["ce+sslcl"]
    sentences.append(
        f"The best of {len(means)} over all fractions, picked after the fact: {best['arm']} ({best['task']}, "
        f"{best['join']}), {gain['mean']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f}) over SSLCL without masks."
    )
    return " ".join(sentences)
