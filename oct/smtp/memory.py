"""How much may lie in memory: one counter of octets, shared by all sessions of the SMTP door (H2).

Lives on one event loop and never blocks. A refusal is a plain False: the session turns it into a 452.
"""

from __future__ import annotations


class Memory:
    """The octets of messages that all sessions hold together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0

    def has_room(self, octets: int) -> bool:
        """Whether so many more would fit now."""
        return self._held + octets <= self._limit

    def take(self, octets: int) -> bool:
        """Take so many; False, and nothing taken, when they do not fit."""
        if not self.has_room(octets):
            return False
        self._held += octets
        return True

    def give(self, octets: int) -> None:
        """Give back what was taken."""
        self._held -= octets
