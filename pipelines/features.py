"""The immutable feature store: what the views found in each clip, on disk, by view key and clip id.

A write makes one safetensors file, a shard, in the key's folder: written under a temporary name, synced, renamed, and
never changed again. So any number of processes write and read at once, and a `kill -9` costs at most the shard in hand.

A shard holds one stacked tensor for each feature name, (clips, ...), and not a tensor for each clip: ten thousand
clips' vectors are then read in a fraction of a second. Features whose shape differs from clip to clip are laid end to
end in one flat tensor. The clips, shapes and a checksum of each tensor stand in the shard's header.

    store = FeatureStore(workspace / "features")
    todo = [clip for clip in clips if clip not in store.have(view.key)]
    store.write(view.key, dict(zip(todo, view.extract(waves))))
    blocks = store.read_blocks(view.key, clips, view)      # {"speech.0": float32 (n, 512), ...}: the fast way

`read_blocks` reads only the one small feature of fixed shape that `view.blocks` needs (`view.summary`). A process that
keeps blocks in memory calls it with its new clips alone and appends.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
import uuid
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pipelines.errors import PipelineError
from pipelines.views.contract import Features, View

Array = npt.NDArray[Any]

_FORMAT = 1
_ENDING = ".safetensors"
_STALE_SECONDS = 3600.0


class MissingFeatures(PipelineError):
    """Some clips have no features under the key that was read; `clips` names them."""

    def __init__(self, key: str, clips: Sequence[str]) -> None:
        super().__init__(
            f"{len(clips)} clips have no features under {key} (first: {clips[0]}); `earmark worker` extracts them"
        )
        self.clips = list(clips)


@dataclass(frozen=True)
class _Shard:
    """The header of a shard."""

    path: Path
    clips: tuple[str, ...]
    names: tuple[str, ...]
    shapes: dict[str, list[list[int]]]  # of the features laid end to end: a shape for each clip
    checksums: dict[str, int]


@dataclass
class _Index:
    """What is known of a key's folder."""

    seen: set[str] = field(default_factory=set)
    where: dict[str, tuple[_Shard, int]] = field(default_factory=dict)


