"""A corpus of conversations as `reproduce sslcl` takes it: official splits, text features, classes of a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipelines.checkpoints import digest
from pipelines.conversation.dialogues import Dialogues, Turn, assemble
from pipelines.conversation.text import Progress, text_features
from pipelines.corpora import CORPORA, read_corpus
from pipelines.errors import PipelineError
from pipelines.experiments.conversation_audio import audio_features
from pipelines.sources.listing import Row

SPLITS = ("train", "dev", "test")
TASKS = ("emotion", "sentiment")
DEVELOPMENT = 0.1  # of the training dialogues, where a corpus brings no development split
TEST_SESSION = "5"  # IEMOCAP's, as in the paper


@dataclass(frozen=True)
class Conversations:
    """One corpus and task. splits: train, dev and test. encoder: of the text, and the audio views beside it."""

    name: str
    task: str
    classes: tuple[str, ...]
    splits: dict[str, Dialogues]
    encoder: str
    notices: list[str] = field(default_factory=list)

    def digest(self) -> str:
        """16 hexadecimal digits over all that a cell sees: results of other data are never taken for these."""
        parts = {f"{name}/{key}": getattr(d, key) for name, d in self.splits.items() for key in ("features", "labels")}
        return digest({**parts, **{f"{name}/speakers": d.speakers for name, d in self.splits.items()}})


def read_conversations(
    corpus: str,
    root: Path,
    *,
    task: str = "emotion",
    text_encoder: str = "auto",
    audio_views: Sequence[str] = (),
    speech_model: str = "none",
    device: str = "cpu",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Conversations:
    """Read `meld` or one of the `iemocap-N` at `root`: text, and with `audio_views` the sound beside it.

    MELD has its own splits. IEMOCAP: session 5 is the test part, a tenth of the other dialogues (drawn once, the same
    for everybody) is for development. `sentiment` is MELD's other label.
    Raises PipelineError for a corpus without dialogues, texts, or a part of the splits.
    """
    if corpus not in CORPORA or not (corpus == "meld" or corpus.startswith("iemocap")):
        able = ", ".join(name for name in CORPORA if name == "meld" or name.startswith("iemocap"))
        raise PipelineError(f"{corpus!r} is no corpus of conversations; allowed: {able}")
    if task not in TASKS or (task == "sentiment" and corpus != "meld"):
        raise PipelineError(f"{corpus} has no task {task!r}; allowed: emotion{', sentiment' * (corpus == 'meld')}")
    notices: list[str] = []
    reading = read_corpus(CORPORA[corpus], root, say=notices.append)
    notices += reading.notices + [f"not used: {where}: {reason}" for where, reason in reading.refused[:10]]
    rows = [row for row in reading.rows if row.dialogue is not None]
    if not any(row.text for row in rows):
        raise PipelineError(f"no utterance of {corpus} under {root} has a text")
    parts = _parts(rows)
    texts = text_features(
        [row.text or "" for row in rows],
        np.array([part == "train" for part in parts]),
        text_encoder,
        cache=cache,
        progress=progress,
    )
    notices += [texts.notice] if texts.notice else []
    values, modalities = texts.values, {"text": slice(0, texts.values.shape[1])}
    if audio_views:
        if cache is None:
            raise PipelineError("audio views need a folder that keeps their features")
        sound = audio_features(rows, root, audio_views, speech_model, cache, device)
        notices += sound.notices
        values = np.concatenate([values, sound.values], axis=1)
        start = modalities["text"].stop
        modalities |= {name: slice(start + at.start, start + at.stop) for name, at in sound.modalities.items()}
    labels = [str(row.extra["sentiment"]) if task == "sentiment" else row.label for row in rows]
    classes = tuple(sorted({value for value in labels if value is not None}))
    codes = {name: i for i, name in enumerate(classes)}
    turns = [
        Turn(str(row.dialogue), row.turn or 0, row.speaker, None if value is None else codes[value])
        for row, value in zip(rows, labels, strict=True)
    ]
    splits = {}
    for part in SPLITS:
        chosen = [i for i, one in enumerate(parts) if one == part]
        if not chosen:
            raise PipelineError(f"{corpus} under {root} has no utterance in its {part} part")
        splits[part] = assemble([turns[i] for i in chosen], values[chosen], modalities)
    encoder = " + ".join([texts.encoder, *(name for name in modalities if name != "text")])
    return Conversations(corpus, task, classes, splits, encoder, notices)


def _parts(rows: Sequence[Row]) -> list[str]:
    """train, dev or test for each row."""
    if all("split" in row.extra for row in rows):
        return [str(row.extra["split"]) for row in rows]
    learning = sorted({str(row.dialogue) for row in rows if str(row.extra.get("session")) != TEST_SESSION})
    held = np.random.default_rng(0).permutation(len(learning))[: max(1, round(DEVELOPMENT * len(learning)))]
    development = {learning[i] for i in held}
    return [
        "test"
        if str(row.extra.get("session")) == TEST_SESSION
        else ("dev" if str(row.dialogue) in development else "train")
        for row in rows
    ]
