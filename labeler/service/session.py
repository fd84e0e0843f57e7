"""What a page must know of the project and the person beside the queue: rebuilt from the store at every load."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from db.clips import counts
from db.labels import answered_since, label_counts
from db.rounds import notices, worker_state
from labeler.service.answers import recent_answers
from labeler.service.project import Project, page_key, project_settings

#: So many answers can be taken back after a reload.
UNDO_STEPS = 100


def page_config(project: Project, annotator: str) -> dict[str, Any]:
    """Return what stands in a page's head: key of the browser's storage, names, classes with their keys."""
    found = project_settings(project)
    return {
        "uid": page_key(project, annotator),
        "project": found.name,
        "annotator": annotator,
        "classes": [{"name": name, "key": key} for name, key in zip(found.classes, found.keys, strict=True)],
        "notices": list(notices(project.store).values()),
    }


def session(project: Project, annotator: str, *, nothing_left: bool = False) -> dict[str, Any]:
    """Return the document of `GET /api/session`: what the pages' header and the Label page show of this person's work.

    `recent` is newest first. `empty` says why the queue has no clip, for a page that was given none (`nothing_left`).
    """
    found = project_settings(project)
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        **page_config(project, annotator),
        "budget": found.budget,
        "today": answered_since(project.store, annotator, midnight),
        "recent": recent_answers(project, annotator, UNDO_STEPS),
        "empty": why_empty(project, annotator) if nothing_left else None,
    }


def why_empty(project: Project, annotator: str) -> str:
    """Return in words why there is no clip to label now, and what to do."""
    found, worker = counts(project.store), worker_state(project.store)
    aside = f" {found.set_aside} were set aside; the Progress page says why." if found.set_aside else ""
    if found.scanning:
        if worker.state == "absent":
            return "The worker that reads the clips is not running. Start `earmark label` again, or `earmark worker`."
        seen = f" {found.usable} found so far." if found.usable else ""
        return f"Reading the clips.{seen} The first ones appear here by themselves."
    if not found.usable:
        return f"There is no clip to label.{aside or ' The source has no audio files that could be used.'}"
    answered = label_counts(project.store).by_annotator.get(annotator, 0)
    if answered >= found.usable:
        return f"All {found.usable} clips are answered. Press Z to take the last answer back, or go to Export."
    return (
        f"Nothing is left for you: of {found.usable} clips you answered {answered}, and the others are answered or "
        f"held by somebody else.{aside}"
    )
