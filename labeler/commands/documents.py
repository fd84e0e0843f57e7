"""What commands that compute long write: a bar on standard error, documents to files or standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labeler.errors import UsageError


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int, str], None]]:
    """A bar on standard error; yields the function (done, total, what) that moves it."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading", total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=what)


def one_standard_output(json_out: str | None, html_out: str | None) -> None:
    """UsageError when both documents want standard output."""
    if json_out == "-" and html_out == "-":
        raise UsageError("--json - and --html - both want standard output; give one of them a file")


def put(where: str, text: str) -> None:
    """Write `text` to a file, or for `-` to standard output."""
    if where == "-":
        sys.stdout.write(text)
        return
    path = Path(where).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
