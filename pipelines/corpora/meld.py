"""MELD (Poria et al., ACL 2019): 13,708 utterances of a television series in dialogues, seven emotions.

Official layout: `train_sent_emo.csv`, `dev_sent_emo.csv`, `test_sent_emo.csv`, and one mp4 an utterance in the folders
`train_splits`, `dev_splits_complete` and `output_repeated_splits_test`. With ffmpeg their sound is taken out once, into
`earmark-audio/` beside the tables. Without it, or without the videos, the text can be read alone.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipelines.corpora.contract import Corpus, Reading, Say
from pipelines.corpora.files import text_of
from pipelines.sources.listing import Refused, Row

EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
SENTIMENTS = ("negative", "neutral", "positive")
FOLDERS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
COUNTS = {"train": 9989, "dev": 1109, "test": 2610}
AUDIO = "earmark-audio"


def read(root: Path) -> Reading:
    """Read the three tables, wherever they lie under `root`. The path of a row's sound is given whether it is there."""
    reading = Reading()
    for split, count in COUNTS.items():
        tables = sorted(root.rglob(f"{split}_sent_emo.csv"))
        if not tables:
            reading.notices.append(f"no {split}_sent_emo.csv under {root}")
            continue
        before = len(reading.rows)
        _table(tables[0], split, reading)
        if (found := len(reading.rows) - before) != count:
            reading.notices.append(f"{found:,} utterances in {split}; MELD has {count:,}")
    return reading


def _table(path: Path, split: str, reading: Reading) -> None:
    seen: set[tuple[int, int]] = set()
    for number, record in enumerate(csv.DictReader(text_of(path)), start=2):
        try:
            row = _row(record, split)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reading.refused.append(Refused(f"{path.name}, row {number}", f"cannot be used: {error}"))
            continue
        place = (int(row.extra["dialogue_id"]), row.turn or 0)
        if place in seen:
            reading.refused.append(
                Refused(f"{path.name}, row {number}", f"is dialogue {place[0]}, turn {place[1]} again")
            )
            continue
        seen.add(place)
        reading.rows.append(row)


def _row(record: Mapping[str, str], split: str) -> Row:
    emotion, sentiment = record["Emotion"].strip().lower(), record["Sentiment"].strip().lower()
    if emotion not in EMOTIONS:
        raise ValueError(f"emotion {emotion!r} is none of {', '.join(EMOTIONS)}")
    if sentiment not in SENTIMENTS:
        raise ValueError(f"sentiment {sentiment!r} is none of {', '.join(SENTIMENTS)}")
    dialogue, turn = int(record["Dialogue_ID"]), int(record["Utterance_ID"])
    return Row(
        f"{AUDIO}/{split}/dia{dialogue}_utt{turn}.flac",
        label=emotion,
        speaker=record["Speaker"].strip(),
        dialogue=f"{split}-{dialogue}",
        turn=turn,
        text=record["Utterance"].strip(),
        extra={
            "split": split,
            "sentiment": sentiment,
            "dialogue_id": dialogue,
            "season": int(record["Season"]),
            "episode": int(record["Episode"]),
        },
    )


def take_sound(root: Path, say: Say) -> None:
    """Take the sound out of every video that is there and has none yet, as 16 kHz mono FLAC. Needs ffmpeg."""
    due = [
        (video, root / AUDIO / split / f"{video.stem}.flac")
        for split, folder in FOLDERS.items()
        for place in sorted(root.rglob(folder))
        for video in sorted(place.glob("dia*_utt*.mp4"))
        if not (root / AUDIO / split / f"{video.stem}.flac").is_file()
    ]
    if not due:
        return
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        say(f"{len(due):,} videos are there, but ffmpeg is not: without it there is only text (apt install ffmpeg)")
        return
    say(f"taking the sound out of {len(due):,} videos, once")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        good = list(pool.map(lambda job: _convert(ffmpeg, *job), due))
    failed = [video.name for (video, _), done in zip(due, good, strict=True) if not done]
    if failed:
        say(f"{len(failed):,} videos hold no sound that ffmpeg can read, the first: {failed[0]}")


def _convert(ffmpeg: str, video: Path, target: Path) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".part.flac")
    command = [
        ffmpeg,
        "-nostdin",
        "-v",
        "error",
        "-y",
        "-i",
        str(video),
        "-vn",
        "-ac",
        "1",
        "-ar",
        "16000",
        str(temporary),
    ]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        temporary.unlink(missing_ok=True)
        return False
    os.replace(temporary, target)
    return True


MELD = Corpus(
    name="meld",
    title="MELD (Poria et al. 2019)",
    licence="GPL-3.0 for the annotations; the clips are a television company's",
    obtain="clone https://github.com/declare-lab/MELD and unpack MELD.Raw.tar.gz into it",
    clips=sum(COUNTS.values()),
    read=read,
    prepare=take_sound,
)
