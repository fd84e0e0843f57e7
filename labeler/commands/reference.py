"""docs/commands.md, written from the commands themselves: `python -m labeler.commands.reference > docs/commands.md`."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

from typer.main import get_command

from labeler.commands.registry import app


def markdown() -> str:
    """Every command with its arguments and options, as they are."""
    root = get_command(app)
    lines = ["# Commands", "", "Written by `python -m labeler.commands.reference`; a test holds it to the program.", ""]
    lines += _section("earmark", root)
    for name, command in getattr(root, "commands", {}).items():
        lines += ["", *_section(f"earmark {name}", command)]
    lines += [
        "",
        "Exit codes: 0 done, 1 failed (one line says why), 2 wrong use (one line says what is allowed), 130 stopped.",
    ]
    return "\n".join(lines) + "\n"


def _section(path: str, command: Any) -> Iterator[str]:
    yield f"## `{path}`"
    yield ""
    yield cleandoc(command.help or "")
    rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
    if rows:
        yield ""
        yield "| | |"
        yield "| --- | --- |"
        yield from rows


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = parameter.metavar or parameter.name.upper()
    else:
        value = "" if parameter.is_flag else f" {parameter.metavar}"
        name = f"{parameter.opts[0]}{value}"
    default = parameter.default
    shown = "" if default in (None, False, 0, "") or "[default" in parameter.help else f" Default: {_plain(default)}."
    return f"| `{name.replace('|', chr(92) + '|')}` | {parameter.help}{shown} |"


def _plain(value: Any) -> str:
    return str(getattr(value, "value", value))


if __name__ == "__main__":
    print(markdown(), end="")
