"""`earmark export`: what it writes, what it says, and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from export_project import answer_some, make_project, publish

from labeler.commands import run
from labeler.service import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path)


def export(project: Project, *arguments: str) -> int:
    return run(["export", "--workspace", str(project.workspace), *arguments])


def test_it_writes_and_reports(project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer_some(project)
    publish(project)
    out = tmp_path / "labels.csv"
    assert export(project, "--format", "csv", "--consensus", "unanimous", "--predictions", "--out", str(out)) == 0
    assert len(pd.read_csv(out, dtype=str)) == 12
    said = capsys.readouterr().out
    assert f"{out}: 12 rows on 11 clips (6 label, 1 unsure, 1 bad audio, 4 prediction)" in said
    assert "left out, 1 clip: its annotators do not all give the same class" in said


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--format", "xlsx"], 2, "allowed: csv, jsonl, parquet, audformat, huggingface, labelstudio"),
        (["--format", "csv", "--consensus", "mean"], 2, "allowed: majority, unanimous"),
        (["--format", "csv"], 1, "Label a clip first"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    project: Project, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    assert export(project, *arguments) == code
    said = capsys.readouterr().err.strip()
    assert words in said
    assert len(said.splitlines()) == 1
