"""Which classes of a corpus are asked for when it has more: IEMOCAP's four (methods.md 1.5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines.errors import PipelineError

STEMS = (("ang",), ("hap", "joy"), ("neu",), ("sad",))


def target_classes(classes: Sequence[str]) -> npt.NDArray[np.intp]:
    """Indices of anger, happiness, neutral and sadness, by the beginning of their English names.

    Raises PipelineError when fewer than two of them are there, or nothing else is.
    """
    found = [i for i, name in enumerate(classes) if any(name.lower().startswith(s) for stem in STEMS for s in stem)]
    if len(found) < 2 or len(found) == len(classes):
        raise PipelineError(
            f"classes {', '.join(classes)}: a study of target and other emotions needs two or more of anger, "
            "happiness, neutral and sadness, and other classes beside"
        )
    return np.array(found, np.intp)
