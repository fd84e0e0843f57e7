"""The feature pickles that papers on emotion in conversations pass on, read without letting them run anything.

A pickle is a program: a file from the web could do whatever Python can. Here it may build nothing but Python's own
containers and numpy arrays of numbers and text; anything else in it is refused by name.

Layouts (methods.md 2.5): IEMOCAP is a tuple of nine, (ids, speakers, labels, text, audio, visual, sentences, train ids,
test ids); MELD is a tuple of ten, the same order and one more entry at the end. The first seven map a dialogue to a
list over its utterances. MultiEMO's folders keep the tuple in Speakers.pkl and the features apart.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import PipelineError

IEMOCAP_CLASSES = ("happiness", "sadness", "neutral", "anger", "excitement", "frustration")
MELD_CLASSES = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
VIEWS = ("text", "audio", "visual")

Floats = npt.NDArray[np.float32]


def _reconstruct(kind: Any, shape: Any, code: Any) -> npt.NDArray[Any]:
    """What numpy's own `_reconstruct` does for a plain array, and for nothing else."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError("an array of another class than numpy.ndarray")
    return np.ndarray(0, "b")


def _scalar(dtype: Any, raw: Any = b"") -> Any:
    """What numpy's own `scalar` does for numbers and text; a scalar of objects would hold another pickle's work."""
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise pickle.UnpicklingError("a scalar that is no number")
    return np.frombuffer(raw.encode("latin1") if isinstance(raw, str) else raw, dtype)[0]


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any) -> npt.NDArray[Any]:
    """How numpy writes an array in protocol 5."""
    if not isinstance(dtype, np.dtype) or dtype.hasobject or order not in ("C", "F"):
        raise pickle.UnpicklingError("a buffer that holds no numbers")
    return np.frombuffer(raw, dtype).reshape(shape, order=order)


def _encode(text: str, encoding: str) -> bytes:
    """How pickles of Python 3 in old protocols write bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("bytes in another encoding than latin1")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
    **{
        (f"numpy.{core}.multiarray", name): function
        for core in ("core", "_core")
        for name, function in (("_reconstruct", _reconstruct), ("scalar", _scalar))
    },
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
    **{
        (module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in (set, frozenset, list, dict)
    },
    ("collections", "OrderedDict"): dict,
}


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no feature needs") from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it asks for an object outside the file")


def load_restricted(path: Path) -> Any:
    """Read a pickle of containers, numbers, text and numpy arrays, of Python 2 or 3.

    Raises:
        PipelineError: it cannot be read, or asks for anything else; nothing of it was run.
    """
    try:
        with path.open("rb") as file:
            return _Restricted(file, encoding="latin1").load()
    except OSError as error:
        raise PipelineError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # a broken pickle fails in whatever its instructions meet
        raise PipelineError(f"{path} is refused: {error}; only containers and numpy arrays are read") from error


@dataclass(frozen=True)
class Dialogue:
    """One conversation of T utterances: `views` holds float32 (T, D) arrays, `y` int64 (T,) numbers of classes."""

    id: str
    speakers: tuple[str, ...]
    y: npt.NDArray[np.int64]
    sentences: tuple[str, ...]
    views: dict[str, Floats]


@dataclass(frozen=True)
class DialogueFeatures:
    """A pickle that was read and checked. `train` and `test` are sorted by id."""

    classes: tuple[str, ...]
    train: tuple[Dialogue, ...]
    test: tuple[Dialogue, ...]


def read_features(path: Path) -> DialogueFeatures:
    """Read a classic pickle, or a folder in MultiEMO's layout.

    Raises:
        PipelineError: refused, or its parts do not fit together; the message names the dialogue.
    """
    found = load_restricted(path / "Speakers.pkl" if path.is_dir() else path)
    if not isinstance(found, (tuple, list)) or len(found) not in (9, 10):
        size = len(found) if isinstance(found, (tuple, list)) else type(found).__name__
        raise PipelineError(f"{path}: holds {size}, not the 9 parts of IEMOCAP's or the 10 of MELD's pickle")
    classes = IEMOCAP_CLASSES if len(found) == 9 else MELD_CLASSES
    _, speakers, labels, *views, sentences, train, test = found[:9]
    if path.is_dir():
        files = {name: path / f"{name.capitalize()}Features.pkl" for name in VIEWS}
        features = {name: load_restricted(file) for name, file in files.items() if file.is_file()}
    else:
        features = dict(zip(VIEWS, views, strict=True))
    parts = {"speakers": speakers, "labels": labels, "sentences": sentences, **features}
    for name, part in parts.items():
        if not isinstance(part, Mapping):
            raise PipelineError(f"{path}: its {name} are a {type(part).__name__}, not a dictionary by dialogue")

    def dialogues(ids: Iterable[Any]) -> tuple[Dialogue, ...]:
        return tuple(_dialogue(path, key, parts, list(features), classes) for key in sorted(ids, key=_order))

    try:
        result = DialogueFeatures(classes, dialogues(train), dialogues(test))
    except (TypeError, ValueError) as error:
        raise PipelineError(f"{path}: {error}") from error
    if both := {one.id for one in result.train} & {one.id for one in result.test}:
        raise PipelineError(f"{path}: {len(both)} dialogues are in train and test, for example {min(both)}")
    return result


def _order(key: Any) -> tuple[bool, int, str]:
    return (isinstance(key, str), key if isinstance(key, int) else 0, str(key))


def _dialogue(
    path: Path, key: Any, parts: Mapping[str, Mapping[Any, Any]], views: list[str], classes: tuple[str, ...]
) -> Dialogue:
    where = f"{path}: dialogue {key}"
    missing = [name for name, part in parts.items() if key not in part]
    if missing:
        raise PipelineError(f"{where} has no {', '.join(missing)}")
    y = np.asarray(parts["labels"][key], np.int64)
    if y.ndim != 1 or not len(y) or y.min() < 0 or y.max() >= len(classes):
        raise PipelineError(f"{where}: labels must be numbers from 0 to {len(classes) - 1}, one an utterance")
    arrays = {name: np.asarray(parts[name][key], np.float32) for name in views}
    lengths = {name: len(values) for name, values in arrays.items()}
    lengths |= {name: len(parts[name][key]) for name in ("speakers", "sentences")}
    if wrong := {name: length for name, length in lengths.items() if length != len(y)}:
        raise PipelineError(f"{where} has {len(y)} labels, but {wrong}")
    for name, values in arrays.items():
        if values.ndim != 2 or not np.isfinite(values).all():
            raise PipelineError(f"{where}: {name} must be finite numbers (utterances, dimensions)")
    return Dialogue(
        str(key),
        tuple(_speaker(one) for one in parts["speakers"][key]),
        y,
        tuple(str(sentence) for sentence in parts["sentences"][key]),
        arrays,
    )


def _speaker(given: Any) -> str:
    """IEMOCAP says 'M' or 'F'; MELD marks one of nine places."""
    if isinstance(given, str):
        return given
    marks = np.asarray(given)
    return str(int(marks.argmax())) if marks.ndim == 1 and marks.size else str(given)
