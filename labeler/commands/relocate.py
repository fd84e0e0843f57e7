"""`earmark relocate`: a workspace whose audio has moved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labeler.commands.options import DEFAULT_WORKSPACE, Workspace, existing
from labeler.errors import UsageError


def relocate(
    new_root: Annotated[Path, typer.Argument(metavar="NEW_ROOT", help="The folder that holds the audio now.")],
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Tell a workspace where its audio is now; clips, labels and models stay as they are."""
    from db.clips import clips, sources
    from db.clips import relocate as move
    from labeler.service import open_project

    project = open_project(existing(workspace))
    new_root = new_root.expanduser().absolute()
    if not new_root.is_dir():
        raise UsageError(f"{new_root} is no folder; give the folder that the audio lies in now")
    moved = [source for source in sources(project.store) if not source.root.is_dir()]
    if not moved:
        raise UsageError(
            "every source of this workspace is where it was: "
            + ", ".join(str(source.root) for source in sources(project.store))
        )
    found = {one.id: 0 for one in moved}
    paths: dict[int, list[str]] = {one.id: [] for one in moved}
    for one in clips(project.store):
        if one.source in paths:
            paths[one.source].append(one.path)
    for source in moved:
        found[source.id] = sum((new_root / path).is_file() for path in paths[source.id])
    best = max(moved, key=lambda source: found[source.id])
    if not found[best.id]:
        raise UsageError(
            f"{new_root} holds none of the audio that was under {', '.join(str(one.root) for one in moved)}; give the "
            f"folder in which {paths[best.id][0] if paths[best.id] else 'the clips'} lies now"
        )
    move(project.store, best.id, new_root)
    print(f"{best.root} is now {new_root}: {found[best.id]:,} of {len(paths[best.id]):,} clips found there")
    for source in moved:
        if source.id != best.id:
            print(f"still missing: {source.root}; run `earmark relocate` again with its new folder")
