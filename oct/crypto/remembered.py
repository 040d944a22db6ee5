"""What was found out about certificates, and is found again at once when the very same object is asked for.

To hash a certificate, as a dictionary does, is to read the whole of it: ten times what else there is to do for each
file that leaves. So an object is known by its identity first, which stays its own as long as it is kept here, and
another object of the same bytes by these. Safe to share between threads, for facts that do not become untrue.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from cryptography import x509

_MOST = 4096
"""Certificates that are remembered, and objects; before one more, all are forgotten."""

Found = TypeVar("Found")


class Remembered(Generic[Found]):
    """Values by certificate."""

    def __init__(self) -> None:
        self._same: dict[int, tuple[x509.Certificate, Found]] = {}
        self._equal: dict[x509.Certificate, Found] = {}

    def get(self, certificate: x509.Certificate) -> Found | None:
        """What was kept last for this certificate, None when nothing was."""
        same = self._same.get(id(certificate))
        if same is not None:
            return same[1]
        found = self._equal.get(certificate)
        if found is not None:
            if len(self._same) >= _MOST:
                self._same.clear()
            self._same[id(certificate)] = certificate, found
        return found

    def keep(self, certificate: x509.Certificate, found: Found) -> None:
        """Remembers it, in the place of what was kept before."""
        if len(self._equal) >= _MOST:
            self._equal.clear()
        self._equal[certificate] = found
        self._same.clear()
