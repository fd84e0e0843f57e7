"""`earmark export`: the labels, for the tool that uses them next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from labeler.commands.options import DEFAULT_WORKSPACE, Workspace, existing


def export(
    format: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="csv, jsonl, parquet, audformat, huggingface or labelstudio."),
    ],
    consensus: Annotated[
        str | None,
        typer.Option(metavar="RULE", help="One row a clip instead of one an annotator: majority or unanimous."),
    ] = None,
    predictions: Annotated[
        bool, typer.Option("--predictions", help="Add the model's class for each clip without a label.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="By default in the workspace's folder exports.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Write the answers that stand, with where each came from, and say what was left out and why."""
    from rich.console import Console
    from rich.progress import Progress

    from labeler.exporters import export as write
    from labeler.service import open_project

    project = open_project(existing(workspace))
    with Progress(console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("Writing", total=None)
        report = write(
            project,
            format,
            out,
            consensus,
            predictions,
            tick=lambda done, total: bar.update(task, completed=done, total=total),
        )
    print("\n".join(report.lines()))
