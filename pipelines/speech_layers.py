"""A speech model's transformer layers, cut so that the upper ones can be trained on what the lower ones gave once.

Works for every encoder that the speech view opens: what each layer is called with beside its input (masks, WavLM's
position bias) is overheard while the model hears a clip, and depends on the clip's number of frames alone.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import PipelineError
from pipelines.torch_setup import choose_device, torch
from pipelines.views import _checkpoint
from pipelines.views._encoders import open_encoder
from pipelines.views._waves import usable
from pipelines.views.wav2vec2 import SEGMENTS

Wave = npt.NDArray[np.float32]
Call = tuple[tuple[Any, ...], dict[str, Any]]
_CLOSE = 1e-3


@dataclass(frozen=True)
class HeardClip:
    """What the frozen model makes of a clip, on the CPU.

    segments: float32 (layers + 1, 10, D), as the speech view gives them but in full precision. frames: the input of
    some layers, float32 (T, D) by the layer's number from 0.
    """

    segments: torch.Tensor
    frames: Mapping[int, torch.Tensor]


class SpeechLayers:
    """A frozen speech model that remembers what upper layers need.

    Args:
        speech_model: a folder or a name on the hub, as the view takes it.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        PipelineError: the model is not there or cannot be run.
    """

    def __init__(self, speech_model: str, device: str = "cpu") -> None:
        self.device = choose_device(device)
        self.name = speech_model
        self._encoder = open_encoder(_checkpoint.find(speech_model), self.device, torch.float32)
        try:
            self._layers, self._final = self._encoder.layers, self._encoder.final
        except AttributeError as error:
            raise PipelineError(f"{speech_model}: its layers cannot be told apart, so it cannot be tuned") from error
        self._calls: dict[int, list[Call]] = {}

    @property
    def depth(self) -> int:
        """Number of transformer layers; there is one hidden state more."""
        return len(self._layers)

    def hear(self, wave: Wave, first: Collection[int] = ()) -> HeardClip:
        """Run the frozen model on one clip, float32 (n,) at 16 kHz.

        first: numbers of the layers whose input is kept, 0 to depth - 1.

        Raises:
            PipelineError: the clip has no samples or some that are not finite, or the model's layers do not follow
                each other plainly (SEW's, which pool between them), so that they cannot be tuned apart.
        """
        ((_, samples),) = usable([wave])
        calls: list[Call] = []
        hooks = [layer.register_forward_pre_hook(_overhear(calls), with_kwargs=True) for layer in self._layers]
        try:
            states = self._encoder.hidden(samples).clone()  # cloned out of inference mode: autograd takes it
        finally:
            for hook in hooks:
                hook.remove()
        frames = states.shape[1]
        new = not self._calls
        self._calls.setdefault(frames, _cloned(calls))
        if new:
            self._check(states)
        kept = {number: states[number].cpu().clone() for number in first}
        return HeardClip(segments_of(states).cpu(), kept)

    def upper(self, first: int) -> UpperLayers:
        """A copy of the layers from number `first` on, frozen until somebody unfreezes it; the model stays as it is."""
        layers = copy.deepcopy(torch.nn.ModuleList(list(self._layers)[first:]))
        return UpperLayers(layers, copy.deepcopy(self._final), first, self._calls)

    def _check(self, states: torch.Tensor) -> None:
        with torch.no_grad():
            again = self.upper(0).states(states[0])
        scale = float(states.abs().max())
        if again.shape != states[1:].shape or float((again - states[1:]).abs().max()) > _CLOSE * scale:
            self._calls.clear()
            raise PipelineError(f"{self.name}: its layers do not follow each other plainly, so it cannot be tuned")


class UpperLayers(torch.nn.Module):
    """The last layers of a speech model, for training: without dropout, so that the start is the frozen model.

    layers: the transformer layers from number `first` on. final: see `SpeechEncoder.final`; never trained. calls: what
    each of all layers is called with beside its input, by number of frames.
    """

    def __init__(
        self, layers: torch.nn.ModuleList, final: torch.nn.Module | None, first: int, calls: dict[int, list[Call]]
    ) -> None:
        super().__init__()
        self.layers, self.final, self.first = layers, final, first
        self._calls = calls
        self.requires_grad_(False).eval()

    def states(self, frames: torch.Tensor) -> torch.Tensor:
        """Outputs of these layers, float32 (layers here, T, D), for the input of the first, float32 (T, D).

        Raises KeyError when no clip of so many frames was heard before.
        """
        out, x = [], frames[None]
        for layer, (more, named) in zip(self.layers, self._calls[len(frames)][self.first :], strict=True):
            found = layer(x, *more, **named)
            x = found[0] if isinstance(found, tuple) else found
            out.append(x)
        if self.final is not None:
            out[-1] = self.final(x)
        return torch.cat(out)

    def forward(self, clip: HeardClip, device: torch.device | str = "cpu") -> torch.Tensor:
        """All layers' segments, float32 (layers + 1, 10, D): the cached ones below, those of these layers above."""
        below = clip.segments[: self.first + 1].to(device)
        return torch.cat([below, segments_of(self.states(clip.frames[self.first].to(device)))])


def segments_of(states: torch.Tensor) -> torch.Tensor:
    """Hidden states (layers, T, D) -> (layers, 10, D), each the mean over a tenth of the frames, as in the view."""
    return torch.nn.functional.adaptive_avg_pool1d(states.transpose(1, 2), SEGMENTS).transpose(1, 2)


def _overhear(calls: list[Call]) -> Any:
    def note(_module: torch.nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        calls.append((arguments[1:], named))

    return note


def _cloned(calls: list[Call]) -> list[Call]:
    """The same calls with tensors that autograd takes; what several layers share (WavLM's position bias) stays one."""
    copies: dict[int, torch.Tensor] = {}

    def one(value: Any) -> Any:
        return copies.setdefault(id(value), value.clone()) if isinstance(value, torch.Tensor) else value

    return [
        (tuple(one(v) for v in more), {k: one(v) for k, v in named.items() if k != "hidden_states"})
        for more, named in calls
    ]
