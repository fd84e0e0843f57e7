"""What a corpus reader is, and how its rows become a manifest."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import PipelineError
from pipelines.sources.listing import Refused, Row

Say = Callable[[str], None]
COLUMNS = ("path", "start", "end", "label", "speaker", "dialogue", "turn", "text")


@dataclass
class Reading:
    """A corpus that was read. Paths are relative to its root; what could not be used stands in `refused`."""

    rows: list[Row] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels seen, sorted."""
        return tuple(sorted({row.label for row in self.rows if row.label is not None}))

    def counts(self) -> Counter[str]:
        """How many rows each label has."""
        return Counter(row.label for row in self.rows if row.label is not None)


def _nothing_to_prepare(root: Path, say: Say) -> None:
    """Most corpora are used as their publisher hands them out."""


@dataclass(frozen=True)
class Corpus:
    """One official corpus.

    `clips` is the publisher's own count, against which a reading is checked. `read` takes the root folder and raises no
    error for a bad file or line (they land in `refused`). `prepare` brings files that are not there yet. `folder` is
    what its folder is usually called, `manifest` the file that it is written to: corpora that share a folder differ in
    it.
    """

    name: str
    title: str
    licence: str
    obtain: str
    clips: int
    read: Callable[[Path], Reading]
    prepare: Callable[[Path, Say], None] = _nothing_to_prepare
    folder: str = ""
    manifest: str = "manifest.csv"


def read_corpus(corpus: Corpus, root: Path, say: Say = lambda line: None) -> Reading:
    """Prepare and read the corpus at `root`; a count other than the publisher's becomes a notice.

    Raises:
        PipelineError: nothing of the corpus is there; the message says where to get it.
    """
    corpus.prepare(root, say)
    reading = corpus.read(root) if root.is_dir() else Reading()
    if not reading.rows:
        first = f" ({reading.refused[0].where}: {reading.refused[0].reason})" if reading.refused else ""
        raise PipelineError(
            f"no clip of {corpus.title} under {root}{first}; {corpus.obtain}, and name it with --root DIR"
        )
    if len(reading.rows) != corpus.clips:
        reading.notices.append(f"{len(reading.rows):,} clips found; {corpus.title} has {corpus.clips:,}")
    return reading


def write_manifest(reading: Reading, root: Path, name: str = "manifest.csv") -> Path:
    """Write `root/name`: our columns, then the corpus's own. Rows whose sound is not there are left out.

    Raises:
        PipelineError: no row has sound, the folder cannot be written, or a manifest with other content is there.
    """
    rows = [row for row in reading.rows if (root / row.path).is_file()]
    if not rows:
        raise PipelineError(
            f"none of the {len(reading.rows):,} rows has its sound under {root} (first: {reading.rows[0].path})"
        )
    if len(rows) < len(reading.rows):
        reading.notices.append(f"{len(reading.rows) - len(rows):,} rows have no sound and are not in the manifest")
    extra = list(dict.fromkeys(name for row in rows for name in row.extra))
    used = [name for name in COLUMNS if any(getattr(row, name) is not None for row in rows)]
    table = io.StringIO(newline="")
    writer = csv.writer(table, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([*used, *extra])
    for row in rows:
        cells = [getattr(row, name) for name in used] + [row.extra.get(name) for name in extra]
        writer.writerow(["" if cell is None else cell for cell in cells])
    return _write(root / name, table.getvalue())


def _write(path: Path, text: str) -> Path:
    temporary = path.with_suffix(".part")
    try:
        if path.is_file() and path.read_text("utf-8") == text:
            return path
        if path.is_file():
            raise PipelineError(
                f"{path} is there with other content and is left as it is; move it away, then try again"
            )
        temporary.write_text(text, "utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be written ({error.strerror}): copy or link the corpus where you may write"
        ) from error
    return path
