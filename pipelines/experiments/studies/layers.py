"""How a speech model's layers are mixed, and when that is learned."""

from __future__ import annotations

from dataclasses import replace

from pipelines.experiments.pairwise_cell import PLAIN_TUNING
from pipelines.experiments.studies.contract import SHORT, Study, Variant

LEARNED, KEPT = replace(PLAIN_TUNING, layers="learned"), replace(PLAIN_TUNING, layers="kept")


def study(views: tuple[str, ...]) -> Study:
    """Softmax weights over layer-normed layers (learned in both trainings, one, or never: uniform), over plain layers,
    started on the middle layers, and a single layer."""
    norm_off = replace(SHORT, name="plain layers", layer_norm=False)
    uniform = replace(SHORT, name="uniform", learn_layers=False)
    middle = replace(SHORT, name="middle", layer_start="middle")
    single = replace(SHORT, name="single", layer_start="single", learn_layers=False)
    rows: tuple[Variant, ...] = (
        Variant("softmax over normed layers, learned in both", tuning=LEARNED),
        Variant("learned in pre-training only", tuning=KEPT),
        Variant("learned in fine-tuning only", recipe=uniform, tuning=LEARNED),
        Variant("uniform, never learned", recipe=uniform, tuning=KEPT),
        Variant("softmax over plain layers, learned in both", recipe=norm_off, tuning=LEARNED),
        Variant("started on the middle layers, learned in both", recipe=middle, tuning=LEARNED),
        Variant("one layer, at half the depth", recipe=single, tuning=KEPT),
    )
    if "wav2vec2" not in views:
        rows = rows[:1]
    rows = tuple(replace(row, tuned_views=("wav2vec2",)) if "wav2vec2" in views else row for row in rows)
    return Study("layers", "How are the speech model's layers mixed best?", rows, focus="wav2vec2")
