"""Which features go together: middle layers of whatever speech model there is, and the acoustic views.

The layers that know most of emotion lie in the middle: of Whisper-base's six the second and third on EmoDB, the third
to fifth on RAVDESS (methods.md 5.1), in models of 12 and 24 layers at like depths. No one set is best everywhere, so
two stand in the mixture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

EARLIER = (1 / 3, 1 / 2)
MIDDLE = (1 / 3, 1 / 2, 2 / 3, 5 / 6)


def feature_sets(blocks: Sequence[str]) -> dict[str, dict[str, float]]:
    """Named sets of the blocks at hand with the share of variance of each, one set a model; at least one, none empty.

    With a speech model of L layers (blocks `speech.0` to `speech.L`): eGeMAPS beside two earlier middle layers, a third
    each; and eGeMAPS, mel and four layers over the whole middle, where the acoustic views have half. Without: eGeMAPS
    and mel. Any other block makes a set of its own.
    """
    layers = sorted(int(m[1]) for name in blocks if (m := re.fullmatch(r"speech\.(\d+)", name)))
    acoustic = [name for name in ("egemaps", "mel") if name in blocks]
    sets: dict[str, dict[str, float]] = {}
    if layers:
        earlier, middle = (_at(layers, depths) for depths in (EARLIER, MIDDLE))
        sets[_title(earlier)] = _shares([name for name in acoustic if name == "egemaps"], 1 / 3, earlier)
        if middle != earlier:
            sets[_title(middle)] = _shares(acoustic, 1 / 2, middle)
    elif acoustic:
        sets["acoustic features"] = _shares(acoustic, 1.0, [])
    for name in blocks:
        if name not in acoustic and not name.startswith("speech."):
            sets[name] = {name: 1.0}
    return sets


def _at(layers: list[int], depths: Sequence[float]) -> list[int]:
    """The layers at these depths, where 1 is the last."""
    return sorted({layers[round(depth * (len(layers) - 1))] for depth in depths})


def _title(layers: list[int]) -> str:
    numbers = [str(layer) for layer in layers]
    return f"layer {numbers[0]}" if len(numbers) == 1 else f"layers {', '.join(numbers[:-1])} and {numbers[-1]}"


def _shares(acoustic: list[str], share: float, layers: list[int]) -> dict[str, float]:
    rest = 1 - share if acoustic else 1.0
    shares = {name: share / len(acoustic) for name in acoustic}
    return shares | {f"speech.{layer}": rest / len(layers) for layer in layers}
