"""jsonl: one JSON object a line, UTF-8, every column in every line, missing values as null."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from labeler.exporters.base import Tick
from labeler.exporters.csv import made_by_first_line
from labeler.exporters.media import Media
from labeler.exporters.rows import Rows

# Legal inside JSON strings, but some readers that split text into lines break at them.
_BREAKS = {ord(mark): f"\\u{ord(mark):04x}" for mark in "\u0085\u2028\u2029"}


class Jsonl:
    """Types are kept: numbers, booleans, null."""

    name = "jsonl"
    title = "JSON lines"
    reader = "scripts, jq, pandas; keeps numbers and missing values apart from text"
    holds = "One file, one object a line. Missing values are null."
    read_with = '[json.loads(line) for line in open("{path}", encoding="utf-8")]'
    suffix = ".jsonl"
    copies_audio = 0

    def refuses(self, classes: Sequence[str]) -> str | None:
        return None

    def made(self, path: Path) -> bool:
        return made_by_first_line(path, '{"clip":"')

    def write(self, rows: Rows, media: Mapping[str, Media], target: Path, tick: Tick) -> None:
        with target.open("w", encoding="utf-8", newline="\n") as file:
            for done, row in enumerate(rows, 1):
                line = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
                file.write(line.translate(_BREAKS) + "\n")
                if done % 1000 == 0:
                    tick(done, len(rows))
