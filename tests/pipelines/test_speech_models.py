"""Speech models: every family computes what transformers computes, and no weight is ever left random."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import voice
from safetensors.torch import load_file, save_file
from speech_models import make, save

from pipelines.torch_setup import torch, transformers
from pipelines.views import _checkpoint, open_views
from pipelines.views._encoders import SpeechEncoder, WhisperEncoder, open_encoder

WAVE = voice("anger", 0, 0, 1.0)
CPU = torch.device("cpu")


def encoder(folder: Path) -> SpeechEncoder:
    return open_encoder(_checkpoint.find(str(folder)), CPU, torch.float32)


def refusal(folder: Path) -> str:
    """The notice of `open_views`, which must go on without the view."""
    opened = open_views(["wav2vec2"], str(folder), "cpu")
    assert opened.views == {}
    (notice,) = opened.notices
    return notice


def expected(model: Any, wave: np.ndarray = WAVE) -> np.ndarray:
    """Hidden states by transformers' own preprocessing and forward pass."""
    values = transformers.Wav2Vec2FeatureExtractor()(wave, sampling_rate=16_000, return_tensors="pt").input_values
    with torch.inference_mode():
        return torch.cat(model(values, output_hidden_states=True).hidden_states).numpy()


def edit(folder: Path, change: Any) -> Path:
    """Change the weights in `folder`'s safetensors file."""
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("Wav2Vec2Model", {}),
        ("Wav2Vec2Model", {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}),
        ("HubertModel", {}),
        ("WavLMModel", {}),
        ("UniSpeechSatModel", {}),
        ("Data2VecAudioModel", {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 3}),
    ],
)
def test_computes_what_transformers_computes(tmp_path: Path, kind: str, settings: dict[str, Any]) -> None:
    model = make(kind, **settings)
    model.save_pretrained(tmp_path)
    hidden = encoder(tmp_path).hidden(WAVE)
    assert hidden.shape[0] == 4
    np.testing.assert_allclose(hidden.numpy(), expected(model), atol=2e-5)


@pytest.mark.parametrize("kind", ["Wav2Vec2ForCTC", "Wav2Vec2ForPreTraining", "HubertForCTC", "WavLMForCTC"])
def test_a_checkpoint_with_a_head_and_a_prefix(tmp_path: Path, kind: str) -> None:
    model = make(kind)
    model.save_pretrained(tmp_path)
    base = getattr(model, model.base_model_prefix)
    np.testing.assert_allclose(encoder(tmp_path).hidden(WAVE).numpy(), expected(base), atol=2e-5)


def test_the_preprocessor_says_whether_waves_are_normalised(tmp_path: Path) -> None:
    model = make("Wav2Vec2Model", feat_extract_norm="layer", do_stable_layer_norm=True)
    model.save_pretrained(tmp_path)
    before = len(_checkpoint.find(str(tmp_path)).files)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(tmp_path)
    with torch.inference_mode():
        wanted = torch.cat(model(torch.from_numpy(WAVE)[None], output_hidden_states=True).hidden_states).numpy()
    np.testing.assert_allclose(encoder(tmp_path).hidden(WAVE).numpy(), wanted, atol=2e-5)
    assert len(_checkpoint.find(str(tmp_path)).files) == before + 1


def test_half_precision_weights_are_computed_with_in_full(tmp_path: Path) -> None:
    model = make("Wav2Vec2Model")
    model.half().save_pretrained(tmp_path)
    hidden = encoder(tmp_path).hidden(WAVE)
    assert hidden.dtype == torch.float32
    np.testing.assert_allclose(hidden.numpy(), expected(model.float()), atol=2e-5)


def test_weights_in_several_files(tmp_path: Path) -> None:
    model = make("Wav2Vec2Model")
    model.save_pretrained(tmp_path, max_shard_size="8KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    np.testing.assert_allclose(encoder(tmp_path).hidden(WAVE).numpy(), expected(model), atol=2e-5)
    next(iter(sorted(tmp_path.glob("model-*.safetensors")))).unlink()
    assert "is missing" in refusal(tmp_path)


def test_an_old_pickle_with_the_old_names_of_weight_norm(tmp_path: Path) -> None:
    model = make("Wav2Vec2Model")
    model.save_pretrained(tmp_path)
    state = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): value
        for key, value in model.state_dict().items()
    }
    assert any(key.endswith("weight_g") for key in state)
    (tmp_path / "model.safetensors").unlink()
    torch.save(state, tmp_path / "pytorch_model.bin")
    np.testing.assert_allclose(encoder(tmp_path).hidden(WAVE).numpy(), expected(model), atol=2e-5)


class Malice:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    folder = save(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save({"weights": Malice(tmp_path / "ran")}, folder / "pytorch_model.bin")
    assert "cannot be read as weights" in refusal(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Malice(tmp_path / "ran")))
    assert "cannot be read as weights" in refusal(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: {k: v for k, v in w.items() if "layers.1." not in k}, "weights are missing"),
        (lambda w: {k: v for k, v in w.items() if not k.endswith("layer_norm.bias")}, "weights are missing"),
        (lambda w: {f"other.{k}.x": v for k, v in w.items()}, "weights are missing"),
        (lambda w: w | {"feature_projection.projection.bias": torch.zeros(17)}, "have another shape"),
        (lambda w: w | {"encoder.layer_norm.weight": torch.full((16,), torch.nan)}, "are not finite"),
        (lambda w: w | {"encoder.layers.3.layer_norm.weight": torch.zeros(16)}, "have no place in the model"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, change: Any, words: str) -> None:
    notice = refusal(edit(save(tmp_path), change))
    assert words in notice
    assert "refused" in notice


