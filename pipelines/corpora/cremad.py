"""CREMA-D (Cao et al., IEEE Transactions on Affective Computing 2014): 7,442 clips, 91 actors, six emotions.

Files are called `AudioWAV/1001_DFA_ANG_XX.wav`: actor, sentence, intended emotion, intended intensity. The label is
what the actor was asked for. What listeners heard in the voice alone stands in `processedResults/summaryTable.csv`;
where that file is there, its column VoiceVote becomes `voice_vote`.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from pipelines.corpora.contract import Corpus, Reading
from pipelines.corpora.files import named_files, text_of
from pipelines.sources.listing import Refused, Row

EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high", "XX": None, "X": None}
SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{1,2})")
VOTES = "processedResults/summaryTable.csv"


def read(root: Path) -> Reading:
    """Read the clips of `root/AudioWAV`, or of all of `root` when that folder is not there."""
    reading = Reading()
    votes = _votes(root / VOTES, reading)
    folder = root / "AudioWAV"
    inside = folder if folder.is_dir() else root
    prefix = f"{folder.name}/" if folder.is_dir() else ""
    for path, match in named_files(inside, NAME, "1001_DFA_ANG_XX.wav", reading):
        actor, sentence, emotion, intensity = match.groups()
        if emotion not in EMOTIONS or sentence not in SENTENCES or intensity not in INTENSITIES:
            reading.refused.append(Refused(prefix + path, "has a code in its name that CREMA-D does not know"))
            continue
        extra = {"sentence": sentence, "intensity": INTENSITIES[intensity]}
        if votes:
            extra["voice_vote"] = votes.get(match.string)
        reading.rows.append(
            Row(prefix + path, label=EMOTIONS[emotion], speaker=actor, text=SENTENCES[sentence], extra=extra)
        )
    return reading


def _votes(path: Path, reading: Reading) -> dict[str, str]:
    """The emotion most listeners heard, by clip; several joined with ':' where they tied."""
    if not path.is_file():
        return {}
    letters = {code[0]: name for code, name in EMOTIONS.items()}
    votes = {}
    for number, row in enumerate(csv.DictReader(text_of(path)), start=2):
        clip, vote = row.get("FileName"), row.get("VoiceVote")
        if not clip or not vote or not set(vote.split(":")) <= set(letters):
            reading.refused.append(
                Refused(f"{VOTES}, line {number}", "has no FileName with a VoiceVote of A D F H N S")
            )
            continue
        votes[clip] = ":".join(letters[letter] for letter in vote.split(":"))
    return votes


CREMAD = Corpus(
    name="cremad",
    title="CREMA-D (Cao et al. 2014)",
    licence="Open Database License; its contents under the Database Contents License",
    obtain="clone https://github.com/CheyneyComputerScience/CREMA-D with git lfs",
    clips=7442,
    read=read,
    folder="crema-d",
)
