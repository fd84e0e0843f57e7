"""What encoders are fed: averaging, padding, and statistics of the pool or of each speaker."""

from __future__ import annotations

import numpy as np
import pytest
from made_views import features

from pipelines.encoder_inputs import CLIP, Statistics, ViewInputs, prepare, stack, standardised
from pipelines.errors import PipelineError


def test_mel_frames_are_averaged_and_padded() -> None:
    a = np.arange(2 * 10, dtype=np.float16).reshape(2, 10)
    b = np.ones((2, 3), np.float16)
    stacked = stack("mel", [{"frames": a}, {"frames": b}])
    assert stacked.values.shape == (2, 3, 2)
    assert stacked.lengths is not None
    assert stacked.lengths.tolist() == [3, 1]
    assert stacked.values[0, :, 0].tolist() == [1.5, 5.5, 8.5]  # the last of two frames only
    assert stacked.values[1].tolist() == [[1, 1], [0, 0], [0, 0]]


def test_pool_statistics_come_from_the_rows_given_and_from_nothing_else() -> None:
    views, speakers, _ = features()
    fit = np.arange(40)
    once = prepare(views, speakers, fit, "pool")
    x = once.views["egemaps"].values[fit].astype(float)
    assert np.abs(x.mean(0)).max() < 0.02
    assert np.abs(x.std(0) - 1).max() < 0.05
    for i in range(50, 72):  # other clips changed: the first forty keep their values
        views["egemaps"][i]["functionals"] = views["egemaps"][i]["functionals"] + 100
    again = prepare(views, speakers, fit, "pool")
    np.testing.assert_array_equal(once.views["egemaps"].values[:50], again.views["egemaps"].values[:50])


@pytest.mark.parametrize("view", ["wav2vec2", "mel", "egemaps"])
def test_speaker_statistics_take_the_speaker_out(view: str) -> None:
    views, speakers, _ = features()
    done = prepare({view: views[view]}, speakers, np.arange(72), "speaker").views[view]
    for speaker in range(6):
        rows = np.flatnonzero(speakers == speaker)
        if view == "mel":
            assert done.lengths is not None
            x = np.concatenate([done.values[r, : done.lengths[r]] for r in rows]).astype(float)
            assert np.abs(x.mean(0)).max() < 0.02
        else:
            axes = (0, 2) if view == "wav2vec2" else (0,)
            assert np.abs(done.values[rows].astype(float).mean(axis=axes)).max() < 0.03


def test_padding_stays_silent_and_outliers_are_clipped() -> None:
    views, speakers, _ = features()
    views["mel"][0]["frames"][:] = 3000.0
    done = prepare({"mel": views["mel"]}, speakers, np.arange(1, 72), "pool").views["mel"]
    assert done.lengths is not None
    assert float(done.values[0].max()) == CLIP
    for row, length in zip(done.values, done.lengths, strict=True):
        assert not row[length:].any()


def test_shrinkage_lies_between_pool_and_speaker() -> None:
    views, speakers, _ = features()
    raw = stack("egemaps", views["egemaps"])
    rows = np.arange(72)
    pool = standardised(raw, speakers, rows, "pool").values.astype(float)
    own = standardised(raw, speakers, rows, "speaker").values.astype(float)
    between = standardised(raw, speakers, rows, "speaker", prior=10.0).values.astype(float)
    assert np.abs(between - own).mean() < np.abs(pool - own).mean()
    assert np.abs(between - pool).mean() < np.abs(pool - own).mean()


def test_unknown_speakers_get_the_pool_and_flat_columns_become_nought() -> None:
    x = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32) + 5
    x[:, 3] = 7.0
    done = standardised(ViewInputs("egemaps", x), np.array([-1, -1, 0, 0, 0, -1]), np.arange(6), "speaker")
    pool = standardised(ViewInputs("egemaps", x), np.zeros(6, np.intp), np.arange(6), "pool")
    np.testing.assert_array_equal(done.values[[0, 1, 5]], pool.values[[0, 1, 5]])
    assert not done.values[:, 3].any()


def test_clips_can_be_counted_a_few_at_a_time() -> None:
    views, speakers, _ = features()
    raw = stack("egemaps", views["egemaps"])
    fit = np.arange(72) < 50
    pieces = Statistics("speaker", prior=4.0)
    for some in (slice(0, 30), slice(30, 72)):
        pieces.add(ViewInputs("egemaps", raw.values[some]), speakers[some], fit[some])
    at_once = standardised(raw, speakers, np.arange(50), "speaker", prior=4.0)
    np.testing.assert_array_equal(pieces.apply(raw, speakers).values, at_once.values)


def test_a_view_without_an_encoder_is_refused() -> None:
    with pytest.raises(PipelineError, match=r"'text' has no encoder.*wav2vec2, mel, egemaps"):
        stack("text", [])
