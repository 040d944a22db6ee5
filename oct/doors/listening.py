"""Where a door listens, as an operator writes it, the sockets it does so with, and the TLS it may speak.

Fails with ConfigurationError (an address of another form, a context that allows less than TLS 1.2, H9) and OSError (an
address that cannot be had).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from oct.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Listener:
    """Port 0 lets the system choose. `implicit_tls`: TLS from the first octet, instead of an upgrade in clear."""

    host: str
    port: int
    implicit_tls: bool


def listener(address: str) -> Listener:
    """Read `host:port`, `[ipv6]:port`, or either behind `tls://` for implicit TLS. ConfigurationError otherwise."""
    place = address.removeprefix("tls://")
    host, colon, port = place.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ConfigurationError("adresse-ecoute", f"L'adresse d'écoute {address} n'est pas de la forme hote:port.")
    return Listener(host.strip("[]"), int(port), implicit_tls=place != address)


def bound(place: Listener) -> list[socket.socket]:
    """New sockets, one for each address that the host has; OSError, and none, when one cannot be had."""
    found = socket.getaddrinfo(place.host or None, place.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    taken: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            one = socket.socket(family, kind, protocol)
            taken.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
    except OSError:
        _close(taken)
        raise
    return taken


Listening = Callable[[Listener], list[socket.socket]]
"""Gives the sockets of an address, for the door to accept from and to close."""


class Sockets:
    """What one generation of doors listens on, taken over from the generation before where the address is the same.

    A door is given duplicates: it may stop accepting and close them, and who connects in between waits for the next.
    """

    def __init__(self, before: Sockets | None = None) -> None:
        self._before = before.held if before is not None else {}
        self.held: dict[tuple[str, str, int, int], list[socket.socket]] = {}

    def listen(self, door: str, place: Listener) -> list[socket.socket]:
        """The sockets of an address of this door; a door may ask for one several times, when its port is 0."""
        times = sum((door, place.host, place.port) == key[:3] for key in self.held)
        key = door, place.host, place.port, times
        self.held[key] = self._before.get(key) or bound(place)
        return [one.dup() for one in self.held[key]]

    def close(self, *, but: Sockets | None = None) -> None:
        """Close all that the generation `but` does not hold too."""
        for key, held in self.held.items():
            if but is None or key not in but.held:
                _close(held)


def _close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()


def require_modern(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, or ConfigurationError when it allows less than TLS 1.2."""
    if context.minimum_version < ssl.TLSVersion.TLSv1_2:
        raise ConfigurationError("tls-trop-ancien", "Le contexte TLS accepte moins que TLS 1.2.")
    return context
