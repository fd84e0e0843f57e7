"""huggingface: a dataset in parquet with an Audio column, and beside it the same clips as an AudioFolder.

Layout (Hugging Face docs, "Audio dataset"): `README.md` whose header names the parquet files of each split;
`data/SPLIT-NNNNN-of-NNNNN.parquet` with `audio` as struct{bytes, path}; `audiofolder/SPLIT/metadata.parquet` with
`file_name` beside the audio files. Both schemas carry the features under the key `huggingface`, so `label` is a
ClassLabel in the order of the project's class list (a CSV there would turn the class "001" into 1.0).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labeler.exporters.base import Tick
from labeler.exporters.media import Media
from labeler.exporters.parquet import arrow_type
from labeler.exporters.rows import PREDICTION, Row, Rows
from labeler.exporters.targets import made_folder

SPLITS = {
    "train": "clips that models may train on",
    "test": "evaluation clips, drawn before anybody labelled (whole speakers where they are known)",
    "predicted": "unlabelled clips with the newest model's class: no annotation",
}
_GROUP_BYTES = 64 << 20  # of audio in a row group: what a reader holds at once
_SHARD_BYTES = 500 << 20  # of audio in a file


class HuggingFace:
    """Splits: `train`, `test` (evaluation clips), `predicted`. Answers without a class have `label` null."""

    name = "huggingface"
    title = "Hugging Face dataset"
    reader = "datasets.load_dataset, as parquet with audio and as an AudioFolder"
    holds = (
        "A folder: parquet files with the audio inside, split into train and test (evaluation clips), "
        "and the same clips as an AudioFolder."
    )
    read_with = 'datasets.load_dataset("{path}")'
    suffix = ""
    copies_audio = 2

    def refuses(self, classes: Sequence[str]) -> str | None:
        return None

    def made(self, path: Path) -> bool:
        return made_folder(path, self.name)

    def write(self, rows: Rows, media: Mapping[str, Media], target: Path, tick: Tick) -> None:
        columns = {_column(name): kind for name, kind in rows.columns.items()}
        writers: dict[str, _Split] = {}
        try:
            for done, (row, sound, name) in enumerate(_with_sound(rows, media), 1):
                split = _split(row)
                if split not in writers:
                    writers[split] = _Split(target, split, columns, rows.classes)
                writers[split].add({_column(key): value for key, value in row.items()}, sound, name)
                tick(done, len(rows))
        finally:
            for writer in writers.values():
                writer.close()
        used = [split for split in SPLITS if split in writers]
        (target / "README.md").write_text(_card(rows, used), encoding="utf-8", newline="\n")
        folder = _header({split: f"{split}/**" for split in used})
        (target / "audiofolder" / "README.md").write_text(folder, encoding="utf-8", newline="\n")


class _Split:
    """The parquet shards and the AudioFolder of one split, written row by row."""

    def __init__(self, root: Path, split: str, columns: dict[str, Any], classes: tuple[str, ...]) -> None:
        import pyarrow as pa

        self.data, self.folder, self.split = root / "data", root / "audiofolder" / split, split
        self.data.mkdir(exist_ok=True)
        self.folder.mkdir(parents=True)
        plain = [(name, pa.int64() if name == "label" else arrow_type(kind)) for name, kind in columns.items()]
        features = {name: _feature(name, kind, classes) for name, kind in columns.items()}
        audio = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        self.schema = pa.schema(
            [("audio", audio), *plain], {"huggingface": _features({"audio": {"_type": "Audio"}, **features})}
        )
        named = {"file_name": {"dtype": "string", "_type": "Value"}, **features}
        self.folder_schema = pa.schema([("file_name", pa.string()), *plain], {"huggingface": _features(named)})
        self.number = {name: number for number, name in enumerate(classes)}
        self.written: set[str] = set()
        self.waiting: list[Row] = []
        self.metadata: list[Row] = []
        self.waiting_bytes = self.shard_bytes = 0
        self.shards: list[Path] = []
        self.writer: Any = None

    def add(self, row: Row, sound: bytes, name: str) -> None:
        row["label"] = None if row["label"] is None else self.number[row["label"]]
        self.metadata.append({"file_name": name, **row})
        if name not in self.written:
            self.written.add(name)
            with open(f"{self.folder}/{name}", "wb") as file:
                file.write(sound)
        self.waiting.append({"audio": {"bytes": sound, "path": name}, **row})
        self.waiting_bytes += len(sound)
        if self.waiting_bytes >= _GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self.waiting:
            return
        if self.writer is None or self.shard_bytes >= _SHARD_BYTES:
            if self.writer is not None:
                self.writer.close()
            self.shards.append(self.data / f"{self.split}-{len(self.shards):05d}")
            # Audio is mostly compressed already, and what is not gains little.
            self.writer = pq.ParquetWriter(self.shards[-1], self.schema, compression="snappy")
            self.shard_bytes = 0
        self.writer.write_table(pa.Table.from_pylist(self.waiting, schema=self.schema))
        self.shard_bytes += self.waiting_bytes
        self.waiting, self.waiting_bytes = [], 0

    def close(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.flush()
        if self.writer is not None:
            self.writer.close()
        for number, shard in enumerate(self.shards):
            shard.rename(self.data / f"{self.split}-{number:05d}-of-{len(self.shards):05d}.parquet")
        table = pa.Table.from_pylist(self.metadata, schema=self.folder_schema)
        pq.write_table(table, self.folder / "metadata.parquet", compression="zstd")


def _with_sound(rows: Rows, media: Mapping[str, Media]) -> Iterator[tuple[Row, bytes, str]]:
    """Each row with its audio and file name; rows of one clip follow each other, so its file is read once."""
    last, sound = "", b""
    for row in rows:
        if row["clip"] != last:
            last, sound = row["clip"], media[row["clip"]].read()
        yield row, sound, media[last].name


def _split(row: Row) -> str:
    if row["action"] == PREDICTION:
        return "predicted"
    return "test" if row["evaluation"] else "train"


def _column(name: str) -> str:
    """A manifest column called like one of the format's own keeps its values under `manifest_NAME`."""
    return f"manifest_{name}" if name == "audio" or name.endswith(("file_name", "file_names")) else name


