"""What the store says now, read again only where it can have changed."""

from __future__ import annotations

from db.clips import Clip, Source, clips, sources
from db.engine import Store
from db.labels import bad_audio, evaluation_labels, newest_event, standing, training_labels
from db.settings import Settings, settings

Label = tuple[str, str, int]
"""(clip, class, event)"""


class Knowledge:
    """A picture of the store. `version` grows whenever anything in it may differ from before."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.settings: Settings | None = None
        self.sources: list[Source] = []
        self.event = 0
        self.version = 0
        self.setup_version = 0
        """Grows with settings and sources alone: what failed before may now work."""
        self.clips_version = 0
        self._clips: dict[str, Clip] | None = None
        self._labels: list[Label] | None = None
        self._evaluation: list[Label] | None = None
        self._answered: frozenset[str] | None = None
        self._bad: frozenset[str] | None = None

    def refresh(self, *, setup: bool = True) -> bool:
        """Look whether the store has changed; True if so. Without `setup`, only for answers: one small read."""
        before = self.version
        if setup:
            current, places = settings(self._store), sources(self._store)
            if (current, places) != (self.settings, self.sources):
                self.settings, self.sources = current, places
                self.setup_version += 1
                self.clips_changed()
        event = newest_event(self._store)
        if event != self.event:
            self.event = event
            self._forget_answers()
        return self.version != before

    def clips_changed(self) -> None:
        """Clips were added, moved or drawn: read them again when they are next asked for."""
        self._clips = None
        self.clips_version += 1
        self._forget_answers()  # which of them are training labels depends on the draw

    def _forget_answers(self) -> None:
        self._labels = self._evaluation = self._answered = self._bad = None
        self.version += 1

    @property
    def clips(self) -> dict[str, Clip]:
        """Every clip by id, in order of position, those whose file has gone too."""
        if self._clips is None:
            self._clips = {clip.id: clip for clip in clips(self._store)}
        return self._clips

    @property
    def labels(self) -> list[Label]:
        """What models may train on, by event."""
        if self._labels is None:
            self._labels = training_labels(self._store)
        return self._labels

    @property
    def evaluation(self) -> list[Label]:
        """The answers on evaluation clips."""
        if self._evaluation is None:
            self._evaluation = evaluation_labels(self._store)
        return self._evaluation

    @property
    def answered(self) -> frozenset[str]:
        """Clips with an answer (label, unsure, bad audio) of anybody."""
        if self._answered is None:
            self._answered = frozenset(answer.clip for answer in standing(self._store))
        return self._answered

    @property
    def bad(self) -> frozenset[str]:
        """Clips that cannot be understood, by somebody's ear."""
        if self._bad is None:
            self._bad = frozenset(bad_audio(self._store))
        return self._bad
