"""What every step is given: the store and what it says, the feature store, memory, and a way to pause."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from db.engine import Store
from db.errors import StoreError
from db.rounds import worker_state
from db.settings import Settings
from pipelines.errors import PipelineError
from pipelines.features import FeatureStore
from pipelines.worker.control import Control
from pipelines.worker.curve import Curve
from pipelines.worker.encoding import Encoding
from pipelines.worker.extract import Extraction
from pipelines.worker.heart import Heart, Progress
from pipelines.worker.ingest import Ingest
from pipelines.worker.knowledge import Knowledge
from pipelines.worker.learning import Learning
from pipelines.worker.log import LOG
from pipelines.worker.memory import Memory
from pipelines.worker.step import Step

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 60.0


class Stopped(Exception):
    """The worker was asked to end; raised through the step in hand."""


@dataclass
class Failure:
    """A step that failed: it is left alone until `until` (monotonic seconds), or until the set-up changes."""

    words: str
    pause: float
    until: float
    setup: int


class Context:
    """The worker's hands. One thread uses it; a training in another may `report` and say its words."""

    def __init__(
        self, store: Store, workspace: Path, device: str, stopping: threading.Event, parent: int | None
    ) -> None:
        self.store, self.workspace = store, workspace
        self.stopping = stopping
        self.progress = Progress()
        self.heart = Heart(store, self.progress, stopping, parent)
        self.known = Knowledge(store)
        self.features = FeatureStore(workspace / "features")
        self.memory = Memory(self.features)
        self.ingest = Ingest()
        self.extraction = Extraction(device)
        self.learning = Learning()
        self.curve = Curve()
        self.control = Control()
        self.encoding = Encoding()
        self.published = 0
        """Grows with every round that this worker publishes; the curve then wants a point for it."""
        self.failures: dict[str, Failure] = {}
        self._steps: tuple[Step, ...] = ()
        self._running: list[Step] = []

    @property
    def settings(self) -> Settings:
        """The settings in force. Steps run only once there are some."""
        assert self.known.settings is not None
        return self.known.settings

    @property
    def leading(self) -> bool:
        """Whether this worker leads; the others only extract."""
        return self.heart.leading

    def report(self, done: int, total: int) -> None:
        """Progress of the step in hand."""
        self.progress.done, self.progress.total = done, total

    def breathe(self, done: int | None = None, total: int | None = None) -> None:
        """Let everything more urgent go first; a long step calls this at least once a second.

        Raises:
            Stopped: the worker ends. What the step has not finished is done again next time.
        """
        if done is not None and total is not None:
            self.report(done, total)
        self._check()
        self.known.refresh()
        if not self._running:
            return
        kept = (self.progress.step, self.progress.done, self.progress.total)
        place = self._steps.index(self._running[-1])
        while (step := self.next_due(self._steps[:place])) is not None:
            self.perform(step)
            self._check()
            self.known.refresh()
        self.progress.step, self.progress.done, self.progress.total = kept

    def glance(self) -> None:
        """As `breathe`, in the middle of a training's step: only for a new answer, and for steps that may run there.

        Raises:
            Stopped: the worker ends.
        """
        self._check()
        if self._running and self.known.refresh(setup=False):
            place = self._steps.index(self._running[-1])
            while (step := self.next_due(tuple(one for one in self._steps[:place] if one.beside))) is not None:
                self.perform(step)
                self._check()

    def _check(self) -> None:
        if self.stopping.is_set():
            raise Stopped

    def next_due(self, steps: tuple[Step, ...]) -> Step | None:
        """The most urgent of `steps` that is due and has not just failed."""
        if self.known.settings is None:
            return None
        for step in steps:
            if (self.leading or step.shared) and not self._rests(step) and self._is_due(step):
                return step
        return None

    def _rests(self, step: Step) -> bool:
        failure = self.failures.get(step.name)
        if failure is None:
            return False
        return time.monotonic() < failure.until and failure.setup == self.known.setup_version

    def _is_due(self, step: Step) -> bool:
        try:
            return step.due(self)
        except Stopped:
            raise
        except Exception as error:
            self._failed(step, error)
            return False

    def perform(self, step: Step) -> None:
        """Do one piece of a step. What goes wrong is noted in words, and the others go on."""
        self._running.append(step)
        if step.words is not None and self.progress.step != step.words:
            self.progress.step, self.progress.done, self.progress.total = step.words, 0, 0
        try:
            step.do(self)
        except Stopped:
            raise
        except Exception as error:
            self._failed(step, error)
        else:
            if self.failures.pop(step.name, None) is not None:
                self.progress.errors.pop(step.name, None)
                LOG.info("%s works again", step.name)
        finally:
            self._running.pop()

    def _failed(self, step: Step, error: Exception) -> None:
        """The worker never dies of a step: it says what is wrong and tries again later."""
        if isinstance(error, (PipelineError, StoreError)):
            words = str(error)
            LOG.error("%s failed: %s", step.name, words)
        else:
            words = f"{step.name} failed: {type(error).__name__}: {error} (details in worker.log)"
            LOG.exception("%s failed", step.name, exc_info=error)
        before = self.failures.get(step.name)
        pause = FIRST_PAUSE if before is None else min(2 * before.pause, LONGEST_PAUSE)
        until = time.monotonic() + pause
        self.failures[step.name] = Failure(words, pause, until, self.known.setup_version)
        self.progress.errors[step.name] = words

    def finished(self, steps: tuple[Step, ...]) -> bool:
        """Whether nothing is left to do: for a worker that does not lead, when the one that leads says so."""
        if any(not self._rests(step) and step.shared and self._is_due(step) for step in steps):
            return False
        return self.leading or worker_state(self.store).state in ("idle", "failed")

    def use(self, steps: tuple[Step, ...]) -> None:
        """The steps that `breathe` chooses from."""
        self._steps = steps
