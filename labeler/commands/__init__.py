"""The command line: one file a command, and `main`, which turns every failure into one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from typer.exceptions import TyperException

from db.errors import StoreError
from labeler.commands.registry import app
from labeler.errors import ExportError, UsageError
from pipelines.errors import PipelineError

__all__ = ["app", "main", "run"]


def main() -> NoReturn:
    """What `earmark` and `python launch.py` call. Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted."""
    sys.exit(run())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (by default the program's own) and return its exit code; never raises for a failure."""
    try:
        code = app(arguments, prog_name="earmark", standalone_mode=False)
    except TyperException as wrong:
        return _say(_wrong_use(wrong), 2)
    except UsageError as wrong:
        return _say(str(wrong), 2)
    except (StoreError, PipelineError, ExportError) as failure:
        return _say(str(failure), 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the exit's own flush is quiet too
        return 1
    except OSError as failure:
        where = f" {failure.filename}" if failure.filename else ""
        return _say(f"{failure.strerror or failure}:{where or ' (no file named)'}", 1)
    except Exception as bug:
        if os.environ.get("EARMARK_TRACEBACK"):
            raise
        return _say(
            f"this should not happen ({type(bug).__name__}: {bug}); please report it with what "
            "EARMARK_TRACEBACK=1 in front of the same command prints",
            1,
        )
    return code if isinstance(code, int) else 0


def _say(line: str, code: int) -> int:
    print(f"earmark: {' '.join(line.split())}", file=sys.stderr)
    return code


def _wrong_use(wrong: TyperException) -> str:
    """Typer's words, and what is allowed where they do not say so themselves."""
    context, option = getattr(wrong, "ctx", None), getattr(wrong, "option_name", None)
    message = (wrong.message if option else wrong.format_message()).rstrip(".")
    if message.startswith("Invalid value"):
        return message
    if context is None:
        return f"{message}; --help after a command says what each option takes"
    commands = getattr(context.command, "commands", None)
    if commands and message.startswith("No such command"):
        return f"{message}; allowed: {', '.join(commands)}, or none of them for the demo"
    known = [parameter for parameter in context.command.params if option in parameter.opts]
    if known:
        return f"{message}: {known[0].help}"
    allowed = ", ".join(
        parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar or parameter.name.upper()
        for parameter in context.command.params
    )
    return f"{message}; {context.command_path} takes {allowed}"
