"""A workspace with a real worker beside it, for the worker's tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from db.claims import claim
from db.clips import add_source, clips
from db.engine import Store, open_store
from db.labels import Answer, Receipt, record, training_labels
from db.rounds import Round, latest_round
from db.settings import change_settings
from pipelines.sources import open_listing

Value = TypeVar("Value")
DEADLINE = 240.0  # far above what is needed: a machine that many share can be ten times slower


def until(look: Callable[[], Value], what: str, seconds: float = DEADLINE) -> Value:
    """Poll until `look` gives something true; give that back."""
    end = time.monotonic() + seconds
    while True:
        value = look()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


class Bench:
    """A project on a source. `start` runs a worker as the supervisor would; `once` runs one to the end.

    extracted: a folder of features to begin with, as the fixture of that name gives it.
    """

    def __init__(self, workspace: Path, source: Path, *, extracted: Path | None = None, **settings: Any) -> None:
        listing = open_listing(source)
        self.workspace, self.source = workspace, source
        self.store: Store = open_store(workspace)
        if extracted is not None:
            shutil.copytree(extracted, workspace / "features")
        chosen = {"classes": ("anger", "neutral", "sadness"), "speech_model": "none", "views": ("egemaps",), **settings}
        change_settings(self.store, "mara", **chosen)
        add_source(self.store, listing.root, listing.kind, listing.location)
        self.workers: list[subprocess.Popen[str]] = []

    def start(self, *more: str, parent: int | None = None) -> subprocess.Popen[str]:
        """Start a worker."""
        command = [sys.executable, "-m", "pipelines.worker", "--workspace", str(self.workspace), *more]
        if not more:
            command += ["--parent", str(os.getpid() if parent is None else parent)]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.workers.append(worker)
        return worker

    def once(self) -> tuple[int, str]:
        """Run a worker until nothing is due: its exit code, and what it printed."""
        worker = self.start("--once")
        _, said = worker.communicate(timeout=DEADLINE)
        return worker.returncode, said

    def scan_again(self, source: Path | None = None) -> None:
        """What `earmark label SOURCE` does when it is called again."""
        listing = open_listing(source or self.source)
        add_source(self.store, listing.root, listing.kind, listing.location)

    def answer(self, clip: str, class_: str | None = None, action: str = "label", **more: Any) -> Receipt:
        """Store an answer of mara's."""
        given = Answer(str(uuid.uuid4()), clip, "mara", action, class_, decided_ms=1500, **more)
        return record(self.store, given)

    def truth(self, clip: str) -> str:
        """The source's own label."""
        label = clips(self.store, [clip])[0].label
        assert label is not None
        return label

    def label_next(self, n: int) -> list[str]:
        """Claim and label n clips with the source's own labels; those that models may train on."""
        pool = []
        for _ in range(n):
            given = claim(self.store, "mara", 1)
            assert given, "the queue is empty"
            clip = given[0].clip
            self.answer(clip, self.truth(clip))
            if not clips(self.store, [clip])[0].evaluation:
                pool.append(clip)
        return pool

    def round_that_knows_all(self) -> Round:
        """Wait for a round on every training label of now."""
        wanted = len(training_labels(self.store))

        def look() -> Round | None:
            newest = latest_round(self.store)
            return newest if newest is not None and newest.labels == wanted else None

        found = until(look, f"a round with {wanted} labels")
        assert found is not None
        return found

    def close(self) -> None:
        """End the workers that still run."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
            for stream in (worker.stdout, worker.stderr):
                if stream is not None:
                    stream.close()
        self.store.close()
