"""Long work in a thread of its own, while this one does what is more urgent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pipelines.worker.context import Context

T = TypeVar("T")
LOOK_SECONDS = 0.05
"""How often to look for something more urgent."""


def beside(context: Context, work: Callable[[], T]) -> T:
    """Run `work` in a thread, and breathe meanwhile: for what cannot be interrupted and lets others compute."""
    with ThreadPoolExecutor(1, "beside") as executor:
        future = executor.submit(work)
        while not future.done():
            context.breathe()
            context.stopping.wait(LOOK_SECONDS)
        return future.result()


def between_steps(context: Context, train: Callable[[Callable[[], bool]], T | None]) -> T:
    """Run `train(should_yield)` in a thread; `should_yield` is to be called between any two of its steps.

    A step can take a second and more, and a label must not wait for its end: in the middle of a step the context
    glances at new answers, which only makes rounds. Everything else waits until the training asks `should_yield`, and
    the training waits for it: no two of them ever draw from torch's random numbers at a time. When the worker is to
    end, `should_yield` says so, and what ended it is raised once the training has written its state and left.
    """
    asked, answered = threading.Semaphore(0), threading.Semaphore(0)
    leave = threading.Event()

    def should_yield() -> bool:
        asked.release()
        answered.acquire()
        return leave.is_set()

    with ThreadPoolExecutor(1, "training") as executor:
        future = executor.submit(train, should_yield)
        future.add_done_callback(lambda _: asked.release())
        try:
            while True:
                if not asked.acquire(timeout=LOOK_SECONDS):
                    context.glance()
                elif future.done():
                    break
                else:
                    context.breathe()
                    answered.release()
        except BaseException:
            leave.set()
            answered.release()
            raise
        found = future.result()
        assert found is not None  # it leaves early only when it is told to
        return found
