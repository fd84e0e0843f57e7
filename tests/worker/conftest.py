"""Workspaces with a real worker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from worker_bench import Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Bench]]:
    """Make benches; their workers end with the test."""
    monkeypatch.setenv("EARMARK_NICENESS", "0")  # nobody waits for a page, and this process stays as nice as it was
    made: list[Bench] = []

    def make(source: Path, workspace: str = "workspace", **settings: Any) -> Bench:
        made.append(Bench(tmp_path / workspace, source, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()
