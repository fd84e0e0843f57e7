"""How this project is set up: versions, of which the newest counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.engine import Store, now
from db.errors import UnusableAnswer
from db.schema import LabelEventRow, SettingsRow

DEFAULT_KEYS = "1234567890"


@dataclass(frozen=True)
class Settings:
    """One version of the settings. `keys[i]` labels `classes[i]`; shares are from 0 to 1; `budget` counts answers."""

    name: str
    classes: tuple[str, ...]
    keys: tuple[str, ...]
    class_list_version: int = 1
    speech_model: str = "facebook/wav2vec2-base"
    views: tuple[str, ...] = ("wav2vec2", "mel", "egemaps")
    strategy: str = "auto"
    batch: int = 10
    budget: int = 200
    evaluation_share: float = 0.2
    seed: int = 0
    device: str = "auto"
    synthetic: bool = False
    control_share: float = 0.0
    pretraining: str = "default"
    fine_tuning_loss: str = "ce"
    reveal_evaluation: bool = False
    version: int = 0


_GIVEN = frozenset(field.name for field in fields(Settings)) - {"version", "class_list_version"}
_TUPLES = ("classes", "keys", "views")
_NEWEST = select(SettingsRow.version, SettingsRow.document).order_by(SettingsRow.version.desc()).limit(1)


def settings(store: Store) -> Settings | None:
    """The settings in force; None before the project is set up."""
    with store.read() as session:
        return newest_settings(session)


def newest_settings(session: Session) -> Settings | None:
    """The same inside a running transaction."""
    row = session.execute(_NEWEST).first()
    return None if row is None else _from_document(row.document, row.version)


def change_settings(store: Store, by: str, **changes: Any) -> Settings:
    """Write a new version with these changes; without any difference, the version in force stays.

    The first call sets the project up: it needs `classes`; `name` defaults to "project", `keys` to 1 to 9 and 0.
    Another class list raises `class_list_version`.

    Args:
        by: who changes it.
        **changes: fields of `Settings`, except the two versions.

    Raises:
        UnusableAnswer: an unknown setting or an unusable value, or a class taken away after labels exist.
    """
    unknown = sorted(set(changes) - _GIVEN)
    if unknown:
        raise UnusableAnswer(f"no setting is called {unknown[0]!r}", sorted(_GIVEN))
    values: dict[str, Any] = {name: tuple(value) if name in _TUPLES else value for name, value in changes.items()}
    with store.write() as session:
        old = newest_settings(session)
        if old is None:
            if "classes" not in values:
                raise UnusableAnswer("a project needs its classes first, for example anger,happiness,sadness")
            values = {"name": "project", "keys": _keys(values["classes"], ()), **values}
            new = Settings(**values)
        else:
            if "classes" in values and "keys" not in values:
                values["keys"] = _keys(values["classes"], tuple(zip(old.classes, old.keys, strict=True)))
            new = replace(old, **values)
        _check(new)
        if old is not None and new.classes != old.classes:
            gone = [name for name in old.classes if name not in new.classes]
            if gone and session.scalar(select(LabelEventRow.id).where(LabelEventRow.action == "label").limit(1)):
                raise UnusableAnswer(
                    f"the class {gone[0]!r} cannot be taken away after labels were given; classes may only be added"
                )
            new = replace(new, class_list_version=old.class_list_version + 1)
        if new == old:
            return old
        new = replace(new, version=1 if old is None else old.version + 1)
        document = asdict(new)
        del document["version"]
        session.add(SettingsRow(version=new.version, by=by, at=now(), document=document))
        return new


def _keys(classes: tuple[str, ...], taken: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """A key for each class: the one it had, else the next free of 1 to 9 and 0; an empty string where none is left."""
    had = dict(taken)
    free = iter([key for key in DEFAULT_KEYS if key not in {had[name] for name in classes if name in had}])
    return tuple(had[name] if name in had else next(free, "") for name in classes)


def _from_document(document: Mapping[str, Any], version: int) -> Settings:
    known = {field.name for field in fields(Settings)}
    values: dict[str, Any] = {"version": version}
    for name in known & set(document):
        values[name] = tuple(document[name]) if name in _TUPLES else document[name]
    return Settings(**values)


def _check(new: Settings) -> None:
    """Raises UnusableAnswer for the first value that cannot be used."""
    classes, keys = new.classes, new.keys
    if not all(isinstance(name, str) and name.strip() == name and name.isprintable() and name for name in classes):
        raise UnusableAnswer(f"a class needs a name without spaces round it; got {list(classes)!r}")
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise UnusableAnswer(f"a project needs two classes or more, each once; got {', '.join(classes) or 'none'}")
    if len(keys) != len(classes) or "" in keys:
        raise UnusableAnswer(f"{len(classes)} classes need {len(classes)} keys; give them with --keys")
    if len(set(keys)) < len(keys) or not all(isinstance(key, str) and len(key) == 1 for key in keys):
        raise UnusableAnswer(f"each class needs a key of its own, one character; got {', '.join(map(str, keys))}")
    for name in ("name", "speech_model", "strategy", "device", "pretraining", "fine_tuning_loss"):
        if not isinstance(getattr(new, name), str) or not getattr(new, name):
            raise UnusableAnswer(f"{name} must be a text")
    for name in ("synthetic", "reveal_evaluation"):
        if not isinstance(getattr(new, name), bool):
            raise UnusableAnswer(f"{name} must be true or false")
    for name, least in (("batch", 1), ("budget", 1), ("seed", 0)):
        value = getattr(new, name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**31:
            raise UnusableAnswer(f"{name} must be a whole number, {least} or more; got {value!r}")
    for name in ("evaluation_share", "control_share"):
        value = getattr(new, name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1:
            raise UnusableAnswer(f"{name} must be 0 or more and less than 1; got {value!r}")
    if not all(isinstance(view, str) and view for view in new.views) or len(set(new.views)) < len(new.views):
        raise UnusableAnswer(f"views must be names, each once; got {list(new.views)!r}")
