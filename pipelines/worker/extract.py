"""Features of each clip for each view: about a second at a time, the clips that are needed first at the front."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from db.claims import held
from db.clips import Clip, SetAside, set_aside
from db.engine import now
from db.rounds import suggestions
from pipelines.audio import Unusable, model_input
from pipelines.errors import PipelineError
from pipelines.views.contract import Features, View
from pipelines.worker.log import LOG
from pipelines.worker.step import Step
from pipelines.worker.views import Views

if TYPE_CHECKING:
    from pipelines.worker.context import Context

CHUNK_SECONDS = 0.6
"""Aim for one piece of work: a label that comes meanwhile waits for its end."""
MOST_CLIPS = 64
FLUSH_SECONDS = 3.0
"""What is computed is on disk after so long: kill -9 costs no more."""
LOOK_SECONDS = 2.0
"""How often to look for what other workers extracted."""
FIRST = 48
"""Clips to choose a start from, before those that only measure."""
READ_SECONDS = 10.0
"""How often a worker that does not lead reads which clips there are."""
BROKEN_IN_A_ROW = 5
Wave = npt.NDArray[np.float32]


class Extraction:
    """What is open, what is left, and how fast it goes."""

    def __init__(self, device: str) -> None:
        self.views = Views(device)
        self.pace = 0.5
        """Seconds of work for a second of sound; measured."""
        self._pending: dict[str, dict[str, Features]] = {}
        self._pending_since: float | None = None
        self._failed: set[tuple[str, str]] = set()
        self._in_a_row = 0
        self._state: tuple[int, ...] = ()
        self._order: list[str] = []
        self._missing: set[str] = set()
        self._looked = self._read = -1e9
        self._aside: list[tuple[Clip, str, str]] = []

    def missing(self, context: Context) -> set[str]:
        """Present clips that lack a view's features. Opens the views."""
        views = self.views.get(context)
        if not context.leading and time.monotonic() - self._read > READ_SECONDS:
            self._read = time.monotonic()
            context.known.clips_changed()  # the leader adds clips, and does not tell
        state = (context.known.clips_version, self.views.version, int(context.leading))
        if state != self._state:
            self._state = state
            present = sorted(clip.id for clip in context.known.clips.values() if clip.present)
            random.Random(self._seed(context)).shuffle(present)
            self._order = present
            self._missing = set(present)
            self._looked = -1e9
        if self._missing and time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            everything = context.known.clips.keys()
            for view in views:
                context.memory.load(view, everything)
            self._missing -= context.memory.complete(views)
            self._missing -= {clip for clip in self._missing if not self._needed(context, clip, views)}
        return self._missing

    def _seed(self, context: Context) -> str:
        """The leader's order is the project's; another worker begins elsewhere, so that they meet late."""
        return f"extract {context.settings.seed} {'' if context.leading else context.heart.name}"

    def _needed(self, context: Context, clip: str, views: list[View]) -> list[View]:
        return [
            view
            for view in views
            if clip not in context.memory.of(view.key).rows and (view.key, clip) not in self._failed
        ]

    def chunk(self, context: Context) -> list[str]:
        """The next clips: labelled, held, suggested, a first few, evaluation, then the others in a random order."""
        chosen: list[str] = []
        expected = 0.0
        for id in self._by_urgency(context):
            expected += self.pace * min(context.known.clips[id].seconds, 15.0)
            if chosen and expected > CHUNK_SECONDS:
                break
            chosen.append(id)
            if len(chosen) == MOST_CLIPS:
                break
        return chosen

    def _by_urgency(self, context: Context) -> Iterator[str]:
        given: set[str] = set()
        for group in self._groups(context):
            for id in group:
                if id in self._missing and id not in given:
                    given.add(id)
                    yield id

    def _groups(self, context: Context) -> Iterator[list[str]]:
        if context.leading:
            yield [clip for clip, _, _ in context.known.labels]
            yield sorted(held(context.store))
            yield [item.clip for item in suggestions(context.store)]
            apart = context.known.clips
            yield [id for id in self._order if not apart[id].evaluation][:FIRST]
            yield [id for id in self._order if apart[id].evaluation]
        yield self._order

    def run(self, context: Context, clips: list[str]) -> None:
        """Compute what these clips lack, into memory, and write it when enough has come together."""
        views = self.views.get(context)
        began = time.monotonic()
        waves = {clip: wave for clip in clips if (wave := self._wave(context, context.known.clips[clip])) is not None}
        for view in views:
            wanted = [clip for clip in waves if view in self._needed(context, clip, views)]
            for clip, features in self._extract(context, view, {clip: waves[clip] for clip in wanted}).items():
                self._pending.setdefault(view.key, {})[clip] = features
                context.memory.add(view, {clip: features})
        self._missing -= set(clips)
        self._set_aside(context)
        if self._pending and self._pending_since is None:
            self._pending_since = began
        sound = sum(len(wave) for wave in waves.values()) / 16_000
        if sound:
            self.pace += 0.3 * ((time.monotonic() - began) / sound - self.pace)
        urgent = not {label[0] for label in context.known.labels}.isdisjoint(clips)
        if (
            not self._missing
            or urgent
            or (self._pending_since and time.monotonic() - self._pending_since > FLUSH_SECONDS)
        ):
            self.flush(context)

    def _wave(self, context: Context, clip: Clip) -> Wave | None:
        root = next(source.root for source in context.known.sources if source.id == clip.source)
        try:
            return model_input(root / clip.path, clip.start, clip.end)
        except Unusable as error:
            if not root.is_dir():
                raise PipelineError(f"{root} is not there; plug it in again, or `earmark relocate` it") from error
            self._aside.append((clip, error.kind, error.reason))
            return None

    def _extract(self, context: Context, view: View, waves: dict[str, Wave]) -> dict[str, Features]:
        if not waves:
            return {}
        try:
            return dict(zip(waves, view.extract(list(waves.values())), strict=True))
        except Exception:
            if len(waves) > 1:  # which of them is it?
                found: dict[str, Features] = {}
                for clip, wave in waves.items():
                    found.update(self._extract(context, view, {clip: wave}))
                return found
            (clip,) = waves
            return self._one(context, view, context.known.clips[clip], waves[clip])

    def _one(self, context: Context, view: View, clip: Clip, wave: Wave) -> dict[str, Features]:
        """A clip that brought a batch down, alone: it is set aside if the view says that it is to blame."""
        try:
            features = view.extract([wave])
        except PipelineError as error:
            self._aside.append((clip, "unreadable", f"no features of the view {view.name}: {error}"))
            return {}
        except Exception as error:
            self._in_a_row += 1
            if self._in_a_row >= BROKEN_IN_A_ROW:
                self._in_a_row = 0
                raise
            self._failed.add((view.key, clip.id))
            LOG.exception("view %s, clip %s (%s)", view.name, clip.id, clip.path, exc_info=error)
            return {}
        self._in_a_row = 0
        return {clip.id: features[0]}

    def _set_aside(self, context: Context) -> None:
        """Set aside the clips that turned out to be unusable, in one transaction a source."""
        for source in {clip.source for clip, _, _ in self._aside}:
            items = [
                # A file that is missing or broken now is read again by the next scan, whatever its size and time.
                SetAside(source, clip.path, clip.start, clip.end, kind, reason, now(), 0, 0)
                for clip, kind, reason in self._aside
                if clip.source == source
            ]
            for item in items:
                LOG.warning("set aside %s: %s", item.path, item.reason)
            set_aside(context.store, source, items)
        if self._aside:
            self._aside = []
            context.known.clips_changed()

    def flush(self, context: Context) -> None:
        """Write what was computed to the feature store."""
        for key in list(self._pending):
            context.features.write(key, self._pending[key])
            del self._pending[key]
        self._pending_since = None

    @property
    def waiting(self) -> bool:
        """Whether something was computed that is not on disk yet."""
        return bool(self._pending)


def due(context: Context) -> bool:
    """Whether a present clip lacks features, or features wait to be written."""
    if not context.extraction.views.are_open(context):
        return False
    return context.extraction.waiting or bool(context.extraction.missing(context))


def do(context: Context) -> None:
    """Compute the features of some clips."""
    extraction = context.extraction
    missing = extraction.missing(context)
    if not missing:
        extraction.flush(context)
        return
    extraction.run(context, extraction.chunk(context))
    present = sum(clip.present for clip in context.known.clips.values())
    context.report(present - len(extraction.missing(context)), present)


STEP = Step("extract", "computing features", due, do, shared=True)
