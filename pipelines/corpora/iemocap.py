"""IEMOCAP (Busso et al., Language Resources and Evaluation 2008): five sessions of two actors each, in dialogues.

Official layout: `Session1/dialog/EmoEvaluation/Ses01F_impro01.txt` (times, label, valence, activation, dominance),
`Session1/dialog/transcriptions/Ses01F_impro01.txt`, `Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav`.

Three ways to use its 10,039 utterances: iemocap-4 (excited counts as happy; 5,531), iemocap-6 (7,380) and iemocap-10
(every label that the annotators agreed on; 7,532). Sessions are the usual folds (column `session`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from pipelines.corpora.contract import Corpus, Reading
from pipelines.corpora.files import lines_of
from pipelines.sources.listing import Refused, Row

ALL = {
    "ang": "anger",
    "dis": "disgust",
    "exc": "excitement",
    "fea": "fear",
    "fru": "frustration",
    "hap": "happiness",
    "neu": "neutral",
    "oth": "other",
    "sad": "sadness",
    "sur": "surprise",
}
FOUR = {"ang": "anger", "exc": "happiness", "hap": "happiness", "neu": "neutral", "sad": "sadness"}
SIX = {code: ALL[code] for code in ("ang", "exc", "fru", "hap", "neu", "sad")}
UNDECIDED = "xxx"
"""Utterances on which the annotators did not agree."""

UTTERANCE = r"Ses(\d\d)[FM]_(?:impro|script)\w+_([FM])(?:\d+|XX\d+)"
EVALUATION = re.compile(
    rf"\[\s*(\d+\.?\d*)\s*-\s*(\d+\.?\d*)\s*\]\t({UTTERANCE})\t(\w+)\t"
    r"\[\s*(-?\d+\.?\d*),\s*(-?\d+\.?\d*),\s*(-?\d+\.?\d*)\s*\]\s*"
)
TRANSCRIPT = re.compile(rf"({UTTERANCE}) \[[\d. -]+\]:\s*(.*)")


def read(root: Path, classes: Mapping[str, str] = FOUR) -> Reading:
    """Read the utterances whose label is a key of `classes`, as the class that it names.

    `turn` counts all utterances of a dialogue in the order of their beginnings, whatever their label, so that what was
    said before can be found. A line of an evaluation file that cannot be read is refused, and so is an utterance
    without its sound.
    """
    reading = Reading()
    for path in sorted(root.glob("Session[1-5]/dialog/EmoEvaluation/Ses*.txt")):
        said = _transcript(path.parent.parent / "transcriptions" / path.name, root, reading)
        heard = _evaluation(path, root, reading)
        for turn, (_, utterance, code, values) in enumerate(sorted(heard)):
            if code not in classes:
                if code != UNDECIDED and code not in ALL:
                    where = path.relative_to(root).as_posix()
                    reading.refused.append(Refused(where, f"{utterance} has the label {code!r}, which IEMOCAP has not"))
                continue
            row = _row(path, utterance, turn, classes[code], said.get(utterance), {"iemocap": code, **dict(values)})
            if (root / row.path).is_file():
                reading.rows.append(row)
            else:
                reading.refused.append(Refused(row.path, "is not there, but its label is"))
    return reading


_Heard = tuple[float, str, str, tuple[tuple[str, float], ...]]


def _evaluation(path: Path, root: Path, reading: Reading) -> list[_Heard]:
    """(start, utterance, label's code, ratings) of each utterance of a dialogue."""
    heard: dict[str, _Heard] = {}
    for number, line in enumerate(lines_of(path), start=1):
        if not line.startswith("["):  # the heading (%), single annotators' lines (C-, A-), blank lines
            continue
        match = EVALUATION.fullmatch(line)
        where = f"{path.relative_to(root).as_posix()}, line {number}"
        if match is None:
            reading.refused.append(Refused(where, f"is not '[start - end] name label [v, a, d]': {line[:60]!r}"))
            continue
        start, _, utterance, _, _, code, valence, activation, dominance = match.groups()
        if utterance in heard:
            reading.refused.append(Refused(where, f"names {utterance} a second time"))
            continue
        ratings = (("valence", float(valence)), ("activation", float(activation)), ("dominance", float(dominance)))
        heard[utterance] = (float(start), utterance, code, ratings)
    return list(heard.values())


def _transcript(path: Path, root: Path, reading: Reading) -> dict[str, str]:
    """What was said, by utterance. Lines in another form (asides, backchannel) are no utterance's and passed over."""
    if not path.is_file():
        reading.notices.append(f"no transcript at {path.relative_to(root).as_posix()}")
        return {}
    matches = [TRANSCRIPT.fullmatch(line.strip()) for line in lines_of(path)]
    return {match[1]: match[4] for match in matches if match is not None}


def _row(path: Path, utterance: str, turn: int, label: str, text: str | None, extra: dict[str, object]) -> Row:
    session, dialogue, who = path.parents[2].name, path.stem, re.fullmatch(UTTERANCE, utterance)
    assert who is not None  # the evaluation's pattern holds this one
    return Row(
        f"{session}/sentences/wav/{dialogue}/{utterance}.wav",
        label=label,
        speaker=f"Ses{who[1]}{who[2]}",
        dialogue=dialogue,
        turn=turn,
        text=text,
        extra={
            "session": session.removeprefix("Session"),
            "acted": "script" if "script" in dialogue else "impro",
            **extra,
        },
    )


def _corpus(name: str, clips: int, classes: Mapping[str, str]) -> Corpus:
    return Corpus(
        name=name,
        title=f"IEMOCAP with {len(set(classes.values()))} classes (Busso et al. 2008)",
        licence="only under the form that its publisher has you sign",
        obtain="ask for it at https://sail.usc.edu/iemocap/, unpack IEMOCAP_full_release",
        clips=clips,
        read=partial(read, classes=classes),
        folder="iemocap",
        manifest=f"{name}.csv",
    )


IEMOCAP4 = _corpus("iemocap-4", 5531, FOUR)
IEMOCAP6 = _corpus("iemocap-6", 7380, SIX)
IEMOCAP10 = _corpus("iemocap-10", 7532, ALL)
