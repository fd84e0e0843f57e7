"""From the pieces of a replay to its figures: mean curves, areas, labels to target, paired differences, advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.budget import area, labels_to_target, mean_interval

from . import baseline
from .replay_task import FULL, Task

Outcomes = Mapping[Task, Mapping[str, Any]]


def summarise(outcomes: Outcomes, folds: Sequence[str], strategies: Sequence[str]) -> dict[str, Any]:
    """The keys full_uar, curves, summary, target, differences and advice of the document.

    Rounds are compared where every fold has them: with a budget above a fold's clips, up to the shortest fold.
    """
    kind = _baseline_kind(outcomes)
    runs = {name: [task for task in outcomes if task.strategy == name] for name in strategies}
    curves = {task: _uar(outcomes[task], kind) for tasks in runs.values() for task in tasks}
    rounds = min(len(values) for values in curves.values())
    tables = {name: np.array([curves[task][:rounds] for task in tasks]) for name, tasks in runs.items()}
    labels = {name: [int(n) for n in outcomes[tasks[0]]["labels"][:rounds]] for name, tasks in runs.items()}
    target = _target(tables)
    summary = [
        _summary(name, labels[name], tables[name], [outcomes[t] for t in runs[name]], target["uar"])
        for name in strategies
    ]
    differences = _differences(labels, tables)
    return {
        "full_uar": _full(outcomes, kind),
        "curves": [
            {
                "strategy": task.strategy,
                "fold": folds[task.fold],
                "seed": task.seed,
                "labels": outcomes[task]["labels"],
                "uar": curves[task],
                "minutes": outcomes[task]["minutes"],
            }
            for tasks in runs.values()
            for task in tasks
        ],
        "summary": summary,
        "target": target,
        "differences": differences,
        "advice": advice(summary, differences, target),
    }


def _baseline_kind(outcomes: Outcomes) -> str:
    """The normalisation with the larger mean area over all folds and seeds (with all labels, where it was not run)."""
    scores: dict[str, list[float]] = {kind: [] for kind in baseline.NORMALISATIONS}
    for task, outcome in outcomes.items():
        for kind in scores:
            if task.strategy == baseline.NAME:
                scores[kind].append(area(outcome["labels"], outcome["curves"][kind]))
    if not any(scores.values()):
        for outcome in (o for t, o in outcomes.items() if t.strategy == FULL):
            for kind in scores:
                scores[kind].append(outcome["uar"][f"{baseline.NAME}/{kind}"])
    return max(scores, key=lambda kind: float(np.mean(scores[kind])))


def _uar(outcome: Mapping[str, Any], kind: str) -> list[float]:
    curves: Mapping[str, list[float]] = outcome["curves"]
    return list(curves[kind] if kind in curves else curves[""])


def _full(outcomes: Outcomes, kind: str) -> dict[str, float]:
    parts = [outcome["uar"] for task, outcome in outcomes.items() if task.strategy == FULL]
    means = {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
    figures = {name: value for name, value in means.items() if not name.startswith(baseline.NAME)}
    return {**figures, "logistic_regression": means[f"{baseline.NAME}/{kind}"]}


def _target(tables: Mapping[str, npt.NDArray[np.float64]]) -> dict[str, Any]:
    for name in (baseline.NAME, "random"):
        if name in tables:
            return {"uar": float(tables[name][:, -1].mean()), "from": f"{name} at the end of the budget"}
    return {"uar": None, "from": f"none: neither {baseline.NAME} nor random was run"}


def _summary(
    name: str,
    labels: list[int],
    table: npt.NDArray[np.float64],
    outcomes: Sequence[Mapping[str, Any]],
    target: float | None,
) -> dict[str, Any]:
    mean = table.mean(axis=0).tolist()
    limits = [mean_interval(column) for column in table.T]
    return {
        "strategy": name,
        "labels": labels,
        "uar": mean,
        "low": [low for low, _ in limits],
        "high": [high for _, high in limits],
        "area": area(labels, mean),
        "labels_to_target": None if target is None else labels_to_target(labels, mean, target),
        "seconds_per_round": float(np.mean([outcome["seconds_per_round"] for outcome in outcomes])),
    }


def _differences(
    labels: Mapping[str, list[int]], tables: Mapping[str, npt.NDArray[np.float64]]
) -> list[dict[str, Any]]:
    """Differences of area, strategy less reference, paired by fold and seed, with 95 % bootstrap limits of the mean."""
    areas = {name: np.array([area(labels[name], row) for row in table]) for name, table in tables.items()}
    found = []
    for reference in (baseline.NAME, "random"):
        for name in areas:
            if reference in areas and name not in (reference, baseline.NAME):
                paired = areas[name] - areas[reference]
                low, high = mean_interval(paired)
                found.append(
                    {
                        "strategy": name,
                        "over": reference,
                        "area": float(paired.mean()),
                        "low": low,
                        "high": high,
                        "runs": len(paired),
                    }
                )
    return found


def advice(
    summary: Sequence[Mapping[str, Any]], differences: Sequence[Mapping[str, Any]], target: Mapping[str, Any]
) -> str:
    """What to do, in a few sentences, with what speaks for it."""
    own = [row for row in summary if row["strategy"] != baseline.NAME]
    if not own:
        return "Only the baseline was run: add a strategy to compare it with."
    best = max(own, key=lambda row: float(row["area"]))
    sentences = [
        f"Best on this corpus: {best['strategy']}, mean UAR {best['area']:.3f} up to {best['labels'][-1]} labels."
    ]
    for row in differences:
        if row["strategy"] == best["strategy"] or row["strategy"] == "auto":
            clear = "" if row["low"] > 0 or row["high"] < 0 else ", so the two may be level"
            limits = f"95 % interval {100 * row['low']:+.1f} to {100 * row['high']:+.1f} over {row['runs']} paired runs"
            sentences.append(
                f"{row['strategy']} less {row['over']}: {100 * row['area']:+.1f} points ({limits}{clear})."
            )
    if target["uar"] is not None:
        needed = best["labels_to_target"]
        reach = f"needs {needed} labels" if needed is not None else "does not get there within the budget"
        sentences.append(f"To {target['uar']:.3f} ({target['from']}) {best['strategy']} {reach}.")
    return " ".join(sentences)
