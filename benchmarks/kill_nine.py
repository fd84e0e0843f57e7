"""No label is lost: kill -9 of the page's server and the worker at random instants while somebody labels over HTTP.

An annotator labels and undoes as fast as the server answers, and sends each request again until it is acknowledged, as
the page does. Meanwhile the server, the worker or both are killed, again and again; the same command is all that is
ever started. At the end every acknowledged answer must stand in the store once, as it was sent, and the worker must
catch up by itself.

    python -m benchmarks kill_nine --rounds 100 --seed 0
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psutil
import soundfile

REPOSITORY = Path(__file__).parents[1]
CLASSES = ("high", "low", "middle")
NAME = "annotator"
READY_SECONDS, CATCH_UP_SECONDS = 90.0, 180.0


@dataclass
class Outcome:
    """What came of it; everything but the first six must be 0 or empty."""

    rounds: int = 0
    killed: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    sent_again: int = 0
    labels: int = 0
    seconds_to_restart: float = 0.0
    lost: int = 0
    doubled: int = 0
    changed: int = 0
    not_restarted: int = 0
    left_running: int = 0
    worker_behind: int = 0
    damage: str = ""

    def flawless(self) -> bool:
        """Whether nothing was lost, doubled or changed, and everything came back by itself."""
        counts = (self.lost, self.doubled, self.changed, self.not_restarted, self.left_running, self.worker_behind)
        return not any(counts) and not self.damage


def make_clips(folder: Path, count: int) -> Path:
    """Write `count` short clips and their manifest; return it."""
    rng = np.random.default_rng(0)
    (folder / "audio").mkdir(parents=True)
    axis = np.arange(8000) / 16_000
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "speaker"])
        for number in range(count):
            label = CLASSES[number % 3]
            pitch = {"low": 110, "middle": 180, "high": 290}[label] * rng.normal(1, 0.05)
            tone = sum(np.sin(2 * np.pi * k * pitch * axis) / k for k in range(1, 12))
            samples = 0.1 * tone * np.sin(np.pi * 4 * axis) ** 2 + 0.01 * rng.standard_normal(len(axis))
            soundfile.write(folder / "audio" / f"{number}.wav", samples, 16_000, subtype="PCM_16")
            writer.writerow([f"audio/{number}.wav", label, f"s{number % 7}"])
    return folder / "manifest.csv"


class Program:
    """`python launch.py label ...`, started again with the same words after each kill."""

    def __init__(self, manifest: Path, workspace: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "launch.py", "label", str(manifest), "--workspace", str(workspace)]
        self._command += ["--port", str(port), "--annotator", NAME, "--speech-model", "none", "--views", "mel"]
        self._log = (workspace.parent / "server.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        self.workers: set[psutil.Process] = set()

    def start(self) -> None:
        """Start the program; returns before it serves."""
        self._process = subprocess.Popen(
            self._command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )

    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    def worker(self) -> psutil.Process | None:
        """The worker's process, if it runs now."""
        if self._process is None:
            return None
        try:
            children = psutil.Process(self._process.pid).children()
            found = [child for child in children if "pipelines.worker" in " ".join(child.cmdline())]
        except psutil.Error:
            return None
        self.workers.update(found)
        return found[0] if found else None

    def ready(self) -> bool:
        """Wait until requests are answered; False when they are not within `READY_SECONDS`."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if ask(f"{self.url}/api/status") is not None:
                return True
            if not self.alive():
                return False
            time.sleep(0.05)
        return False

    def kill_server(self) -> None:
        """SIGKILL to the server; its worker must notice."""
        assert self._process is not None
        self.worker()
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End as a person would, with Ctrl-C."""
        if self.alive():
            assert self._process is not None
            self.worker()
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
        self._log.close()


