"""What every view expects of a clip's samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipelines.errors import PipelineError

Wave = npt.NDArray[np.float32]


def usable(waves: Sequence[Wave]) -> Iterator[tuple[int, Wave]]:
    """Yield each clip with its number in the batch.

    Raises:
        PipelineError: a clip without samples or with samples that are not finite. Models and openSMILE would take such
            a clip without a word and give nonsense (platform facts 3).
    """
    for number, wave in enumerate(waves):
        if wave.ndim != 1 or len(wave) == 0 or not np.isfinite(wave).all():
            raise PipelineError(f"clip {number} of the batch has no samples, or some that are not finite; set it aside")
        yield number, np.ascontiguousarray(wave, np.float32)
