"""Exports for Label Studio, read back by its own SDK in an environment of its own: its pins do not fit ours.

A project that this makes itself, with class names made to break things; every task, annotation and prediction is
validated against the exported labelling interface, and the SDK's converter turns the whole into CSV offline.

    python -m benchmarks labelstudio_roundtrip [--venv DIR] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SDK = "label-studio-sdk==2.1.2"
CLASSES = ("anger, loud", 'say "no"', "=SUM(A1)", "NA", "001", "нейтрально 😐", "<b>&amp;")


def main(arguments: list[str]) -> int:
    """Make the environment where it is missing, export, read back, compare; 0 when nothing differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks labelstudio_roundtrip", description=__doc__)
    parser.add_argument("--venv", type=Path, default=ROOT / "build" / "labelstudio-venv")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    python = environment(given.venv)
    with tempfile.TemporaryDirectory() as folder:
        wanted, exported = make_export(Path(folder))
        run = subprocess.run(
            [python, ROOT / "benchmarks" / "_labelstudio_reader.py", exported],
            capture_output=True,
            text=True,
            check=False,
        )
    if run.returncode:
        print(run.stderr[-2000:], file=sys.stderr)
        return 1
    found = json.loads(run.stdout.splitlines()[-1])
    differences = compare(wanted, found)
    result = {"sdk": SDK, "tasks": found["tasks"], "classes": CLASSES, "differences": differences}
    print(
        f"{SDK}: {found['tasks']} tasks, {sum(wanted.values())} labels and predictions, {len(differences)} differences"
    )
    for line in differences:
        print(f"  {line}")
    if given.json:
        given.json.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return 1 if differences else 0


def environment(folder: Path) -> Path:
    """The Python of an environment with the SDK, made when it is not there."""
    python = folder / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import label_studio_sdk"], check=False).returncode:
        print(f"making {folder} with {SDK} (about 500 MB)", flush=True)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", SDK], check=True)
    return python


def make_export(folder: Path) -> tuple[Counter[str], Path]:
    """A project of two annotators with predictions; returns what the export must hold, and where it is."""
    sys.path.insert(0, str(ROOT / "tests"))
    from export_project import Wanted, answer, make_project, publish

    from db.clips import clips
    from labeler.exporters import export
    from labeler.exporters.rows import build_rows

    project = make_project(folder, Wanted(classes=CLASSES, clips=24))
    for number, clip in enumerate(clips(project.store)[:14]):
        answer(project, clip.id, class_=CLASSES[number % len(CLASSES)], note='a "note",\nin two lines')
    for clip in clips(project.store)[:3]:
        answer(project, clip.id, "ben", class_=CLASSES[0], confidence=0.5)
    answer(project, clips(project.store)[14].id, action="unsure")
    answer(project, clips(project.store)[15].id, action="bad_audio")
    publish(project)
    wanted: Counter[str] = Counter()
    for row in build_rows(project.store, None, True):
        if row["label"] is not None:
            kind = "prediction" if row["action"] == "prediction" else "annotation"
            wanted[json.dumps([kind, row["clip"], row["label"]])] += 1
    return wanted, export(project, "labelstudio", folder / "export", None, True).path


def compare(wanted: Counter[str], found: dict[str, Any]) -> list[str]:
    """What differs, in words."""
    out = list(found["wrong"])
    if Counter(found["counts"]) != wanted:
        out.append(f"labels differ: {(wanted - Counter(found['counts'])) or (Counter(found['counts']) - wanted)}")
    if list(found["choices"]) != list(CLASSES):
        out.append(f"the labelling interface has the classes {found['choices']}")
    converted: Counter[str] = Counter()
    for name, count in wanted.items():
        kind, clip, label = json.loads(name)
        if kind == "annotation":
            converted[json.dumps([clip, label])] += count
    missing = converted - Counter(found["converted"])
    if missing:
        out.append(f"the converter's CSV lacks {dict(missing)}")
    return out


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
