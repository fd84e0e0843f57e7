"""Feature pickles of others: read when they hold features, refused when they would do anything else."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.corpora.pickles import load_restricted, read_features
from pipelines.errors import PipelineError


def iemocap(lengths: dict[str, int]) -> list[Any]:
    rng = np.random.default_rng(0)
    ids = {key: [f"{key}_{n}" for n in range(count)] for key, count in lengths.items()}
    views = [
        {key: [rng.standard_normal(size) for _ in range(count)] for key, count in lengths.items()} for size in (8, 5, 3)
    ]
    return [
        ids,
        {key: ["M" if n % 2 else "F" for n in range(count)] for key, count in lengths.items()},
        {key: [n % 6 for n in range(count)] for key, count in lengths.items()},
        *views,
        {key: [f"sentence {n}" for n in range(count)] for key, count in lengths.items()},
        {key for key in lengths if not key.startswith("Ses05")},
        {key for key in lengths if key.startswith("Ses05")},
    ]


LENGTHS = {"Ses02F_impro01": 4, "Ses01F_impro01": 7, "Ses05M_script01": 3}


def save(path: Path, content: Any, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_a_classic_iemocap_pickle(tmp_path: Path, protocol: int) -> None:
    content = iemocap(LENGTHS)
    features = read_features(save(tmp_path / "IEMOCAP_features.pkl", tuple(content), protocol))
    assert [one.id for one in features.train] == ["Ses01F_impro01", "Ses02F_impro01"]
    assert [one.id for one in features.test] == ["Ses05M_script01"]
    first = features.train[0]
    assert first.speakers == ("F", "M", "F", "M", "F", "M", "F")
    assert first.y.tolist() == [0, 1, 2, 3, 4, 5, 0]
    assert {name: values.shape for name, values in first.views.items()} == {
        "text": (7, 8),
        "audio": (7, 5),
        "visual": (7, 3),
    }
    np.testing.assert_allclose(first.views["audio"], np.stack(content[4]["Ses01F_impro01"]), rtol=1e-6)
    assert features.classes[features.train[0].y[3]] == "anger"


def test_a_pickle_of_python_2(tmp_path: Path) -> None:
    """Byte strings, the old names of modules, numpy scalars and arrays."""
    content = pickle.dumps({"a": {1, 2}, "b": np.arange(3.0), "c": np.float32(2.5)}, 2)
    content = content.replace(b"cnumpy._core.", b"cnumpy.core.").replace(b"c__builtin__\nset", b"c__builtin__\nset")
    (tmp_path / "old.pkl").write_bytes(content)
    found = load_restricted(tmp_path / "old.pkl")
    assert found["a"] == {1, 2}
    assert found["b"].tolist() == [0.0, 1.0, 2.0]
    assert found["c"] == 2.5
    (tmp_path / "bytes.pkl").write_bytes(b"(S'caf\\xe9'\np0\nI1\ntp1\n.")
    assert load_restricted(tmp_path / "bytes.pkl") == ("café", 1)


def test_melds_pickle_marks_speakers_by_place(tmp_path: Path) -> None:
    content = iemocap(dict.fromkeys(LENGTHS, 3))
    content[1] = {key: [np.eye(9)[n].tolist() for n in range(3)] for key in LENGTHS}
    content[2] = {key: [6, 0, 4] for key in LENGTHS}
    features = read_features(save(tmp_path / "MELD_features.pkl", (*content, {"more": []})))
    assert features.train[0].speakers == ("0", "1", "2")
    assert [features.classes[y] for y in features.train[0].y] == ["anger", "neutral", "joy"]


def test_multiemos_folder(tmp_path: Path) -> None:
    content = iemocap(LENGTHS)
    save(tmp_path / "Speakers.pkl", tuple(content))
    save(tmp_path / "TextFeatures.pkl", {key: np.ones((count, 768)) for key, count in LENGTHS.items()})
    features = read_features(tmp_path)
    assert {name: values.shape for name, values in features.test[0].views.items()} == {"text": (3, 768)}


class Attack:
    """What a hostile pickle does when it is read with `pickle.load`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.state = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.state


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "attack",
    [
        Attack(os.system, "touch EVIL"),
        Attack(eval, "open('EVIL', 'w')"),
        Attack(open, "EVIL", "w"),
        Attack(getattr, "text", "format"),
        Attack(pickle.loads, pickle.dumps(Attack(os.system, "touch EVIL"))),
        Attack(np.load, "EVIL.npy", None, True),
        Attack(np.fromfile, "EVIL"),
        Attack(Path, "EVIL"),
    ],
    ids=["os.system", "eval", "open", "getattr", "pickle.loads", "np.load", "np.fromfile", "Path"],
)
def test_nothing_in_a_pickle_is_run(
    attack: Attack, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = iemocap(LENGTHS)
    content[0] = {"a": attack}
    path = save(tmp_path / "features.pkl", tuple(content), protocol)
    with pytest.raises(PipelineError, match="is refused"):
        read_features(path)
    assert not list(tmp_path.glob("EVIL*"))


def test_arrays_of_objects_hold_no_other_classes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pkl", np.array([{"a": 1}, Path("x")], object))
    with pytest.raises(PipelineError, match="is refused"):
        load_restricted(path)
    ragged = np.empty(2, object)
    ragged[:] = [np.arange(2), np.arange(3)]
    assert [len(one) for one in load_restricted(save(tmp_path / "b.pkl", ragged))] == [2, 3]


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"nonsense", b"\x80\x09.", pickle.dumps([1, 2])[:-3]])
def test_broken_files_are_refused_in_words(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.pkl").write_bytes(content)
    with pytest.raises(PipelineError, match=r"broken\.pkl is refused"):
        load_restricted(tmp_path / "broken.pkl")


def spoilt(change: Callable[[list[Any]], Any]) -> list[Any]:
    content = iemocap(LENGTHS)
    change(content)
    return content


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (spoilt(lambda c: c.pop()), "holds 8"),
        (spoilt(lambda c: c[3].pop("Ses01F_impro01")), "Ses01F_impro01 has no text"),
        (spoilt(lambda c: c[2]["Ses01F_impro01"].append(1)), "8 labels"),
        (spoilt(lambda c: c[2].update(Ses02F_impro01=[0, 1, 2, 6])), "from 0 to 5"),
        (spoilt(lambda c: c[4]["Ses02F_impro01"][0].__setitem__(0, np.nan)), "finite"),
        (spoilt(lambda c: c[8].add("Ses01F_impro01")), "train and test"),
        (spoilt(lambda c: c[5].update(Ses02F_impro01=[1.0, 2.0, 3.0, 4.0])), "utterances, dimensions"),
        (spoilt(lambda c: c.__setitem__(1, [1, 2])), "not a dictionary"),
        ({"a": 1}, "holds dict"),
    ],
)
def test_parts_that_do_not_fit_are_named(content: Any, why: str, tmp_path: Path) -> None:
    path = save(tmp_path / "f.pkl", tuple(content) if isinstance(content, list) else content)
    with pytest.raises(PipelineError, match=why):
        read_features(path)
