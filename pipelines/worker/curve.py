"""The learning curve: every round judged afresh on today's answers to the evaluation clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from db.rounds import CurvePoint, Round, latest_round, replace_curve, round_probabilities, rounds
from pipelines.worker.learning import fingerprint
from pipelines.worker.log import LOG
from pipelines.worker.step import Step

if TYPE_CHECKING:
    from pipelines.evaluation.curve import RoundOnEvaluation
    from pipelines.worker.context import Context


class Curve:
    """The rounds read so far, and what the curve in the store was made from."""

    def __init__(self) -> None:
        self.made: str | None = None
        self.looked: tuple[int, int] | None = None
        self.rounds: dict[int, RoundOnEvaluation] = {}


def _basis(context: Context) -> str:
    newest = latest_round(context.store)
    answers = sorted((clip, klass) for clip, klass, _ in context.known.evaluation)
    return fingerprint([0 if newest is None else newest.round, context.settings.classes, *answers])


def due(context: Context) -> bool:
    """Whether there is a round or an evaluation answer that the curve does not know."""
    curve = context.curve
    state = (context.known.version, context.published)
    if state == curve.looked:
        return False
    if latest_round(context.store) is None or curve.made == _basis(context):
        curve.looked = state
        return False
    return True


def do(context: Context) -> None:
    """Compute the whole curve and replace it."""
    from pipelines.evaluation.curve import RoundOnEvaluation, curve

    basis = _basis(context)
    known = context.curve.rounds
    for item in rounds(context.store):
        if item.round not in known:
            there = round_probabilities(context.store, item.round)
            cv_uar = item.details.get("cv_uar")
            known[item.round] = RoundOnEvaluation(
                item.round, item.labels, item.minutes, there.clips, there.classes, there.values, cv_uar
            )
    answers = {clip: klass for clip, klass, _ in context.known.evaluation}
    speakers = {clip: context.known.clips[clip].speaker for clip in answers}
    points = curve(list(known.values()), answers, context.settings.classes, speakers, seed=context.settings.seed)
    controls = random_control(rounds(context.store), answers, context.settings.classes)
    replace_curve(
        context.store,
        [
            CurvePoint(
                p.round,
                p.labels,
                p.minutes,
                p.uar,
                p.low,
                p.high,
                controls[p.round][1] if p.round in controls else None,
                {**p.details, "control_labels": controls[p.round][0] if p.round in controls else None},
            )
            for p in points
        ],
    )
    context.curve.made = basis
    LOG.info("curve: %d points on %d evaluation answers", len(points), len(answers))


def random_control(
    made: Sequence[Round], answers: Mapping[str, str], classes: Sequence[str]
) -> dict[int, tuple[int, float]]:
    """Round -> (labels of the random control then, UAR of a model of these alone), judged on today's answers.

    A round made after the control's last label carries no model of its own for it: the one before counts on.
    """
    from pipelines.evaluation.uar import uar

    found: dict[int, tuple[int, float]] = {}
    last: tuple[int, float] | None = None
    for item in sorted(made, key=lambda one: one.round):
        kept = item.details.get("control")
        if kept is not None:
            says = dict(zip(kept["clips"], kept["classes"], strict=True))
            common = [clip for clip in answers if clip in says and answers[clip] in classes]
            y = np.array([classes.index(answers[clip]) for clip in common], np.intp)
            # A class that was taken off the list since counts as a wrong answer.
            named = [classes.index(says[clip]) if says[clip] in classes else -1 for clip in common]
            last = (kept["labels"], uar(y, np.array(named, np.intp), len(classes))) if common else None
        if last is not None:
            found[item.round] = last
    return found


STEP = Step("curve", None, due, do)
