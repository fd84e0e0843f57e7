"""What a step of the worker is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.worker.context import Context


@dataclass(frozen=True)
class Step:
    """One kind of work: `due` compares what is with what should be (cheap, asked often), `do` does a piece of it.

    `do` is idempotent and short (about a second), or calls `context.breathe()` at least once a second: then more
    urgent steps run in between. It may be killed between any two instructions. `words` stand on the page while it runs;
    None for what is over before one could read it. `shared`: workers that do not lead do it too. `beside`: may run in
    the middle of a training's step, in another thread than that: it trains nothing with torch and draws none of its
    random numbers.
    """

    name: str
    words: str | None
    due: Callable[[Context], bool]
    do: Callable[[Context], None]
    shared: bool = False
    beside: bool = False
