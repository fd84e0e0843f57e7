"""Official corpora: one reader a file, one registry. No torch.

A reader is a `Corpus` (see `contract`) in a file of its own; its line in `CORPORA` is all else that it needs.
"""

from __future__ import annotations

from pipelines.corpora.contract import Corpus, Reading, read_corpus, write_manifest
from pipelines.corpora.cremad import CREMAD
from pipelines.corpora.emodb import EMODB
from pipelines.corpora.iemocap import IEMOCAP4, IEMOCAP6, IEMOCAP10
from pipelines.corpora.meld import MELD
from pipelines.corpora.ravdess import RAVDESS
from pipelines.corpora.tess import TESS

__all__ = ["CORPORA", "Corpus", "Reading", "read_corpus", "write_manifest"]

CORPORA: dict[str, Corpus] = {
    corpus.name: corpus for corpus in (EMODB, RAVDESS, CREMAD, TESS, IEMOCAP4, IEMOCAP6, IEMOCAP10, MELD)
}
"""By the name that `earmark corpus` takes."""
