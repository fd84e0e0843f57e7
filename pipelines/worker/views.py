"""The views in force: opened when they are first needed (torch is imported then), again when the settings change."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from db.rounds import set_notice
from pipelines.errors import PipelineError
from pipelines.views.contract import View
from pipelines.worker.log import LOG
from pipelines.worker.step import Step

if TYPE_CHECKING:
    from pipelines.worker.context import Context

NOTICE = "views"
Wanted = tuple[tuple[str, ...], str, str]


class Views:
    """What is open, and for which settings."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._wanted: Wanted | None = None
        self._open: list[View] = []
        self.version = 0

    def wanted(self, context: Context) -> Wanted:
        """Names, speech model and device by the settings; a device given to the worker itself wins."""
        settings = context.settings
        return settings.views, settings.speech_model, settings.device if self._device == "auto" else self._device

    def are_open(self, context: Context) -> bool:
        """Whether `get` would open nothing."""
        return self._wanted == self.wanted(context)

    def get(self, context: Context) -> list[View]:
        """The views, open.

        Raises:
            PipelineError: a name that no view has, or none that can be opened; the message says why.
        """
        wanted = self.wanted(context)
        if self._wanted == wanted:
            return self._open
        from pipelines.views import open_views

        opened = open_views(*wanted)
        if "torch" in sys.modules:  # not every view needs it
            sys.modules["pipelines.torch_setup"].set_threads(1)
        for notice in opened.notices:
            LOG.warning("%s", notice)
        if not opened.views:
            reasons = " ".join(opened.notices) or "the settings name no view"
            raise PipelineError(f"no features can be computed: {reasons}")
        if context.leading:
            set_notice(context.store, NOTICE, " ".join(opened.notices) or None)
        self._open, self._wanted = list(opened.views.values()), wanted
        self.version += 1
        LOG.info("views: %s", ", ".join(view.key for view in self._open))
        return self._open


def due(context: Context) -> bool:
    """Whether there is a clip to hear, and the views in force are not open."""
    if context.extraction.views.are_open(context):
        return False
    return any(clip.present for clip in context.known.clips.values())


def do(context: Context) -> None:
    """Open them."""
    context.extraction.views.get(context)


STEP = Step("views", "loading models", due, do, shared=True)
