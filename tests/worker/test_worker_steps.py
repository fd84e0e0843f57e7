"""What a step may count on: more urgent steps run while it breathes, and a stop goes through it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from worker_bench import Bench, until

from db.rounds import latest_round, suggestions, worker_state
from pipelines.errors import PipelineError
from pipelines.worker.beside import between_steps
from pipelines.worker.context import Context, Stopped
from pipelines.worker.memory import ViewMemory
from pipelines.worker.step import Step
from pipelines.worker.steps import STEPS

Make = Callable[..., Bench]


@pytest.fixture
def context(speech_manifest: Path, extracted: Path, bench: Make) -> Iterator[tuple[Bench, Context]]:
    """A worker's context in this process, with everything done that was due."""
    project = bench(speech_manifest, extracted=extracted)
    made = Context(project.store, project.workspace, "cpu", threading.Event(), None)
    made.use(STEPS)
    made.heart.start()
    work_off(made, STEPS)
    assert suggestions(project.store)
    yield project, made
    made.heart.stop()


def work_off(context: Context, steps: tuple[Step, ...]) -> None:
    context.known.refresh()
    while (step := context.next_due(steps)) is not None:
        context.perform(step)


def test_a_round_is_made_while_a_long_step_breathes(context: tuple[Bench, Context]) -> None:
    project, worker = context
    seen: list[int] = []

    def long_work(inner: Context) -> None:
        clip = suggestions(project.store)[0].clip
        project.answer(clip, project.truth(clip))
        inner.breathe(1, 2)
        newest = latest_round(project.store)
        seen.append(0 if newest is None else newest.labels)
        assert inner.progress.step == "training"
        assert (inner.progress.done, inner.progress.total) == (1, 2)

    slow = Step("slow", "training", lambda _: not seen, long_work)
    worker.use((*STEPS, slow))
    work_off(worker, (*STEPS, slow))
    assert seen == [1]
    assert worker.failures == {}


def test_a_round_is_made_in_the_middle_of_a_training_step(context: tuple[Bench, Context]) -> None:
    project, worker = context
    seen: list[int] = []

    def training(should_yield: Callable[[], bool]) -> str:
        clip = suggestions(project.store)[0].clip
        project.answer(clip, project.truth(clip))
        newest = until(lambda: latest_round(project.store), "a round, while nothing was asked")
        seen.append(0 if newest is None else newest.labels)
        assert not should_yield()
        return "trained"

    def long_work(inner: Context) -> None:
        assert between_steps(inner, training) == "trained"

    slow = Step("slow", "training", lambda _: not seen, long_work)
    worker.use((*STEPS, slow))
    work_off(worker, (*STEPS, slow))
    assert seen == [1]
    assert worker.failures == {}


def test_what_draws_random_numbers_waits_for_the_end_of_a_training_step(context: tuple[Bench, Context]) -> None:
    project, worker = context
    order: list[str] = []

    def training(should_yield: Callable[[], bool]) -> str:
        clip = suggestions(project.store)[0].clip
        project.answer(clip, project.truth(clip))
        until(lambda: latest_round(project.store), "a round: the worker has looked round")
        order.append("step")
        assert not should_yield()
        order.append("step")
        return "trained"

    drawing = Step("drawing", "drawing", lambda _: order == ["step"], lambda _: order.append("drawn"))
    slow = Step("slow", "training", lambda _: not order, lambda inner: order.append(between_steps(inner, training)))
    steps = (*STEPS, drawing, slow)
    worker.use(steps)
    work_off(worker, steps)
    assert order == ["step", "drawn", "step", "trained"]
    assert worker.failures == {}


def test_what_a_training_raises_is_the_steps_own_failure(context: tuple[Bench, Context]) -> None:
    _, worker = context

    def training(should_yield: Callable[[], bool]) -> str:
        should_yield()
        raise PipelineError("it became unstable")

    slow = Step("slow", "training", lambda _: True, lambda inner: print(between_steps(inner, training)))
    worker.use((*STEPS, slow))
    work_off(worker, (*STEPS, slow))
    assert worker.failures["slow"].words == "it became unstable"


def test_a_stop_lets_a_training_end_its_step_and_write_its_state(context: tuple[Bench, Context]) -> None:
    _, worker = context
    written: list[bool] = []

    def training(should_yield: Callable[[], bool]) -> str | None:
        worker.stopping.set()
        while not should_yield():
            pass
        written.append(True)
        return None

    slow = Step("slow", "training", lambda _: True, lambda inner: print(between_steps(inner, training)))
    worker.use((*STEPS, slow))
    with pytest.raises(Stopped):
        work_off(worker, (*STEPS, slow))
    assert written == [True]


def test_what_a_step_raises_is_said_and_the_others_go_on(context: tuple[Bench, Context]) -> None:
    project, worker = context

    def broken(_: Context) -> None:
        raise ZeroDivisionError("a mistake of ours")

    steps = (Step("broken", "breaking", lambda _: True, broken), *STEPS)
    worker.use(steps)
    clip = suggestions(project.store)[0].clip
    project.answer(clip, project.truth(clip))
    work_off(worker, steps)
    newest = latest_round(project.store)
    assert newest is not None
    assert newest.labels == 1
    worker.progress.step = None
    until(lambda: worker_state(project.store).state == "failed", "the error on the page")
    assert "a mistake of ours" in str(worker_state(project.store).error)


def test_a_stop_ends_a_long_step(context: tuple[Bench, Context]) -> None:
    _, worker = context

    def endless(inner: Context) -> None:
        while True:
            inner.stopping.set()
            inner.breathe()

    slow = Step("slow", "training", lambda _: True, endless)
    worker.use((*STEPS, slow))
    with pytest.raises(Stopped):
        work_off(worker, (*STEPS, slow))


def test_memory_gives_back_rows_in_the_order_asked() -> None:
    memory = ViewMemory()
    rng = np.random.default_rng(0)
    values = rng.standard_normal((500, 3)).astype(np.float32)
    names = [f"clip{number}" for number in range(500)]
    for first in range(0, 500, 37):
        memory.add(names[max(0, first - 5) : first + 37], {"block": values[max(0, first - 5) : first + 37]})
    order = list(rng.permutation(500))
    np.testing.assert_array_equal(memory.take([names[i] for i in order])["block"], values[order])
