"""The audio of an export: the source file's own bytes, or the cut of a longer recording as 16-bit WAV."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from db.clips import Clip, sources
from db.engine import Store
from labeler.errors import ExportError
from pipelines.audio import decode, wav_bytes
from pipelines.errors import PipelineError

# Paths are plain strings here: fifty thousand Path objects cost more than the copies.


@dataclass(frozen=True)
class Media:
    """Where the sound of a clip lies.

    `name` is a file name that no two clips share and every system takes: the clip's id and the ending of its format.
    `size` is that of the file that it lies in, in bytes.
    """

    clip: Clip
    file: str
    name: str
    size: int

    @property
    def whole(self) -> bool:
        """Whether the clip is the whole file."""
        return not self.clip.start and self.clip.end is None

    def read(self) -> bytes:
        """The bytes of the clip's own audio file."""
        if self.whole:
            with open(self.file, "rb") as file:
                return file.read()
        try:
            return wav_bytes(decode(Path(self.file), self.clip.start, self.clip.end))
        except PipelineError as error:
            raise ExportError(f"The audio of clip {self.clip.id} could not be cut out: {error}") from error

    def copy(self, target: str) -> None:
        """Write the clip's own audio file to `target`, whose folder is there."""
        if self.whole:
            shutil.copyfile(self.file, target)
        else:
            with open(target, "wb") as file:
                file.write(self.read())


def locate_all(store: Store, wanted: Iterable[Clip]) -> Mapping[str, Media]:
    """The audio of each clip, by clip id. Raises ExportError, naming one, when files are not where they were."""
    roots = {source.id: str(source.root) for source in sources(store)}
    out: dict[str, Media] = {}
    lost: list[str] = []
    for clip in wanted:
        file = os.path.join(roots[clip.source], clip.path)
        size = _size(file)
        if size is None:
            lost.append(file)
            continue
        whole = not clip.start and clip.end is None
        ending = os.path.splitext(file)[1].lower() if whole else ".wav"
        out[clip.id] = Media(clip, file, clip.id + ending, size)
    if lost:
        raise ExportError(
            f"This format copies the audio, and {len(lost)} of {len(lost) + len(out)} files are not where they were, "
            f"first {lost[0]}. Bring them back, or say `earmark relocate NEW_ROOT`; "
            "csv, jsonl and parquet need no audio."
        )
    return out


def _size(file: str) -> int | None:
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
