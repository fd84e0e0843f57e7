"""Exports: one file a format, one contract, one registry. Rows are built once, so every format holds the same."""

from labeler.exporters.base import Report
from labeler.exporters.consensus import RULES
from labeler.exporters.registry import EXPORTERS
from labeler.exporters.run import Preview, command, default_out, export, preview

__all__ = ["EXPORTERS", "RULES", "Preview", "Report", "command", "default_out", "export", "preview"]
