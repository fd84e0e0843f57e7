"""Keeping a worker alive: started as a process of its own, started again when it dies, stopped at the end.

Nothing heavy is imported here: the page's process uses it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
WELL_AFTER = 60.0
"""A worker that lived so many seconds counts as well: the next pause is the first one again."""
PATIENCE = 8.0
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Supervisor:
    """One worker for a workspace. `start` returns at once; `stop` ends the worker and waits for it."""

    def __init__(self, workspace: Path, *, device: str = "auto") -> None:
        self.workspace = Path(workspace).absolute()
        self.device = device
        # As it is now: the page's server later sets HF_HUB_OFFLINE for itself, and a worker may fetch weights.
        # One thread for each library: more would fight with the page for the cores (platform facts 4).
        self._environment = {**_ONE_THREAD, **os.environ}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name="worker supervisor", daemon=True)

    @property
    def pid(self) -> int | None:
        """The worker's process id; None while there is none."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def start(self) -> None:
        """Start the worker and watch over it. RuntimeError on a second call."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the worker to end, end it if it does not, and wait until it has ended. Safe to call twice."""
        self._stop.set()
        with self._lock:
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._thread.is_alive():
            self._thread.join(PATIENCE)

    def _watch(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            with self._lock:
                if self._stop.is_set():
                    return
                self._process = self._spawn()
            if self._process is not None:
                self._process.wait()
            if time.monotonic() - began > WELL_AFTER:
                pause = FIRST_PAUSE
            if self._stop.wait(pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE)

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        """Start the process; what it prints (a crash before its log is open) goes to the log. None if it cannot be."""
        command = [sys.executable, "-m", "pipelines.worker", "--workspace", str(self.workspace)]
        command += ["--device", self.device, "--parent", str(os.getpid())]
        with contextlib.ExitStack() as opened:
            try:
                output = opened.enter_context((self.workspace / "worker.log").open("ab"))
            except OSError:
                output = None
            try:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL if output is None else output,
                    stderr=subprocess.STDOUT if output is not None else subprocess.DEVNULL,
                    env=self._environment,
                    start_new_session=True,  # Ctrl-C in the terminal is for the page, which then stops the worker
                )
            except OSError:
                return None
