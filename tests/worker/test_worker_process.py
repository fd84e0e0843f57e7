"""The worker as a process: killed, restarted, supervised, one of several, asked to end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from worker_bench import Bench, until

from db.clips import clips, set_aside_clips
from db.labels import standing
from db.rounds import curve, latest_round, leader, pool_probabilities, rounds, suggestions, worker_state
from pipelines.worker import run
from pipelines.worker.heart import has_died, own_name
from pipelines.worker.supervisor import Supervisor

Make = Callable[..., Bench]


def test_ingest_needs_no_torch_and_the_supervisor_next_to_nothing() -> None:
    script = (
        "import sys, {module}\n"
        "heavy = {{'torch', 'transformers', 'opensmile', 'sklearn', 'pandas', 'pyarrow', 'numpy'}} & set(sys.modules)\n"
        "print(*sorted(heavy - {{{allowed}}}))"
    )
    for module, allowed in (("pipelines.worker.loop", "'numpy'"), ("pipelines.worker.supervisor", "''")):
        command = [sys.executable, "-c", script.format(module=module, allowed=allowed)]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == ""


def test_killed_at_any_instant_it_ends_where_an_undisturbed_one_does(speech_manifest: Path, bench: Make) -> None:
    calm = bench(speech_manifest, "calm")
    run(calm.workspace, once=True)
    order = [clip.id for clip in clips(calm.store)]
    chosen = random.Random(1).sample(order, 30)
    for clip in chosen:
        calm.answer(clip, calm.truth(clip))
    run(calm.workspace, once=True)

    rough = bench(speech_manifest, "rough")
    chance = random.Random(2)
    signs: list[Callable[[], object]] = [
        lambda: clips(rough.store),
        lambda: list((rough.workspace / "features").glob("*/*")),
        lambda: suggestions(rough.store),
        lambda: latest_round(rough.store),
        lambda: len(rounds(rough.store)) > 3,
    ]
    for number, sign in enumerate(signs):
        worker = rough.start()
        until(sign, f"sign {number}")
        for clip in chosen[6 * number : 6 * number + 6] if clips(rough.store) else []:
            if clip in {one.id for one in clips(rough.store)}:
                rough.answer(clip, rough.truth(clip))
        seconds = chance.uniform(0, 0.4)
        try:
            worker.wait(seconds)
        except subprocess.TimeoutExpired:
            worker.send_signal(signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL
    for clip in chosen:
        if clip not in _answered(rough):
            rough.answer(clip, rough.truth(clip))
    assert _answered(rough) == set(chosen)
    run(rough.workspace, once=True)

    assert [(c.id, c.path, c.evaluation) for c in clips(rough.store)] == [
        (c.id, c.path, c.evaluation) for c in clips(calm.store)
    ]
    assert set_aside_clips(rough.store) == set_aside_clips(calm.store) == []
    one, other = pool_probabilities(calm.store), pool_probabilities(rough.store)
    assert one is not None
    assert other is not None
    assert one[0].labels == other[0].labels
    assert one[1].clips == other[1].clips
    np.testing.assert_allclose(one[1].values, other[1].values, atol=0.02)
    assert curve(rough.store)[-1].uar == pytest.approx(curve(calm.store)[-1].uar)
    assert not list((rough.workspace / "features").glob("*/*.damaged"))


def _answered(project: Bench) -> set[str]:
    return {answer.clip for answer in standing(project.store)}


def test_sigterm_ends_it_cleanly_and_gives_the_lead_back(speech_manifest: Path, bench: Make) -> None:
    project = bench(speech_manifest)
    worker = project.start()
    until(lambda: clips(project.store), "clips")
    assert leader(project.store) is not None
    worker.terminate()
    assert worker.wait(60) == 0
    assert leader(project.store) is None


def test_another_worker_takes_over_from_one_that_died(speech_manifest: Path, extracted: Path, bench: Make) -> None:
    project = bench(speech_manifest, extracted=extracted)
    first = project.start()
    until(lambda: len(suggestions(project.store)) >= 40, "a start batch")
    led = leader(project.store)
    second = project.start()
    until(lambda: "begins" in _log(project, second.pid), "the second worker")
    project.label_next(4)
    project.round_that_knows_all()
    assert leader(project.store) == led
    assert project.once()[0] == 0, "a third that only helps ends when nothing is left"
    first.kill()
    first.wait()
    project.label_next(4)
    project.round_that_knows_all()
    until(lambda: leader(project.store) not in (None, led), "the second to lead")


def _log(project: Bench, pid: int) -> str:
    return "\n".join(line for line in (project.workspace / "worker.log").read_text().splitlines() if f" {pid} " in line)


def test_it_ends_with_its_parent(speech_manifest: Path, bench: Make) -> None:
    project = bench(speech_manifest)
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    worker = project.start(parent=parent.pid)
    until(lambda: clips(project.store), "clips")
    parent.kill()
    parent.wait()
    assert parent.stdin is not None
    parent.stdin.close()
    assert worker.wait(60) == 0


def test_the_supervisor_starts_it_again_and_stops_it(speech_manifest: Path, bench: Make) -> None:
    project = bench(speech_manifest)
    supervisor = Supervisor(project.workspace)
    supervisor.start()
    try:
        first = until(lambda: supervisor.pid, "a worker")
        until(lambda: clips(project.store), "clips")
        os.kill(first, signal.SIGKILL)
        until(lambda: supervisor.pid not in (None, first), "another worker")
        until(lambda: worker_state(project.store).state == "idle", "the second one to finish")
        second = supervisor.pid
    finally:
        supervisor.stop()
    supervisor.stop()
    assert supervisor.pid is None
    assert second is not None
    assert not psutil.pid_exists(second)


def test_names_tell_who_has_died() -> None:
    assert not has_died(own_name())
    host, process, began, number = own_name().rsplit(":", 3)
    assert has_died(f"{host}:{process}:{float(began) - 100:.2f}:{number}"), "a reused process id"
    assert not has_died(f"elsewhere:{process}:{began}:{number}"), "of another machine nothing is known"
    assert not has_died("nonsense")
