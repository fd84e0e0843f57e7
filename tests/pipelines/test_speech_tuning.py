"""Tuning the speech model: every mode starts as the frozen model, and changes what it promises and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import PROSODY, voice
from speech_models import save

from pipelines.encoder_inputs import Inputs, ViewInputs, standardised
from pipelines.encoders import MultiViewEncoder, SpeechEncoder
from pipelines.errors import PipelineError
from pipelines.fine_tuning import Tuning, fine_tune
from pipelines.lora import LoRALinear, add_lora
from pipelines.recipes import RECIPES
from pipelines.speech_layers import HeardClip, SpeechLayers, segments_of
from pipelines.speech_tuning import SpeechTuned, SpeechTuning, Standard, drawn, tune_speech
from pipelines.torch_setup import torch
from pipelines.views.wav2vec2 import open_view

KINDS = [
    ("WhisperModel", {}),
    ("Wav2Vec2Model", {}),
    ("Wav2Vec2Model", {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}),
    ("HubertModel", {}),
    ("WavLMModel", {}),
    ("WavLMModel", {"do_stable_layer_norm": True}),
]
WAVES = [voice(klass, speaker, 0, 0.6 + 0.1 * speaker) for klass in PROSODY for speaker in range(3)]
Y, SPEAKERS = np.repeat(np.arange(3), 3), np.tile(np.arange(3), 3)
ROWS = np.arange(9)
SHORT = SpeechTuning(head_steps=2, steps=3, batch=4, speech_learning_rate=1e-3)


class Made:
    """A tiny speech model and nine clips it has heard, with the layers' inputs kept."""

    def __init__(self, folder: Path, kind: str = "WhisperModel", **settings: Any) -> None:
        self.folder = save(folder, kind, **settings)
        self.speech = SpeechLayers(str(folder))
        self.clips = [self.speech.hear(wave, range(self.speech.depth)) for wave in WAVES]
        self.segments = np.stack([clip.segments.numpy() for clip in self.clips])
        self.standard = Standard(self.segments, SPEAKERS, ROWS, "speaker")

    def encoder(self) -> SpeechEncoder:
        torch.manual_seed(3)
        return SpeechEncoder(self.segments.shape[1], self.segments.shape[-1], start="middle")

    def tune(self, settings: SpeechTuning, seed: int = 0) -> SpeechTuned:
        given = (self.speech, self.clips, SPEAKERS, self.standard, self.encoder(), ROWS, Y, 3)
        return tune_speech(*given, settings, predict=ROWS, seed=seed)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("model"), encoder_layers=3)


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_layers_computed_anew_are_the_views(tmp_path: Path, kind: str, settings: dict[str, Any]) -> None:
    """Cut at every layer, with LoRA and without: the start is what the view extracts."""
    made = Made(tmp_path, kind, **settings)
    seen = open_view(str(tmp_path), "cpu").extract(WAVES[:2])
    for clip, features in zip(made.clips[:2], seen, strict=True):
        np.testing.assert_allclose(clip.segments.numpy(), features["segments"], atol=0.05, rtol=0.05)  # bfloat16 there
        for first in range(made.speech.depth):
            plain = made.speech.upper(first)
            torch.testing.assert_close(plain(clip), clip.segments, atol=1e-6, rtol=1e-5)
            adapted = made.speech.upper(first)
            add_lora(adapted.layers)
            torch.testing.assert_close(adapted(clip), plain(clip), atol=1e-6, rtol=0)


def test_last_layers_on_cached_frames_compute_what_the_whole_model_computes(tmp_path: Path) -> None:
    made = Made(tmp_path, "WhisperModel", encoder_layers=3)
    upper = made.speech.upper(1)
    with torch.no_grad():
        for parameter in upper.layers.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    changed = SpeechLayers(str(tmp_path))
    changed._encoder.layers[1:].load_state_dict(upper.layers.state_dict())
    whole = segments_of(changed._encoder.hidden(WAVES[0]).clone())
    torch.testing.assert_close(upper(made.clips[0]), whole, atol=1e-5, rtol=1e-5)
    assert float((whole - made.clips[0].segments).abs().max()) > 1e-2


def test_lora_is_its_formula_and_reaches_attention_that_reads_weights() -> None:
    linear = torch.nn.Linear(6, 5)
    adapted = LoRALinear(linear, 2, 4.0, torch.Generator().manual_seed(0))
    x = torch.randn(3, 6)
    assert torch.equal(adapted(x), linear(x))
    with torch.no_grad():
        adapted.b.normal_()
    whole = linear.weight + 2.0 * adapted.b @ adapted.a
    torch.testing.assert_close(adapted(x), x @ whole.T + linear.bias)
    torch.testing.assert_close(adapted.weight, whole)


@pytest.mark.parametrize("kind", ["WhisperModel", "WavLMModel"])
def test_gradients_reach_both_matrices(tmp_path: Path, kind: str) -> None:
    made = Made(tmp_path, kind)
    tuned = made.tune(replace(SHORT, mode="lora", steps=2))
    assert tuned.model.upper is not None
    pairs = [module for module in tuned.model.upper.modules() if isinstance(module, LoRALinear)]
    assert len(pairs) == 2 * made.speech.depth
    for pair in pairs:
        for gradient in (pair.a.grad, pair.b.grad):
            assert gradient is not None
            assert float(gradient.abs().max()) > 0


