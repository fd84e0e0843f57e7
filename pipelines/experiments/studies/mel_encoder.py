"""Depth and kernel of the mel encoder's convolutions, with pooling as in the paper."""

from __future__ import annotations

from dataclasses import replace

from pipelines.experiments.studies.contract import SHORT, Study, Variant

CHANNELS = {2: (32, 64), 4: (32, 64, 96, 128), 6: (32, 64, 96, 128, 128, 128)}


def study(views: tuple[str, ...]) -> Study:
    """Blocks 4, 2, 6 with kernels 3 and 5; only mel is fine-tuned."""
    rows = [
        Variant(
            f"{blocks} blocks, kernel {kernel}",
            replace(
                SHORT,
                name=f"{blocks} blocks, kernel {kernel}",
                mel_channels=CHANNELS[blocks],
                mel_kernel=kernel,
                mel_down="pool",
            ),
            scratch=True,
            tuned_views=("mel",) if "mel" in views else None,
        )
        for blocks, kernel in ((4, 3), (2, 3), (6, 3), (4, 5), (2, 5), (6, 5))
    ]
    return Study("mel_encoder", "How deep and wide should the mel encoder be?", tuple(rows), focus="mel")
