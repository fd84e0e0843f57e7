"""The audio of an export: the source file's own bytes, or the cut of a longer recording as 16-bit WAV."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from db.clips import Clip, sources
from db.engine import Store
from labeler.errors import ExportError
from pipelines.audio import decode, wav_bytes
from pipelines.errors import PipelineError


@dataclass(frozen=True)
class Media:
    """Where the sound of a clip lies: `file`, and from `start` to `end` in seconds when it is a part of it."""

    clip: Clip
    file: Path

    @property
    def whole(self) -> bool:
        """Whether the clip is the whole file."""
        return not self.clip.start and self.clip.end is None

    @property
    def name(self) -> str:
        """A file name that no two clips share and every system takes: the clip's id and the ending of its format."""
        return self.clip.id + (self.file.suffix.lower() if self.whole else ".wav")

    def read(self) -> bytes:
        """The bytes of the clip's own audio file."""
        if self.whole:
            return self.file.read_bytes()
        try:
            return wav_bytes(decode(self.file, self.clip.start, self.clip.end))
        except PipelineError as error:
            raise ExportError(f"The audio of clip {self.clip.id} could not be cut out: {error}") from error

    def copy(self, target: Path) -> None:
        """Write the clip's own audio file to `target`; folders are made."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.whole:
            shutil.copyfile(self.file, target)
        else:
            target.write_bytes(self.read())


def locate_all(store: Store, wanted: Iterable[Clip]) -> dict[str, Media]:
    """The audio of each clip, by clip id. Raises ExportError, naming some, when files are not where they were."""
    roots = {source.id: source.root for source in sources(store)}
    out = {clip.id: Media(clip, roots[clip.source] / clip.path) for clip in wanted}
    lost = [media.file for media in out.values() if not media.file.is_file()]
    if lost:
        raise ExportError(
            f"This format copies the audio, and {len(lost)} of {len(out)} files are not where they were, first "
            f"{lost[0]}. Bring them back, or say `earmark relocate NEW_ROOT`; csv, jsonl and parquet need no audio."
        )
    return out


def audio_bytes(store: Store, wanted: Iterable[Clip]) -> int:
    """How many bytes the copies of these clips take at most."""
    return sum(media.file.stat().st_size for media in locate_all(store, wanted).values())
