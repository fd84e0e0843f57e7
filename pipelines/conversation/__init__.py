"""Utterances in their conversation: context encoders by name. One file an encoder, one contract, one registry.

A new one: a file here with a subclass of `ContextEncoder` and a line in `CONTEXTS`; the contract test runs over all.
"""

from __future__ import annotations

from collections.abc import Callable

from pipelines.conversation.contract import ContextEncoder
from pipelines.conversation.gcn import GraphContext
from pipelines.conversation.gru import RecurrentContext
from pipelines.conversation.transformer import TransformerContext
from pipelines.errors import PipelineError

CONTEXTS: dict[str, Callable[..., ContextEncoder]] = {
    "gru": RecurrentContext,
    "transformer": TransformerContext,
    "gcn": GraphContext,
}


def build_context(
    name: str, inputs: int, width: int = 128, *, causal: bool = False, dropout: float = 0.3
) -> ContextEncoder:
    """The context encoder of that name, from `inputs` numbers an utterance to `width`.

    causal: no utterance hears what comes after it, as in live annotation. Raises PipelineError for an unknown name.
    """
    if name not in CONTEXTS:
        raise PipelineError(f"unknown context encoder {name!r}: use {', '.join(CONTEXTS)}")
    return CONTEXTS[name](inputs, width, causal=causal, dropout=dropout)


__all__ = ["CONTEXTS", "ContextEncoder", "build_context"]
