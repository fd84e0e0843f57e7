"""What to hear next: one file a strategy. A new module here with a `STRATEGY` is in the registry."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from pipelines.errors import PipelineError

from .contract import Choice, Pool, Strategy


def _found() -> dict[str, Strategy]:
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    strategies = [module.STRATEGY for module in modules if hasattr(module, "STRATEGY")]
    return {strategy.name: strategy for strategy in sorted(strategies, key=lambda strategy: str(strategy.name))}


STRATEGIES: dict[str, Strategy] = _found()


def strategy(name: str) -> Strategy:
    """The strategy of that name; PipelineError with the names that there are."""
    if name not in STRATEGIES:
        raise PipelineError(f"unknown strategy {name!r}: choose one of {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


__all__ = ["STRATEGIES", "Choice", "Pool", "Strategy", "strategy"]
