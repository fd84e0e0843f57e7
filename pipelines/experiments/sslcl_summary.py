"""From finished trainings to figures: means, the comparison with the best baseline, what batch sizes change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.conversation.training import from_text

BASELINES = ("ce", "weighted_ce", "focal", "logit_adjusted_ce")
OURS = ("ce+sslcl", "weighted_ce+sslcl")
"""With either cross-entropy, the better on the development split, as the baseline is chosen too. SSLCL brings class
weights of its own: against `weighted_ce` nothing but the contrast is new in the second."""
CHOSEN = " or ".join(OURS)
DRAWS = 2000
Outcome = dict[str, Any]
Floats = npt.NDArray[np.float64]
Setting = tuple[str, str, int, str, str]
"""loss, encoder, batch, task, subset"""
METRICS = ("macro_f1", "weighted_f1")


def summarise(
    outcomes: Sequence[Outcome], answers: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], classes: int
) -> dict[str, Any]:
    """The keys summary, tuning, comparisons, batches and advice of the document.

    answers: of the test split's labelled utterances, dialogue by dialogue. lengths: labelled utterances of each
    dialogue.
    """
    chosen = best_rate(outcomes)
    test = _Test(answers, lengths, classes)
    summary = [_row(setting, found) for setting, found in chosen.items()]
    comparisons = []
    encoders = list(dict.fromkeys(setting[1] for setting in chosen if setting[2:] == (8, "emotion", "all")))
    contrasts = dict.fromkeys(setting[0] for setting in chosen if "sslcl" in setting[0] or "supcon" in setting[0])
    for name, losses in {CHOSEN: OURS, **{loss: (loss,) for loss in contrasts}}.items():
        comparison = compare(name, losses, chosen, encoders, test)
        if comparison is not None:
            comparisons.append(comparison)
    return {
        "summary": summary,
        "tuning": _tuning(outcomes),
        "comparisons": comparisons,
        "batches": _batches(summary),
        "advice": advice(comparisons),
    }


def best_rate(outcomes: Sequence[Outcome]) -> dict[Setting, list[Outcome]]:
    """Of each setting the outcomes at the learning rate that the development split chose with the first seed."""
    groups: dict[Setting, dict[float, list[Outcome]]] = {}
    for outcome in outcomes:
        cell = outcome["cell"]
        one = cell["training"]
        setting = (one["loss"], one["encoder"], one["batch"], cell["task"], cell["subset"])
        groups.setdefault(setting, {}).setdefault(one["rate"], []).append(outcome)
    return {
        setting: max(
            by_rate.values(),
            key=lambda found: max(o["dev"]["selection"] for o in found if o["cell"]["training"]["seed"] == 0),
        )
        for setting, by_rate in groups.items()
    }


def _row(setting: Setting, found: Sequence[Outcome]) -> dict[str, Any]:
    loss, encoder, batch, task, subset = setting
    mean: dict[str, Any] = {}
    for metric in METRICS:
        values = 100 * np.array([o["test"][metric] for o in found])
        mean[metric] = float(values.mean())
        mean[f"{metric}_deviation"] = float(values.std(ddof=1)) if len(values) > 1 else None
    close = [o["closeness"] for o in found if o["closeness"] is not None]
    return {
        "loss": loss,
        "encoder": encoder,
        "batch": batch,
        "task": task,
        "subset": subset,
        "seeds": len(found),
        "rate": found[0]["cell"]["training"]["rate"],
        "dev": 100 * float(np.mean([o["dev"]["selection"] for o in found])),
        **mean,
        "f1": {name: 100 * float(np.mean([o["test"]["f1"][name] for o in found])) for name in found[0]["test"]["f1"]},
        "best_epoch": float(np.mean([o["best_epoch"] for o in found])),
        "cpu_seconds": float(np.mean([o["cpu_seconds"] for o in found])),
        "seconds": float(np.mean([o["seconds"] for o in found])),
        "step_ms": float(np.median([o["step_ms"] for o in found])),
        "dialogue_ms": float(np.median([o["dialogue_ms"] for o in found])),
        "memory_mb": max(o["memory_mb"] for o in found),
        "closeness": max(close) if close else None,
    }


def _tuning(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Every learning rate that was tried, with what it scored."""
    return [
        {
            **{key: o["cell"]["training"][key] for key in ("loss", "encoder", "batch", "rate")},
            "task": o["cell"]["task"],
            "subset": o["cell"]["subset"],
            "dev": 100 * o["dev"]["selection"],
            **{metric: 100 * o["test"][metric] for metric in METRICS},
        }
        for o in outcomes
        if o["cell"]["training"]["seed"] == 0
    ]


class _Test:
    """The test split, for intervals over its dialogues: utterances of one go right and wrong together."""

    def __init__(self, answers: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], classes: int) -> None:
        self.answers, self.classes = answers, classes
        self.dialogue = np.repeat(np.arange(len(lengths)), lengths)
        self.dialogues = len(lengths)

    def metrics(self, predicted: npt.NDArray[np.int64], weights: Floats) -> Floats:
        """macro and weighted F1 in %, (draws, 2), with each dialogue taken `weights` (draws, dialogues) times."""
        right = self._count(self.answers[predicted == self.answers], self.dialogue[predicted == self.answers])
        answers, given = self._count(self.answers, self.dialogue), self._count(predicted, self.dialogue)
        tp, n, g = weights @ right, weights @ answers, weights @ given
        each = 2 * tp / np.maximum(n + g, 1)
        macro = np.where(n > 0, each, 0).sum(1) / np.maximum((n > 0).sum(1), 1)
        return 100 * np.stack([macro, (each * n).sum(1) / np.maximum(n.sum(1), 1)], axis=1)

    def _count(self, values: npt.NDArray[np.int64], dialogue: npt.NDArray[np.int64]) -> Floats:
        flat = np.bincount(dialogue * self.classes + values, minlength=self.dialogues * self.classes)
        return flat.reshape(self.dialogues, self.classes).astype(np.float64)


