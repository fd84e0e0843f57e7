"""`reproduce sslcl`: what is run, that it goes on where it was stopped, and what its figures say."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_dialogues import CLASSES, conversations
from sklearn.metrics import f1_score

from pipelines.conversation.dialogues import NONE
from pipelines.conversation.training import Training, as_text
from pipelines.errors import PipelineError
from pipelines.experiments import sslcl
from pipelines.experiments.sslcl import Job, SslclOptions, plan, reproduce
from pipelines.experiments.sslcl_cell import Cell, drawn, run_cell
from pipelines.experiments.sslcl_corpus import Conversations, read_conversations
from pipelines.experiments.sslcl_page import as_markdown, page
from pipelines.experiments.sslcl_summary import BASELINES, CHOSEN, OURS, _Test, summarise

SMALL = SslclOptions(
    encoders=("gcn",),
    losses=("ce+supcon",),
    batches=(4, 8),
    seeds=2,
    rates=(1e-3, 5e-3),
    epochs=1,
    questions=False,
)


def read(task: str) -> Conversations:
    return replace(conversations(), task=task)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("results")
    return folder, reproduce(read, replace(SMALL, results=folder))


def test_every_training_of_the_plan_is_done(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, document = finished
    jobs = [job for stage in plan(SMALL, sentiment=False) for job in stage]
    assert len(jobs) == len(set(jobs)) == 14  # 6 + 1 at batch 8, 7 at batch 4
    assert document["trainings"] == {"planned": 42, "done": 42}  # two rates with one seed, one with the other
    assert len(list(folder.glob("sslcl-*.json"))) == 42
    assert {(row["loss"], row["batch"]) for row in document["summary"]} == {(job.loss, job.batch) for job in jobs}
    assert all(row["seeds"] == 2 for row in document["summary"])
    assert all(set(row["f1"]) == set(CLASSES) for row in document["summary"])


def test_a_second_run_trains_nothing_and_says_the_same(
    finished: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, document = finished

    def never(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(sslcl, "run_cell", never)
    again = reproduce(read, replace(SMALL, results=folder))
    assert again["summary"] == document["summary"]
    assert again["comparisons"] == document["comparisons"]
    with pytest.raises(AssertionError, match="trained again"):  # other data finds nothing
        reproduce(lambda task: conversations(seed=9), replace(SMALL, results=folder))


def test_out_of_time_it_tells_what_there_is(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = finished
    part = reproduce(read, replace(SMALL, results=folder, seeds=3, minutes=0))
    assert part["trainings"] == {"planned": 56, "done": 42}
    none = reproduce(read, replace(SMALL, minutes=0))
    assert none["trainings"]["done"] == 0
    assert "nothing can be said" in none["advice"]
    assert as_markdown(none)
    assert page({**none, "command": []})


def test_rates_epochs_and_baseline_are_chosen_on_development(finished: tuple[Path, dict[str, Any]]) -> None:
    _, document = finished
    for row in document["summary"]:
        tried = [one for one in document["tuning"] if (one["loss"], one["batch"]) == (row["loss"], row["batch"])]
        assert len(tried) == 2
        assert row["rate"] == max(tried, key=lambda one: one["dev"])["rate"]
    at_eight = {row["loss"]: row for row in document["summary"] if row["batch"] == 8}
    found = document["comparisons"][0]
    best, ours = (max(names, key=lambda name: at_eight[name]["dev"]) for names in (BASELINES, OURS))
    assert found["loss"] == CHOSEN
    assert (found["encoders"]["gcn"]["loss"], found["encoders"]["gcn"]["baseline"]) == (ours, best)
    for metric in ("macro_f1", "weighted_f1"):
        assert found[metric] == pytest.approx(at_eight[ours][metric] - at_eight[best][metric])
    rates = {one["batch"]: one["rate"] for one in document["tuning"]}
    assert rates[4] == pytest.approx(rates[8] / 2**0.5)


def test_it_can_be_written_and_read(finished: tuple[Path, dict[str, Any]]) -> None:
    _, document = finished
    assert json.loads(json.dumps(document)) == document
    text, html = as_markdown(document), page(document)
    assert document["advice"] in text
    for loss in (*BASELINES, *OURS, "ce+supcon"):
        assert f"| {loss} |" in text
        assert f"<td>{loss}</td>" in html
    assert 'src="http' not in html


def outcome(loss: str, seed: int, predicted: np.ndarray[Any, Any], dev: float) -> dict[str, Any]:
    training = {"loss": loss, "encoder": "gru", "batch": 8, "rate": 1e-3, "seed": seed}
    figures = {"macro_f1": 0.0, "weighted_f1": 0.0, "f1": {}, "selection": dev}
    cost = dict.fromkeys(("cpu_seconds", "seconds", "step_ms", "dialogue_ms", "memory_mb", "best_epoch"), 1.0)
    return {
        "cell": {"training": training, "task": "emotion", "subset": "all"},
        "dev": figures,
        "test": figures,
        "closeness": None,
        "predictions": as_text(predicted),
        **cost,
    }


def test_a_real_gain_is_seen_and_none_is_not_made_up() -> None:
    rng = np.random.default_rng(0)
    lengths = np.full(100, 10)
    answers = rng.integers(0, 3, 1000)

    def guesses(right: float) -> np.ndarray[Any, Any]:
        return np.where(rng.random(1000) < right, answers, rng.integers(0, 3, 1000))

    def compared(right: float) -> dict[str, Any]:
        peers = [outcome(name, s, guesses(0.5), 0.5 + 0.1 * (name == "focal")) for name in BASELINES for s in range(3)]
        ours = [outcome(OURS[0], s, guesses(right), 0.5) for s in range(3)]
        found: dict[str, Any] = summarise(peers + ours, answers, lengths, 3)["comparisons"][0]
        assert found["encoders"]["gru"]["baseline"] == "focal"
        return found

    better, same = compared(0.65), compared(0.5)
    assert better["interval"]["macro_f1"][0] > 0
    low, high = same["interval"]["macro_f1"]
    assert low < 0 < high
    seeds = same["interval_seeds"]["macro_f1"]
    assert high - low > seeds[1] - seeds[0]  # dialogues add to what seeds alone show


def test_f1_by_dialogue_is_f1() -> None:
    rng = np.random.default_rng(1)
    lengths = rng.integers(0, 6, 30)
    answers, predicted = (rng.integers(0, 4, lengths.sum()) for _ in range(2))
    weights = np.ones((2, 30))
    weights[1, :15] = 0
    found = _Test(answers, lengths, 4).metrics(predicted, weights)
    rows = np.repeat(np.arange(30), lengths) >= 15
    for got, keep in ((found[0], slice(None)), (found[1], rows)):
        there = np.unique(answers[keep])
        assert got[0] == pytest.approx(100 * f1_score(answers[keep], predicted[keep], average="macro", labels=there))
        assert got[1] == pytest.approx(100 * f1_score(answers[keep], predicted[keep], average="weighted", labels=there))


def test_subsets_have_the_same_size_and_keep_all_context() -> None:
    part = conversations().splits["train"]
    least = min(part.counts(3))
    balanced, imbalanced = (drawn(part, 3, kind, 0) for kind in ("balanced", "imbalanced"))
    assert int(balanced.sum()) == int(imbalanced.sum()) == 3 * least
    assert part.labels[balanced].bincount().tolist() == [least] * 3
    assert (part.labels[imbalanced] != NONE).all()
    assert len(set(part.labels[imbalanced].bincount().tolist())) > 1
    assert not torch.equal(balanced, drawn(part, 3, "balanced", 1))


def test_a_cell_says_what_it_cost() -> None:
    found = run_cell(Cell(Training(encoder="gcn", epochs=1, width=16)), conversations())
    assert found["cpu_seconds"] > 0
    assert found["step_ms"] > 0
    wide = run_cell(Cell(Training(encoder="gcn", epochs=1, width=64)), conversations())
    parameters = 4 * 8 * 16  # at the very least those of the first layer, with gradient and moments
    assert parameters / 2**20 < found["memory_mb"] < wide["memory_mb"]
    assert len(found["predictions"]) == int((conversations().splits["test"].labels != NONE).sum())


def test_the_plan_answers_the_papers_questions_last() -> None:
    stages = list(plan(SslclOptions(), sentiment=True))
    jobs = [job for stage in stages for job in stage]
    assert len(jobs) == len(set(jobs))
    assert {(job.encoder, job.batch) for job in stages[0]} == {("gru", 8), ("transformer", 8), ("gcn", 8)}
    grid = {(job.loss, job.batch) for job in jobs if job.encoder == "gru" and job.task == "emotion"}
    losses = {*BASELINES, *OURS, *SslclOptions().losses}
    assert {(loss, batch) for loss in losses for batch in (1, 4, 8, 32)} <= grid
    assert Job(f"{OURS[0]}:label_layers=4", "gru") in jobs
    assert jobs[-1].task == "sentiment"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"encoders": ("lstm",)}, "use gru, transformer, gcn"),
        ({"losses": ("sslcl_sine",)}, "unknown loss"),
        ({"seeds": 0}, "at least one seed"),
        ({"batches": (0,)}, "a batch of 0 dialogues"),
    ],
)
def test_options_that_cannot_be_used(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(PipelineError, match=says):
        reproduce(read, replace(SMALL, **changes))


def test_a_corpus_without_conversations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"allowed: .*meld"):
        read_conversations("emodb", tmp_path)
    with pytest.raises(PipelineError, match="no task 'sentiment'"):
        read_conversations("iemocap-4", tmp_path, task="sentiment")


def iemocap(root: Path) -> None:
    """Five sessions of two dialogues with four turns, in the official layout."""
    for session in range(1, 6):
        base = root / f"Session{session}"
        for dialogue in (f"Ses{session:02}F_impro01", f"Ses{session:02}F_impro02"):
            marks, said = [], []
            for turn in range(4):
                name, start = f"{dialogue}_{'FM'[turn % 2]}{turn:03}", 2.0 * turn
                marks.append(f"[{start:.4f} - {start + 1:.4f}]\t{name}\t{('ang', 'neu')[turn // 2]}\t[2.5, 2.5, 2.5]\n")
                said.append(f"{name} [{start:.4f}-{start + 1:.4f}]: {('stop it', 'all is well')[turn // 2]} {turn}\n")
                wav = base / "sentences" / "wav" / dialogue / f"{name}.wav"
                wav.parent.mkdir(parents=True, exist_ok=True)
                wav.write_bytes(b"")
            for folder, lines in (("EmoEvaluation", marks), ("transcriptions", said)):
                path = base / "dialog" / folder / f"{dialogue}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("".join(lines))


def test_iemocaps_fifth_session_is_the_test_part(tmp_path: Path) -> None:
    iemocap(tmp_path)
    data = read_conversations("iemocap-4", tmp_path, text_encoder="tf-idf")
    assert data.classes == ("anger", "neutral")
    assert {name: len(part) for name, part in data.splits.items()} == {"train": 7, "dev": 1, "test": 2}
    assert data.splits["test"].labels[0].tolist() == [0, 0, 1, 1]
    assert data.splits["test"].speakers[0].tolist() == [0, 1, 0, 1]
    assert any("5,531" in notice for notice in data.notices)


@pytest.mark.corpus
def test_meld_is_read_as_its_publisher_counts() -> None:
    root = Path(os.environ.get("EARMARK_CORPORA", Path.home() / "earmark-data" / "corpora")) / "meld"
    if not (root / "train_sent_emo.csv").is_file():
        pytest.skip(f"no corpus at {root} (EARMARK_CORPORA)")
    data = read_conversations("meld", root, text_encoder="tf-idf")
    assert {name: len(part) for name, part in data.splits.items()} == {"train": 1038, "dev": 114, "test": 280}
    assert sum(data.splits["test"].counts(7)) == 2610
    assert not data.notices
