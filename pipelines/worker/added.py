"""What is added to the fast round's mixture: fine-tuned encoders or dialogue context, whichever gained more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.worker import context_round, slow_round

if TYPE_CHECKING:
    from db.rounds import Artefact
    from pipelines.classifiers import Extra
    from pipelines.worker.context import Context

NAMES = {slow_round.KIND: "fine-tuned encoders", context_round.KIND: "dialogue context"}


def in_use(context: Context) -> Artefact | None:
    """The artefact whose cross-validated UAR gained most over the fast round alone; None where nothing helps."""
    found = [one for one in (slow_round.in_use(context), context_round.in_use(context)) if one is not None]
    return max(found, key=lambda one: float(one.details["with"] - one.details["without"]), default=None)


def extra(context: Context, made: Artefact, clips: list[str]) -> Extra | None:
    """What it adds to a pool of these clips; None where its file is gone, or a clip of the pool is not in it."""
    from pipelines import checkpoints
    from pipelines.classifiers import Extra

    found = checkpoints.read(context.workspace / made.path)
    if found is None or found[1]["classes"] != list(context.settings.classes):
        return None
    place = {clip: row for row, clip in enumerate(found[1]["clips"])}
    if any(clip not in place for clip in clips):
        return None
    values = found[0]["probabilities"].numpy()[[place[clip] for clip in clips]]
    return Extra(NAMES[made.kind], float(made.details["share"]), values)
