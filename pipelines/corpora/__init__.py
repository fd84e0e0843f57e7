"""Official corpora: one reader a file, one registry. No torch.

A reader is a `Corpus` (see `contract`) in a file of its own; its line in `CORPORA` is all else that it needs.
"""

from __future__ import annotations

from pipelines.corpora.contract import Corpus, Reading, read_corpus, write_manifest
from pipelines.corpora.emodb import EMODB

__all__ = ["CORPORA", "Corpus", "Reading", "read_corpus", "write_manifest"]

CORPORA: dict[str, Corpus] = {corpus.name: corpus for corpus in (EMODB,)}
"""By the name that `earmark corpus` takes."""
