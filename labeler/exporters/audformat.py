"""audformat: a database for audb and audEERING's tools, media included.

Tables (index `file`, or `file, start, end` when any clip is a part of a longer recording):

- `emotion`: one column a rater. Annotators are raters of type human, a consensus is `gold_standard` of type vote, a
  model is `model:ROUND` of type machine.
- `emotion.FIELD` for action, confidence, note and the other columns of an answer: the same raters.
- `files` (`segments`): what is known of the clip, with the manifest's other columns.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from db.clips import Clip
from labeler.exporters.base import Tick
from labeler.exporters.media import Media
from labeler.exporters.rows import FIXED, PREDICTION, Kind, Row, Rows
from labeler.exporters.targets import made_folder

ABOUT_CLIP = ("clip", "path", "speaker", "evaluation")
ABOUT_ANSWER = tuple(
    name for name in FIXED if name not in (*ABOUT_CLIP, "start", "end", "label", "annotator")
)  # action, confidence, note, suggestion_shown, ...
GOLD = "gold_standard"
_DTYPES: dict[Kind, str] = {"str": "str", "float": "float", "int": "int", "bool": "bool"}


class Audformat:
    """`db.yaml`, one parquet a table, and the media under their own relative paths."""

    name = "audformat"
    title = "audformat"
    reader = "audb and audEERING's tools"
    holds = "A folder: the header db.yaml, a table for each kind of fact, and a copy of the audio."
    read_with = 'audformat.Database.load("{path}")'
    suffix = ""
    copies_audio = 1

    def refuses(self, classes: Sequence[str]) -> str | None:
        import audformat

        # The header is YAML: ask the format itself what comes back.
        header = audformat.Database("names", source="earmark", usage=audformat.define.Usage.OTHER)
        header.schemes["emotion"] = audformat.Scheme(labels=list(classes))
        try:
            with TemporaryDirectory() as folder:
                header.save(folder, header_only=True)
                loaded = audformat.Database.load(folder).schemes["emotion"].labels
        except Exception as error:  # whatever the YAML reader makes of it
            return f"a class name cannot be kept in the database's header ({' '.join(str(error).split())})"
        for name, back in zip(classes, loaded, strict=True):
            if name != back:
                return f"the class {name!r} comes back from the database's header as {back!r}"
        return None

    def made(self, path: Path) -> bool:
        return made_folder(path, self.name)

    def write(self, rows: Rows, media: Mapping[str, Media], target: Path, tick: Tick) -> None:
        import audformat

        names = _file_names(media)
        made: set[str] = set()
        for done, (file, source) in enumerate(sorted(_recordings(media, names).items()), 1):
            folder = os.path.dirname(f"{target}/{file}")
            if folder not in made:
                made.add(folder)
                os.makedirs(folder, exist_ok=True)
            shutil.copyfile(source, f"{target}/{file}")
            tick(done * len(rows) // (len(media) + 1), len(rows))

        database = audformat.Database(
            " ".join(rows.project.split()) or "earmark",
            source="labelled with Earmark",
            usage=audformat.define.Usage.OTHER,
            description="Annotations made with Earmark; what the audio may be used for is for its owner to say.",
        )
        index = _index(rows.used_clips, names)
        _about_clips(database, index, rows)
        _answers(database, index, rows)
        database.save(str(target), storage_format="parquet")
        tick(len(rows), len(rows))


def _file_names(media: Mapping[str, Media]) -> dict[str, str]:
    """clip id -> path in the database: the clip's own relative path, or its id where that path would not travel."""
    many = len({item.clip.source for item in media.values()}) > 1
    out = {}
    for clip, item in media.items():
        path = f"source{item.clip.source}/{item.clip.path}" if many else item.clip.path
        parts = PurePosixPath(path).parts
        portable = "\\" not in path and not path.startswith("/") and ".." not in parts and path.isprintable()
        out[clip] = str(PurePosixPath(path)) if portable else f"renamed/{clip}{os.path.splitext(item.file)[1].lower()}"
    return out


