"""Who may come in: connections counted in all and per address, shared by all sessions of a door (H2).

Lives on one event loop and never blocks. A refusal is a plain False: the session turns it into its protocol's answer.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Address
from typing import Any


class Admission:
    """Counts connections, in all and per group of addresses (`address_group`)."""

    def __init__(self, *, connections: int, per_address: int) -> None:
        self._connections = connections
        self._per_address = per_address
        self._held: Counter[str] = Counter()
        self._in_all = 0

    def enter(self, peer: str) -> bool:
        """Take a place for this IP address; False when there is none."""
        group = address_group(peer)
        if self._in_all >= self._connections or self._held[group] >= self._per_address:
            return False
        self._held[group] += 1
        self._in_all += 1
        return True

    def leave(self, peer: str) -> None:
        """Give the place back."""
        group = address_group(peer)
        self._held[group] -= 1
        self._in_all -= 1
        if not self._held[group]:
            del self._held[group]


def ip_of(peername: Any) -> str:
    """The IP address of a socket's peer name; an IPv4 client of a double socket is written as IPv4."""
    return str(peername[0]).removeprefix("::ffff:").partition("%")[0]


def address_group(peer: str) -> str:
    """An IPv4 address by itself; an IPv6 client counts with its /64, which one host can own whole."""
    return IPv6Address(peer).exploded[:19] if ":" in peer else peer
