"""Runs in the environment of Label Studio's SDK, without Earmark: reads an export, prints what came of it as JSON."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any


def read(folder: Path) -> dict[str, Any]:
    """Validate every task against the labelling interface, convert offline, and count."""
    from label_studio_sdk.converter import Converter
    from label_studio_sdk.label_interface import LabelInterface

    config = (folder / "config.xml").read_text(encoding="utf-8")
    interface = LabelInterface(config)
    tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    for task in tasks:
        # validate_task() of SDK 2.1.2 raises TypeError when annotations are present, so each part apart.
        if not interface.validate_task({"id": task["id"], "data": task["data"]}):
            wrong.append(f"task {task['id']}: data")
        for annotation in task["annotations"]:
            if not interface.validate_annotation(annotation):
                wrong.append(f"task {task['id']}: annotation")
            for result in annotation["result"]:
                if result["from_name"] == "emotion":
                    counts[json.dumps(["annotation", task["data"]["clip"], result["value"]["choices"][0]])] += 1
        for prediction in task["predictions"]:
            if not interface.validate_prediction(prediction):
                wrong.append(f"task {task['id']}: prediction")
            choice = prediction["result"][0]["value"]["choices"][0]
            counts[json.dumps(["prediction", task["data"]["clip"], choice])] += 1
        bad = json.loads(json.dumps(task["annotations"][:1]))
        for annotation in bad:  # the validator must be able to say no
            for result in annotation["result"]:
                if result["from_name"] == "emotion":
                    result["value"]["choices"] = ["no such class"]
                    if interface.validate_annotation(annotation):
                        wrong.append(f"task {task['id']}: an unknown class passed")
    with tempfile.TemporaryDirectory() as out:
        converter = Converter(config, project_dir=None, upload_dir=None)
        converter.convert_to_csv(str(folder / "tasks.json"), out, is_dir=False, sep=",", header=True)
        (table,) = Path(out).glob("*.csv")
        import csv

        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    return {
        "tasks": len(tasks),
        "wrong": wrong,
        "counts": counts,
        "choices": list(interface.get_control("emotion").labels),
        "converted": Counter(json.dumps([row["clip"], row.get("emotion", "")]) for row in rows),
    }


if __name__ == "__main__":
    print(json.dumps(read(Path(sys.argv[1])), ensure_ascii=False))
