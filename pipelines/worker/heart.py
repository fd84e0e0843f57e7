"""A sign of life while anything runs: the lead, the beat, and whether the parent lives. A thread of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import psutil

from db.engine import Store
from db.errors import StoreError
from db.rounds import beat, drop_lead, leader, take_lead
from pipelines.worker.log import LOG

LEASE_SECONDS = 10.0
RENEW_SECONDS = 3.0
TICK = 0.5
GRACE_SECONDS = 10.0
"""How long a step may go on after the parent has gone."""


@dataclass
class Progress:
    """What pages show of the worker; written by the main thread, read by the heart."""

    step: str | None = None
    done: int = 0
    total: int = 0
    errors: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def snapshot(self) -> dict[str, Any]:
        """The arguments of `beat`."""
        errors = list(dict(self.errors).values())
        state = "working" if self.step is not None else "failed" if errors else "idle"
        return {
            "state": state,
            "step": self.step,
            "done": self.done,
            "total": self.total,
            "error": "; ".join(errors) or None,
            "details": dict(self.details),
        }


def own_name() -> str:
    """A worker's name: host, process and its start (so that a reused process id is not taken for it), and a number."""
    began = psutil.Process().create_time()
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{began:.2f}:{uuid.uuid4().hex[:6]}"


def has_died(name: str) -> bool:
    """Whether the worker of this name ran on this machine and is no more; False where that cannot be told."""
    try:
        host, process, began, _ = name.rsplit(":", 3)
        if host != socket.gethostname()[:40]:
            return False
        return not _alive(int(process), float(began))
    except ValueError:
        return False


def _alive(process: int, began: float) -> bool:
    try:
        found = psutil.Process(process)
        return bool(abs(found.create_time() - began) < 1.0 and found.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


class Heart:
    """Keeps the lead and beats until `stop()`; sets `stopping` when the parent has gone."""

    def __init__(self, store: Store, progress: Progress, stopping: threading.Event, parent: int | None) -> None:
        self.name = own_name()
        self.leading = False
        self._store, self._progress, self._stopping = store, progress, stopping
        self._parent = None if parent is None else _parent(parent)
        self._orphan = parent is not None and self._parent is None
        self._renewed = self._beaten = -1e9
        self._shown: dict[str, Any] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        """Beat once before returning, so that a free lead is taken at once; then go on in the thread."""
        self._pulse()
        self._thread.start()

    def stop(self) -> None:
        """Beat a last time, and give the lead back."""
        self._ended.set()
        self._thread.join(GRACE_SECONDS)
        with contextlib.suppress(StoreError):
            if self.leading:
                self._beat()
                drop_lead(self._store, self.name)
        self.leading = False

    def _run(self) -> None:
        gone_since: float | None = None
        while not self._ended.wait(TICK):
            try:
                self._pulse()
            except StoreError as error:
                LOG.warning("sign of life not stored: %s", error)
            if self._orphan or (self._parent is not None and not _running(self._parent)):
                gone_since = gone_since or time.monotonic()
                if not self._stopping.is_set():
                    LOG.info("the process that started this worker has ended; ending too")
                self._stopping.set()
                if time.monotonic() - gone_since > GRACE_SECONDS:
                    os._exit(1)  # a step does not listen; whatever it was doing is done again

    def _pulse(self) -> None:
        moment = time.monotonic()
        if not self.leading or moment - self._renewed > RENEW_SECONDS:
            self._renew(moment)
        shown = self._progress.snapshot()
        if self.leading and (shown != self._shown or moment - self._beaten > RENEW_SECONDS):
            self._beat()

    def _renew(self, moment: float) -> None:
        if not self.leading:
            holder = leader(self._store)
            if holder is not None and holder != self.name:
                if not has_died(holder):
                    return
                LOG.info("the worker that led (%s) has died; taking over", holder)
                drop_lead(self._store, holder)
        led, self.leading = self.leading, take_lead(self._store, self.name, LEASE_SECONDS)
        self._renewed = moment
        if self.leading and not led:
            LOG.info("leading")

    def _beat(self) -> None:
        shown = self._progress.snapshot()
        beat(self._store, self.name, **shown)
        self._shown, self._beaten = shown, time.monotonic()


def _parent(process: int) -> psutil.Process | None:
    try:
        return psutil.Process(process)
    except psutil.NoSuchProcess:
        return None


def _running(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
