"""What can be wrong with a request of a person."""


class UsageError(Exception):
    """Wrong use of a command (exit 2): one line that says what is wrong and what is allowed."""


class ExportError(Exception):
    """An export cannot be written as asked (exit 1): what stands in the way, and what to do."""
