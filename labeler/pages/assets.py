"""The pages' own styles, markup and scripts, read from beside this file."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def text(name: str) -> str:
    """The content of a file in this folder."""
    return (HERE / name).read_text(encoding="utf-8")
