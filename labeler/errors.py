"""What can be wrong with a request of a person."""


class UsageError(Exception):
    """Wrong use of a command (exit 2): one line that says what is wrong and what is allowed."""
