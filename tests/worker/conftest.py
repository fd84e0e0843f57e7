"""Workspaces with a real worker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from worker_bench import Bench

from pipelines.worker import run


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


@pytest.fixture(scope="session")
def extracted(speech_manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of the clips of `speech_manifest` as a worker leaves them, to copy: for tests of what comes after."""
    made = Bench(
        tmp_path_factory.mktemp("extracted") / "w", speech_manifest, views=("mel", "egemaps"), pretraining="none"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_NICENESS", "0")
        run(made.workspace, once=True)
    made.close()
    return made.workspace / "features"
