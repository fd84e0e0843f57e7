"""`reproduce pairwise-cl --study`: every study of the registry runs, resumes and is printed; the controls are what
they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import PipelineError
from pipelines.experiments import pairwise_studies, study_cell
from pipelines.experiments.folds import make_folds
from pipelines.experiments.pairwise_corpus import PairwiseCorpus, read_pairwise_corpus
from pipelines.experiments.pairwise_studies import StudyOptions, reproduce_studies
from pipelines.experiments.replay_corpus import with_noise
from pipelines.experiments.studies import STUDIES, Study, Variant
from pipelines.experiments.study_summary import rank_correlations, studies_as_markdown, summarise_study
from pipelines.experiments.target_emotions import target_classes

VIEWS = ("wav2vec2", "mel", "egemaps")


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def data(speech_manifest: Path, features: Path) -> PairwiseCorpus:
    return read_pairwise_corpus(
        speech_manifest, features=features, views=("mel", "egemaps"), speech_model="none", device="cpu"
    )


@pytest.mark.parametrize("name", list(STUDIES))
@pytest.mark.parametrize("views", [VIEWS, ("mel", "egemaps"), ("wav2vec2", "egemaps")])
def test_every_study_is_well_formed(name: str, views: tuple[str, ...]) -> None:
    study = STUDIES[name](views)
    assert study.name == name
    assert study.question.endswith("?")
    assert study.variants
    names = [one.name for one in study.variants]
    assert len(set(names)) == len(names)
    whats = [repr(study_cell.described(one)) for one in study.variants]
    assert len(set(whats)) == len(whats), "two variants are the same run"
    for one in study.variants:
        assert len(one.views or views) >= 2  # there is something to contrast
        assert set(one.tuned_views or ()) <= set(one.views or views)


def test_a_quick_run_resumes_and_is_printed(
    data: PairwiseCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = StudyOptions(["views", "temperature", "fine_tuning"], folds="speaker:3", quick=True, results=tmp_path)
    said: list[str] = []
    document = reproduce_studies(lambda db: data, options, lambda done, total, text: said.append(text))
    assert len(said) == 5  # two views have no third to leave out
    temperature = document["studies"][1]
    assert [row["variant"] for row in temperature["rows"]] == ["temperature 0.5", "temperature 0.05"]
    second = temperature["rows"][1]["uar"]["fine_tuned"]["fusion"]["0.1"]
    assert second["difference"]["mean"] == pytest.approx(
        second["mean"] - temperature["rows"][0]["uar"]["fine_tuned"]["fusion"]["0.1"]["mean"]
    )
    # Another fine-tuning of the same encoders finds them.
    assert len(list(tmp_path.glob("study-encoders-*"))) == 2
    assert "| temperature 0.05 |" in studies_as_markdown(document)

    def unexpected(*_: object, **__: object) -> None:
        raise AssertionError("a finished variant was run again")

    monkeypatch.setattr(pairwise_studies, "run_variant", unexpected)
    again = reproduce_studies(lambda db: data, options)
    assert again["studies"] == document["studies"]


def test_unknown_studies_are_refused_before_anything_is_read() -> None:
    def unexpected(db: float | None) -> PairwiseCorpus:
        raise AssertionError

    with pytest.raises(PipelineError, match="temperature"):
        reproduce_studies(unexpected, StudyOptions(["temprature"]))


def test_a_study_that_lacks_its_classes_is_refused_when_named_and_left_out_of_all(data: PairwiseCorpus) -> None:
    few = replace(data, corpus=replace(data.corpus, classes=["loud", "quiet", "fast", "slow"]))
    with pytest.raises(PipelineError, match="anger, happiness, neutral and sadness"):
        reproduce_studies(lambda db: few, StudyOptions(["emotions"], folds="speaker:3"))
    names = [study.name for study in pairwise_studies._chosen(StudyOptions(), VIEWS, few.corpus.classes)]
    assert names == [name for name in STUDIES if name != "emotions"]


def test_controls_are_a_copy_and_noise(data: PairwiseCorpus) -> None:
    train = np.arange(40)
    inputs = data.inputs(train, "speaker", ("mel", "mel:again", "egemaps:noise", "egemaps"))
    np.testing.assert_array_equal(inputs.views["mel"].values, inputs.views["mel:again"].values)
    noise, real = inputs.views["egemaps:noise"].values, inputs.views["egemaps"].values
    assert noise.shape == real.shape
    # Real functionals hang together; those of the control do not. (A functional may be the same for all clips.)
    alive = real.astype(float).std(0) > 0
    together = [np.abs(np.corrcoef(x[:, alive].T.astype(float))).mean() for x in (real, noise)]
    assert together[0] > together[1] + 0.05


def test_noise_has_the_power_that_was_asked_for() -> None:
    wave = np.sin(np.arange(16_000) / 7).astype(np.float32)
    for db in (10.0, 0.0):
        added = with_noise(wave, db, "clip") - wave
        assert 10 * np.log10((wave**2).mean() / (added**2).mean()) == pytest.approx(db, abs=0.2)
    np.testing.assert_array_equal(with_noise(wave, 10.0, "clip"), with_noise(wave, 10.0, "clip"))
    assert not np.array_equal(with_noise(wave, 10.0, "clip"), with_noise(wave, 10.0, "another"))


def test_features_with_noise_lie_apart(speech_manifest: Path, features: Path, data: PairwiseCorpus) -> None:
    noisy = read_pairwise_corpus(
        speech_manifest, features=features, views=("egemaps",), speech_model="none", device="cpu", noise_db=0.0
    )
    assert noisy.corpus.clips == data.corpus.clips
    assert not np.allclose(noisy.corpus.blocks["egemaps"], data.corpus.blocks["egemaps"])
    again = read_pairwise_corpus(
        speech_manifest, features=features, views=("egemaps",), speech_model="none", device="cpu"
    )
    np.testing.assert_array_equal(again.corpus.blocks["egemaps"], data.corpus.blocks["egemaps"])


def test_target_and_other_emotions_share_no_clip_and_never_the_test(data: PairwiseCorpus) -> None:
    names = ["anger", "boredom", "happiness", "disgust", "fear", "surprise"][: len(data.corpus.classes)]
    data = replace(data, corpus=replace(data.corpus, classes=names))
    corpus = data.corpus
    fold = make_folds("speaker:3", corpus.y, corpus.speakers, corpus.sessions)[0]
    target = target_classes(corpus.classes)
    rows = {
        (clips, matched): study_cell.pretraining_rows(Variant("", clips=clips, matched=matched), data, fold)
        for clips in ("target", "other")
        for matched in (False, True)
    }
    assert set(corpus.y[rows["target", False]]) <= set(target)
    assert not set(corpus.y[rows["other", False]]) & set(target)
    assert set(rows["target", False]) | set(rows["other", False]) == set(fold.train)
    assert len(rows["target", True]) == len(rows["other", True])
    task = study_cell.scored(replace(STUDIES["emotions"](VIEWS), target_only=True), data, fold)
    assert task.classes == len(target)
    assert set(task.y[task.train]) == set(range(len(target)))
    assert not set(task.train) & set(fold.test)


def test_target_emotions_by_name() -> None:
    assert target_classes(["anger", "boredom", "happiness", "neutral"]).tolist() == [0, 2, 3]
    with pytest.raises(PipelineError, match="other classes beside"):
        target_classes(["angry", "sad"])


def test_one_view_of_a_model_embeds_as_in_the_whole(data: PairwiseCorpus) -> None:
    from pipelines.encoders import embed, untrained_encoders

    train = np.arange(40)
    inputs = data.inputs(train, "speaker")
    model = untrained_encoders(inputs, STUDIES["alignment"](("mel", "egemaps")).variants[1].recipe, train, 0)
    part = study_cell.only(model, ["egemaps"])
    whole = embed(model, inputs, train)
    alone = embed(part, inputs.only(["egemaps"]), train)
    assert list(alone) == ["egemaps"]
    np.testing.assert_array_equal(alone["egemaps"].numpy(), whole["egemaps"].numpy())


def test_rank_correlation_follows_the_dose() -> None:
    study = Study("alignment", "?", tuple(Variant(f"{w}", noise_db=None) for w in (1, 2, 3, 4)))

    def cell(name: str, pwcca: float, uar: float) -> dict[str, object]:
        draw = {"labels": 8, "frozen": {"lda": uar}, "fine_tuned": {"fusion": 1 - uar}}
        side = {"a-b": {"corrected": pwcca}}
        return {
            "variant": name,
            "alignment": {"untrained": side, "pretrained": side},
            "cost": {"cpu_seconds": 1.0, "memory_mb": 1.0},
            "clips": 9,
            "uar": {"0.02": [draw]},
        }

    cells = [cell(v.name, 0.1 * i, 0.2 + 0.1 * i**2) for i, v in enumerate(study.variants)]
    table = {
        "study": "alignment",
        "question": "?",
        "focus": None,
        "variants": {v.name: {**study_cell.described(v), "n": i} for i, v in enumerate(study.variants)},
        "rows": summarise_study(study, cells),
    }
    found = {(r["over"], r["measure"]): r["rho"] for r in rank_correlations({"studies": [table]})}
    assert found["the contrast as dose", "frozen, lda"] == pytest.approx(1)
    assert found["the contrast as dose", "fine_tuned, fusion"] == pytest.approx(-1)


def test_pseudo_labels_come_from_training_clips_and_weigh_half(
    data: PairwiseCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = data.corpus
    fold = make_folds("speaker:3", corpus.y, corpus.speakers, corpus.sessions)[0]
    seen: list[np.ndarray] = []
    whole = study_cell.fine_tune

    def watched(inputs: object, encoders: object, rows: np.ndarray, *rest: object, **options: object) -> object:
        seen.append(rows)
        return whole(inputs, encoders, rows, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(study_cell, "fine_tune", watched)
    study = STUDIES["fine_tuning"](("mel", "egemaps"))
    variant = next(one for one in study.variants if one.pseudo_share)
    short = replace(variant, recipe=replace(variant.recipe, epochs=1), tuning=replace(variant.tuning, steps=2))
    study_cell.run_variant(short, replace(study, draws=1, fractions=(0.1,)), data, fold)
    labelled, both = seen
    pseudo = np.setdiff1d(both, labelled)
    assert len(pseudo) > 0
    assert set(both) <= set(fold.train)
    assert 0.4 < np.isin(both, labelled).mean() < 0.65
