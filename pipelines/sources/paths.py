"""The one door from a path written in a source to a file inside the source's folder."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections.abc import Iterator
from pathlib import Path

LONGEST = 4096
"""Longest path taken, in bytes: Linux's PATH_MAX."""


class Unsafe(ValueError):
    """A path that cannot be used; the message says why."""


def storable(text: str) -> bool:
    """Whether any store can hold `text`: PostgreSQL takes no NUL, and no database takes lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


class SourceFolder:
    """A source's folder; `inside` admits only what lies in it, links followed."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self._parents: dict[str, str] = {}

    def inside(self, written: str, base: str = "") -> str:
        """The path relative to the root, forward slashes, of `written`, which is relative to the root's folder `base`.

        A file that is not there is no error here (the worker sets it aside as missing). Of spellings that differ in
        slashes, outer spaces or Unicode composition, the one that exists is taken.

        Raises:
            Unsafe: the path is empty, cannot be stored, or leads out of the folder.
        """
        if not written or written.isspace():
            raise Unsafe("the path is empty")
        if not storable(written):
            raise Unsafe(f"the path {written!a} holds characters that are not text: rename the file")
        if len(os.fsencode(written)) > LONGEST:
            raise Unsafe(f"the path is longer than {LONGEST} bytes")
        first: str | None = None
        for spelling in _spellings(written):
            relative = self._relative(spelling, base)
            first = relative if first is None else first
            if os.path.lexists(os.path.join(self.root, relative)):
                first = relative
                break
        assert first is not None  # a non-empty text has at least one spelling
        if not self.holds(os.path.join(self.root, first)):
            raise Unsafe(f"the path {written!r} is a link that leads out of {self.root}")
        return first

    def holds(self, path: str) -> bool:
        """Whether the absolute `path`, links followed, lies in the folder."""
        real = os.path.realpath(path) if os.path.islink(path) else self._under_real_parent(path)
        return real.startswith(os.path.join(self.root, ""))

    def _under_real_parent(self, path: str) -> str:
        parent, name = os.path.split(path)
        if parent not in self._parents:
            self._parents[parent] = os.path.realpath(parent)
        return os.path.join(self._parents[parent], name)

    def _relative(self, written: str, base: str) -> str:
        absolute = os.path.isabs(written)
        whole = written if absolute else os.path.join(self.root, base, written)
        # realpath for an absolute path, as the root itself may have been reached through a link.
        whole = os.path.realpath(whole) if absolute else os.path.normpath(whole)
        relative = os.path.relpath(whole, self.root)
        if relative == os.curdir:
            raise Unsafe(f"the path {written!r} is the folder itself, not a file in it")
        if relative == os.pardir or relative.startswith(os.pardir + os.sep):
            raise Unsafe(f"the path {written!r} leads out of {self.root}")
        return relative.replace(os.sep, posixpath.sep)


def _spellings(written: str) -> Iterator[str]:
    """`written` itself, then what other systems would have meant by it."""
    seen = {written}
    yield written
    for other in (
        written.strip(),
        written.replace("\\", "/"),
        unicodedata.normalize("NFC", written),
        unicodedata.normalize("NFD", written),
    ):
        if other and other not in seen:
            seen.add(other)
            yield other
