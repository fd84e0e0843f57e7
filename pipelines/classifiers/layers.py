"""Which features go together: middle layers of whatever speech model there is, and the acoustic functionals.

The layers that know most of emotion lie in the middle: of Whisper-base's six the second and third on EmoDB, the third
to fifth on RAVDESS (methods.md 5.1), in models of 12 and 24 layers at like depths. No one set is best everywhere, so
two stand in the mixture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

EARLIER = (0.33, 0.5)
LATER = (0.67, 0.83)


def feature_sets(blocks: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Named sets of the blocks at hand, each for one model of the mixture; at least one, never an empty one.

    With a speech model of L layers (blocks `speech.0` to `speech.L`): eGeMAPS and two earlier middle layers, eGeMAPS
    and two later ones. Without: eGeMAPS and mel. Any other block makes a set of its own.
    """
    layers = sorted(int(m[1]) for name in blocks if (m := re.fullmatch(r"speech\.(\d+)", name)))
    acoustic = tuple(name for name in ("egemaps",) if name in blocks)
    sets: dict[str, tuple[str, ...]] = {}
    if layers:
        for depths in (EARLIER, LATER):
            chosen = sorted({layers[round(depth * (len(layers) - 1))] for depth in depths})
            title = (
                "layer " + " and ".join(map(str, chosen)) if len(chosen) == 1 else f"layers {chosen[0]} and {chosen[1]}"
            )
            sets[title] = (*acoustic, *(f"speech.{layer}" for layer in chosen))
    elif present := tuple(name for name in ("egemaps", "mel") if name in blocks):
        sets[" and ".join(present)] = present
    for name in blocks:
        if name not in ("egemaps", "mel") and not name.startswith("speech."):
            sets[name] = (name,)
    return sets
