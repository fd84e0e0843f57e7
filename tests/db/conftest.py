"""Stores for the tests of db/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import filled

from db.engine import Store, open_store


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Store]:
    """A new store without settings or clips."""
    store = open_store(tmp_path / "workspace")
    yield store
    store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A project with 20 pool clips and no evaluation clips."""
    store = filled(tmp_path / "workspace", 20)
    yield store
    store.close()
