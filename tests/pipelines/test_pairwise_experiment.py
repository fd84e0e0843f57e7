"""`reproduce pairwise-cl`: draws, resumption, and a whole quick run on clips that the tests make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import PipelineError
from pipelines.experiments import pairwise_cell
from pipelines.experiments.pairwise_cell import labelled_rows, strongest_blocks, uar
from pipelines.experiments.pairwise_cl import PairwiseOptions, as_markdown, plan, reproduce, summarise
from pipelines.experiments.pairwise_corpus import PairwiseCorpus, read_pairwise_corpus
from pipelines.experiments.plain import lda_probabilities, self_training_probabilities
from pipelines.pairwise_cl import pretrain


@pytest.fixture(scope="module")
def data(speech_manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> PairwiseCorpus:
    features = tmp_path_factory.mktemp("features")
    views = ("mel", "egemaps")
    return read_pairwise_corpus(speech_manifest, features=features, views=views, speech_model="none", device="cpu")


def test_draws_are_nested_stratified_and_keep_every_class() -> None:
    y, train = np.arange(300) % 3, np.arange(200)
    y[y == 2] = np.where(np.arange(100) < 60, 1, 2)
    small, large = (labelled_rows(y, train, f, 7) for f in (0.02, 0.2))
    assert set(small) <= set(large) <= set(train)
    assert set(y[small]) == {0, 1, 2}
    shares = np.bincount(y[large]) / len(large)
    np.testing.assert_allclose(shares, np.bincount(y[train]) / 200, atol=0.02)
    assert not np.array_equal(small, labelled_rows(y, train, 0.02, 8))
    assert np.array_equal(labelled_rows(y, train, 1.0, 7), train)


def test_uar_leaves_absent_classes_out() -> None:
    p = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.6, 0.4, 0]])
    assert uar(p, np.array([0, 1, 1]), 3) == pytest.approx(0.75)


def test_plain_blocks() -> None:
    names = ["egemaps", "mel", *(f"speech.{i}" for i in range(7))]
    assert strongest_blocks(names) == ["egemaps", "speech.2", "speech.3"]
    assert strongest_blocks([*names, *(f"speech.{i}" for i in range(7, 13))]) == ["egemaps", "speech.4", "speech.6"]
    assert strongest_blocks(["mel"]) == ["mel"]


def test_self_training_learns_from_what_is_not_labelled() -> None:
    rng = np.random.default_rng(0)
    y, train = np.arange(300) % 3, np.arange(200)
    gains = []
    for seed in range(8):
        x = np.eye(3)[y] @ rng.standard_normal((3, 20)) + rng.standard_normal((300, 20))
        rows = labelled_rows(y, train, 0.04, seed)
        plain = lda_probabilities(x, rows, y[rows], 3)
        more = self_training_probabilities(x, rows, y[rows], 3, np.setdiff1d(train, rows))
        gains.append(uar(more[200:], y[200:], 3) - uar(plain[200:], y[200:], 3))
    assert np.mean(gains) > 0.02


def test_a_quick_run_is_whole_resumes_and_is_printed(
    data: PairwiseCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = PairwiseOptions(folds="speaker:3", quick=True, results=tmp_path)
    said: list[str] = []
    document = reproduce(data, options, lambda done, total, text: said.append(text))
    assert len(document["cells"]) == 2
    assert document["corpus"]["clips"] == 72
    (row,) = document["summary"]
    assert set(row["uar"]) == {"plain", "scratch", "frozen", "fine_tuned", "lp_ft"}
    assert row["labels"].keys() == {"0.02", "0.1", "1"}
    assert row["uar"]["plain"]["lda"]["1"]["mean"] > 60
    assert row["uar"]["fine_tuned"]["fusion"]["1"]["cells"] == 2
    assert set(row["gain_over_scratch"]["fine_tuned"]) == {"mel", "egemaps", "fusion"}
    assert row["pwcca"]["mel-egemaps"].keys() == {"untrained", "pretrained"}
    assert 0 < row["pwcca"]["mel-egemaps"]["untrained"]["floor"] < 1
    text = as_markdown(document)
    assert "| fine_tuned, fusion |" in text
    assert "| mel-egemaps |" in text
    assert any("pre-trained" in line for line in said)

    def unexpected(*_: object, **__: object) -> None:
        raise AssertionError("a finished cell was run again")

    monkeypatch.setattr(pairwise_cell, "pretrain", unexpected)
    again = reproduce(data, options)
    assert again["cells"] == document["cells"]
    # One more regime is another cell, but its encoders are there already.
    cell = next(plan(replace(options, regimes=("frozen",)), 3))
    reproduce(data, replace(options, regimes=("frozen",)))
    assert cell.regimes == ("frozen",)


def test_encoders_of_a_cell_never_see_its_test_speakers(data: PairwiseCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[int]] = []

    def watched(inputs: object, rows: np.ndarray, *arguments: object, **options: object) -> object:
        seen.append(set(rows.tolist()))
        return pretrain(inputs, rows, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pairwise_cell, "pretrain", watched)
    from pipelines.experiments.folds import make_folds

    corpus = data.corpus
    fold = make_folds("speaker:3", corpus.y, corpus.speakers, corpus.sessions)[0]
    cell = next(plan(PairwiseOptions(quick=True, regimes=("frozen",)), 3))
    pairwise_cell.run_cell(replace(cell, fractions=(0.1,)), data, fold)
    assert seen == [set(fold.train.tolist())]
    assert not seen[0] & set(fold.test.tolist())


def test_gains_are_paired() -> None:
    def cell(scratch: float, tuned: float) -> dict[str, object]:
        side = {"forward": 0.5, "backward": 0.5, "floor": 0.2}
        return {
            "cell": {"recipe": {"name": "paper"}, "normalise": "speaker"},
            "uar": {"0.02": {"labels": 8, "scratch": {"mel": scratch}, "fine_tuned": {"mel": tuned}}},
            "alignment": {"untrained": {"a-b": side}, "pretrained": {"a-b": side}},
            "pretraining": {"seconds": 1.0},
        }

    (row,) = summarise([cell(0.2, 0.3), cell(0.6, 0.7), cell(0.4, 0.5)])  # type: ignore[list-item]
    gain = row["gain_over_scratch"]["fine_tuned"]["mel"]["0.02"]
    assert gain["mean"] == pytest.approx(10)
    assert gain["low"] == pytest.approx(10)  # always ten, however far the cells lie apart
    assert row["uar"]["scratch"]["mel"]["0.02"]["deviation"] == pytest.approx(20)


def test_unknown_names_are_refused_before_anything_runs() -> None:
    with pytest.raises(PipelineError, match="paper, default"):
        list(plan(PairwiseOptions(recipes=["papper"]), 5))
    with pytest.raises(PipelineError, match="scratch, frozen"):
        list(plan(PairwiseOptions(regimes=["froze"]), 5))