def compare(
    name: str,
    losses: Sequence[str],
    chosen: Mapping[Setting, Sequence[Outcome]],
    encoders: Sequence[str],
    test: _Test,
    batch: int = 8,
) -> dict[str, Any] | None:
    """Of `losses` and of the baselines those that the development split prefers, encoder by encoder, paired by seed.

    The difference is the mean over the encoders that both were run with. Intervals (95 %, percentile bootstrap): over
    the seeds within each encoder, and over those and the test dialogues. None where nothing can be compared.
    """
    pairs: dict[str, tuple[str, str, list[tuple[Outcome, Outcome]]]] = {}
    for encoder in encoders:
        able = {one: _preferred(one, chosen, encoder, batch) for one in (tuple(losses), BASELINES)}
        (ours, found), (peer, others) = able[tuple(losses)], able[BASELINES]
        by_seed = {_seed(o): o for o in found}
        paired = [(by_seed[_seed(o)], o) for o in others if _seed(o) in by_seed]
        if paired:
            pairs[encoder] = ours, peer, paired
    if not pairs:
        return None
    rng = np.random.default_rng(0)
    weights = rng.multinomial(test.dialogues, np.full(test.dialogues, 1 / test.dialogues), DRAWS).astype(np.float64)
    whole = np.ones((1, test.dialogues))
    point, over_seeds, over_both, per_encoder = [], [], [], {}
    for encoder, (ours, peer, paired) in pairs.items():
        fixed = np.stack([_difference(test, pair, whole)[0] for pair in paired])  # (seeds, 2)
        drawn = np.stack([_difference(test, pair, weights) for pair in paired])  # (seeds, draws, 2)
        which = rng.integers(0, len(paired), (DRAWS, len(paired)))
        point.append(fixed.mean(0))
        over_seeds.append(fixed[which].mean(1))
        over_both.append(drawn[which, np.arange(DRAWS)[:, None]].mean(1))
        per_encoder[encoder] = {"loss": ours, "baseline": peer, "seeds": len(paired), **_named(fixed.mean(0))}
    return {
        "loss": name,
        "batch": batch,
        "encoders": per_encoder,
        **_named(np.mean(point, axis=0)),
        "interval_seeds": _limits(np.mean(over_seeds, axis=0)),
        "interval": _limits(np.mean(over_both, axis=0)),
    }


def _preferred(
    losses: Sequence[str], chosen: Mapping[Setting, Sequence[Outcome]], encoder: str, batch: int
) -> tuple[str, Sequence[Outcome]]:
    """The loss with the best mean on the development split among those with the most seeds, and its outcomes."""
    found = {loss: chosen.get((loss, encoder, batch, "emotion", "all"), ()) for loss in losses}
    most = max(map(len, found.values()))
    able = {
        loss: float(np.mean([o["dev"]["selection"] for o in one]))
        for loss, one in found.items()
        if one and len(one) == most
    }
    if not able:
        return losses[0], ()
    best = max(able, key=lambda loss: able[loss])
    return best, found[best]


def _difference(test: _Test, pair: tuple[Outcome, Outcome], weights: Floats) -> Floats:
    ours, theirs = (test.metrics(from_text(o["predictions"]), weights) for o in pair)
    difference: Floats = ours - theirs
    return difference


def _seed(outcome: Outcome) -> int:
    return int(outcome["cell"]["training"]["seed"])


def _named(values: Floats) -> dict[str, float]:
    return dict(zip(METRICS, map(float, values), strict=True))


def _limits(draws: Floats) -> dict[str, list[float]]:
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return {metric: [float(low[i]), float(high[i])] for i, metric in enumerate(METRICS)}


def _batches(summary: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How far each loss moves between batch sizes: its greatest mean less its least."""
    out = []
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in summary:
        if row["task"] == "emotion" and row["subset"] == "all":
            groups.setdefault((row["loss"], row["encoder"]), []).append(row)
    for (loss, encoder), rows in groups.items():
        if len(rows) > 1:
            spread = {m: max(r[m] for r in rows) - min(r[m] for r in rows) for m in METRICS}
            out.append({"loss": loss, "encoder": encoder, "batches": sorted(r["batch"] for r in rows), **spread})
    return out


def advice(comparisons: Sequence[Mapping[str, Any]]) -> str:
    """Whether SSLCL paid, in a sentence."""
    found = next((one for one in comparisons if one["loss"] == CHOSEN), None)
    if found is None:
        return f"{CHOSEN} or the baselines were not run: nothing can be said."
    low, high = found["interval"]["macro_f1"]
    reached = found["macro_f1"] >= 0.5 and low > 0 and found["weighted_f1"] >= 0
    count = len(found["encoders"])
    return (
        f"{CHOSEN} over the best baseline, both chosen on the development split, mean of {count} "
        f"encoder{'s' * (count > 1)}: macro F1 {found['macro_f1']:+.2f} ({low:+.2f} to {high:+.2f}), weighted F1 "
        f"{found['weighted_f1']:+.2f}; the target is {'' if reached else 'not '}reached "
        "(macro F1 at least +0.5 with an interval above 0, weighted F1 not below)."
    )
