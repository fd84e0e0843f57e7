"""View masking: what a mask changes, what its positives weigh, and a whole run on features that the tests make."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.errors import PipelineError
from pipelines.experiments import view_masking
from pipelines.experiments.masking_model import (
    MaskedModel,
    MaskedSSLCL,
    Settings,
    make_arms,
    share_kept,
    train_and_test,
)
from pipelines.experiments.masking_page import as_markdown, page
from pipelines.experiments.masking_summary import advice, summarise
from pipelines.experiments.replay_corpus import ReplayCorpus
from pipelines.experiments.view_masking import MaskingOptions, masking_inputs, plan, read_tasks, recall, reproduce
from pipelines.losses import SSLCL

VIEWS = ("wav2vec2", "mel", "egemaps")
DIMS = {"wav2vec2": 6, "mel": 5, "egemaps": 4}
ARMS = {arm.name: arm for arm in make_arms(VIEWS)}


def corpus(n: int = 108, noise: float = 1.0, seed: int = 0) -> ReplayCorpus:
    """Six speakers, three classes; every view sees the class, and a voice that normalising takes out."""
    rng = np.random.default_rng(seed)
    y, speaker = np.arange(n) % 3, np.arange(n) // 3 % 6
    blocks = {}
    for name, width in {"speech.0": 8, "speech.1": 8, "speech.2": 8, "speech.3": 8, "mel": 6, "egemaps": 5}.items():
        voice = 4 * rng.standard_normal((6, width))[speaker]
        seen = np.eye(3)[y] @ rng.standard_normal((3, width)) + voice + noise * rng.standard_normal((n, width))
        blocks[name] = seen.astype(np.float32)
    speech = [name for name in blocks if name.startswith("speech")]
    return ReplayCorpus(
        "made",
        [f"{i:04d}" for i in range(n)],
        blocks,
        {"wav2vec2": speech, "mel": ["mel"], "egemaps": ["egemaps"]},
        [f"s{s}" for s in speaker],
        [None] * n,
        ["anger", "joy", "neutral"],
        y.astype(np.intp),
        np.ones(n),
        "whisper",
    )


def batch(n: int = 12) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {view: torch.randn(n, dim, generator=generator) for view, dim in DIMS.items()}, torch.arange(n) % 3


def model(arm: str, join: Any = "concat") -> MaskedModel:
    torch.manual_seed(0)
    return MaskedModel(ARMS[arm], Settings(join=join, width=4), DIMS, 3, [4, 4, 4]).eval()


@pytest.mark.parametrize("join", ["concat", "sum"])
def test_a_mask_changes_the_masked_views_and_nothing_else(join: str) -> None:
    x, _ = batch()
    one = model("mask mel", join)
    with torch.no_grad():
        kept = one.join(one.hidden(x), ("mel", "egemaps"))
        other_speech = one.join(one.hidden(x | {"wav2vec2": torch.randn_like(x["wav2vec2"])}), ("mel", "egemaps"))
        other_mel = one.join(one.hidden(x | {"mel": torch.randn_like(x["mel"])}), ("mel", "egemaps"))
        full = one.join(one.hidden(x))
        parts = [one.join(one.hidden(x), (view,)) for view in VIEWS]
    assert torch.equal(kept, other_speech)  # what is masked cannot be heard
    assert not torch.allclose(kept, other_mel)
    torch.testing.assert_close(sum(parts), full)  # and nothing but the masks is missing
    if join == "concat":
        assert torch.equal(kept[:, :4], torch.zeros(12, 4))
        assert torch.equal(kept[:, 4:], full[:, 4:])


def test_the_positives_weigh_what_the_paper_says() -> None:
    anchor = ARMS["anchor mel"]
    assert anchor.masks == (("mel",), ("wav2vec2", "mel"), ("mel", "egemaps"))
    assert share_kept(anchor.masks, 3) == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1])
    assert all("egemaps" in kept for kept in ARMS["anchor egemaps"].masks)
    assert share_kept(ARMS["mask speech+mel"].masks, 3) == pytest.approx([2 / 3, 1])
    assert [arm.masks for arm in ARMS.values() if arm.name.startswith("mask ")] == [
        (("wav2vec2",),), (("mel",),), (("egemaps",),),
        (("wav2vec2", "mel"),), (("wav2vec2", "egemaps"),), (("mel", "egemaps"),),
    ]  # fmt: skip
    assert [arm.name for arm in make_arms(["mel"])] == ["ce", "ce+supcon", "ce+sslcl"]  # one view: nothing to mask


@pytest.mark.parametrize("masks", [0, 3])
def test_with_the_papers_set_the_loss_is_sslcls(masks: int) -> None:
    torch.manual_seed(0)
    plain, ours = SSLCL(3, 8, [5, 4, 3]), MaskedSSLCL(3, 8, [5, 4, 3], [1 / 3, 2 / 3, 2 / 3, 1][-1 - masks :])
    ours.load_state_dict(plain.state_dict() | {"positive_weights": ours.positive_weights})
    f, labels = torch.randn(12, 8), torch.arange(12) % 3
    views = torch.randn(masks, 12, 8) if masks else None
    torch.testing.assert_close(ours.eval()(f, labels, views), plain.eval()(f, labels, views))
    with pytest.raises(ValueError, match="weights"):
        ours(f, labels, torch.randn(2, 12, 8))


def test_a_heavier_mask_pulls_harder_on_its_view() -> None:
    x, labels = batch()

    def pull(weight: float) -> float:
        one = model("mask mel")
        assert isinstance(one.contrast, MaskedSSLCL)
        one.contrast.positive_weights[0] = weight
        full = one.join(one.hidden(x)).detach()
        masked = one.join(one.hidden(x), ("mel",))[None]
        one.contrast(full, labels, masked).backward()
        return float(one.branches["mel"][0].weight.grad.norm())  # type: ignore[index, union-attr]

    assert pull(2 / 3) > 1.5 * pull(1 / 3)


def test_masks_go_to_cross_entropy_only_where_the_arm_says_so() -> None:
    x, labels = batch()
    for name, heard in (("every mask", 12), ("as fine-tuning", 48), ("ce, masks as samples", 84)):
        one, seen = model(name), []
        one.classifier.register_forward_pre_hook(
            lambda _, given, seen=seen: seen.append(12 * (1 + (0 if given[2] is None else len(given[2]))))
        )
        one.loss(x, labels)
        assert seen == [heard], name


def test_what_is_learnt_holds_for_other_speakers_and_chance_is_chance() -> None:
    data = corpus()
    train, test = np.flatnonzero(np.arange(108) // 3 % 6 < 4), np.flatnonzero(np.arange(108) // 3 % 6 >= 4)
    x = masking_inputs(data, train)
    assert {view: part.shape[1] for view, part in x.items()} == {"wav2vec2": 16, "mel": 6, "egemaps": 5}
    for speaker in range(6):  # each is its own zero, the held-out ones too
        own = x["mel"][np.arange(108) // 3 % 6 == speaker]
        np.testing.assert_allclose(own.mean(0), 0, atol=1e-5)
    settings = Settings(width=16, steps=60, learning_rate=3e-3)
    for name in ("ce", "ce+supcon", "every mask"):
        guesses, details = train_and_test(ARMS[name], settings, x, data.y, 3, train, test, 0)
        assert (guesses["all"] == data.y[test]).mean() > 0.85, name
        assert set(guesses) == {"all", "speech", "mel", "egemaps", *(["labels"] if name == "every mask" else [])}
        assert (details["closeness"] is None) == (name != "every mask")
    shuffled = np.random.default_rng(0).permutation(data.y)
    guesses, _ = train_and_test(ARMS["every mask"], settings, x, shuffled, 3, train, test, 0)
    assert (guesses["all"] == shuffled[test]).mean() < 0.6


def test_masks_teach_what_a_single_view_says() -> None:
    """The reason for masks: the label embeddings are found from the anchor alone, without a classifier that saw it
    alone."""
    data = corpus(noise=1.5)
    train, test = np.flatnonzero(np.arange(108) // 3 % 6 < 4), np.flatnonzero(np.arange(108) // 3 % 6 >= 4)
    x = masking_inputs(data, train)
    settings = Settings(width=16, steps=60, learning_rate=3e-3)
    alone = {name: [] for name in ("ce", "ce, masks as samples")}
    for seed in range(4):
        for name, found in alone.items():
            guesses, _ = train_and_test(ARMS[name], settings, x, data.y, 3, train, test, seed)
            found.append(np.mean([(guesses[view] == data.y[test]).mean() for view in ("speech", "mel", "egemaps")]))
    assert np.mean(alone["ce, masks as samples"]) > np.mean(alone["ce"])


SMALL = MaskingOptions(
    folds="speaker:2", seeds=1, fractions=(0.5,), joins=("sum",), settings=Settings(width=8, steps=4)
)


def test_a_run_is_whole_resumes_to_the_same_document_and_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"emotion": corpus(), "intensity": replace(corpus(seed=1), y=np.arange(108) // 2 % 2, classes=["low", "up"])}
    options = replace(SMALL, results=tmp_path)
    cells = list(plan(data, {"emotion": 2, "intensity": 2}, options))
    assert len(cells) == 2 * 2 * len(ARMS)

    calls, run = 0, train_and_test

    def stopped(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 25:
            raise KeyboardInterrupt
        return run(*given)

    monkeypatch.setattr(view_masking, "train_and_test", stopped)
    with pytest.raises(KeyboardInterrupt):
        reproduce(data, options)
    assert len(list(tmp_path.glob("masking-*.json"))) == 25
    calls = -len(cells)
    document = reproduce(data, options)
    assert calls == -25  # what was finished is not trained again
    monkeypatch.setattr(view_masking, "train_and_test", lambda *_: pytest.fail("trained again"))
    again = reproduce(data, options)
    assert {k: v for k, v in again.items() if k != "seconds"} == {k: v for k, v in document.items() if k != "seconds"}

    rows = [row for row in document["summary"] if row["fraction"] is not None]
    assert len(rows) == 2 * len(ARMS)
    assert document["trainings"] == {"planned": len(cells), "done": len(cells)}
    assert "ce" not in next(row for row in rows if row["arm"] == "ce")["gains"]
    text = as_markdown(document)
    assert "| anchor egemaps |" in text
    assert "### made, intensity, views added up: over SSLCL without masks" in text
    assert "95 % bootstrap" in page(document)
    for path in list(tmp_path.glob("masking-*.json"))[:9]:
        path.unlink()
    part = reproduce(data, replace(options, minutes=0))
    assert part["trainings"] == {"planned": len(cells), "done": len(cells) - 9}
    assert len(part["summary"]) < len(document["summary"])  # a fold is missing: no figure for that arm
    assert "UAR, %" in as_markdown(part)
    assert page(part)
    other = corpus(seed=3)
    with pytest.raises(pytest.fail.Exception, match="trained again"):
        reproduce({"emotion": other}, options)  # other features are another result


def outcome(arm: str, seed: int, right: dict[str, list[int]], fraction: float = 0.1) -> dict[str, Any]:
    n = {speaker: [10, 10] for speaker in right}
    return {
        "cell": {"task": "emotion", "fold": "x", "seed": seed, "fraction": fraction, "arm": arm, "join": "sum"},
        "labels": 4, "n": n, "right": {"all": right}, "uar": {"all": recall(right, n)}, "closeness": None,
        "cpu_seconds": 1.0,
    }  # fmt: skip


def test_differences_are_paired_over_speakers_and_seeds() -> None:
    levels = {"a": 2, "b": 5, "c": 8}  # speakers differ far more than arms do
    found = []
    for seed in (0, 1):
        for arm, more in (("ce", 0), ("ce+sslcl", 1), ("mask mel", 2)):
            found.append(outcome(arm, seed, {s: [level + more - 1, level + more] for s, level in levels.items()}))
    found.append(outcome("mask mel", 2, {s: [0, 0] for s in levels}))  # no baseline with this seed: not compared
    summary = summarise(found, {"emotion": 1})
    at = {row["arm"]: row for row in summary["summary"] if row["fraction"] == 0.1}
    assert at["ce"]["uar"] == pytest.approx(45)
    gain = at["mask mel"]["gains"]["ce+sslcl"]
    assert gain["mean"] == pytest.approx(10)
    assert (gain["low"], gain["high"]) == pytest.approx((10, 10))  # the same for every speaker
    assert at["mask mel"]["gains"]["ce"]["mean"] == pytest.approx(20)
    assert "mask mel (emotion, sum), +10.00 (+10.00 to +10.00)" in summary["advice"]
    assert "two views" in advice([])

    uneven = [outcome("ce", 0, {"a": [5, 5], "b": [5, 5]}), outcome("ce+sslcl", 0, {"a": [9, 9], "b": [1, 1]})]
    rows = summarise(uneven, {"emotion": 1})["summary"]
    gain = next(row for row in rows if row["arm"] == "ce+sslcl")["gains"]["ce"]
    assert (gain["mean"], gain["low"], gain["high"]) == pytest.approx((0, -40, 40))  # one speaker up, one down


def test_intensity_is_a_task_of_its_own(speech_manifest: Path, tmp_path: Path) -> None:
    with speech_manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    label = "label" if "label" in rows[0] else "emotion"
    classes = sorted({row[label] for row in rows})
    for i, row in enumerate(rows):
        row["intensity"] = "normal" if row[label] == classes[0] or i // 3 % 2 else "strong"
    manifest = speech_manifest.parent / "with_intensity.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    try:
        tasks = read_tasks(manifest, features=tmp_path, speech_model="none", device="cpu")
    finally:
        manifest.unlink()
    emotion, intensity = tasks["emotion"], tasks["intensity"]
    assert emotion.classes == classes
    assert intensity.classes == ["normal", "strong"]
    of = dict(zip(emotion.clips, emotion.y, strict=True))
    assert {int(of[clip]) for clip in intensity.clips} == {1, 2}  # the first class has one intensity only
    assert len(intensity.clips) == 48


def test_what_cannot_be_used_is_refused_before_anything_runs() -> None:
    data = {"emotion": corpus()}
    with pytest.raises(PipelineError, match="folds"):
        reproduce(data, replace(SMALL, folds="speaker:9"))
    with pytest.raises(PipelineError, match="fraction"):
        reproduce(data, replace(SMALL, fractions=(0.0,)))
