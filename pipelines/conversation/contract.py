"""What every context encoder takes, gives and promises."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

SPEAKERS = 10
"""Speakers of one dialogue that are told apart, numbered as they come in; all later ones share the last number."""


class ContextEncoder(nn.Module):
    """Utterances of dialogues in, one vector of `width` numbers for each out.

    Promises, held by the contract test: what stands in the padding changes nothing; a dialogue is encoded alike in any
    batch; with `causal` no output depends on a later utterance.
    """

    def __init__(self, inputs: int, width: int, *, causal: bool = False, dropout: float = 0.3) -> None:
        super().__init__()
        self.inputs, self.width, self.causal = inputs, width, causal
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, speakers: Tensor, mask: Tensor) -> Tensor:
        """Encode a batch.

        features: float (B, T, inputs). speakers: int (B, T), numbered within the dialogue as they come in. mask: bool
        (B, T), true for utterances; those of a dialogue stand first. Returns float (B, T, width), 0 in the padding.
        """
        clean = features.masked_fill(~mask[..., None], 0.0)
        who = speakers.masked_fill(~mask, 0).clamp(0, SPEAKERS - 1)
        return self.encode(clean, who, mask).masked_fill(~mask[..., None], 0.0)

    def encode(self, features: Tensor, speakers: Tensor, mask: Tensor) -> Tensor:
        """What a member implements: as `forward`, with zeros in the padding of features and speakers."""
        raise NotImplementedError

    def __call__(self, features: Tensor, speakers: Tensor, mask: Tensor) -> Tensor:
        return cast(Tensor, super().__call__(features, speakers, mask))
