"""Have the demo corpus spoken by a program of its own, and know when its first clips can be used."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from pathlib import Path

from pipelines.corpora.synthetic import manifest
from pipelines.errors import PipelineError


class Speaking:
    """`python -m pipelines.corpora.espeak FOLDER`, running.

    Raises:
        PipelineError: the synthesiser is not installed; the message says how to install it.
    """

    def __init__(self, folder: Path) -> None:
        if importlib.util.find_spec("espeakng_loader") is None:
            raise PipelineError(
                "the demo's clips are spoken by eSpeak NG, which is not installed: pip install 'earmark[demo]' "
                "(or label a folder of your own: earmark label FOLDER --classes anger,neutral)"
            )
        self._folder = folder
        self.manifest = manifest(folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.corpora.espeak", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def first(self) -> Path:
        """Wait for the first clips (under a second) and return the manifest that lists them.

        Raises:
            PipelineError: the program failed.
        """
        assert self._process.stdout is not None
        if not self._process.stdout.readline().startswith(("ready", "done")):
            self._fail()
        return self.manifest

    def rest(self, stop: threading.Event) -> bool:
        """Wait for all clips (seconds); False when `stop` was set before, which ends the program.

        Raises:
            PipelineError: the program failed.
        """
        while True:
            try:
                _, errors = self._process.communicate(timeout=0.1)
            except subprocess.TimeoutExpired:
                if stop.is_set():
                    self._process.kill()
                    self._process.communicate()
                    return False
                continue
            if self._process.returncode != 0:
                self._fail(errors)
            return True

    def _fail(self, errors: str | None = None) -> None:
        if errors is None:
            _, errors = self._process.communicate()
        last = (errors.strip().splitlines() or [f"exit code {self._process.returncode}"])[-1]
        raise PipelineError(f"the demo's clips could not be spoken into {self._folder}: {last}")
