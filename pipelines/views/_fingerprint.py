"""Fingerprints of weights and settings, for the keys of views."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def fingerprint(settings: Mapping[str, Any], files: Iterable[Path] = ()) -> str:
    """Return 12 hexadecimal digits over the settings and the content of the files (not their names or places)."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]
