"""Which key gives which answer: the defaults, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

from labeler.errors import UsageError
from labeler.service.keys import ACTION_KEYS

DEFAULT_KEYS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "0")


def split_classes(text: str) -> tuple[str, ...]:
    """The classes of `--classes a,b,c`, in that order. UsageError for an empty, repeated or single class."""
    classes = tuple(part.strip() for part in text.split(","))
    if "" in classes:
        raise UsageError(
            f"--classes {text!r} has an empty name; give them with commas between: --classes anger,neutral"
        )
    if repeated := sorted({name for name in classes if classes.count(name) > 1}):
        raise UsageError(f"--classes names {', '.join(repeated)} more than once; each class once")
    if len(classes) < 2:
        raise UsageError(f"--classes names one class ({classes[0]}); at least two: --classes anger,neutral")
    return classes


def split_keys(text: str) -> tuple[str, ...]:
    """The keys of `--keys 1,2,3`; a comma cannot be a key."""
    return tuple(part.strip().lower() for part in text.split(","))


def keys_for(classes: Sequence[str], keys: Sequence[str] | None = None) -> tuple[str, ...]:
    """One key a class: `keys` when they can be used, by default 1 to 9 and 0.

    Raises UsageError, naming what is allowed, for more classes than default keys, another number of keys than classes,
    a key that is no single character, is given twice, or already has an action in the player.
    """
    if keys is None:
        if len(classes) > len(DEFAULT_KEYS):
            raise UsageError(
                f"{len(classes)} classes, but keys by default only for {len(DEFAULT_KEYS)} (1 to 9 and 0): "
                f"name one a class, as --keys {','.join(_example(len(classes)))}"
            )
        return DEFAULT_KEYS[: len(classes)]
    if len(keys) != len(classes):
        raise UsageError(f"{len(keys)} keys for {len(classes)} classes ({', '.join(classes)}); give one key a class")
    for key in keys:
        if len(key) != 1 or not key.isprintable() or key == " ":
            raise UsageError(f"{key!r} cannot be a key of a class; allowed: one character each, as --keys 1,2,q,w")
        if key in ACTION_KEYS:
            taken = " ".join(name for name in ACTION_KEYS if name.strip())
            raise UsageError(
                f"key {key!r} is taken by {ACTION_KEYS[key]!r}; allowed: any character but Space and {taken}"
            )
    if repeated := sorted({key for key in keys if list(keys).count(key) > 1}):
        raise UsageError(f"key {', '.join(repeated)} is given to more than one class; each key once")
    return tuple(keys)


def _example(count: int) -> list[str]:
    letters = [letter for letter in "qwertyuiopasdfghjklzxcvbnm" if letter not in ACTION_KEYS]
    return [*DEFAULT_KEYS, *letters][:count]