def _feature(name: str, kind: str, classes: tuple[str, ...]) -> dict[str, Any]:
    if name == "label":
        return {"names": list(classes), "_type": "ClassLabel"}
    return {"dtype": {"str": "string", "float": "float64", "int": "int64", "bool": "bool"}[kind], "_type": "Value"}


def _features(features: dict[str, Any]) -> str:
    return json.dumps({"info": {"features": features}}, ensure_ascii=False)


def _header(files: Mapping[str, str]) -> str:
    """The card's YAML that tells which files a split has: `predicted` would not be found by its name alone."""
    paths = "".join(f'  - split: {split}\n    path: "{path}"\n' for split, path in files.items())
    return f"---\nconfigs:\n- config_name: default\n  data_files:\n{paths}---\n"


def _card(rows: Rows, used: list[str]) -> str:
    header = _header({split: f"data/{split}-*.parquet" for split in used})
    about = "\n".join(f"- `{split}`: {SPLITS[split]}" for split in used)
    classes = "\n".join(f"{number}. {json.dumps(name, ensure_ascii=False)}" for number, name in enumerate(rows.classes))
    return (
        f"{header}\n# {' '.join(rows.project.split())}\n\nLabelled with Earmark. One row for each "
        f"{'clip (consensus: ' + rows.consensus + ')' if rows.consensus else 'answer (clip, annotator)'}; "
        "`label` is null where `action` is `unsure` or `bad_audio`.\n\n"
        f"Splits:\n\n{about}\n\nClasses, by number:\n\n{classes}\n\n"
        '```python\nfrom datasets import load_dataset\n\nload_dataset("PATH")  # parquet, audio inside\n'
        'load_dataset("PATH/audiofolder")  # the same clips as files\n```\n'
    )
