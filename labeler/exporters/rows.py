"""The rows of an export, built once for every format: one for each standing answer, consensus or prediction.

Columns are fixed by docs/architecture.md; the manifest's own other columns follow. The manifest's hidden truth (its
`label` or `emotion` column) is no annotation of this project: it is never exported, in no format.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from db.clips import Clip, clips, set_aside_clips
from db.engine import Store
from db.labels import StandingAnswer, standing
from db.rounds import Round, latest_round, pool_probabilities, round_probabilities
from db.schema import iso
from db.settings import settings
from labeler.errors import ExportError
from labeler.exporters.consensus import RULES, decide

Row = dict[str, Any]
Kind = Literal["str", "float", "int", "bool"]

FIXED: dict[str, Kind] = {
    "clip": "str",
    "path": "str",
    "start": "float",
    "end": "float",
    "speaker": "str",
    "action": "str",
    "label": "str",
    "annotator": "str",
    "confidence": "float",
    "note": "str",
    "suggestion_shown": "bool",
    "suggested": "str",
    "model": "str",
    "chosen_by": "str",
    "round": "int",
    "evaluation": "bool",
    "at": "str",
    "request_id": "str",
}
PREDICTION = "prediction"
"""The `action` of a row that a model answered, not a person."""

HIDDEN = frozenset({"label", "emotion"})
"""Manifest columns that hold the truth a replay compares with; compared without case."""


@dataclass(frozen=True)
class LeftOut:
    """What an export does not hold: how many, of what, and why."""

    count: int
    what: str
    reason: str

    def __str__(self) -> str:
        noun = self.what if self.count == 1 else f"{self.what}s"
        return f"{self.count} {noun}: {self.reason}"


@dataclass(frozen=True)
class Prediction:
    """The newest model's word on a clip that nobody has labelled."""

    clip: Clip
    label: str
    confidence: float


@dataclass(frozen=True)
class Rows:
    """All rows of one export; iterate as often as needed, the order is always the same.

    `columns` maps each column to its kind; a value is of that kind or None.
    """

    columns: dict[str, Kind]
    classes: tuple[str, ...]
    project: str
    clips: dict[str, Clip]
    answers: list[StandingAnswer]
    consensus: str | None
    predictions: list[Prediction]
    round: Round | None
    left_out: list[LeftOut]

    def __len__(self) -> int:
        return len(self.answers) + len(self.predictions)

    def __iter__(self) -> Iterator[Row]:
        for answer in self.answers:
            yield self._answer(answer)
        for prediction in self.predictions:
            yield self._prediction(prediction)

    @property
    def used_clips(self) -> list[Clip]:
        """The clips that any row names, in the order of the project."""
        wanted = {answer.clip for answer in self.answers} | {p.clip.id for p in self.predictions}
        return [clip for clip in self.clips.values() if clip.id in wanted]

    def with_sound(self) -> Rows:
        """The rows whose clip's file still holds the sound that was heard; the others are left out, and counted."""
        gone = {answer.clip for answer in self.answers if not self.clips[answer.clip].present}
        if not gone:
            return self
        left_out = LeftOut(len(gone), "clip", "answered, but its file has gone or holds another sound now")
        answers = [answer for answer in self.answers if answer.clip not in gone]
        return replace(self, answers=answers, left_out=[*self.left_out, left_out])

    def by_clip(self) -> Iterator[tuple[Clip, list[Row]]]:
        """Each used clip with all its rows, in the order of the project."""
        rows: dict[str, list[Row]] = {}
        for row in self:
            rows.setdefault(row["clip"], []).append(row)
        for clip in self.used_clips:
            yield clip, rows[clip.id]

    def manifest(self, clip: Clip) -> Row:
        """The manifest's other columns of a clip, named as in `columns`."""
        values = {**_listing_columns(clip), **clip.extra}
        out: Row = {}
        for name, value in values.items():
            column = _column_name(name)
            if column in self.columns and column not in FIXED:
                out[column] = _as_kind(value, self.columns[column])
        return {name: out.get(name) for name in self.columns if name not in FIXED}

    def _about(self, clip: Clip) -> Row:
        return {
            "clip": clip.id,
            "path": clip.path,
            "start": clip.start,
            "end": clip.end,
            "speaker": clip.speaker,
            "evaluation": bool(clip.evaluation),
        }

    def _answer(self, answer: StandingAnswer) -> Row:
        clip = self.clips[answer.clip]
        row = self._about(clip) | {
            "action": answer.action,
            "label": answer.class_,
            "annotator": answer.annotator,
            "confidence": answer.confidence,
            "note": answer.note,
            "suggestion_shown": answer.suggestion_shown,
            "suggested": answer.suggested_class,
            "model": None if answer.model is None else str(answer.model),
            "chosen_by": answer.chosen_by,
            "round": answer.round,
            "at": iso(answer.at),
            "request_id": answer.request_id,
        }
        return {name: row[name] for name in FIXED} | self.manifest(clip)

    def _prediction(self, prediction: Prediction) -> Row:
        assert self.round is not None  # predictions come from a round
        row = self._about(prediction.clip) | {
            "action": PREDICTION,
            "label": prediction.label,
            "annotator": f"model:{self.round.round}",
            "confidence": prediction.confidence,
            "round": self.round.round,
            "at": iso(self.round.published_at),
        }
        return {name: row.get(name) for name in FIXED} | self.manifest(prediction.clip)