@pytest.mark.parametrize("mode", ["last", "lora"])
def test_only_what_a_mode_trains_changes(made: Made, mode: Any) -> None:
    before = {name: p.clone() for name, p in made.speech.upper(0).named_parameters()}
    tuned = made.tune(replace(SHORT, mode=mode))
    upper = tuned.model.upper
    assert upper is not None
    first = made.speech.upper(upper.first)
    if mode == "lora":
        add_lora(first.layers)
    start = dict(first.named_parameters())
    changed = {name for name, p in upper.named_parameters() if not torch.equal(p, start[name])}
    if mode == "lora":
        assert upper.first == 0
        assert changed == {name for name in start if name.endswith((".a", ".b"))}
    else:
        assert upper.first == made.speech.depth - 2
        still = {name for name in start if name.endswith("k_proj.weight")}
        assert {name for name in start if name.startswith("layers.")} - still <= changed
        assert not any(name.startswith("final.") for name in changed)
    trained = [p for name, p in start.items() if name.endswith((".a", ".b")) or (mode == "last" and "layers." in name)]
    assert tuned.trained == sum(p.numel() for p in trained)
    for name, p in made.speech.upper(0).named_parameters():
        assert torch.equal(p, before[name])
    given = made.encoder().state_dict()
    assert any(not torch.equal(p, given[name]) for name, p in tuned.model.encoder.state_dict().items())


def test_frozen_is_fine_tuning_on_the_stored_features(made: Made) -> None:
    """The same draws, dropout and steps as fine_tuning.py on the same inputs, up to rounding."""
    raw = ViewInputs("wav2vec2", made.segments)
    rounded = standardised(raw, SPEAKERS, ROWS, "speaker").values
    z = np.stack([made.standard(clip.segments, int(s)).numpy() for clip, s in zip(made.clips, SPEAKERS, strict=True)])
    np.testing.assert_allclose(z, rounded, atol=3e-3)
    encoders = MultiViewEncoder({"wav2vec2": list(z.shape[1:])}, RECIPES["paper"])
    encoders.encoders["wav2vec2"].load_state_dict(made.encoder().state_dict())
    inputs = Inputs({"wav2vec2": ViewInputs("wav2vec2", z)}, SPEAKERS)
    there = fine_tune(inputs, encoders, ROWS, Y, 3, Tuning(head_steps=0, steps=25, batch=4), seed=7)
    here = made.tune(SpeechTuning(mode="frozen", head_steps=10, head_batch=4, steps=15, batch=4), seed=7)
    assert there is not None
    np.testing.assert_allclose(here.history, there.history, atol=1e-5, rtol=1e-4)
    np.testing.assert_allclose(here.probabilities, there.probabilities, atol=1e-5)


def test_every_mode_has_the_same_first_part_and_the_same_first_loss_with_the_speech_model(made: Made) -> None:
    histories = [made.tune(replace(SHORT, mode=mode)).history for mode in ("frozen", "last", "lora")]
    for other in histories[1:]:
        np.testing.assert_allclose(other[:3], histories[0][:3], rtol=1e-5)
        assert other[3:] != pytest.approx(histories[0][3:], rel=1e-6)


def test_the_same_seed_gives_the_same(made: Made) -> None:
    one, two = (made.tune(replace(SHORT, mode="lora")) for _ in range(2))
    assert np.array_equal(one.probabilities, two.probabilities)
    assert one.history != made.tune(replace(SHORT, mode="lora"), seed=1).history
    assert one.memory_mb == two.memory_mb > made.tune(SHORT).memory_mb


def test_draws_pass_over_all_labels() -> None:
    taken = [drawn(7, start, 4, 3) for start in range(0, 28, 4)]
    assert np.bincount(np.concatenate(taken)).tolist() == [4] * 7
    assert set(np.concatenate(taken)[:7]) == set(range(7))


def test_what_cannot_be_tuned_is_refused(made: Made) -> None:
    with pytest.raises(PipelineError, match="frozen, last, lora"):
        made.tune(replace(SHORT, mode="loar"))  # type: ignore[arg-type]
    with pytest.raises(PipelineError, match="q_proj or v_proj"):
        add_lora(torch.nn.Linear(2, 2))
    one = (made.speech, made.clips, SPEAKERS, made.standard, made.encoder(), ROWS[:3], Y[:3], 3, SHORT)
    with pytest.raises(PipelineError, match="two or more classes"):
        tune_speech(*one, predict=ROWS)
    with pytest.raises(PipelineError, match="not finite"):
        made.speech.hear(np.full(8000, np.nan, np.float32))


def test_a_clip_of_another_length_than_any_heard_is_no_quiet_mistake(made: Made) -> None:
    clip = HeardClip(made.clips[0].segments, {0: made.clips[0].frames[0][:-7]})
    with pytest.raises(KeyError):
        made.speech.upper(0)(clip)