def _recordings(media: Mapping[str, Media], names: dict[str, str]) -> dict[str, str]:
    """path in the database -> the recording to copy there (several clips may be parts of one)."""
    return {names[clip]: item.file for clip, item in media.items()}


def _index(used: Sequence[Clip], names: dict[str, str]) -> Any:
    import audformat
    import pandas as pd

    files = [names[clip.id] for clip in used]
    if all(not clip.start and clip.end is None for clip in used):
        return audformat.filewise_index(files)
    starts = [pd.Timedelta(clip.start or 0, unit="s") for clip in used]
    ends = [pd.NaT if clip.end is None else pd.Timedelta(clip.end, unit="s") for clip in used]
    return audformat.segmented_index(files, starts, ends)


def _about_clips(database: Any, index: Any, rows: Rows) -> None:
    import audformat

    table = audformat.Table(index)
    database["files" if index.nlevels == 1 else "segments"] = table
    facts = [
        {"clip": clip.id, "path": clip.path, "speaker": clip.speaker, "evaluation": bool(clip.evaluation)}
        | rows.manifest(clip)
        for clip in rows.used_clips
    ]
    columns = {name: FIXED.get(name) or rows.columns[name] for name in facts[0]}
    for name, kind in columns.items():
        values = [fact[name] for fact in facts]
        if any(value is not None for value in values):
            # A column may not be called like a level of the index.
            column = f"manifest_{name}" if name in ("file", "start", "end") else name
            database.schemes[column] = audformat.Scheme(_DTYPES[kind])
            table[column] = audformat.Column(scheme_id=column)
            table[column].set(_typed(values, kind))


def _answers(database: Any, index: Any, rows: Rows) -> None:
    import audformat

    place = {clip.id: number for number, clip in enumerate(rows.used_clips)}
    raters: dict[str, list[Row]] = {}
    for row in rows:
        raters.setdefault(row["annotator"], []).append(row)
    identity = {}
    for annotator, given in raters.items():
        identity[annotator] = GOLD if rows.consensus and given[0]["action"] != PREDICTION else annotator
        database.raters[identity[annotator]] = audformat.Rater(_rater_type(rows, given[0]))
    database.schemes["emotion"] = audformat.Scheme(labels=list(rows.classes))
    for field, scheme, kind in _fields():
        wanted = {name: _column(given, field, place) for name, given in raters.items()}
        if field != "label" and all(value is None for values in wanted.values() for value in values):
            continue
        table = audformat.Table(index)
        database["emotion" if field == "label" else f"emotion.{field}"] = table
        if field != "label":
            database.schemes[scheme] = audformat.Scheme(_DTYPES[kind])
        for annotator, values in wanted.items():
            rater = identity[annotator]
            table[rater] = audformat.Column(scheme_id=scheme, rater_id=rater)
            table[rater].set(_typed(values, kind))


def _fields() -> Iterator[tuple[str, str, Kind]]:
    yield "label", "emotion", "str"
    for field in ABOUT_ANSWER:
        yield field, f"answer.{field}", FIXED[field]


def _column(given: list[Row], field: str, place: dict[str, int]) -> list[Any]:
    values: list[Any] = [None] * len(place)
    for row in given:
        values[place[row["clip"]]] = row[field]
    return values


def _rater_type(rows: Rows, row: Row) -> Any:
    import audformat

    if row["action"] == PREDICTION:
        return audformat.define.RaterType.MACHINE
    return audformat.define.RaterType.VOTE if rows.consensus else audformat.define.RaterType.HUMAN


def _typed(values: list[Any], kind: Kind) -> Any:
    import pandas as pd

    dtype = {"str": "object", "float": "float64", "int": "Int64", "bool": "boolean"}[kind]
    return pd.Series(values, dtype=dtype)
