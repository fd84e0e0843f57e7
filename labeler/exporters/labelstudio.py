"""labelstudio: tasks with annotations and predictions, the labelling interface they fit, and the audio.

One task a clip, one annotation an annotator. An annotation does not carry `completed_by`: Label Studio refuses an
import that names a user it does not have, so the annotator stands in a field of the annotation instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from labeler.exporters.base import Tick
from labeler.exporters.media import Media
from labeler.exporters.rows import FIXED, PREDICTION, Row, Rows
from labeler.exporters.targets import made_folder

ANSWERS = ("label", "unsure", "bad_audio")


class LabelStudio:
    """`tasks.json`, `config.xml`, `audio/`, and a README that says how to import them."""

    name = "labelstudio"
    title = "Label Studio"
    reader = "Label Studio and its SDK"
    holds = "A folder: tasks.json, the labelling interface config.xml, a copy of the audio, and how to import them."
    read_with = 'json.load(open("{path}/tasks.json", encoding="utf-8"))'
    suffix = ""
    copies_audio = 1

    def refuses(self, classes: Sequence[str]) -> str | None:
        for name in classes:
            if not all(character.isprintable() for character in name):
                return f"the class {name!r} holds a character that an XML attribute does not keep"
            if name != name.strip():
                return f"the class {name!r} begins or ends with a space, which Label Studio takes away"
        return None

    def made(self, path: Path) -> bool:
        return made_folder(path, self.name)

    def write(self, rows: Rows, media: Mapping[str, Media], target: Path, tick: Tick) -> None:
        audio = target / "audio"
        audio.mkdir()
        with (target / "tasks.json").open("w", encoding="utf-8", newline="\n") as file:
            done, separator = 0, "[\n"
            for number, (clip, given) in enumerate(rows.by_clip(), 1):
                sound = media[clip.id]
                sound.copy(f"{audio}/{sound.name}")
                task = _task(number, f"/data/local-files/?d={quote('audio/' + sound.name)}", given)
                file.write(separator + json.dumps(task, ensure_ascii=False, allow_nan=False))
                separator = ",\n"
                done += len(given)
                tick(done, len(rows))
            file.write("\n]\n")
        (target / "config.xml").write_text(config(rows.classes), encoding="utf-8", newline="\n")
        (target / "README.md").write_text(_README, encoding="utf-8", newline="\n")


def config(classes: Sequence[str]) -> str:
    """The labelling interface for these classes, as XML."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Audio", name="audio", value="$audio")
    emotion = ElementTree.SubElement(view, "Choices", name="emotion", toName="audio", choice="single-radio")
    for name in classes:
        ElementTree.SubElement(emotion, "Choice", value=name)
    answer = ElementTree.SubElement(view, "Choices", name="answer", toName="audio", choice="single-radio")
    for name in ANSWERS:
        ElementTree.SubElement(answer, "Choice", value=name)
    ElementTree.SubElement(view, "Number", name="confidence", toName="audio", min="0", max="1", step="0.000001")
    ElementTree.SubElement(view, "TextArea", name="note", toName="audio", editable="true", maxSubmissions="1")
    ElementTree.SubElement(view, "TextArea", name="annotator", toName="audio", editable="true", maxSubmissions="1")
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _task(number: int, url: str, given: list[Row]) -> dict[str, Any]:
    first = given[0]
    about = {name: first[name] for name in ("clip", "path", "start", "end", "speaker", "evaluation")}
    other = {_name(name): value for name, value in first.items() if name not in FIXED}
    task: dict[str, Any] = {
        "id": number,
        "data": {**other, **about, "audio": url},
        "annotations": [],
        "predictions": [],
    }
    for row in given:
        if row["action"] == PREDICTION:
            task["predictions"].append(
                {
                    "model_version": f"earmark round {row['round']}",
                    "score": row["confidence"],
                    "result": [_result(row, "emotion", "choices", "choices", [row["label"]])],
                }
            )
        else:
            task["annotations"].append({"was_cancelled": False, "created_at": row["at"], "result": list(_results(row))})
    return task


def _results(row: Row) -> Iterator[dict[str, Any]]:
    if row["label"] is not None:
        yield _result(row, "emotion", "choices", "choices", [row["label"]])
    yield _result(row, "answer", "choices", "choices", [row["action"]])
    if row["confidence"] is not None:
        yield _result(row, "confidence", "number", "number", row["confidence"])
    if row["note"]:
        yield _result(row, "note", "textarea", "text", [row["note"]])
    yield _result(row, "annotator", "textarea", "text", [row["annotator"]])


def _result(row: Row, control: str, kind: str, key: str, value: Any) -> dict[str, Any]:
    identity = f"{row['clip']}\n{row['annotator']}\n{control}"
    return {
        "id": hashlib.sha256(identity.encode()).hexdigest()[:10],
        "from_name": control,
        "to_name": "audio",
        "type": kind,
        "value": {key: value},
    }


def _name(name: str) -> str:
    """A manifest column called `audio` keeps its values under `manifest_audio`."""
    return "manifest_audio" if name == "audio" else name


_README = """# For Label Studio

1. Start it with `LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true` and
   `LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT` set to the absolute path of this folder.
2. Make a project; under Settings, Labeling Interface, Code, paste `config.xml`.
3. Under Settings, Cloud Storage, add a source storage of the type Local files with the path of `audio/` here
   (do not sync it: the storage only allows the files to be served).
4. Import `tasks.json`.

Each annotation names its annotator in the field `annotator` and keeps `unsure` and `bad_audio` in `answer`.
"""
