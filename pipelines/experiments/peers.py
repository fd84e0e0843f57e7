"""`skactiveml:NAME`: strategies of scikit-activeml, on the product's own features and classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.acquisition import Choice, Pool, Strategy, strategy
from pipelines.acquisition.drawing import at_random
from pipelines.errors import PipelineError

PREFIX = "skactiveml:"
METHODS = ("least_confident", "margin_sampling", "entropy")


class SkactivemlStrategy:
    """One query strategy of `skactiveml.pool` behind our contract.

    NAME is a class there that works on a pool with at most a classifier (TypiClust, Badge, CoreSet…), or one of
    UncertaintySampling's methods. Its first batch is the random one that all peers share.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._make = _maker(name.removeprefix(PREFIX))

    def select(self, pool: Pool, n: int, seed: int) -> list[Choice]:
        """See `Strategy.select`."""
        n = min(n, len(pool.candidates))
        if pool.probabilities is None or not len(pool.labelled):
            return at_random(pool, n, seed, self.name)
        rows = np.union1d(pool.candidates, pool.labelled).astype(np.intp)
        y = np.full(len(pool.components), np.nan)
        y[pool.labelled] = pool.y
        x = pool.components.astype(np.float64)
        known: dict[str, Any] = {"X": x[rows], "y": y[rows], "batch_size": n}
        known["clf"] = _fixed_classifier(x[rows], pool.probabilities[rows], pool.classes)
        known["fit_clf"] = False
        known["candidates"] = np.searchsorted(rows, np.sort(pool.candidates))
        query = self._make(seed + len(pool.labelled))
        accepted = _accepted(query.query)
        chosen = query.query(**{key: value for key, value in known.items() if key in accepted})
        return [Choice(int(rows[i]), "Proposed by scikit-activeml", 0.0, self.name) for i in np.atleast_1d(chosen)]


def any_strategy(name: str) -> Strategy:
    """A strategy of the product, or a peer. Raises PipelineError with what is allowed."""
    return SkactivemlStrategy(name) if name.startswith(PREFIX) else strategy(name)


def _maker(name: str) -> Callable[[int], Any]:
    try:
        from skactiveml import pool
    except ImportError as error:
        raise PipelineError(f"skactiveml:{name} needs scikit-activeml: pip install 'earmark[dev]'") from error
    if name in METHODS:
        return lambda seed: pool.UncertaintySampling(method=name, random_state=seed)
    made = getattr(pool, name, None)
    if not isinstance(made, type) or not hasattr(made, "query") or not {"X", "y"} <= _accepted(made.query):
        raise PipelineError(f"scikit-activeml has no pool strategy {name!r}: TypiClust, Badge, CoreSet… or {METHODS}")
    return lambda seed: made(random_state=seed)


def _accepted(function: Callable[..., Any]) -> set[str]:
    import inspect

    return set(inspect.signature(function).parameters)


def _fixed_classifier(x: npt.NDArray[np.float64], probabilities: npt.NDArray[np.float32], classes: int) -> Any:
    """scikit-activeml's kind of classifier that answers with the fast round's probabilities for the rows it knows."""
    from skactiveml.base import SkactivemlClassifier

    answers = {row.tobytes(): p for row, p in zip(x, probabilities.astype(np.float64), strict=True)}

    class FastRoundClassifier(SkactivemlClassifier):  # type: ignore[misc]
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> FastRoundClassifier:
            self._validate_data(X, y, sample_weight)
            self.cost_matrix_ = 1 - np.eye(len(self.classes_))
            return self

        def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
            rows = [answers[row.tobytes()] for row in np.ascontiguousarray(X, np.float64)]
            p = np.stack(rows)
            return np.asarray(p / p.sum(axis=1, keepdims=True))

    return FastRoundClassifier(classes=list(range(classes))).fit(x, np.full(len(x), np.nan))
