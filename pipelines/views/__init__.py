"""Views of a clip: speech model, log-mel, eGeMAPS. One file a view, one contract, one registry."""

from pipelines.views.contract import Features, View
from pipelines.views.registry import VIEWS, OpenViews, open_views

__all__ = ["VIEWS", "Features", "OpenViews", "View", "open_views"]
