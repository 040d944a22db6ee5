"""Where a door listens, as an operator writes it, and the TLS it may speak.

Fails with ConfigurationError: an address of another form, or a context that allows less than TLS 1.2 (H9).
"""

from __future__ import annotations

import ssl
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


def require_modern(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, or ConfigurationError when it allows less than TLS 1.2."""
    if context.minimum_version < ssl.TLSVersion.TLSv1_2:
        raise ConfigurationError("tls-trop-ancien", "Le contexte TLS accepte moins que TLS 1.2.")
    return context