def ask(url: str, body: dict[str, Any] | None = None, seconds: float = 10.0) -> tuple[int, Any] | None:
    """(status, document) of a request; None when nobody answered it."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read() or b"null")
    except (OSError, http.client.HTTPException, ValueError):  # refused, reset, timed out, or half an answer
        return None


class Annotator(threading.Thread):
    """Labels and undoes one clip after the other; keeps what was acknowledged, in order."""

    def __init__(self, url: str, seed: int) -> None:
        super().__init__(name="annotator", daemon=True)
        self._url = url
        self._random = random.Random(seed)
        self.stopping = threading.Event()
        self.acknowledged: list[dict[str, Any]] = []
        self.sent_again = 0
        self.refused: list[str] = []

    def run(self) -> None:
        """Go on until `stopping`; the request in hand is acknowledged before the end."""
        while not self.stopping.is_set():
            held = ask(f"{self._url}/api/queue?n=4")
            if held is None or held[0] != 200 or not held[1]["clips"]:
                if held is not None and self.acknowledged:
                    self._undo()
                self.stopping.wait(0.1)
                continue
            clip = held[1]["clips"][0]["clip"]
            self._send({"clip": clip, "action": "label", "class": self._random.choice(CLASSES)})
            if self._random.random() < 0.2:
                self._undo()

    def _undo(self) -> None:
        undone = {answer.get("undoes") for answer in self.acknowledged}
        labels = [answer for answer in self.acknowledged if answer["action"] == "label"]
        open_ones = [answer for answer in labels if answer["request_id"] not in undone]
        if open_ones:
            last = open_ones[-1]
            self._send({"clip": last["clip"], "action": "undo", "undoes": last["request_id"]})

    def _send(self, body: dict[str, Any]) -> None:
        body = {**body, "request_id": str(UUID(int=self._random.getrandbits(128), version=4)), "decided_ms": 900}
        first = True
        while True:
            answer = ask(f"{self._url}/api/labels", body)
            if answer is not None and answer[0] in (200, 201):
                self.acknowledged.append(body)
                return
            if answer is not None and answer[0] < 500:
                self.refused.append(f"{answer[0]} {answer[1]} to {body}")
                return
            self.sent_again += first
            first = False
            time.sleep(0.05)


def check(database: Path, sent: list[dict[str, Any]], outcome: Outcome) -> None:
    """Compare the store with what was acknowledged, by plain SQL and without Earmark's own code."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        outcome.damage = "; ".join(row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok")
        rows = connection.execute(
            "SELECT request_id, clip, action, class, undoes FROM label_event WHERE annotator = ? ORDER BY id", (NAME,)
        ).fetchall()
    stored = {row[0]: row for row in rows}
    outcome.acknowledged = len(sent)
    outcome.lost = sum(answer["request_id"] not in stored for answer in sent)
    outcome.doubled = len(rows) - len({answer["request_id"] for answer in sent} & set(stored))
    for answer in sent:
        row = stored.get(answer["request_id"])
        if row is not None and (row[1], row[2], row[3]) != (answer["clip"], answer["action"], answer.get("class")):
            outcome.changed += 1
    undone = {answer["undoes"] for answer in sent if answer["action"] == "undo"}
    standing = Counter(a["clip"] for a in sent if a["action"] == "label" and a["request_id"] not in undone)
    outcome.labels = len(standing)
    outcome.doubled += sum(count - 1 for count in standing.values())


def caught_up(url: str, labels: int) -> bool:
    """Wait until the worker knows every label that it may train on."""
    end = time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < end:
        answer = ask(f"{url}/api/status")
        if answer is not None and answer[1]["labels"]["standing"] == labels:
            wanted = labels - answer[1]["labels"]["evaluation"]
            if answer[1]["model"] is not None and answer[1]["model"]["labels"] == wanted:
                return True
        time.sleep(0.2)
    return False


def run(folder: Path, *, rounds: int, seed: int, clips: int = 600, say: bool = False) -> Outcome:
    """Kill `rounds` times in `folder` (empty); what came of it."""
    chance = random.Random(seed)
    outcome, killed, restarts = Outcome(rounds=rounds), Counter[str](), []
    program = Program(make_clips(folder / "clips", clips), folder / "workspace")
    annotator = Annotator(program.url, seed)
    program.start()
    outcome.not_restarted += not program.ready()
    annotator.start()
    for number in range(rounds):
        what = chance.choice(("server", "worker", "both"))
        # From the first moments of a start on, some of them while a request is under way.
        time.sleep(chance.uniform(0, 1.5))
        worker = program.worker()
        if what in ("worker", "both") and worker is not None:
            worker.kill()
        if what in ("server", "both"):
            program.kill_server()
            begun = time.monotonic()
            program.start()
            if chance.random() < 0.2:  # killed again while it starts
                time.sleep(chance.uniform(0, 2))
                program.kill_server()
                program.start()
            outcome.not_restarted += not program.ready()
            restarts.append(time.monotonic() - begun)
        killed[what] += 1
        if say:
            print(f"round {number + 1}: {what}, {len(annotator.acknowledged)} acknowledged", flush=True)
    time.sleep(1.0)
    if not annotator.is_alive():
        raise RuntimeError("the annotator's thread ended: this run proves nothing")
    annotator.stopping.set()
    annotator.join(60)
    outcome.changed += len(annotator.refused)
    check(folder / "workspace" / "earmark.db", annotator.acknowledged, outcome)
    outcome.worker_behind = int(not caught_up(program.url, outcome.labels))
    program.stop()
    _, running = psutil.wait_procs(program.workers, timeout=20)
    outcome.left_running = len(running)
    outcome.killed, outcome.sent_again = dict(killed), annotator.sent_again
    outcome.seconds_to_restart = round(float(np.median(restarts)), 2) if restarts else 0.0
    return outcome


def main(arguments: list[str]) -> int:
    """Print the outcome as JSON; exit code 1 unless it is flawless."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks kill_nine")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), rounds=given.rounds, seed=given.seed, say=True)
    print(json.dumps(asdict(outcome), indent=2))
    return 0 if outcome.flawless() else 1
