"""Speech encoders of Hugging Face, run on one clip at its own length.

Never on a padded batch: in encoders with a group norm over time (wav2vec 2.0 and HuBERT base) padding changes every
frame, and on a CPU a batch saves a tenth at most.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipelines.audio import RATE
from pipelines.errors import PipelineError
from pipelines.torch_setup import torch, transformers
from pipelines.views import _checkpoint
from pipelines.views._checkpoint import Checkpoint

Wave = npt.NDArray[np.float32]


class SpeechEncoder(Protocol):
    """A frozen speech model."""

    @property
    def layers(self) -> torch.nn.ModuleList:
        """The transformer layers; all hidden states but the first are their outputs."""

    @property
    def final(self) -> torch.nn.Module | None:
        """What the last layer's output goes through before it counts as a hidden state, if anything."""

    def hidden(self, wave: Wave) -> torch.Tensor:
        """Return all hidden states of one clip, float32 (layers + 1, frames, width); the first is the layers' input."""


def open_encoder(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> SpeechEncoder:
    """Build the encoder that a checkpoint is of, with its weights, for inference.

    Raises:
        PipelineError: it is no speech encoder that can be run, or its weights do not fit.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(checkpoint.folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise PipelineError(f"{checkpoint.folder / 'config.json'} is of no model that is known: {error}") from error
    try:
        return _build(checkpoint, config, device, dtype)
    except (ValueError, TypeError, RuntimeError, AttributeError, KeyError, IndexError) as error:
        raise PipelineError(f"{checkpoint.name}: no model can be built from its settings ({error})") from error


def _build(checkpoint: Checkpoint, config: Any, device: torch.device, dtype: torch.dtype) -> SpeechEncoder:
    if config.model_type == "whisper":
        return WhisperEncoder(checkpoint, config, device, dtype)
    model_class = transformers.MODEL_MAPPING.get(type(config), None)
    if getattr(model_class, "main_input_name", None) != "input_values" or not hasattr(config, "conv_stride"):
        raise PipelineError(
            f"{checkpoint.name} is a model of type {config.model_type!r}, not a speech encoder that hears a waveform; "
            "use wav2vec 2.0, HuBERT, WavLM, a relative of theirs, or Whisper"
        )
    return WaveEncoder(checkpoint, model_class, config, device, dtype)


class WaveEncoder:
    """wav2vec 2.0, HuBERT, WavLM and their relatives: the waveform goes in."""

    def __init__(
        self, checkpoint: Checkpoint, model_class: Any, config: Any, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._normalise = bool(checkpoint.preprocessor().get("do_normalize", True))
        self._model = _filled(model_class(config), checkpoint, device, dtype)
        self._device, self._dtype = device, dtype

    @property
    def layers(self) -> torch.nn.ModuleList:
        layers: torch.nn.ModuleList = self._model.encoder.layers
        return layers

    @property
    def final(self) -> None:
        return None

    def hidden(self, wave: Wave) -> torch.Tensor:
        if self._normalise:  # as transformers' Wav2Vec2FeatureExtractor
            wave = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
        values = torch.from_numpy(np.array(wave, np.float32)).to(self._device, self._dtype)[None]
        with torch.inference_mode():
            states = self._model(values, output_hidden_states=True).hidden_states
            return torch.cat(states).float()


class WhisperEncoder:
    """Whisper's encoder on the mel frames and positions that the clip fills, not on the stock model's 30 s window.

    Thirteen times cheaper for a clip of 3 s; the states are not those of a clip padded to 30 s, so the two must never
    be mixed. On 3000 frames it computes what the stock encoder does.
    """

    def __init__(self, checkpoint: Checkpoint, config: Any, device: torch.device, dtype: torch.dtype) -> None:
        settings = {"feature_size": config.num_mel_bins, **checkpoint.preprocessor(), "dither": 0.0}
        self._extractor = transformers.WhisperFeatureExtractor(**settings)
        self._window = min(self._extractor.n_samples, 2 * config.max_source_positions * self._extractor.hop_length)
        encoder = transformers.models.whisper.modeling_whisper.WhisperEncoder(config)
        self._model = _filled(encoder, checkpoint, device, dtype)
        self._device, self._dtype = device, dtype

    @property
    def layers(self) -> torch.nn.ModuleList:
        layers: torch.nn.ModuleList = self._model.layers
        return layers

    @property
    def final(self) -> torch.nn.Module:
        norm: torch.nn.Module = self._model.layer_norm
        return norm

    def hidden(self, wave: Wave) -> torch.Tensor:
        return self.states(self.mel(wave))

    def mel(self, wave: Wave) -> torch.Tensor:
        """Return log-mel frames, float32 (bands, ceil(n / 160)): the first ones that padding to 30 s would give."""
        hop, whole = self._extractor.hop_length, self._window
        wave = wave[:whole]
        frames = -(-len(wave) // hop)
        # Zeros behind it, so far that the last frame does not reach the mirrored end.
        padded = np.zeros(min((frames + 2) * hop + self._extractor.n_fft, whole), np.float32)
        padded[: len(wave)] = wave
        mel = self._extractor(
            padded, sampling_rate=RATE, padding="do_not_pad", truncation=False, return_tensors="np"
        ).input_features[0]
        return torch.from_numpy(np.ascontiguousarray(mel[:, :frames], dtype=np.float32))

    def states(self, mel: torch.Tensor) -> torch.Tensor:
        """Return all hidden states, float32 (layers + 1, ceil(frames / 2), width), for mel frames (bands, frames)."""
        model = self._model
        with torch.inference_mode():
            x = mel.to(self._device, self._dtype)[None]
            x = torch.nn.functional.gelu(model.conv1(x))
            x = torch.nn.functional.gelu(model.conv2(x)).transpose(1, 2)
            x = x + model.embed_positions.weight[: x.shape[1]]
            states = [x]
            for layer in model.layers:
                x = layer(x, None)
                states.append(x)
            states[-1] = model.layer_norm(x)
            return torch.cat(states).float()


def _filled(model: Any, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Any:
    _checkpoint.load(model, checkpoint)
    for module in model.modules():  # the positional convolution's weight norm would be worked out anew for each clip
        if torch.nn.utils.parametrize.is_parametrized(module):
            for name in list(module.parametrizations):
                torch.nn.utils.parametrize.remove_parametrizations(module, name)
    return model.to(device=device, dtype=dtype).eval().requires_grad_(False)
