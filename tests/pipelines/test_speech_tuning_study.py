"""The study of the speech model: a whole quick run on made clips, resumption, the paired table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_corpus
from speech_models import save

from pipelines import audio
from pipelines.errors import PipelineError
from pipelines.experiments import speech_tuning_study
from pipelines.experiments.pairwise_corpus import PairwiseCorpus, read_pairwise_corpus
from pipelines.experiments.speech_tuning_page import as_markdown, page
from pipelines.experiments.speech_tuning_study import (
    SpeechStudyOptions,
    plan,
    read_waves,
    run,
    summarise,
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), speakers=4, each=2, seconds=0.6)


@pytest.fixture(scope="module")
def data(source: Path, tmp_path_factory: pytest.TempPathFactory) -> PairwiseCorpus:
    model = save(tmp_path_factory.mktemp("model"), "WhisperModel")
    features = tmp_path_factory.mktemp("features")
    views = ("wav2vec2",)
    return read_pairwise_corpus(source, features=features, views=views, speech_model=str(model), device="cpu")


def test_a_run_is_whole_and_resumes_to_the_same_document(
    source: Path, data: PairwiseCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = SpeechStudyOptions(folds="speaker:2", quick=True, results=tmp_path)
    said: list[str] = []
    document = run(data, source, options, lambda done, total, what: said.append(what))
    assert len(document["cells"]) == 6
    assert [row["mode"] for row in document["summary"]] == ["frozen", "last", "lora"]
    assert all(row["pairs"] == 2 for row in document["summary"])
    assert document["summary"][1]["difference"]["pairs"] == 2
    text = as_markdown(document)
    assert "| 5 % (3) | 4 | lora |" in text
    assert "<td>lora</td>" in page(document)
    assert any(line.startswith("lora, 5 %") for line in said)

    # Two cells are lost, as if the run had been stopped; the others are not run again.
    for path in sorted(tmp_path.glob("speech-tuning-*.json"))[:2]:
        path.unlink()
    seen: list[Any] = []
    tune = speech_tuning_study.tune_speech

    def watched(*arguments: Any, **options: Any) -> Any:
        seen.append(arguments)
        return tune(*arguments, **options)

    monkeypatch.setattr(speech_tuning_study, "tune_speech", watched)
    again = run(data, source, options)
    assert len(seen) == 2
    timed = ("cpu_seconds", "step_ms")
    for one, two in zip(document["cells"], again["cells"], strict=True):
        assert {k: v for k, v in one.items() if k not in timed} == {k: v for k, v in two.items() if k not in timed}
    monkeypatch.setattr(speech_tuning_study, "SpeechLayers", None)  # nothing left to do: no model is opened
    assert run(data, source, options)["summary"] == again["summary"]


def test_waves_are_found_by_their_sound(source: Path, data: PairwiseCorpus) -> None:
    last = data.corpus.clips[-1]
    (wave,) = read_waves(source, [last])
    path = next(path for path in sorted(source.parent.rglob("*.wav")) if audio.clip_id(path) == last)
    np.testing.assert_array_equal(wave, audio.model_input(path))
    with pytest.raises(PipelineError, match="lacks 1 of the corpus's 1"):
        list(read_waves(source, ["no such clip"]))


def test_every_fold_has_all_modes_before_the_next() -> None:
    cells = list(plan(SpeechStudyOptions(first_folds=2, starts=("middle", "uniform")), 5))
    assert len(cells) == 2 * 2 * 3 * 3
    assert [cell.fold for cell in cells] == [0] * 18 + [1] * 18
    assert {cell.tuning.steps for cell in cells if cell.fraction == 1.0} == {60}
    # Modes differ in nothing but the mode and its rate.
    one, two, three = (replace(c.tuning, mode="frozen", speech_learning_rate=None) for c in cells[:3])
    assert one == two == three


def test_differences_are_paired() -> None:
    def cell(mode: str, fold: str, score: float) -> dict[str, Any]:
        tuning = {"mode": mode, "steps": 4}
        took = dict.fromkeys(("labels", "cpu_seconds", "step_ms", "memory_mb", "trained", "last_loss"), 1.0)
        of = {"start": "middle", "fraction": 0.2, "fold": fold, "seed": 0, "tuning": tuning}
        return {"cell": of, "uar": score, **took}

    scores = {"a": 0.2, "b": 0.6, "c": 0.4}
    cells = [cell("frozen", fold, score) for fold, score in scores.items()]
    cells += [cell("lora", fold, score + 0.1) for fold, score in reversed(scores.items())]
    frozen, lora = summarise([*cells, cell("last", "a", 0.5)])[:2]
    assert frozen["deviation"] == pytest.approx(20)
    assert "difference" not in frozen
    assert lora["difference"]["mean"] == pytest.approx(10)
    assert lora["difference"]["low"] == pytest.approx(10)  # always ten, however far the folds lie apart
    last = summarise([*cells, cell("last", "a", 0.5)])[2]
    assert last["difference"] == {"mean": pytest.approx(30), "low": None, "high": None, "pairs": 1}


def test_what_cannot_be_run_is_refused_before_anything_is(source: Path, data: PairwiseCorpus) -> None:
    with pytest.raises(PipelineError, match="modes are frozen, last, lora, starts middle, uniform"):
        list(plan(SpeechStudyOptions(starts=["top"]), 5))
    without = replace(data, corpus=replace(data.corpus, speech_model=None))
    with pytest.raises(PipelineError, match="--speech-model"):
        run(without, source, SpeechStudyOptions())