def test_the_mask_of_training_may_be_missing(tmp_path: Path) -> None:
    model = make("Wav2Vec2Model")
    model.save_pretrained(tmp_path)
    edit(tmp_path, lambda w: {k: v for k, v in w.items() if k != "masked_spec_embed"})
    np.testing.assert_allclose(encoder(tmp_path).hidden(WAVE).numpy(), expected(model), atol=2e-5)


def test_what_is_no_speech_model_is_refused_in_words(tmp_path: Path) -> None:
    assert "no config.json" in refusal(tmp_path)
    (tmp_path / "config.json").write_text("{")
    assert "no weights" in refusal(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    assert "config.json" in refusal(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "of the future"}))
    assert "config.json" in refusal(tmp_path)
    text = transformers.BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    transformers.BertModel(text).save_pretrained(tmp_path)
    assert "'bert', not a speech encoder" in refusal(tmp_path)
    folder = save(tmp_path / "speech")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_attention_heads": 3}))
    assert "no model can be built from its settings" in refusal(folder)
    save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    assert "cannot be read as weights" in refusal(tmp_path)


def test_the_key_tells_weights_apart_and_not_places(tmp_path: Path) -> None:
    def key(folder: Path) -> str:
        return open_views(["wav2vec2"], str(folder), "cpu").views["wav2vec2"].key

    first = key(save(tmp_path / "one"))
    assert key(save(tmp_path / "elsewhere")) == first
    edit(tmp_path / "elsewhere", lambda w: w | {"encoder.layer_norm.bias": w["encoder.layer_norm.bias"] + 1e-3})
    assert key(tmp_path / "elsewhere") != first
    assert key(save(tmp_path / "deeper", num_hidden_layers=4)) != first


@pytest.mark.parametrize("whole", [True, False])
def test_whisper_whole_and_encoder_only_with_a_prefix(tmp_path: Path, whole: bool) -> None:
    model = make("WhisperModel")
    model.save_pretrained(tmp_path)
    if not whole:
        edit(tmp_path, lambda w: {k: v.half() for k, v in w.items() if k.startswith("encoder.")})
        model = model.half().float()
    opened = encoder(tmp_path)
    assert isinstance(opened, WhisperEncoder)
    check_whisper(opened, model.encoder)


def check_whisper(ours: WhisperEncoder, stock: Any) -> None:
    """On the whole window all hidden states are the stock encoder's; for less, the mel is that of the padded clip."""
    wave = np.concatenate([voice("anger", 0, seed, 15.0) for seed in (0, 1)])
    mel = ours.mel(wave)
    assert mel.shape[1] == 3000
    features = transformers.WhisperFeatureExtractor()(wave, sampling_rate=16_000, return_tensors="pt").input_features
    np.testing.assert_allclose(mel.numpy(), features[0].numpy(), atol=1e-5)
    with torch.inference_mode():
        wanted = torch.cat(stock(features, output_hidden_states=True).hidden_states).numpy()
    np.testing.assert_allclose(ours.states(mel).numpy(), wanted, atol=1e-4, rtol=1e-4)
    for length in (4_800, 15_999, 16_000, 16_001):
        padded = transformers.WhisperFeatureExtractor()(wave[:length], sampling_rate=16_000, return_tensors="pt")
        frames = -(-length // 160)
        short = ours.mel(wave[:length])
        assert short.shape[1] == frames
        np.testing.assert_allclose(short.numpy(), padded.input_features[0, :, :frames].numpy(), atol=1e-4)
        assert ours.hidden(wave[:length]).shape[1] == -(-frames // 2)


def test_whisper_hears_no_more_than_its_window(tmp_path: Path) -> None:
    hidden = encoder(save(tmp_path / "30 s", "WhisperModel")).hidden(np.tile(WAVE, 31))
    assert hidden.shape == (3, 1500, 16)
    hidden = encoder(save(tmp_path / "10 s", "WhisperModel", max_source_positions=500)).hidden(np.tile(WAVE, 31))
    assert hidden.shape == (3, 500, 16)


@pytest.mark.corpus
def test_the_real_whisper_encoder(whisper: Path) -> None:
    stock, info = transformers.models.whisper.modeling_whisper.WhisperEncoder.from_pretrained(
        whisper, key_mapping={r"^encoder\.": ""}, dtype=torch.float32, output_loading_info=True
    )
    assert not info["missing_keys"]
    ours = encoder(whisper)
    assert isinstance(ours, WhisperEncoder)
    check_whisper(ours, stock.eval())


@pytest.mark.corpus
def test_bfloat16_is_near_enough(whisper: Path) -> None:
    checkpoint = _checkpoint.find(str(whisper))
    waves = [voice(klass, speaker, 0, 1.2) for speaker in range(5) for klass in ("anger", "neutral", "sadness")]
    exact, fast = (
        torch.stack([opened.hidden(wave).mean(dim=1) for wave in waves])
        for opened in (open_encoder(checkpoint, CPU, dtype) for dtype in (torch.float32, torch.bfloat16))
    )
    # A constant error goes when features are centred; what matters is the rest, against how far clips are apart.
    error = (fast - exact) - (fast - exact).mean(dim=0)
    assert float(error.square().mean().sqrt() / exact.std(dim=0).square().mean().sqrt()) < 0.05
