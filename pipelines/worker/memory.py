"""Features of clips, resident: read from the feature store once, then only what is new."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pipelines.features import FeatureStore, MissingFeatures
from pipelines.views.contract import Features, View

Floats = npt.NDArray[np.float32]


class ViewMemory:
    """One view's blocks, float32 (n, d) each, in arrays that grow by half when they are full."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self._arrays: dict[str, Floats] = {}

    def add(self, clips: Sequence[str], blocks: Mapping[str, Floats]) -> None:
        """Add clips that are not here yet; `blocks` holds their rows in order."""
        new = [place for place, clip in enumerate(clips) if clip not in self.rows]
        first = len(self.rows)
        for name, values in blocks.items():
            array = self._arrays.get(name)
            if array is None or first + len(new) > len(array):
                grown = np.empty((max(64, (first + len(new)) * 3 // 2), values.shape[1]), np.float32)
                if array is not None:
                    grown[:first] = array[:first]
                array = self._arrays[name] = grown
            array[first : first + len(new)] = values[new]
        self.rows.update((clips[place], first + number) for number, place in enumerate(new))

    def take(self, clips: Sequence[str]) -> dict[str, Floats]:
        """Blocks of clips that are here, in their order; copies."""
        rows = [self.rows[clip] for clip in clips]
        return {name: array[rows] for name, array in self._arrays.items()}


class Memory:
    """The blocks of every clip, by view key."""

    def __init__(self, features: FeatureStore) -> None:
        self._features = features
        self._views: dict[str, ViewMemory] = {}
        self.version = 0
        """Grows with every clip added."""

    def of(self, key: str) -> ViewMemory:
        """What is here under a view's key."""
        return self._views.setdefault(key, ViewMemory())

    def load(self, view: View, clips: Collection[str]) -> int:
        """Read from the feature store those of `clips` that are there and not here; how many."""
        here = self.of(view.key)
        new = sorted((self._features.have(view.key) & set(clips)) - here.rows.keys())
        if not new:
            return 0
        try:
            blocks = self._features.read_blocks(view.key, new, view)
        except MissingFeatures as error:  # a damaged shard, put aside just now: the others can be read
            new = [clip for clip in new if clip not in set(error.clips)]
            return self.load(view, new) if new else 0
        here.add(new, blocks)
        self.version += 1
        return len(new)

    def add(self, view: View, features: Mapping[str, Features]) -> None:
        """Add features that were computed just now."""
        clips = list(features)
        parts = [view.blocks({view.summary: features[clip][view.summary]}) for clip in clips]
        self.of(view.key).add(clips, {name: np.stack([part[name] for part in parts]) for name in parts[0]})
        self.version += 1

    def complete(self, views: Collection[View]) -> set[str]:
        """Clips that have every one of the views; all without a view is none."""
        sets = [self.of(view.key).rows.keys() for view in views]
        return set(sets[0]).intersection(*sets[1:]) if sets else set()

    def blocks(self, views: Collection[View], clips: Sequence[str]) -> dict[str, Floats]:
        """Every block of the views for clips that have them all."""
        return {name: block for view in views for name, block in self.of(view.key).take(clips).items()}
