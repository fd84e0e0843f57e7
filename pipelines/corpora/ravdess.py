"""RAVDESS, speech (Livingstone and Russo, PLOS ONE 2018): 1,440 clips, 24 actors, eight emotions, two sentences.

Files are called `Actor_12/03-01-06-01-02-01-12.wav`: modality, channel, emotion, intensity, statement, repetition,
actor.
"""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.corpora.contract import Corpus, Reading
from pipelines.corpora.files import named_files
from pipelines.sources.listing import Refused, Row

EMOTIONS = ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
STATEMENTS = ("Kids are talking by the door.", "Dogs are sitting by the door.")
INTENSITIES = ("normal", "strong")
NAME = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)")


def read(root: Path) -> Reading:
    """Read the spoken clips under `root`; sung ones are counted in a notice."""
    reading, sung = Reading(), 0
    for path, match in named_files(root, NAME, "03-01-06-01-02-01-12.wav", reading):
        _, channel, emotion, intensity, statement, repetition, actor = (int(part) for part in match.groups())
        if channel == 2:
            sung += 1
            continue
        known = channel == 1 and 1 <= emotion <= len(EMOTIONS) and {intensity, statement, repetition} <= {1, 2}
        if not known or not 1 <= actor <= 24:
            reading.refused.append(Refused(path, "has a code in its name that RAVDESS does not know"))
            continue
        reading.rows.append(
            Row(
                path,
                label=EMOTIONS[emotion - 1],
                speaker=f"{actor:02d}",
                text=STATEMENTS[statement - 1],
                extra={
                    "intensity": INTENSITIES[intensity - 1],
                    "statement": statement,
                    "repetition": repetition,
                    "gender": "male" if actor % 2 else "female",
                },
            )
        )
    if sung:
        reading.notices.append(f"{sung:,} sung clips are left out: this corpus is the speech")
    return reading


RAVDESS = Corpus(
    name="ravdess",
    title="RAVDESS speech (Livingstone and Russo 2018)",
    licence="CC BY-NC-SA 4.0: no commercial use",
    obtain="take Audio_Speech_Actors_01-24.zip from https://zenodo.org/records/1188976, unpack it",
    clips=1440,
    read=read,
)
