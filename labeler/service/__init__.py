"""Every action of a person as one plain function: pages, HTTP, commands and the simulated annotator call these."""

from labeler.service.answers import ACTIONS, answer, recent_answers
from labeler.service.keys import ACTION_KEYS
from labeler.service.progress_report import progress
from labeler.service.project import Project, open_project, page_key, project_settings
from labeler.service.queueing import queue
from labeler.service.session import page_config, session, why_empty
from labeler.service.status import earmark_version, status

__all__ = [
    "ACTIONS",
    "ACTION_KEYS",
    "Project",
    "answer",
    "earmark_version",
    "open_project",
    "page_config",
    "page_key",
    "progress",
    "project_settings",
    "queue",
    "recent_answers",
    "session",
    "status",
    "why_empty",
]
