"""TESS (Pichora-Fuller and Dupuis 2020): 2,800 clips, two speakers, seven emotions, "Say the word ..." 200 times.

Files are called `OAF_angry/OAF_back_angry.wav`: speaker (the older or the younger one), word, emotion. One of the
official files has its speaker cut short (`OA_bite_neutral.wav`).
"""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.corpora.contract import Corpus, Reading
from pipelines.corpora.files import named_files
from pipelines.sources.listing import Row

EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}
NAME = re.compile(rf"(OAF?|YAF)_([A-Za-z]+)_({'|'.join(EMOTIONS)})", re.IGNORECASE)


def read(root: Path) -> Reading:
    """Read the clips under `root`; a second copy of the corpus inside it is refused file by file."""
    reading = Reading()
    for path, match in named_files(root, NAME, "OAF_back_angry.wav", reading):
        speaker, word, emotion = match.groups()
        reading.rows.append(
            Row(
                path,
                label=EMOTIONS[emotion.lower()],
                speaker="YAF" if speaker.upper() == "YAF" else "OAF",
                text=f"Say the word {word.lower()}.",
                extra={"word": word.lower()},
            )
        )
    return reading


TESS = Corpus(
    name="tess",
    title="TESS (Pichora-Fuller and Dupuis 2020)",
    licence="CC BY-NC-ND 4.0: no commercial use",
    obtain="take it from https://doi.org/10.5683/SP2/E8H2MF, unpack it",
    clips=2800,
    read=read,
)
