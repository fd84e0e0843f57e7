"""Feature sets that also hold what the views share (`shared_space`), at half of the variance.

Measured on top of the sets themselves in the whole fast round (docs/results/pairwise_cl.md): 1.8, 5.5, 0.0 and 1.0
points at 8, 21, 43 and 86 labels on EmoDB, -2.3, 2.5, 2.4 and 2.0 at 8, 27, 54 and 108 on RAVDESS. The first set gets
what the speech model, eGeMAPS and mel share, the second also what the layers share among each other: on EmoDB the
first is the better form, on RAVDESS the second, and the mixture weighs them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from .pool import Floats, Indices
from .projection import principal_components
from .shared_space import fit_shared_space

SHARED = 20
RIDGE = 0.01
ENOUGH = 400  # clips from which that ridge will do; with fewer, anything agrees with anything
LAYERS = 5
COMPONENTS = 100
ACOUSTIC_COMPONENTS = 60
SAMPLE = 3000


def shared_layers(blocks: Sequence[str]) -> list[str]:
    """Up to five inner layers of the speech model, evenly spaced: its first and last know least of emotion."""
    layers = sorted(int(m[1]) for name in blocks if (m := re.fullmatch(r"speech\.(\d+)", name)))
    inner = layers[1:-1] or layers
    chosen = sorted({inner[round(i)] for i in np.linspace(0, len(inner) - 1, min(LAYERS, len(inner)))}) if inner else []
    return [f"speech.{layer}" for layer in chosen]


def shared_blocks(blocks: Sequence[str]) -> list[str]:
    """The blocks that take part; fewer than two of speech model, eGeMAPS and mel share nothing."""
    acoustic = [name for name in ("egemaps", "mel") if name in blocks]
    layers = shared_layers(blocks)
    return [*layers, *acoustic] if len(acoustic) + bool(layers) >= 2 else []


def with_shared(spaces: Mapping[str, Floats], standard: Mapping[str, Floats], fit_rows: Indices) -> dict[str, Floats]:
    """The same sets, each beside what the views share: components (n, <= 100) of both at the same variance.

    spaces: components of each set, first the one of earlier layers. standard: normalised blocks, those of
    `shared_blocks` among them; without those, or with fewer than three clips, the answer is empty.
    """
    names = shared_blocks(list(standard))
    if not names or len(fit_rows) < 3:
        return {}
    rows = fit_rows if len(fit_rows) <= SAMPLE else fit_rows[np.linspace(0, len(fit_rows) - 1, SAMPLE).astype(int)]
    layers = [principal_components(standard[n], rows, COMPONENTS) for n in names if n.startswith("speech.")]
    acoustic = [
        principal_components(standard[n], rows, ACOUSTIC_COMPONENTS) for n in names if not n.startswith("speech.")
    ]
    speech = [principal_components(np.concatenate(layers, axis=1), rows, COMPONENTS)] if layers else []
    by_view = _together([*speech, *acoustic], rows)
    by_layer = _together([*layers, *acoustic], rows) if len(layers) > 1 else by_view
    out = {}
    for number, (title, x) in enumerate(spaces.items()):
        both = [unit_spread(x, rows), unit_spread(by_view if number == 0 else by_layer, rows)]
        out[title] = principal_components(np.concatenate(both, axis=1), rows, COMPONENTS)
    return out


def _together(views: Sequence[Floats], rows: Indices) -> Floats:
    ridge = RIDGE * max(1.0, ENOUGH / len(rows)) ** 1.5
    space = fit_shared_space(views, rows, min(SHARED, max(3, len(rows) // 10)), ridge)
    return np.concatenate(space.project(views), axis=1)


def unit_spread(x: Floats, rows: Indices) -> Floats:
    """Features (n, d) so scaled that the total variance over these rows is 1."""
    return np.asarray(x / np.sqrt(x[rows].var(axis=0).sum() + 1e-12), np.float32)
