"""The project that a person works on, and the small facts that every page needs of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from db.engine import Store, open_store
from db.errors import StoreError
from db.settings import Settings, settings


@dataclass(frozen=True)
class Project:
    """An open workspace."""

    store: Store
    workspace: Path


def open_project(workspace: Path) -> Project:
    """Open the workspace at this folder.

    Raises:
        StoreError: there is no store that this version can open.
    """
    workspace = workspace.resolve()
    return Project(open_store(workspace), workspace)


def project_settings(project: Project) -> Settings:
    """Return the newest settings.

    Raises:
        StoreError: nobody has set this project up yet.
    """
    found = settings(project.store)
    if found is None:
        raise StoreError(f"{project.workspace} is not set up yet: run `earmark label SOURCE --workspace DIR` first")
    return found


def page_key(project: Project, annotator: str) -> str:
    """Return a key for this project and person, under which a browser keeps answers not yet saved.

    Two projects may be served at the same address one after the other; the answers of one never reach the other.
    """
    return hashlib.sha256(f"{project.workspace}\0{annotator}".encode()).hexdigest()[:16]
