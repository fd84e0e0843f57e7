"""Where the project stands, as one document."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from db.clips import counts
from db.engine import iso
from db.labels import label_counts
from db.rounds import Round, curve, latest_round, worker_state
from db.settings import settings
from labeler.service.project import Project


def status(project: Project) -> dict[str, Any]:
    """Return the document of `earmark status --json` and `GET /api/status`.

    A project without worker, model or settings still has one: worker absent, model null, no classes.
    """
    store = project.store
    now = settings(store)
    found, labels, worker, newest = counts(store), label_counts(store), worker_state(store), latest_round(store)
    return {
        "earmark": earmark_version(),
        "workspace": str(project.workspace),
        "classes": [] if now is None else list(now.classes),
        "clips": {"usable": found.usable, "set_aside": found.set_aside, "evaluation": found.evaluation},
        "labels": {
            "events": labels.events,
            "standing": labels.standing,
            "evaluation": labels.evaluation,
            "by_annotator": dict(labels.by_annotator),
            "minutes": round(labels.minutes, 2),
        },
        "worker": {
            "state": worker.state,
            "step": worker.step,
            "done": worker.done,
            "total": worker.total,
            "error": worker.error,
        },
        "model": None if newest is None else _model(newest),
        "curve": [
            {
                "labels": point.labels,
                "minutes": round(point.minutes, 2),
                "uar": point.uar,
                "low": point.low,
                "high": point.high,
                "control": point.control,
            }
            for point in curve(store)
        ],
    }


def earmark_version() -> str:
    """Return the installed version, or "unknown" where the folders are used without installation."""
    try:
        return version("earmark")
    except PackageNotFoundError:
        return "unknown"


def _model(newest: Round) -> dict[str, Any]:
    return {
        "round": newest.round,
        "labels": newest.labels,
        "published_at": iso(newest.published_at),
        "views": list(newest.views),
        "settings": dict(newest.settings),
        "because": newest.because,
    }
