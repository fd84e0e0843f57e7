"""Five rounds of the benchmark that kills server and worker while somebody labels (`make bench` runs a hundred)."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.kill_nine import run


@pytest.mark.timeout(900)
def test_no_acknowledged_label_is_lost_or_doubled_and_everything_comes_back(tmp_path: Path) -> None:
    outcome = run(tmp_path, rounds=5, seed=74, clips=150)
    assert outcome.acknowledged > 5
    assert outcome.killed.keys() == {"server", "worker", "both"}
    assert outcome.flawless(), outcome
