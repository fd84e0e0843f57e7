"""Plotly figures as plain JSON: each function takes data of labeler.service.progress and gives {"data", "layout"}.

A colour that begins with `--em-` is one of the theme's tokens (palette.py); the page's script puts in the value of the
theme in force, and `--em-accent/0.2` means a fifth of its opacity. So light and dark share one figure, and the heavy
plotly package is not imported.
"""

from labeler.pages.figures.base import Figure, spoken
from labeler.pages.figures.confusion import confusion
from labeler.pages.figures.curve import curve
from labeler.pages.figures.embedding import embedding
from labeler.pages.figures.pretraining import pretraining
from labeler.pages.figures.recall import recall

__all__ = ["Figure", "confusion", "curve", "embedding", "pretraining", "recall", "spoken"]
