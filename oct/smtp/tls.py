"""The TLS contexts of the door and of the client: 1.2 and 1.3 only (H9).

Fails with ConfigurationError when a certificate or key cannot be loaded.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from oct.errors import ConfigurationError, os_reason


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A context for the door from a PEM chain and its PEM key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # else a person would be asked for it
    except ssl.SSLError as error:
        together = error.reason != "KEY_VALUES_MISMATCH"
        fault = "ne se lisent pas (PEM attendu, clé sans phrase secrète)" if together else "ne vont pas ensemble"
        raise ConfigurationError(
            "certificat-tls", f"Le certificat TLS {certificate} et sa clé {key} {fault}."
        ) from None
    except OSError as error:
        raise ConfigurationError(
            "certificat-tls", f"Le certificat TLS {certificate} ou sa clé {key} : {os_reason(error)}."
        ) from None
    return context


def verifying_context() -> ssl.SSLContext:
    """A client context that trusts the machine's authorities. What it allows at least is said here: Pythons differ."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def unverified_context() -> ssl.SSLContext:
    """A client context for opportunistic TLS (RFC 7435): it hides the traffic, it does not tell who the peer is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
