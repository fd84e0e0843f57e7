"""Stores for the tests of db/: copies of two that are made once, since migrating takes longer than most tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import filled

from db.engine import Store, open_store


@pytest.fixture(scope="session")
def empty_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed workspace without settings or clips."""
    workspace = tmp_path_factory.mktemp("empty")
    open_store(workspace).close()
    return workspace


@pytest.fixture(scope="session")
def filled_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed workspace with 20 pool clips and no evaluation clips."""
    workspace = tmp_path_factory.mktemp("filled")
    filled(workspace, 20).close()
    return workspace


@pytest.fixture
def empty(tmp_path: Path, empty_workspace: Path) -> Iterator[Store]:
    """A new store without settings or clips."""
    store = open_store(shutil.copytree(empty_workspace, tmp_path / "workspace"))
    yield store
    store.close()


@pytest.fixture
def store(tmp_path: Path, filled_workspace: Path) -> Iterator[Store]:
    """A project with 20 pool clips and no evaluation clips."""
    store = open_store(shutil.copytree(filled_workspace, tmp_path / "workspace"))
    yield store
    store.close()
