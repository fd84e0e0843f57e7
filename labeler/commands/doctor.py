"""`earmark doctor`: what is installed, under which licence, what can be reached, how fast it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from labeler.commands.options import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from labeler.commands.checks import Finding

MARKS = {"good": "ok  ", "note": "note", "bad": "BAD "}


def doctor(workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Look at this machine and at the workspace, and say what to do about what is missing.

    Exit code 1 when something keeps Earmark from working.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # looking never fetches hundreds of megabytes
    from labeler.commands.checks import CHECKS

    bad = 0
    for title, check in CHECKS.items():
        print(title)
        for finding in check(workspace):
            print(_line(finding), flush=True)
            bad += finding.mark == "bad"
    if bad:
        print(f"\n{bad} to mend, marked BAD above.")
        raise typer.Exit(1)


def _line(finding: Finding) -> str:
    line = f"  {MARKS[finding.mark]} {finding.text}"
    return line if finding.advice is None else f"{line}\n       -> {finding.advice}"
