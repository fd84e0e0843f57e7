"""Key press to next clip: shown (first frame with the new `data-clip`) and playing (the audio's event), in Chromium.

A real server in its own process with a real store; the clips of EmoDB where EARMARK_CORPORA has them, else clips that
this makes itself. No worker runs. Definitions: docs/architecture.md, "Words with one meaning".

    python -m benchmarks label_latency --presses 200 --every 400 --json docs/results/label_latency.json
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import platform
import shutil
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
GOAL = {"shown": {"median": 25, "p95": 60}, "playing": {"median": 60, "p95": 120}}
CHROMIUM = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
)
# Runs before the page's own scripts, so its listener is the first that sees a key.
PROBE = """
window.presses = [];
window.addEventListener('keydown', (event) => {
  if (event.repeat) return;
  const player = document.querySelector('#earmark-player');
  const press = {from: player.dataset.clip, at: event.timeStamp, shown: null, playing: null};
  window.presses.push(press);
  const look = () => {
    if (player.dataset.clip !== press.from) press.shown = performance.now() - press.at;
    else if (performance.now() - press.at < 5000) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}, true);
document.addEventListener('playing', () => {
  const press = window.presses[window.presses.length - 1];
  if (press && press.playing === null) press.playing = performance.now() - press.at;
}, true);
"""


def main(arguments: list[str]) -> int:
    """Measure, print and write; 1 where a goal is missed or a press did not bring the next clip."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks label_latency", description=__doc__)
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--every", type=int, default=400, help="milliseconds between presses")
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "results" / "label_latency.json")
    given = parser.parse_args(arguments)
    manifest = Path(os.environ.get("EARMARK_CORPORA", Path.home() / "earmark-data" / "corpora")) / "emodb/manifest.csv"
    with tempfile.TemporaryDirectory() as folder:
        if not manifest.is_file():
            sys.path.insert(0, str(ROOT / "tests"))
            from clips import write_corpus

            manifest = write_corpus(Path(folder) / "clips", speakers=10, each=10)
        mine, theirs = multiprocessing.get_context("spawn").Pipe()
        server = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(Path(folder) / "workspace", manifest, given.presses + 20, theirs), daemon=True
        )
        server.start()
        theirs.close()  # so that a server that dies is noticed
        try:
            presses, browser = _measure(mine.recv(), given.presses, given.every)
        except EOFError:
            print("the server did not start", file=sys.stderr)
            return 1
        finally:
            server.terminate()
            server.join(20)
    found = _summary(presses)
    document = {
        "command": ["python", "-m", "benchmarks", "label_latency", *arguments],
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "load": os.getloadavg()[0]},
        "browser": browser,
        "corpus": str(manifest.parent.name),
        "presses": len(presses),
        "every_ms": given.every,
        "goal_ms": GOAL,
        "found_ms": found,
    }
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for name, values in found.items():
        words = ", ".join(f"{key} {value:.1f}" for key, value in values.items())
        print(f"{name:8} {words} ms (goal: median {GOAL[name]['median']}, p95 {GOAL[name]['p95']})")
    missed = [f"{name} {key}" for name in GOAL for key in GOAL[name] if found[name][key] > GOAL[name][key]]
    print(f"load {document['machine']['load']:.1f}; " + (f"missed: {', '.join(missed)}" if missed else "all goals met"))
    return 1 if missed or any(press["shown"] is None for press in presses) else 0


def _serve(workspace: Path, manifest: Path, clips: int, ready: Connection) -> None:
    """The server's process: a project on the first `clips` clips of the manifest."""
    sys.path.insert(0, str(ROOT / "tests"))
    from workspaces import make_project

    from labeler.web.server import run

    with manifest.open(encoding="utf-8", newline="") as file:
        classes = tuple(sorted({row["emotion"] for row in csv.DictReader(file)}))
    run(make_project(workspace, manifest, limit=clips, classes=classes), "benchmark", port=0, ready=ready.send)


def _measure(url: str, presses: int, every: int) -> tuple[list[dict[str, Any]], str]:
    """Press keys 1, 2, 3 in turn; returns one record a press."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("EARMARK_CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if path is None:
        raise SystemExit("no Chromium: set EARMARK_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(PROBE)
        page.goto(url)
        page.wait_for_selector("#earmark-player[data-state=playing]", timeout=60_000)
        page.wait_for_timeout(2000)
        for number in range(presses):
            page.keyboard.press("123"[number % 3])
            page.wait_for_timeout(every)
        page.wait_for_timeout(1000)
        found: list[dict[str, Any]] = page.evaluate("window.presses")
        version = browser.version
        browser.close()
    return found, version


def _summary(presses: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    found = {}
    for name in ("shown", "playing"):
        values = np.array([press[name] for press in presses if press[name] is not None])
        found[name] = {
            "median": round(float(np.median(values)), 1),
            "p95": round(float(np.percentile(values, 95)), 1),
            "max": round(float(values.max()), 1),
            "missing": float(len(presses) - len(values)),
        }
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
