"""What several commands take: a workspace, a device, an annotator's name, a list of names."""

from __future__ import annotations

import getpass
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from labeler.errors import UsageError

DEFAULT_WORKSPACE = Path("earmark-workspace")
# Names under which no person answers: labels that came with the audio, the simulated annotator, models.
RESERVED_NAMES = frozenset({"imported", "oracle", "model"})

Workspace = Annotated[Path, typer.Option("--workspace", metavar="DIR", help="Where labels and models are kept.")]


class Device(StrEnum):
    """Where models run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def listed(option: str, given: str, allowed: Sequence[str]) -> tuple[str, ...]:
    """The names in `a,b,c`, each once. UsageError for one that is not allowed."""
    names = tuple(part.strip() for part in given.split(","))
    if unknown := [name for name in names if name not in allowed]:
        raise UsageError(f"{option} {unknown[0]!r} is unknown; allowed: {', '.join(allowed)}")
    return tuple(dict.fromkeys(names))


def existing(workspace: Path) -> Path:
    """`workspace`, if there is one. UsageError otherwise: reading commands make no new one."""
    if not (workspace / "earmark.db").is_file():
        raise UsageError(
            f"no workspace at {workspace.absolute()}: name one with --workspace DIR, "
            "or start one with `earmark label SOURCE`"
        )
    return workspace


def annotator_name(given: str | None) -> str:
    """The name that answers are stored under: as given, else the login name.

    Raises UsageError for a name that could be taken for a model or an import, or that fits no column's name.
    """
    if given is None:
        try:
            given = re.sub(r"[^\w.@-]", "-", getpass.getuser())
        except (KeyError, OSError):  # a container's user without an entry in passwd
            return "annotator"
    if not re.fullmatch(r"[\w.@ -]{1,64}", given) or given != given.strip() or given.lower() in RESERVED_NAMES:
        raise UsageError(
            f"--annotator {given!r} cannot be used; allowed: 1 to 64 letters, digits, inner spaces and . _ @ -, "
            f"and none of {', '.join(sorted(RESERVED_NAMES))}"
        )
    return given
