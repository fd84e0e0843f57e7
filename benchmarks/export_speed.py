"""Seconds that an export takes in each format, beside `cp -r` of the same audio in the same run.

A project of 50,000 answered clips of 0.3 s (10 kB each), made here. csv, jsonl and parquet copy no audio; the others
cannot be faster than the disk makes files, so their ratio to `cp -r` is what says something.

    python -m benchmarks export_speed [--clips 50000] [--folder DIR] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
import wave
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from db.clips import add_source, finish_scan
from db.engine import now
from db.people import person
from db.schema import ClipRow, LabelEventRow
from db.settings import change_settings
from labeler.exporters import EXPORTERS, export
from labeler.service import Project, open_project

CLASSES = ("anger", "neutral", "sadness")
SAMPLES = 4800


def main(arguments: list[str]) -> int:
    """Make the project, export it in every format, print and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks export_speed")
    parser.add_argument("--clips", type=int, default=50_000)
    parser.add_argument("--folder", type=Path, help="where to write; by default the system's temporary folder")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        found = measure(folder, given.clips)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def measure(folder: Path, clips: int) -> dict[str, Any]:
    """Seconds, processor seconds and bytes of each format, and of the plain copy."""
    project = make(folder, clips)
    begun = time.perf_counter()
    subprocess.run(["cp", "-r", folder / "audio", folder / "copy"], check=True)
    copied = time.perf_counter() - begun
    print(f"{clips} clips; cp -r of the audio: {copied:.1f} s", flush=True)
    out: dict[str, Any] = {"clips": clips, "machine": platform.processor(), "cp_seconds": copied, "formats": {}}
    for name, exporter in EXPORTERS.items():
        used = time.process_time()
        report = export(project, name, folder / f"out-{name}{exporter.suffix}")
        used = time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        figures = {"seconds": report.seconds, "processor_seconds": used, "bytes": report.bytes, "peak_mib": peak}
        if exporter.copies_audio:
            figures["ratio_to_cp"] = report.seconds / (copied * exporter.copies_audio)
        out["formats"][name] = figures
        words = ", ".join(f"{key} {value:,.1f}" for key, value in figures.items())
        print(f"{name:12} {words}", flush=True)
        shutil.rmtree(report.path, ignore_errors=True)
    return out


def make(folder: Path, clips: int) -> Project:
    """A project whose every clip has one label; clips and answers are put in as a whole, not one by one."""
    root = folder / "audio"
    project = open_project(folder / "workspace")
    change_settings(project.store, "bench", classes=CLASSES, name="bench")
    source = add_source(project.store, root, "manifest", str(root / "manifest.csv"))
    samples = (np.random.default_rng(0).standard_normal(SAMPLES) * 3000).astype("<i2")
    rows = []
    for number in range(clips):
        path = root / f"{number // 1000:03d}" / f"{number:06d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        samples[:2] = number % 30_000, number // 30_000
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(samples.tobytes())
        rows.append(
            {
                "id": f"{number:016x}",
                "path": str(path.relative_to(root)),
                "start": None,
                "end": None,
                "seconds": SAMPLES / 16_000,
                "sample_rate": 16_000,
                "file_bytes": path.stat().st_size,
                "mtime_ns": 0,
                "speaker": f"s{number % 50}",
                "dialogue": None,
                "turn": None,
                "text": "well then",
                "label": None,
                "extra": {"session": str(number % 7)},
                "source": source.id,
                "position": number + 1,
                "draw": number,
                "added_at": now(),
                "present": True,
                "answers": 1,
                "evaluation": None,
            }
        )
    person(project.store, "mara")
    with project.store.write() as session:
        session.execute(insert(ClipRow), rows)
        session.execute(insert(LabelEventRow), [event(number) for number in range(clips)])
    finish_scan(project.store, source.id, 0.2, 0)
    return project


def event(number: int) -> dict[str, Any]:
    """One label, as `record` would store it."""
    return {
        "request_id": str(uuid.UUID(int=number + 1)),
        "clip": f"{number:016x}",
        "annotator": "mara",
        "action": "label",
        "class_": CLASSES[number % 3],
        "confidence": None,
        "note": "a note" if number % 10 == 0 else None,
        "extra": {},
        "heard_ms": 900,
        "decided_ms": 1500,
        "suggestion_shown": False,
        "suggested_class": None,
        "model": "model:3",
        "chosen_by": "margin",
        "round": 3,
        "class_list_version": 1,
        "undoes": None,
        "at": now(),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
