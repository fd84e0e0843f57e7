"""Which key does what on the Label page; a class cannot take a key that has another action."""

from __future__ import annotations

#: key (lower case, as the browser names it) -> what it does
ACTION_KEYS: dict[str, str] = {
    "u": "unsure",
    "b": "bad audio",
    "s": "skip",
    "z": "undo",
    "n": "note",
    "h": "show the suggestion",
    "r": "replay from the start",
    "a": "autoplay on or off",
    "?": "help",
    "+": "faster",
    "-": "slower",
    ".": "faster",
    ",": "slower",
    " ": "play or pause",
}
