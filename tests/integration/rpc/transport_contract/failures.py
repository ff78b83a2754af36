"""Exceptions that a client of the contract's bus may rebuild, and one that it may not (it lives elsewhere)."""

from typing import Any


class OutOfRoom(Exception):
    """A remote failure with details."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.kwargs = details
