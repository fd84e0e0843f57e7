"""The replay end to end on made features: its document, its peers, that it goes on where it was stopped, its page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_corpus
from made_pools import made_pool
from sklearn.linear_model import LogisticRegression

from pipelines.errors import PipelineError
from pipelines.evaluation.budget import area
from pipelines.experiments import baseline
from pipelines.experiments.folds import make_folds
from pipelines.experiments.replay import ReplayOptions, replay
from pipelines.experiments.replay_corpus import ReplayCorpus, read_corpus, two_classes_a_speaker
from pipelines.experiments.replay_page import page

OPTIONS = ReplayOptions(
    strategies=("auto", "random", baseline.NAME),
    budget=24,
    batch=8,
    folds="speaker:2",
    seeds=2,
    command=("earmark", "x"),
)


@pytest.fixture(scope="module")
def corpus() -> ReplayCorpus:
    pool, y = made_pool(120, classes=3, speakers=6)
    kept = ("egemaps", "mel", *(f"speech.{i}" for i in range(4)))
    blocks = {name: pool.blocks[name] for name in kept}
    views = {"egemaps": ["egemaps"], "mel": ["mel"], "wav2vec2": list(kept[2:])}
    nothing: list[str | None] = [None] * 120
    names = ["a", "b", "c"]
    return ReplayCorpus(
        "made", pool.clips, blocks, views, pool.speakers, nothing, names, y, np.linspace(1, 3, 120), "a model"
    )


@pytest.fixture(scope="module")
def document(corpus: ReplayCorpus, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return replay(corpus, OPTIONS)


def test_the_document_has_what_the_architecture_promises(document: dict[str, Any], corpus: ReplayCorpus) -> None:
    assert json.loads(json.dumps(document)) == document
    assert document["corpus"] == {"name": "made", "clips": 120, "speakers": 6, "classes": ["a", "b", "c"]}
    assert document["command"] == ["earmark", "x"]
    assert [fold["test"] for fold in document["folds"]] == [60, 60]
    assert set(document["full_uar"]) == {"fusion", "egemaps", "mel", "wav2vec2", "logistic_regression"}
    assert document["full_uar"]["fusion"] > 0.8
    assert len(document["curves"]) == 3 * 2 * 2
    for curve in document["curves"]:
        assert curve["labels"] == [8, 16, 24]
        assert len(curve["uar"]) == 3
        assert (np.diff(curve["minutes"]) > 0).all()
    assert [row["strategy"] for row in document["summary"]] == list(OPTIONS.strategies)
    assert document["target"]["from"].startswith(baseline.NAME)
    assert document["target"]["uar"] == document["summary"][2]["uar"][-1]


def test_figures_follow_from_the_curves(document: dict[str, Any]) -> None:
    for row in document["summary"]:
        table = np.array([c["uar"] for c in document["curves"] if c["strategy"] == row["strategy"]])
        np.testing.assert_allclose(row["uar"], table.mean(axis=0))
        assert row["area"] == pytest.approx(np.mean([area(row["labels"], line) for line in table]))
        assert (np.array(row["low"]) <= row["uar"]).all()
        assert (np.array(row["high"]) >= row["uar"]).all()
        reached = [n for n, value in zip(row["labels"], row["uar"], strict=True) if value >= document["target"]["uar"]]
        assert row["labels_to_target"] == (reached[0] if reached else None)
    auto, random = (
        np.array([area(c["labels"], c["uar"]) for c in document["curves"] if c["strategy"] == name])
        for name in ("auto", "random")
    )
    (difference,) = [d for d in document["differences"] if (d["strategy"], d["over"]) == ("auto", "random")]
    assert difference["area"] == pytest.approx((auto - random).mean())
    assert difference["low"] <= difference["area"] <= difference["high"]
    assert difference["runs"] == 4
    assert "auto less random" in document["advice"]


def test_a_clips_minutes_are_its_length_and_two_seconds(document: dict[str, Any], corpus: ReplayCorpus) -> None:
    for curve in document["curves"]:
        assert 8 * 3 / 60 <= curve["minutes"][0] <= 8 * 5 / 60
    first = [c["minutes"][0] for c in document["curves"] if c["strategy"] in ("random", baseline.NAME)]
    assert first[: len(first) // 2] == first[len(first) // 2 :]  # the same random draws


def test_the_same_again_in_two_processes(document: dict[str, Any], corpus: ReplayCorpus) -> None:
    again = replay(corpus, ReplayOptions(**{**vars(OPTIONS), "jobs": 2}))
    assert again["curves"] == document["curves"]
    assert again["full_uar"] == document["full_uar"]


def test_it_goes_on_where_it_was_stopped(corpus: ReplayCorpus, tmp_path: Path) -> None:
    options = ReplayOptions(strategies=("margin", "random"), budget=16, batch=8, folds="2", results=tmp_path)

    class Stopped(Exception):
        pass

    def stop(done: int, total: int, what: str) -> None:
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        replay(corpus, options, stop)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    assert len(kept) == 3
    next(iter(kept)).write_text("{ torn")  # by a crash of the machine: made again, not believed
    document = replay(corpus, options)
    assert len(list(tmp_path.glob("*.json"))) == 6
    assert sum(path.stat().st_mtime_ns != stamp for path, stamp in kept.items()) == 1
    fresh = replay(corpus, ReplayOptions(**{**vars(options), "results": None}))
    assert document["curves"] == fresh["curves"]
    before = set(tmp_path.glob("*.json"))
    replay(corpus, ReplayOptions(**{**vars(options), "strategies": ("entropy", "random")}))
    assert len(set(tmp_path.glob("*.json")) - before) == 2  # what was run before is found again
    changed = corpus.subset(np.arange(120))
    changed.y = np.roll(changed.y, 1)
    replay(changed, ReplayOptions(**{**vars(options), "strategies": ("random",)}))
    assert len(set(tmp_path.glob("*.json")) - before) == 2 + 4  # another corpus: nothing is


@pytest.mark.parametrize("name", ["TypiClust", "Badge", "margin_sampling"])
def test_peers_of_scikit_activeml(corpus: ReplayCorpus, name: str) -> None:
    pytest.importorskip("skactiveml")
    options = ReplayOptions(strategies=(f"skactiveml:{name}", "random"), budget=16, batch=8, folds="2")
    document = replay(corpus, options)
    peers = [c for c in document["curves"] if c["strategy"] == f"skactiveml:{name}"]
    random = [c for c in document["curves"] if c["strategy"] == "random"]
    for ours, theirs in zip(random, peers, strict=True):
        assert theirs["labels"] == [8, 16]
        assert theirs["uar"][0] == ours["uar"][0]  # the first batch is shared
    assert any(theirs["minutes"][1] != ours["minutes"][1] for ours, theirs in zip(random, peers, strict=True))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strategies": ("psychic",)}, "psychic"),
        ({"strategies": ("baseline:svm",)}, "logreg"),
        ({"strategies": ("skactiveml:Psychic",)}, "Psychic"),
        ({"strategies": ()}, "no strategy"),
        ({"budget": 0}, "budget"),
        ({"seeds": 0}, "seeds"),
        ({"folds": "speaker:7"}, "only 6"),
        ({"folds": "session"}, "session"),
        ({"folds": "1"}, "at least 2"),
        ({"folds": "person"}, "allowed"),
    ],
)
def test_unusable_options_are_refused_before_anything_runs(
    corpus: ReplayCorpus, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(PipelineError, match=words):
        replay(corpus, ReplayOptions(**{**vars(OPTIONS), **changes}))


def test_a_budget_above_the_clips_there_are(corpus: ReplayCorpus) -> None:
    few = corpus.subset(np.arange(30))
    document = replay(few, ReplayOptions(strategies=("margin", baseline.NAME), budget=500, batch=9, folds="speaker:2"))
    train = [fold["train"] for fold in document["folds"]]
    for curve in document["curves"]:
        assert curve["labels"][-1] in train
    assert document["summary"][0]["labels"] == document["summary"][1]["labels"]


def test_the_baseline_is_what_it_says(corpus: ReplayCorpus) -> None:
    train = np.arange(80)
    parts = []
    for name in sorted(corpus.blocks):
        block = corpus.blocks[name].astype(float)
        z = (block - block[train].mean(axis=0)) / block[train].std(axis=0)
        parts.append(np.clip(z, -5, 5) / np.sqrt(block.shape[1]))
    x = baseline.baseline_features(corpus.blocks, corpus.speakers, train, "raw")
    np.testing.assert_allclose(x, np.concatenate(parts, axis=1), atol=1e-5)
    literal = LogisticRegression(C=10, class_weight="balanced").fit(x[:20], corpus.y[:20]).predict(x[80:])
    rows = np.arange(20)
    np.testing.assert_array_equal(baseline.baseline_predictions(x, rows, corpus.y[:20], np.arange(80, 120)), literal)
    own = baseline.baseline_features(corpus.blocks, corpus.speakers, train, "speaker")
    for s in range(6):
        np.testing.assert_allclose(own[np.arange(s, 80, 6)].mean(axis=0), 0, atol=0.02)


def test_folds_part_speakers_sessions_and_clips() -> None:
    y, speakers = np.arange(40) % 2, [f"s{i % 5}" for i in range(40)]
    sessions: list[str | None] = [f"Ses{i % 3}" for i in range(40)]
    for spec, count in (("speaker", 5), ("speaker:2", 2), ("session", 3), ("4", 4)):
        folds = make_folds(spec, y, speakers, sessions)
        assert len(folds) == count
        assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(40))
        for fold in folds:
            assert not set(fold.train) & set(fold.test)
            assert len(fold.train) + len(fold.test) == 40
            if spec.startswith("speaker"):
                assert not {speakers[i] for i in fold.train} & {speakers[i] for i in fold.test}
    assert [fold.name for fold in make_folds("speaker:2", y, speakers, sessions)] == ["s0+s1+s2", "s3+s4"]
    with pytest.raises(PipelineError, match="40 clips have no speaker"):
        make_folds("speaker", y, [None] * 40, sessions)


def test_the_page_stands_alone(document: dict[str, Any]) -> None:
    html = page(document)
    assert "<script src=" not in html
    assert '<link rel="stylesheet"' not in html
    assert document["advice"] in html
    for row in document["summary"]:
        assert row["strategy"] in html
    evil = {**document, "corpus": {**document["corpus"], "name": "<script>alert(1)</script>"}}
    assert "<script>alert(1)" not in page(evil)


def test_a_manifest_becomes_a_corpus(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, speakers=1)
    rows = manifest.read_text().splitlines()[1:]
    shutil.copy(tmp_path / "audio/s0_anger_0.wav", tmp_path / "audio/copy.wav")
    with manifest.open("a") as file:
        file.write("audio/copy.wav,s0,anger\naudio/nowhere.wav,s0,anger\n")
        file.write("audio/s0_anger_1.wav,s0,anger\naudio/s0_anger_2.wav,s0,\n")
    made = read_corpus(manifest, features=tmp_path / "features", views=["mel"], speech_model="none")
    assert made.name == tmp_path.name
    assert len(made.clips) == len(set(made.clips)) == 12
    assert made.views == {"mel": ["mel"]}
    assert made.blocks["mel"].shape == (12, 192)
    assert made.seconds == pytest.approx(np.full(12, 1.2), abs=0.01)
    assert made.speech_model is None
    assert [made.classes[c] for c in made.y] == [row.rsplit(",", 1)[1] for row in rows]
    said = " ".join(made.notices)
    for part in ("duplicate of", "nowhere.wav", "same clip as"):
        assert part in said


def test_thinning_leaves_two_classes_a_speaker(corpus: ReplayCorpus) -> None:
    thin = two_classes_a_speaker(corpus, seed=1)
    for s in set(thin.speakers):
        assert len({int(c) for c, owner in zip(thin.y, thin.speakers, strict=True) if owner == s}) == 2
    assert set(thin.y) == {0, 1, 2}
    assert thin.clips == two_classes_a_speaker(corpus, seed=1).clips
