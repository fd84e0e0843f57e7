"""`--import-labels`: the labels that a source brought, as answers of an annotator called `imported`."""

from __future__ import annotations

import threading
from collections import Counter
from uuid import NAMESPACE_URL, uuid5

from db.clips import clips, counts
from db.errors import StoreError
from db.labels import record_many, standing
from db.rounds import set_notice
from db.settings import settings
from labeler.service import Project
from labeler.service.answers import read_answer

ANNOTATOR = "imported"
NOTICE = "imported"
TOGETHER = 200  # answers a transaction
INTERVAL = 0.5  # seconds between two looks for clips that the worker has added


def import_labels(project: Project) -> Counter[str]:
    """Store the label of each clip that has one and no imported answer yet; count labels that are no class, by value.

    Safe to repeat and to interrupt: a clip's answer always has the same `request_id`.
    """
    now = settings(project.store)
    classes = () if now is None else now.classes
    known = {given.clip for given in standing(project.store, ANNOTATOR)}
    due = [one for one in clips(project.store) if one.label is not None and one.id not in known]
    usable = [
        read_answer(
            ANNOTATOR,
            {
                "request_id": str(uuid5(NAMESPACE_URL, f"earmark:imported:{one.id}:{one.label}")),
                "clip": one.id,
                "action": "label",
                "class": one.label,
            },
        )
        for one in due
        if one.label in classes
    ]
    for first in range(0, len(usable), TOGETHER):  # in parts, so that a person's answer never waits for long
        record_many(project.store, usable[first : first + TOGETHER])
    return Counter(one.label for one in due if one.label is not None and one.label not in classes)


class LabelImport:
    """Imports in a thread while the worker is still reading clips, until all are read."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="import-labels", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End at the next look."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every clip was read and its label imported; whether that is so."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            set_notice(self._project.store, NOTICE, self._import())
        except StoreError as error:
            set_notice(self._project.store, NOTICE, f"Importing labels stopped: {error}")

    def _import(self) -> str | None:
        while True:
            # Asked before the look at the clips, so that those of the scan's last moment are seen too.
            scanning = counts(self._project.store).scanning
            unusable = import_labels(self._project)
            if not scanning or self._stop.wait(INTERVAL):
                break
        if not unusable:
            return None
        listed = ", ".join(f"{label} ({count})" for label, count in unusable.most_common(8))
        return f"{unusable.total()} labels of the source were not imported, being no class of this project: {listed}."
