"""The feature store: what is written is read back, from other processes too, and nothing half-written ever counts."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

from pipelines.errors import PipelineError
from pipelines.features import FeatureStore, MissingFeatures
from pipelines.views.contract import Features

KEY = "mel-0123456789ab"


class Flat:
    """Of a view, all that the store uses."""

    summary = "summary"

    def blocks(self, features: Features) -> Features:
        both = features["summary"]
        return {"low": both[..., :2], "high": both[..., 2:]}


def clip(number: int) -> Features:
    rng = np.random.default_rng(number)
    return {
        "frames": rng.standard_normal((4, 20 + number % 7)).astype(np.float16),
        "segments": rng.standard_normal((3, 10, 5)).astype(np.float16),
        "summary": rng.standard_normal(6).astype(np.float32),
    }


def write(store: FeatureStore, *numbers: int) -> None:
    store.write(KEY, {f"c{number}": clip(number) for number in numbers})


def check(store: FeatureStore, *numbers: int) -> None:
    names = [f"c{number}" for number in numbers]
    for number, (name, found) in zip(numbers, store.read(KEY, names).items(), strict=True):
        assert name == f"c{number}"
        wanted = clip(number)
        assert list(found) == list(wanted)
        for feature in wanted:
            np.testing.assert_array_equal(found[feature], wanted[feature], strict=True)


def shards(store: FeatureStore) -> list[Path]:
    return sorted((store.folder / KEY).glob("*.safetensors"))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    assert store.have(KEY) == set()
    assert store.read(KEY, ["c1"]) == {}
    write(store, 1, 2, 3)
    write(store, 4)
    store.write(KEY, {})
    assert len(shards(store)) == 2
    for same in (store, FeatureStore(tmp_path)):
        assert same.have(KEY) == {"c1", "c2", "c3", "c4"}
        check(same, 1, 2, 3, 4)
    assert list(store.read(KEY, ["c2", "nobody"], ["summary"])["c2"]) == ["summary"]
    assert set(store.read(KEY, ["c2", "nobody"])) == {"c2"}


def test_what_is_read_is_ones_own(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    write(store, 1, 2)
    store.read(KEY, ["c1"])["c1"]["summary"][:] = 0
    check(store, 1, 2)


SHAPES = some.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)
DTYPES = st.sampled_from([np.float16, np.float32, np.int64])


@settings(max_examples=40, deadline=None)
@given(arrays=DTYPES.flatmap(lambda dtype: st.lists(some.arrays(dtype, SHAPES), min_size=1, max_size=5)))
def test_any_shapes(tmp_path_factory: pytest.TempPathFactory, arrays: list[np.ndarray]) -> None:
    store = FeatureStore(tmp_path_factory.mktemp("features"))
    written = {f"c{i}": {"x": array} for i, array in enumerate(arrays)}
    store.write(KEY, written)
    found = store.read(KEY, list(written))
    assert list(found) == list(written)
    for name in written:
        np.testing.assert_array_equal(found[name]["x"], written[name]["x"], strict=True)


def test_another_process_is_seen_at_once(tmp_path: Path) -> None:
    ours, theirs = FeatureStore(tmp_path), FeatureStore(tmp_path)
    write(ours, 1)
    assert theirs.have(KEY) == {"c1"}
    write(ours, 2)
    write(theirs, 3)
    assert ours.have(KEY) == theirs.have(KEY) == {"c1", "c2", "c3"}
    check(theirs, 1, 2, 3)
    assert ours.have("mel-another") == set()


def test_nothing_is_opened_again_when_nothing_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeatureStore(tmp_path)
    write(store, 1)
    store.have(KEY)
    monkeypatch.setattr("pipelines.features.safe_open", None)
    assert store.have(KEY) == {"c1"}


def test_a_clip_in_two_shards_is_there_once(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    write(store, 1, 2)
    write(store, 2, 3)
    assert store.have(KEY) == {"c1", "c2", "c3"}
    check(store, 1, 2, 3)


def test_blocks_of_many_clips_in_the_order_asked_for(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    write(store, 1, 2, 3)
    write(store, 4, 5)
    order = [5, 2, 4, 2, 1]
    blocks = store.read_blocks(KEY, [f"c{number}" for number in order], Flat())  # type: ignore[arg-type]
    assert list(blocks) == ["low", "high"]
    wanted = np.stack([clip(number)["summary"] for number in order])
    np.testing.assert_array_equal(blocks["low"], wanted[:, :2], strict=True)
    np.testing.assert_array_equal(blocks["high"], wanted[:, 2:], strict=True)
    assert blocks["high"].flags.c_contiguous
    assert store.read_blocks(KEY, [], Flat()) == {}  # type: ignore[arg-type]
    with pytest.raises(MissingFeatures, match="1 clips have no features") as caught:
        store.read_blocks(KEY, ["c1", "c9"], Flat())  # type: ignore[arg-type]
    assert caught.value.clips == ["c9"]


@pytest.mark.parametrize("length", [0, 1, 7, 8, 100, 0.5, -1])
def test_a_shard_that_was_cut_does_not_count(tmp_path: Path, length: float) -> None:
    store = FeatureStore(tmp_path)
    write(store, 1, 2)
    write(store, 3)
    data = shards(store)[0].read_bytes()
    shards(store)[0].write_bytes(data[: int(len(data) * length) if length == 0.5 else int(length)])
    fresh = FeatureStore(tmp_path)
    assert fresh.have(KEY) == {"c3"}
    check(fresh, 3)
    write(fresh, 1, 2)
    assert fresh.have(KEY) == {"c1", "c2", "c3"}
    check(fresh, 1, 2, 3)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 400, bytes(400)])
def test_foreign_files_do_not_count(tmp_path: Path, content: bytes) -> None:
    store = FeatureStore(tmp_path)
    write(store, 1)
    (tmp_path / KEY / "00.safetensors").write_bytes(content)
    (tmp_path / KEY / "note.txt").write_bytes(content)
    assert store.have(KEY) == {"c1"}


def test_a_flipped_bit_is_found_and_its_clips_are_missing_from_then_on(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    write(store, 1, 2)
    write(store, 3)
    path = shards(store)[0]
    data = bytearray(path.read_bytes())
    data[8 + int.from_bytes(data[:8], "little")] ^= 1  # the first byte after the header: of the summary
    path.write_bytes(data)
    assert store.have(KEY) == {"c1", "c2", "c3"}  # the header is whole
    with pytest.raises(MissingFeatures) as caught:
        store.read_blocks(KEY, ["c1", "c2", "c3"], Flat())  # type: ignore[arg-type]
    assert caught.value.clips == ["c1", "c2"]
    for same in (store, FeatureStore(tmp_path)):
        assert same.have(KEY) == {"c3"}
    write(store, 1, 2)
    check(store, 1, 2, 3)


def test_a_damaged_shard_gives_way_to_another_one(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    write(store, 1, 2)
    write(store, 1, 2)
    path = shards(store)[0]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    check(store, 1, 2)


def test_a_shard_that_was_deleted_is_forgotten(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    write(store, 1)
    write(store, 2)
    assert store.have(KEY) == {"c1", "c2"}
    shards(store)[0].unlink()
    assert store.have(KEY) == {"c2"}


def test_refuses_what_does_not_go_together(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    with pytest.raises(PipelineError, match="the features"):
        store.write(KEY, {"a": {"x": np.zeros(1)}, "b": {"y": np.zeros(1)}})
    with pytest.raises(PipelineError, match="dtypes"):
        store.write(KEY, {"a": {"x": np.zeros(1)}, "b": {"x": np.zeros(1, np.float32)}})
    for key in ("", "..", "a/b", ".hidden"):
        with pytest.raises(PipelineError, match="plain file name"):
            store.write(key, {"a": {"x": np.zeros(1)}})
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError, match="cannot be written"):
        FeatureStore(tmp_path / "file").write(KEY, {"a": {"x": np.zeros(1)}})


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_feature_store import FeatureStore, write
store = FeatureStore(Path(sys.argv[1]))
number = int(sys.argv[3])
while True:
    write(store, *range(number, number + 20))
    number += 20
    print(number, flush=True)
"""


def test_kill_9_in_the_middle_of_writes(tmp_path: Path) -> None:
    begin, instants = 0, random.Random(8)
    reader = FeatureStore(tmp_path)
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(Path(__file__).parent), str(begin)],
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            for _ in range(instants.randrange(1, 60)):
                begin = int(child.stdout.readline())
            child.kill()
            begin = max([begin, *(int(line) for line in child.stdout.read().split("\n")[:-1])])
        have = reader.have(KEY)
        assert {f"c{number}" for number in range(begin)} <= have  # what was reported as written is there
        numbers = sorted(int(name[1:]) for name in have)
        assert numbers == list(range(len(numbers)))
        assert len(numbers) in (begin, begin + 20)
        check(reader, *numbers)
        begin = len(numbers)
    assert FeatureStore(tmp_path).have(KEY) == reader.have(KEY)
