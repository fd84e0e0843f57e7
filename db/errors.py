"""What can go wrong with a store, in words for the person who has to act."""

from __future__ import annotations

from collections.abc import Collection


class StoreError(Exception):
    """A store cannot be opened, upgraded or used as asked."""


class UnknownClip(StoreError):
    """No clip has this id (HTTP 404)."""


class UnusableAnswer(StoreError):
    """A value that cannot be stored (HTTP 422): the reason, and what would be allowed."""

    def __init__(self, reason: str, allowed: Collection[str] = ()) -> None:
        super().__init__(f"{reason}; allowed: {', '.join(allowed)}" if allowed else reason)
        self.reason = reason
        self.allowed = tuple(allowed)


class ConflictingRequest(StoreError):
    """This `request_id` was used before for something else (HTTP 409)."""
