"""Tiny speech models with random weights, saved as Hugging Face checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.torch_setup import torch, transformers

_SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 12,
}
_WHISPER = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "vocab_size": 12,
    "num_mel_bins": 80,
    **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 0),
}


def make(kind: str, **changes: Any) -> Any:
    """A model of transformers' class `kind`, as in `Wav2Vec2Model`; the same call gives the same weights."""
    torch.manual_seed(5)
    model_class = getattr(transformers, kind)
    settings = _WHISPER if kind.startswith("Whisper") else _SMALL
    model = model_class(model_class.config_class(**{**settings, **changes})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.1 if parameter.dim() > 1 else parameter + 0.01)
    return model


def save(folder: Path, kind: str = "Wav2Vec2Model", **changes: Any) -> Path:
    """Save such a model as safetensors; return its folder."""
    make(kind, **changes).save_pretrained(folder)
    return folder
