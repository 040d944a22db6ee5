"""Who may come in and how much may lie in memory: two counters shared by all sessions of a door (H2).

They live on one event loop and never block. A refusal is a plain False: the session turns it into a 421 or a 452.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Address, ip_address


class Admission:
    """Counts connections, in all and per address; an IPv6 client counts with its /64, which one host can own whole."""

    def __init__(self, *, connections: int, per_address: int) -> None:
        self._connections = connections
        self._per_address = per_address
        self._held: Counter[str] = Counter()

    def enter(self, peer: str) -> bool:
        """Take a place for this IP address; False when there is none."""
        group = _group(peer)
        if self._held.total() >= self._connections or self._held[group] >= self._per_address:
            return False
        self._held[group] += 1
        return True

    def leave(self, peer: str) -> None:
        """Give the place back."""
        group = _group(peer)
        self._held[group] -= 1
        if not self._held[group]:
            del self._held[group]


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


def _group(peer: str) -> str:
    address = ip_address(peer.partition("%")[0])
    return address.exploded[:19] if isinstance(address, IPv6Address) else peer
