"""The sound of utterances as modalities beside their text: what the views make of every file that is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines import audio
from pipelines.errors import PipelineError
from pipelines.experiments.pairwise_cell import strongest_blocks
from pipelines.experiments.replay_corpus import extract
from pipelines.features import FeatureStore
from pipelines.sources.listing import Row
from pipelines.views import open_views

VIEWS = ("wav2vec2", "mel", "egemaps")
SHOWN = 3


@dataclass(frozen=True)
class Sound:
    """Row i is utterance i. values: float32 (n, D), an utterance without sound at the mean of those that have some, so
    that it says nothing. modalities: which columns each view has. found: bool (n,)."""

    values: npt.NDArray[np.float32]
    modalities: dict[str, slice]
    found: npt.NDArray[np.bool_]
    notices: list[str] = field(default_factory=list)


def audio_features(
    rows: Sequence[Row], root: Path, views: Sequence[str], speech_model: str, features: Path, device: str = "cpu"
) -> Sound:
    """The views' summaries of each utterance: of the speech model two middle layers, of the others all.

    rows: paths below `root`. features: a feature store, which keeps what was extracted.
    Raises PipelineError when no utterance has sound that can be read, or no view can be opened.
    """
    clips, bad = _readable(rows, root)
    if not any(clips):
        raise PipelineError(
            f"no utterance has sound under {root}: unpack the corpus's audio there (MELD: its videos, and install "
            "ffmpeg), or leave the audio views out"
        )
    opened = open_views(views, speech_model, device)
    if not opened.views:
        raise PipelineError("no view could be opened: " + "; ".join(opened.notices))
    there = np.array([clip is not None for clip in clips])
    # Two utterances may be the same sound: it is extracted once.
    heard = {clip: row for clip, row in zip(clips, rows, strict=True) if clip is not None}
    store, parts, modalities, width = FeatureStore(features), [], {}, 0
    for name, view in opened.views.items():
        extract(store, view, root, list(heard), list(heard.values()), None)
        blocks = store.read_blocks(view.key, [clip for clip in clips if clip is not None], view)
        chosen = strongest_blocks(list(blocks)) if name == "wav2vec2" else list(blocks)
        own = np.concatenate([blocks[block] for block in chosen], axis=1)
        whole = np.tile(own.mean(0), (len(rows), 1)).astype(np.float32)
        whole[there] = own
        parts.append(whole)
        modalities[name] = slice(width, width + own.shape[1])
        width += own.shape[1]
    notices = list(opened.notices)
    if bad:
        more = f"; and {len(bad) - SHOWN:,} more" if len(bad) > SHOWN else ""
        notices.append(f"{len(bad):,} utterances without sound: {'; '.join(bad[:SHOWN])}{more}")
    return Sound(np.concatenate(parts, axis=1), modalities, there, notices)


def _readable(rows: Sequence[Row], root: Path) -> tuple[list[str | None], list[str]]:
    """The clip id of each utterance, None without sound, and why."""
    clips: list[str | None] = []
    bad: list[str] = []
    for row in rows:
        path = root / row.path
        try:
            audio.check(path, row.start, row.end)
            clips.append(audio.clip_id(path, row.start, row.end))
        except (audio.Unusable, OSError) as error:
            clips.append(None)
            bad.append(str(error))
    return clips, bad
