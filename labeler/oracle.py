"""The simulated annotator: answers with the labels that a manifest brought, at a human pace, through the service.

For demonstrations, screenshots and soak tests. It sees what a person would see (a claimed clip), waits as long as
hearing and deciding would take, and uses the same functions as the page. It is never a substitute for an annotator: it
only repeats what the source says already.
"""

from __future__ import annotations

import random
import threading
from uuid import uuid4

from db.clips import clip, counts
from db.errors import StoreError
from db.labels import standing
from db.rounds import set_notice
from db.settings import settings
from labeler.service import Project, answer, queue

ANNOTATOR = "oracle"
NOTICE = "oracle"
THINKING = (1.0, 2.0)  # seconds from the end of a clip to the key
PATIENCE = 0.5  # seconds between two looks at a queue that is empty because clips are still being read


class Oracle:
    """Labels until `ANNOTATOR` has `target` answers that stand; those of earlier runs count, so a restart goes on.

    `pace` is how many times faster than a person it works. The times stored with its answers are a person's.
    """

    def __init__(self, project: Project, target: int, *, pace: float = 1.0, seed: int = 0) -> None:
        self._project = project
        self._target = target
        self._pace = pace
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="oracle", daemon=True)

    def start(self) -> None:
        """Begin in a thread of its own, and say so on every page."""
        set_notice(
            self._project.store,
            NOTICE,
            f"A simulated annotator is on: it answers {self._target} clips with the source's own labels, "
            f"under the name {ANNOTATOR!r}.",
        )
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End after the answer in hand."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended; whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            why = self._label()
        except StoreError as error:
            why = f"The simulated annotator stopped: {error}"
        set_notice(self._project.store, NOTICE, why)

    def _label(self) -> str | None:
        """Answer clips until the target; return what the pages should say afterwards, if anything."""
        done = len(standing(self._project.store, ANNOTATOR))
        unlabelled: set[str] = set()
        while done < self._target and not self._stop.is_set():
            held = queue(self._project, ANNOTATOR, 1)["clips"]
            if not held:
                if not counts(self._project.store).scanning:
                    return f"The simulated annotator stopped at {done} of {self._target}: no clip is left for it."
                self._stop.wait(PATIENCE / self._pace)
                continue
            found, truth = held[0], clip(self._project.store, held[0]["clip"]).label
            now = settings(self._project.store)
            if truth is None or now is None or truth not in now.classes:
                if found["clip"] in unlabelled:  # skipped clips come back last: the rest has no label either
                    return (
                        f"The simulated annotator stopped at {done} of {self._target}: the other clips have no label."
                    )
                unlabelled.add(found["clip"])
                self._answer(found["clip"], "skip", None, found["seconds"], 0.0)
                continue
            thinking = self._random.uniform(*THINKING)
            if self._stop.wait((found["seconds"] + thinking) / self._pace):
                break
            self._answer(found["clip"], "label", truth, found["seconds"], thinking)
            done += 1
        return None

    def _answer(self, clip_id: str, action: str, label: str | None, seconds: float, thinking: float) -> None:
        body = {
            "request_id": str(uuid4()),
            "clip": clip_id,
            "action": action,
            "heard_ms": round(1000 * seconds),
            "decided_ms": round(1000 * (seconds + thinking)),
        }
        answer(self._project, ANNOTATOR, body if label is None else {**body, "class": label})
