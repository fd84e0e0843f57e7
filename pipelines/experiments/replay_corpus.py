"""A labelled corpus as a replay needs it: features, speakers, truth, and how long each clip takes to hear."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines import audio
from pipelines.errors import PipelineError
from pipelines.features import FeatureStore
from pipelines.sources import Row, open_listing
from pipelines.views import View, open_views

Progress = Callable[[int, int, str], None]
"""Called with (done, total, what is being done)."""

EXTRACTED_AT_ONCE = 16
SHOWN = 5


@dataclass
class ReplayCorpus:
    """Labelled clips with their features. Row i of every field is one clip.

    blocks: name -> float32 (n, d), as for a fast round. views: which blocks each view gave. y: class of each clip, an
    index into `classes`. seconds: length of each clip. sessions: for folds by session.
    """

    name: str
    clips: list[str]
    blocks: dict[str, npt.NDArray[np.float32]]
    views: dict[str, list[str]]
    speakers: list[str | None]
    sessions: list[str | None]
    classes: list[str]
    y: npt.NDArray[np.intp]
    seconds: npt.NDArray[np.float64]
    speech_model: str | None = None
    notices: list[str] = field(default_factory=list)

    def digest(self) -> str:
        """Changes with anything that can change a result."""
        state = hashlib.sha256(repr((self.clips, self.speakers, self.sessions, self.classes)).encode())
        for name in sorted(self.blocks):
            state.update(name.encode() + np.ascontiguousarray(self.blocks[name]).tobytes())
        state.update(self.y.tobytes() + self.seconds.tobytes())
        return state.hexdigest()

    def subset(self, rows: npt.NDArray[np.integer]) -> ReplayCorpus:
        """The clips of `rows` only; the class list stays."""
        kept = [int(i) for i in rows]
        return ReplayCorpus(
            self.name,
            [self.clips[i] for i in kept],
            {name: block[kept] for name, block in self.blocks.items()},
            self.views,
            [self.speakers[i] for i in kept],
            [self.sessions[i] for i in kept],
            self.classes,
            self.y[kept],
            self.seconds[kept],
            self.speech_model,
            self.notices,
        )


def read_corpus(
    source: str | Path,
    *,
    features: Path,
    views: Sequence[str] = ("wav2vec2", "mel", "egemaps"),
    speech_model: str = "facebook/wav2vec2-base",
    device: str = "auto",
    noise_db: float | None = None,
    progress: Progress | None = None,
    columns: Mapping[str, str] | None = None,
) -> ReplayCorpus:
    """Read a source with labels (manifest, folder, AudioFolder…) and extract what `features` does not hold yet.

    Clips without a label, duplicates and clips that cannot be used are left out, with a notice that counts them.
    noise_db: white noise is added to every clip at this ratio of signal to noise, and features go to a folder of their
    own.
    columns: as `open_listing`; `{"label": "intensity"}` takes another column for the labels.

    Raises:
        PipelineError: no clip with a label, fewer than two classes, or no view that can be opened.
    """
    listing = open_listing(source, columns=columns)
    notices = list(listing.notices)
    labelled = [row for row in listing.rows if row.label is not None]
    if not labelled:
        raise PipelineError(f"{source}: no clip has a label; a replay needs a `label` or `emotion` column")
    ids, rows, seconds, bad = _usable(listing.root, labelled, progress)
    bad = [f"{where}: {reason}" for where, reason in listing.refused] + bad
    if len(listing.rows) > len(labelled):
        notices.append(f"{len(listing.rows) - len(labelled)} clips left out: without a label")
    if bad:
        more = f"; and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        notices.append(f"{len(bad)} clips left out: {'; '.join(bad[:SHOWN])}{more}")
    classes = sorted({str(row.label) for row in rows})
    if len(classes) < 2:
        raise PipelineError(f"{source}: {len(classes)} class in {len(rows)} usable clips; a replay needs two or more")
    opened = open_views(views, speech_model, device)
    if not opened.views:
        raise PipelineError("no view could be opened: " + "; ".join(opened.notices or ["enable one (egemaps, mel)"]))
    store, blocks, of_view = FeatureStore(noisy_folder(features, noise_db)), {}, {}
    for name, view in opened.views.items():
        extract(store, view, listing.root, ids, rows, progress, noise_db)
        found = store.read_blocks(view.key, ids, view)
        blocks.update(found)
        of_view[name] = list(found)
    return ReplayCorpus(
        Path(source).stem if Path(source).stem != "manifest" else Path(source).resolve().parent.name,
        ids,
        blocks,
        of_view,
        [row.speaker for row in rows],
        [_session(row) for row in rows],
        classes,
        np.array([classes.index(str(row.label)) for row in rows], np.intp),
        np.array(seconds),
        speech_model if "wav2vec2" in of_view else None,
        notices + opened.notices,
    )


def _usable(
    root: Path, rows: Sequence[Row], progress: Progress | None
) -> tuple[list[str], list[Row], list[float], list[str]]:
    ids: dict[str, None] = {}
    kept: list[Row] = []
    seconds: list[float] = []
    bad: list[str] = []
    for i, row in enumerate(rows):
        path = root / row.path
        try:
            clip, sound = audio.clip_id(path, row.start, row.end), audio.check(path, row.start, row.end)
        except audio.Unusable as error:
            bad.append(str(error))
            continue
        if clip in ids:
            bad.append(f"{row.path} is a duplicate of {kept[list(ids).index(clip)].path}")
            continue
        ids[clip] = None
        kept.append(row)
        seconds.append(sound.seconds)
        if progress:
            progress(i + 1, len(rows), "reading clips")
    return list(ids), kept, seconds, bad


def extract(
    store: FeatureStore,
    view: View,
    root: Path,
    ids: Sequence[str],
    rows: Sequence[Row],
    progress: Progress | None,
    noise_db: float | None = None,
) -> None:
    """What the store lacks of a view of these clips: ids, and the row of each, with paths below `root`."""
    have = store.have(view.key)
    todo = [(clip, row) for clip, row in zip(ids, rows, strict=True) if clip not in have]
    for done in range(0, len(todo), EXTRACTED_AT_ONCE):
        part = todo[done : done + EXTRACTED_AT_ONCE]
        waves = [
            with_noise(audio.model_input(root / row.path, row.start, row.end), noise_db, clip) for clip, row in part
        ]
        store.write(view.key, dict(zip([clip for clip, _ in part], view.extract(waves), strict=True)))
        if progress:
            progress(done + len(part), len(todo), f"extracting {view.name}")


def noisy_folder(features: Path, noise_db: float | None) -> Path:
    """Where features of clips with noise lie: never among those of the clips themselves."""
    return features if noise_db is None else features / f"noise_{noise_db:g}_db"


def with_noise(wave: npt.NDArray[np.float32], noise_db: float | None, clip: str) -> npt.NDArray[np.float32]:
    """The wave, float32 (n,), with white noise `noise_db` below its own power; the clip's id seeds it."""
    if noise_db is None:
        return wave
    noise = np.random.default_rng(list(clip.encode())).standard_normal(len(wave)).astype(np.float32)
    power = float(np.mean(np.square(wave, dtype=np.float64)))
    return np.asarray(wave + noise * np.float32(np.sqrt(power / 10 ** (noise_db / 10))), np.float32)


def _session(row: Row) -> str | None:
    return next(
        (str(value) for key, value in row.extra.items() if key.lower() == "session" and value is not None), None
    )


def two_classes_each(
    y: npt.NDArray[np.integer], speakers: Sequence[str | None], classes: int, seed: int = 0
) -> npt.NDArray[np.intp]:
    """The rows that stay when each speaker keeps two classes only: as in natural speech, normalising by speaker harms.

    The pairs follow a shuffled round of the classes, so that every class stays with as many speakers as another.
    """
    order = np.random.default_rng(seed).permutation(classes).tolist()
    names = sorted({s for s in speakers if s is not None})
    pairs = {name: {order[2 * i % classes], order[(2 * i + 1) % classes]} for i, name in enumerate(names)}
    return np.array([i for i, s in enumerate(speakers) if s is not None and int(y[i]) in pairs[s]], np.intp)


def two_classes_a_speaker(corpus: ReplayCorpus, seed: int = 0) -> ReplayCorpus:
    """The corpus thinned by `two_classes_each`."""
    return corpus.subset(two_classes_each(corpus.y, corpus.speakers, len(corpus.classes), seed))
