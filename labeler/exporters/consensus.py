"""Rules that make one row a clip out of the answers of several annotators. Computed at each export, never stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeVar

from db.labels import StandingAnswer

T = TypeVar("T")


@dataclass(frozen=True)
class Rule:
    """`choose` gets a clip's label answers and how many annotators were unsure; it gives a class, or None."""

    explanation: str
    left_out: str
    choose: Callable[[Sequence[StandingAnswer], int], str | None]


def _majority(labels: Sequence[StandingAnswer], unsure: int) -> str | None:
    votes = Counter(answer.class_ for answer in labels)
    top = max(votes.values())
    earliest_first = sorted(labels, key=lambda answer: answer.id)
    return next(answer.class_ for answer in earliest_first if votes[answer.class_] == top)


def _unanimous(labels: Sequence[StandingAnswer], unsure: int) -> str | None:
    return labels[0].class_ if not unsure and len({answer.class_ for answer in labels}) == 1 else None


RULES: dict[str, Rule] = {
    "majority": Rule(
        "the class that most annotators gave; a tie goes to the class that was answered first (what models train on)",
        "no majority",
        _majority,
    ),
    "unanimous": Rule(
        "only clips on which every annotator gave the same class",
        "its annotators do not all give the same class",
        _unanimous,
    ),
}


def decide(rule: str, answers: Sequence[StandingAnswer]) -> tuple[list[StandingAnswer], int]:
    """One answer a clip under `rule`, and how many clips have no consensus and are left out.

    `answers` must be sorted by clip. One "bad audio" is enough to mark a clip bad, as it is enough to take it out of
    every pool; a clip that nobody could label stays as unsure. `confidence` of a label is the share of its annotators
    that gave this class; fields in which the answers differ are empty.
    """
    out: list[StandingAnswer] = []
    disagreed = 0
    for _, group in groupby(answers, key=lambda answer: answer.clip):
        given = list(group)
        labels = [answer for answer in given if answer.action == "label"]
        unsure = sum(answer.action == "unsure" for answer in given)
        if any(answer.action == "bad_audio" for answer in given):
            out.append(_merged(rule, given, "bad_audio", None, None))
        elif not labels:
            out.append(_merged(rule, given, "unsure", None, None))
        else:
            chosen = RULES[rule].choose(labels, unsure)
            if chosen is None:
                disagreed += 1
            else:
                share = sum(answer.class_ == chosen for answer in labels) / (len(labels) + unsure)
                out.append(_merged(rule, given, "label", chosen, round(share, 6)))
    return out, disagreed


def _merged(
    rule: str, given: Sequence[StandingAnswer], action: str, chosen: str | None, share: float | None
) -> StandingAnswer:
    def same(values: Sequence[T]) -> T | None:
        return values[0] if len(set(values)) == 1 else None

    last = max(given, key=lambda answer: answer.id)
    notes = [answer.note for answer in given if answer.note]
    return replace(
        last,
        request_id=last.request_id if len(given) == 1 else "",
        annotator=f"consensus:{rule}",
        action=action,
        class_=chosen,
        confidence=share,
        note="\n".join(notes) or None,
        suggestion_shown=any(answer.suggestion_shown for answer in given),
        suggested_class=same([answer.suggested_class for answer in given]),
        model=same([answer.model for answer in given]),
        chosen_by=same([answer.chosen_by for answer in given]),
        round=same([answer.round for answer in given]),
    )
