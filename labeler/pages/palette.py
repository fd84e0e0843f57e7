"""Colours that all pages share: one for each class, kept for the life of a project, and the two themes.

A class colour is never alone: its name and key stand beside it. Classes only grow, so a class's place in the list
(and with it the colour) never changes. First the eight of Okabe and Ito (2008, "Color universal design"; black is
replaced by a grey that is seen on both themes), then eight of Paul Tol's "muted" scheme that differ from them.
"""

from __future__ import annotations

from collections.abc import Sequence

PALETTE: tuple[str, ...] = (
    "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442", "#8C8C8C",
    "#882255", "#44AA99", "#999933", "#AA4499", "#DDCC77", "#88CCEE", "#117733", "#CC6677",
)  # fmt: skip

#: CSS custom properties, name -> (light, dark). Text pairs reach 4.5:1 and more, edges of controls 3:1.
TOKENS: dict[str, tuple[str, str]] = {
    "bg": ("#f6f6f4", "#141619"),
    "surface": ("#ffffff", "#1c1f23"),
    "sunken": ("#ecece8", "#0f1113"),
    "line": ("#dcdcd6", "#33383f"),
    "edge": ("#85888d", "#6f767f"),
    "text": ("#1a1c1f", "#e9eaec"),
    "muted": ("#52565c", "#abb1b9"),
    "accent": ("#0b57a4", "#8fbcff"),
    "on-accent": ("#ffffff", "#0d1520"),
    "good": ("#1b6a39", "#84d6a2"),
    "warn": ("#854800", "#f2bd68"),
    "warn-bg": ("#fdf1d8", "#33270f"),
    "bad": ("#a5211d", "#ff9d96"),
    "bad-bg": ("#fde8e6", "#3a1917"),
    "lit": ("#cfe2f8", "#24446c"),
}


def class_colours(classes: Sequence[str]) -> dict[str, str]:
    """Return the colour (#RRGGBB) of each class, by its place in the project's list."""
    return {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(classes)}


def css_tokens() -> str:
    """Return the style rules that define `--em-…` for the light and the dark theme."""
    light = "".join(f"--em-{name}:{pair[0]};" for name, pair in TOKENS.items())
    dark = "".join(f"--em-{name}:{pair[1]};" for name, pair in TOKENS.items())
    return f":root{{{light}color-scheme:light}}\n:root[data-theme=dark]{{{dark}color-scheme:dark}}"
