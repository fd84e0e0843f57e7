"""Every format, by the name that `--format` takes. A new format is one file and one name here."""

from __future__ import annotations

from labeler.exporters.audformat import Audformat
from labeler.exporters.base import Exporter
from labeler.exporters.csv import Csv
from labeler.exporters.huggingface import HuggingFace
from labeler.exporters.jsonl import Jsonl
from labeler.exporters.labelstudio import LabelStudio
from labeler.exporters.parquet import Parquet

_ALL: tuple[Exporter, ...] = (Csv(), Jsonl(), Parquet(), Audformat(), HuggingFace(), LabelStudio())

EXPORTERS: dict[str, Exporter] = {exporter.name: exporter for exporter in _ALL}