def build_rows(store: Store, consensus: str | None = None, predictions: bool = False) -> Rows:
    """Read the store and settle what an export holds.

    Raises ExportError when the project has no settings, when `consensus` names no rule, or when there is nothing to
    export; the message says what to do.
    """
    present = settings(store)
    if present is None:
        raise ExportError("This workspace has no project yet: start one with `earmark label SOURCE`.")
    known = {clip.id: clip for clip in clips(store)}
    order = {clip: position for position, clip in enumerate(known)}
    answers = sorted(standing(store), key=lambda a: (order[a.clip], a.annotator))
    left_out: list[LeftOut] = []
    answered = {answer.clip for answer in answers}
    labelled = {answer.clip for answer in answers if answer.action == "label"}
    bad = {answer.clip for answer in answers if answer.action == "bad_audio"}
    if consensus is not None:
        if consensus not in RULES:
            raise ExportError(f"No consensus rule is called {consensus!r}; allowed: {', '.join(RULES)}.")
        answers, disagreed = decide(consensus, answers)
        if disagreed:
            left_out.append(LeftOut(disagreed, "clip", RULES[consensus].left_out))

    guesses: list[Prediction] = []
    newest = latest_round(store)
    if predictions:
        if newest is None:
            raise ExportError(
                "There are no predictions yet: the first model comes a moment after two classes are labelled. "
                "Leave predictions out, or label a few more clips first."
            )
        guesses = _predict(store, newest, known, without=labelled | bad)
    guessed = {guess.clip.id for guess in guesses}
    silent = [id for id, clip in known.items() if clip.present and id not in answered and id not in guessed]
    if silent:
        why = "no answer yet, and the newest model has not scored them" if predictions else "no answer yet"
        left_out.append(LeftOut(len(silent), "clip", why))
    aside = Counter(item.kind for item in set_aside_clips(store))
    for kind, count in sorted(aside.items()):
        left_out.append(LeftOut(count, "file", f"set aside as {kind.replace('_', ' ')} when the source was read"))
    if not answers and not guesses:
        raise ExportError("There is nothing to export yet: no clip has a standing answer. Label a clip first.")
    return Rows(
        columns=dict(FIXED) | _manifest_columns(known.values()),
        classes=tuple(present.classes),
        project=present.name,
        clips=known,
        answers=answers,
        consensus=consensus,
        predictions=guesses,
        round=newest,
        left_out=left_out,
    )


def _predict(store: Store, newest: Round, known: dict[str, Clip], without: set[str]) -> list[Prediction]:
    """The newest round's class for each clip outside `without`, with its calibrated probability."""
    scored = [round_probabilities(store, newest.round)]
    pool = pool_probabilities(store)
    if pool is not None:
        scored.append(pool[1])
    out: dict[str, Prediction] = {}
    for part in scored:
        if not part.clips:
            continue
        best = part.values.argmax(axis=1)
        for row, (clip, column) in enumerate(zip(part.clips, best, strict=True)):
            if clip in known and known[clip].present and clip not in without:
                # Six decimals: float32 has no more to say, and the same bytes come out everywhere.
                value = round(float(part.values[row, column]), 6)
                out[clip] = Prediction(known[clip], part.classes[int(column)], value)
    return [out[clip] for clip in known if clip in out]


def _listing_columns(clip: Clip) -> Row:
    return {"dialogue": clip.dialogue, "turn": clip.turn, "text": clip.text}


def _column_name(name: str) -> str:
    """A manifest column called like one of ours keeps its values under `manifest_NAME`."""
    return f"manifest_{name}" if name in FIXED else name


def _manifest_columns(known: Iterable[Clip]) -> dict[str, Kind]:
    """The manifest's other columns that any clip has a value in, in the order of first sight."""
    seen: dict[str, set[type]] = {}
    for clip in known:
        for name, value in {**_listing_columns(clip), **clip.extra}.items():
            if value is not None and name.lower() not in HIDDEN:
                seen.setdefault(_column_name(name), set()).add(type(value))
    return {name: _kind(types) for name, types in seen.items()}


def _kind(types: set[type]) -> Kind:
    if types == {bool}:
        return "bool"
    if types == {int}:
        return "int"
    if types <= {int, float}:
        return "float"
    return "str"


def _as_kind(value: Any, kind: Kind) -> Any:
    if value is None or (kind == "str" and isinstance(value, str)):
        return value
    if kind == "float":
        return float(value)
    if kind == "str":
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return value
