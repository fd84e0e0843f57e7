"""Which views there are, and opening them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import PipelineError
from pipelines.views.contract import View

Opener = Callable[[str, str], View]


def _opener(name: str) -> Opener:
    def open_view(speech_model: str, device: str) -> View:
        view: View = importlib.import_module(f"pipelines.views.{name}").open_view(speech_model, device)
        return view

    return open_view


VIEWS: dict[str, Opener] = {
    module.name: _opener(module.name)
    for module in pkgutil.iter_modules([str(Path(__file__).parent)])
    if module.name not in ("contract", "registry") and not module.name.startswith("_")
}
"""Every file of this folder that is a view: its name to the function (speech model, device) that opens it."""


@dataclass
class OpenViews:
    """The views that could be opened, and in words why the others could not."""

    views: dict[str, View] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def open_views(names: Sequence[str], speech_model: str, device: str = "auto") -> OpenViews:
    """Open views by name, in the order given.

    A view that cannot be opened (no weights, a package that does not load) is left out, with a notice; with the speech
    model `none` the view wav2vec2 is left out without one.

    Raises:
        PipelineError: a name that no view has.
    """
    unknown = [name for name in names if name not in VIEWS]
    if unknown:
        raise PipelineError(f"there is no view {unknown[0]!r}; allowed are {', '.join(sorted(VIEWS))}")
    opened = OpenViews()
    for name in dict.fromkeys(names):
        if name == "wav2vec2" and speech_model == "none":
            continue
        try:
            opened.views[name] = VIEWS[name](speech_model, device)
        except (PipelineError, ImportError, OSError) as error:
            opened.notices.append(f"The view {name} is left out: {error}")
    return opened
