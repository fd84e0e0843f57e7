"""Sound beside the text of conversations: where it is, where it is not, and that it is heard once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from clips import PROSODY, RATE, voice

from pipelines.conversation.training import Training, train
from pipelines.errors import PipelineError
from pipelines.experiments.conversation_audio import audio_features
from pipelines.experiments.sslcl_corpus import read_conversations
from pipelines.sources.listing import Row
from pipelines.views.mel import Mel

HEAD = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"

WORDS = ("there", "know", "see")


@pytest.fixture(scope="module")
def meld(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MELD's tables with the sound taken out of its videos; two utterances' files are missing and one is no sound."""
    root = tmp_path_factory.mktemp("meld")
    for number, split in enumerate(("train", "dev", "test")):
        folder = root / "earmark-audio" / split
        folder.mkdir(parents=True)
        lines = [HEAD]
        for dialogue in range(4):
            for turn, emotion in enumerate(sorted(PROSODY)):
                said = f"well you {WORDS[(dialogue + number) % 3]}"
                lines.append(f"1,{said},{'AB'[turn % 2]},{emotion},neutral,{dialogue},{turn},1,1,0,1")
                wave = voice(emotion, dialogue, 10 * number + turn, 0.6)
                soundfile.write(folder / f"dia{dialogue}_utt{turn}.flac", wave, RATE)
        (root / f"{split}_sent_emo.csv").write_text("\n".join(lines) + "\n")
    train_folder = root / "earmark-audio" / "train"
    (train_folder / "dia0_utt0.flac").unlink()
    (train_folder / "dia1_utt1.flac").unlink()
    (train_folder / "dia2_utt2.flac").write_bytes(b"no sound")
    return root


def rows(root: Path) -> list[Row]:
    return [Row(f"earmark-audio/train/dia{d}_utt{t}.flac") for d in range(4) for t in range(3)]


def test_missing_sound_says_nothing_and_is_counted(meld: Path, tmp_path: Path) -> None:
    found = audio_features(rows(meld), meld, ("mel",), "none", tmp_path)
    missing = [0, 4, 8]
    assert np.flatnonzero(~found.found).tolist() == missing
    assert np.isfinite(found.values).all()
    there = found.values[found.found]
    np.testing.assert_allclose(found.values[missing], np.tile(there.mean(0), (3, 1)), rtol=1e-4, atol=1e-4)
    assert there.std(0).max() > 0
    assert found.modalities == {"mel": slice(0, found.values.shape[1])}
    assert any(notice.startswith("3 utterances without sound") for notice in found.notices)


def test_what_was_heard_is_kept(meld: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = audio_features(rows(meld), meld, ("mel",), "none", tmp_path)

    def never(*_: object) -> None:
        raise AssertionError("heard again")

    monkeypatch.setattr(Mel, "extract", never)
    again = audio_features(rows(meld), meld, ("mel",), "none", tmp_path)
    np.testing.assert_array_equal(first.values, again.values)


def test_no_sound_at_all_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="ffmpeg"):
        audio_features([Row("a.flac"), Row("b.flac")], tmp_path, ("mel",), "none", tmp_path)


def test_emotion_that_only_the_sound_tells_is_learned_with_masked_views(meld: Path, tmp_path: Path) -> None:
    data = read_conversations("meld", meld, text_encoder="tf-idf", audio_views=("mel", "egemaps"), cache=tmp_path)
    part = data.splits["train"]
    assert list(part.modalities) == ["text", "mel", "egemaps"]
    assert part.modalities["egemaps"].stop == part.features.shape[-1]
    settings = Training("ce+sslcl", "gcn", batch=2, epochs=12, rate=5e-3, width=32, dropout=0.0, views=True)
    trained = train(part, data.splits["dev"], len(data.classes), settings)
    found, _ = trained.evaluate(data.splits["test"], len(data.classes))
    assert found.macro > 0.6  # the texts do not tell: chance is a third
