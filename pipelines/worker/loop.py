"""The loop: look, do the most urgent step that is due, look again."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from db.engine import open_store
from db.errors import StoreError
from pipelines.errors import PipelineError
from pipelines.worker.context import Context, Stopped
from pipelines.worker.log import LOG, close_log, open_log
from pipelines.worker.steps import STEPS

POLL_SECONDS = 0.1
WHOLE_LOOK = 5
"""While nothing happens, only every so many looks go further than to ask for new answers."""
NICENESS = 10
LOST_SECONDS = 60.0
"""A store that cannot be read for so long ends the worker; whoever started it may start it again."""


def work(workspace: Path, *, once: bool, device: str, parent: int | None) -> None:
    """See `pipelines.worker.run`."""
    workspace = workspace.expanduser().absolute()
    store = open_store(workspace)
    handlers = open_log(workspace, terminal=parent is None)
    stopping = threading.Event()
    context = Context(store, workspace, device, stopping, parent)
    context.use(STEPS)
    LOG.info("worker %s begins", context.heart.name)
    try:
        with _signals(stopping):
            context.progress.step = "starting"  # idle is only who has looked and found nothing to do
            context.heart.start()
            with contextlib.suppress(Stopped):
                _loop(context, once)
            context.extraction.flush(context)
    finally:
        context.progress.step = None
        context.heart.stop()
        LOG.info("worker ends")
        close_log(handlers)
        store.close()
    if once and context.failures:
        raise PipelineError("; ".join(failure.words for failure in context.failures.values()))


def _loop(context: Context, once: bool) -> None:
    lost_since: float | None = None
    idle = 0  # looks since there was something to do
    while not context.stopping.is_set():
        try:
            whole = idle % WHOLE_LOOK == 0
            changed = context.known.refresh(setup=whole)
            step = context.next_due(STEPS) if changed or whole else None
            lost_since = None
        except StoreError as error:
            lost_since = lost_since or time.monotonic()
            LOG.error("the store cannot be read: %s", error)
            if once or time.monotonic() - lost_since > LOST_SECONDS:
                raise
            context.stopping.wait(1.0)
            continue
        if step is not None:
            idle = 0
            context.perform(step)
            _be_nice()  # only now: whoever opened the page waits for the first clips
            continue
        context.progress.step = None
        if once and context.known.settings is None:
            raise PipelineError(f"{context.workspace}: the project is not set up; start it with `earmark label SOURCE`")
        if once and context.finished(STEPS):
            return
        idle += 1
        context.stopping.wait(POLL_SECONDS)


@contextlib.contextmanager
def _signals(stopping: threading.Event) -> Iterator[None]:
    """SIGTERM and Ctrl-C end the worker after the piece of work in hand; a second Ctrl-C ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        if stopping.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _be_nice() -> None:
    """Give way to the page: niceness 10, or EARMARK_NICENESS (0 on a machine that has nothing better to do)."""
    wanted = os.environ.get("EARMARK_NICENESS", "")
    niceness = int(wanted) if wanted.isdecimal() else NICENESS
    with contextlib.suppress(OSError, AttributeError):
        if os.getpriority(os.PRIO_PROCESS, 0) < niceness:
            os.setpriority(os.PRIO_PROCESS, 0, niceness)
