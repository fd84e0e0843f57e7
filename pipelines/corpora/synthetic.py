"""The demo corpus: which sentence is said by which voice with which prosody.

In the manner of SyntAct (Burkhardt, Eyben and Schuller 2022): rules turn a class into tempo, pitch, pitch range and
loudness of a formant synthesiser. A caricature for a tour and for tests, no evidence about real emotion. This module
only writes the recipe; `pipelines.corpora.espeak` speaks it, in a process of its own.
"""

from __future__ import annotations

import csv
import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

AMBIGUOUS_SHARE = 0.12
FIRST = 60  # enough to start labelling with: every voice with every class
SEED = 2022


@dataclass(frozen=True)
class Prosody:
    """Settings of eSpeak NG: words a minute, pitch and pitch range (0 to 99), volume (some voices clip above 105)."""

    tempo: float
    pitch: float
    span: float
    volume: float

    def towards(self, other: Prosody, share: float) -> Prosody:
        """The prosody that lies `share` (0 to 1) of the way to `other`."""
        mixed = {name: (1 - share) * mine + share * vars(other)[name] for name, mine in vars(self).items()}
        return Prosody(**mixed)


@dataclass(frozen=True)
class Utterance:
    """One clip to be spoken; `blend` names the second class of a clip that is ambiguous on purpose."""

    name: str
    voice: str
    label: str
    text: str
    prosody: Prosody
    blend: str | None


PROSODY = {
    "anger": Prosody(215, 50, 75, 100),
    "boredom": Prosody(105, 32, 12, 60),
    "fear": Prosody(240, 78, 35, 54),
    "happiness": Prosody(185, 68, 95, 90),
    "neutral": Prosody(165, 45, 40, 75),
    "sadness": Prosody(125, 26, 22, 42),
}
# How far two clips of one class may lie apart: standard deviations in the units of Prosody.
SPREAD = Prosody(13, 6, 8, 6)
# Variants without breath noise: the library draws that anew in each run, and a clip is known by its bytes.
VOICES = {
    "amy": "en-us+f1",
    "beth": "en-us+belinda",
    "cleo": "en-gb-x-rp+f4",
    "dora": "en-us+linda",
    "elsa": "en-gb-scotland+Annie",
    "finn": "en-us+m1",
    "gus": "en-gb-scotland+m3",
    "hugo": "en-us+m4",
    "ivan": "en-gb-x-rp+m7",
    "jack": "en-us+Michael",
}
SENTENCES = (
    "The parcel is on the kitchen table.",
    "They moved the meeting to Thursday.",
    "I left the keys beside the door.",
    "The last train goes at eleven.",
    "She has painted the fence again.",
    "We are out of bread and milk.",
    "He will call you in the evening.",
    "The window was open all night.",
    "Your brother has brought the dog.",
    "It will be dark in seven hours.",
    "They have just carried it upstairs.",
    "The new neighbours arrive tomorrow.",
    "I put the letters in the drawer.",
    "The bus stops behind the church.",
    "On weekends I always go home.",
    "There is a note on the fridge.",
    "The water has been off since noon.",
    "You can pick it up on Monday.",
    "We walked along the river yesterday.",
    "The children are in the garden.",
    "The shop on the corner is closed.",
    "Somebody has taken the red chair.",
    "The doctor wants to see you today.",
    "All the tickets have been sold.",
)


def recipe(each: int = 9) -> list[Utterance]:
    """Everything that is to be spoken, in order: `each` clips for every voice and class (540 by default).

    The first `FIRST` hold every voice with every class once: labelling can start with them. Same result each time.
    """
    rng = random.Random(SEED)
    utterances = []
    for take in range(each):
        turn = [(speaker, label) for speaker in VOICES for label in PROSODY]
        rng.shuffle(turn)
        for speaker, label in turn:
            target, blend = PROSODY[label], None
            if rng.random() < AMBIGUOUS_SHARE:
                blend = rng.choice([other for other in PROSODY if other != label])
                target = target.towards(PROSODY[blend], rng.uniform(0.35, 0.5))
            utterances.append(
                Utterance(
                    name=f"{speaker}_{label}_{take}.wav",
                    voice=VOICES[speaker],
                    label=label,
                    text=rng.choice(SENTENCES),
                    prosody=_vary(target, rng),
                    blend=blend,
                )
            )
    return utterances


def _vary(prosody: Prosody, rng: random.Random) -> Prosody:
    return Prosody(
        tempo=max(80.0, rng.gauss(prosody.tempo, SPREAD.tempo)),
        pitch=min(99.0, max(0.0, rng.gauss(prosody.pitch, SPREAD.pitch))),
        span=min(99.0, max(0.0, rng.gauss(prosody.span, SPREAD.span))),
        volume=min(105.0, max(25.0, rng.gauss(prosody.volume, SPREAD.volume))),
    )


def manifest(folder: Path) -> Path:
    """Where the demo corpus in `folder` has its manifest."""
    return folder / "manifest.csv"


def write_manifest(folder: Path, utterances: Iterable[Utterance]) -> Path:
    """Write `folder/manifest.csv` (path, label, speaker, text, blend) at once or not at all; return it."""
    target = manifest(folder)
    temporary = target.with_suffix(".part")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "speaker", "text", "blend"])
        for one in utterances:
            writer.writerow([f"audio/{one.name}", one.label, one.name.split("_")[0], one.text, one.blend or ""])
    os.replace(temporary, target)
    return target


def is_complete(folder: Path) -> bool:
    """Whether every clip of the recipe is in the manifest of `folder`."""
    if not manifest(folder).is_file():
        return False
    with manifest(folder).open(newline="", encoding="utf-8") as file:
        listed = {row["path"] for row in csv.DictReader(file)}
    return {f"audio/{one.name}" for one in recipe()} <= listed
