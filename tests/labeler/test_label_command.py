"""`earmark label` as a person starts it: page and worker come, answers are kept, Ctrl-C and SIGTERM end it all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

REPOSITORY = Path(__file__).parents[2]
SECONDS = 120.0


class Running:
    """A started command; `url` once its page is up."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "launch.py", *words],
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if line.startswith("Page"):
                self.url = line.split()[1]
                break
        else:
            pytest.fail(f"no page: {self.said}")

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            raw = answer.read()
        return json.loads(raw) if path.startswith("api") else raw.decode()

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            status: dict[str, Any] = self.get("api/status")
            if wanted(status):
                return status
            time.sleep(0.1)
        pytest.fail(f"not within {SECONDS} s: {status}")

    def end(self, number: int) -> None:
        """Send a signal; the command ends well, and leaves no process behind."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        self.said += self.process.communicate(timeout=60)[0]
        assert self.process.returncode == 0, self.said
        _, left = psutil.wait_procs(children, timeout=20)
        assert left == []
        assert "Traceback" not in self.said
        assert "Stopped." in self.said


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Running] = []

    def go(*words: str, **environment: str) -> Running:
        started.append(Running([*words, "--workspace", str(tmp_path / "w")], environment))
        return started[-1]

    yield go
    for one in started:
        if one.process.poll() is None:
            one.process.kill()


@pytest.mark.timeout(600)
def test_simulated_and_imported_labels_reach_the_model_and_survive_a_restart(
    start: Start, speech_manifest: Path
) -> None:
    line = ["label", str(speech_manifest), "--speech-model", "none", "--views", "mel"]
    running = start(*line, "--oracle-annotator", "12", EARMARK_ORACLE_PACE="10")
    assert "72 clips by 6 speakers" in running.said
    assert "earmark.db" in running.said
    assert "simulated annotator is on" in running.get("")
    status = running.until(lambda now: now["labels"]["by_annotator"].get("oracle") == 12)
    wanted = 12 - status["labels"]["evaluation"]
    running.until(lambda now: now["model"] is not None and now["model"]["labels"] == wanted)
    running.end(signal.SIGINT)

    running = start(*line, "--import-labels")
    assert "(going on)" in running.said
    assert "simulated annotator" not in running.get("")
    status = running.until(lambda now: now["labels"]["by_annotator"].get("imported") == 72)
    assert status["labels"]["by_annotator"]["oracle"] == 12
    running.end(signal.SIGTERM)


@pytest.mark.timeout(600)
def test_the_demo_without_corpora_shows_spoken_clips_and_says_so(start: Start, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra [demo] is not installed")
    running = start(EARMARK_CORPORA=str(tmp_path / "none"), EARMARK_MODELS=str(tmp_path / "none"))
    running.until(lambda now: now["clips"]["usable"] >= 1)
    assert running.get("api/queue?n=1")["clips"]
    for page in ("", "progress", "export"):
        assert "These clips are synthetic" in running.get(page)
    # Evaluation clips are drawn once all clips are in: a moment after the last one.
    status = running.until(lambda now: now["clips"]["usable"] == 540 and now["clips"]["evaluation"] > 0)
    assert status["clips"]["set_aside"] == 0
    assert 60 <= status["clips"]["evaluation"] <= 160
    running.end(signal.SIGINT)