class FeatureStore:
    """Features by view key and clip id, in a folder that any number of processes may share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._indexes: dict[str, _Index] = {}
        self._damaged: set[Path] = set()

    def have(self, key: str) -> set[str]:
        """Return the ids of the clips whose features are there, those that other processes wrote included."""
        return set(self._refresh(key).where)

    def write(self, key: str, features: Mapping[str, Features]) -> None:
        """Add the features of some clips, all with the same feature names, as one shard. Durable on return.

        Raises:
            PipelineError: the clips have different names or dtypes, or the folder cannot be written.
        """
        if not features:
            return
        folder = self._folder(key)
        data = _pack(features)
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}"
        temporary = folder / f".{name}.tmp"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _remove_stale(folder)
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(folder / f"{name}{_ENDING}")
            _sync_folder(folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise PipelineError(
                f"features cannot be written to {folder}: {error.strerror or error}; free space or mend the rights"
            ) from error

    def read(self, key: str, clips: Sequence[str], names: Collection[str] | None = None) -> dict[str, Features]:
        """Return the features of those of `clips` that are there; `names`: only these features of each.

        A shard whose bytes do not fit its checksums is put aside, and its clips count as missing from then on.
        """
        index = self._refresh(key)
        found: dict[str, Features] = {}
        for shard, rows in self._by_shard(index, clips):
            wanted = [name for name in shard.names if names is None or name in names]
            tensors = self._load(shard, wanted)
            if tensors is None:  # perhaps another shard holds them too
                return self.read(key, clips, names)
            for row in rows:
                found[shard.clips[row]] = {name: _cut(shard, name, tensors[name], row) for name in wanted}
        return found

    def read_blocks(self, key: str, clips: Sequence[str], view: View) -> dict[str, npt.NDArray[np.float32]]:
        """Return each block of `view.blocks` for all `clips`, in their order: float32 (n, d) each.

        Raises:
            MissingFeatures: some clips are not in the store.
        """
        index = self._refresh(key)
        missing = [clip for clip in clips if clip not in index.where]
        if missing:
            raise MissingFeatures(key, missing)
        if not clips:
            return {}
        places: dict[str, list[int]] = {}
        for place, clip in enumerate(clips):
            places.setdefault(clip, []).append(place)
        stacked: Array = np.empty(0)
        for shard, rows in self._by_shard(index, places):
            tensors = self._load(shard, [view.summary])
            if tensors is None:
                return self.read_blocks(key, clips, view)
            part = tensors[view.summary]
            if not stacked.size:
                stacked = np.empty((len(clips), *part.shape[1:]), np.float32)
            sources = [row for row in rows for _ in places[shard.clips[row]]]
            targets = [place for row in rows for place in places[shard.clips[row]]]
            stacked[targets] = part[sources]
        return {name: np.ascontiguousarray(block) for name, block in view.blocks({view.summary: stacked}).items()}

    def _folder(self, key: str) -> Path:
        if not key or key != Path(key).name or key.startswith("."):
            raise PipelineError(f"{key!r} cannot be the key of a feature folder; it must be a plain file name")
        return self.folder / key

    def _refresh(self, key: str) -> _Index:
        """Read the headers of the shards that are new in the folder, and forget those that are gone."""
        folder = self._folder(key)
        index = self._indexes.setdefault(key, _Index())
        try:
            present = {
                name for name in os.listdir(folder) if name.endswith(_ENDING) and folder / name not in self._damaged
            }
        except FileNotFoundError:
            present = set()
        if not index.seen <= present:
            index = self._indexes[key] = _Index()
        for name in sorted(present - index.seen):
            index.seen.add(name)
            shard = _read_header(folder / name)
            if shard is not None:
                for row, clip in enumerate(shard.clips):
                    index.where.setdefault(clip, (shard, row))
        return index

    @staticmethod
    def _by_shard(index: _Index, clips: Iterable[str]) -> list[tuple[_Shard, list[int]]]:
        groups: dict[Path, tuple[_Shard, list[int]]] = {}
        for clip in dict.fromkeys(clips):
            if clip in index.where:
                shard, row = index.where[clip]
                groups.setdefault(shard.path, (shard, []))[1].append(row)
        return list(groups.values())

    def _load(self, shard: _Shard, names: Sequence[str]) -> dict[str, Array] | None:
        """Return whole tensors of a shard, or None where it is damaged or gone."""
        try:
            with safe_open(shard.path, framework="numpy") as file:
                tensors: dict[str, Array] = {name: file.get_tensor(name) for name in names}
        except (SafetensorError, OSError):
            tensors = {}
        if all(name in tensors and _checksum(tensors[name]) == shard.checksums[name] for name in names):
            return tensors
        # Put it aside, for every process: its clips are then extracted again.
        self._damaged.add(shard.path)
        with contextlib.suppress(OSError):
            shard.path.rename(shard.path.with_suffix(".damaged"))
        return None


def _pack(features: Mapping[str, Features]) -> bytes:
    clips = list(features)
    names = list(features[clips[0]])
    tensors: dict[str, Array] = {}
    shapes: dict[str, list[list[int]]] = {}
    for clip in clips:
        if list(features[clip]) != names:
            raise PipelineError(f"clip {clip} has the features {list(features[clip])}, the first of the shard {names}")
    for name in names:
        arrays = [np.asarray(features[clip][name]) for clip in clips]
        if len({array.dtype for array in arrays}) != 1:
            raise PipelineError(f"the feature {name} has different dtypes in one shard")
        if len({array.shape for array in arrays}) == 1:
            tensors[name] = np.ascontiguousarray(np.stack(arrays))  # safetensors writes memory as it lies
        else:
            shapes[name] = [list(array.shape) for array in arrays]
            tensors[name] = np.concatenate([array.ravel() for array in arrays])
    header = {
        "format": _FORMAT,
        "clips": clips,
        "names": names,
        "shapes": shapes,
        "checksums": {name: _checksum(tensor) for name, tensor in tensors.items()},
    }
    return bytes(save(tensors, metadata={"earmark": json.dumps(header)}))


def _read_header(path: Path) -> _Shard | None:
    """Return the header of a shard, or None where it is not a whole shard of ours."""
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["earmark"])
            names = tuple(header["names"])
            if header["format"] != _FORMAT or set(names) != set(file.keys()):
                return None
        return _Shard(path, tuple(header["clips"]), names, header["shapes"], header["checksums"])
    except (SafetensorError, OSError, KeyError, ValueError, TypeError):
        return None


def _cut(shard: _Shard, name: str, tensor: Array, row: int) -> Array:
    """Return one clip's feature as an array of its own."""
    part: Array
    if name in shard.shapes:
        shapes = shard.shapes[name]
        first = sum(math.prod(shape) for shape in shapes[:row])
        part = tensor[first : first + math.prod(shapes[row])].reshape(shapes[row])
    else:
        part = tensor[row]
    return part.copy()


def _checksum(tensor: Array) -> int:
    return zlib.crc32(np.ascontiguousarray(tensor).data)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable (not every system can open a folder)."""
    with contextlib.suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_stale(folder: Path) -> None:
    """Remove what processes that were killed in the middle of a write left behind an hour ago or longer."""
    limit = time.time() - _STALE_SECONDS
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < limit:
                path.unlink()
