"""Pseudonyms of patients: what stands for an NIR wherever it is kept (J4), found again only by who holds the key.

Takes the 13 characters of an NIR and gives the first 16 bytes of an HMAC-SHA256 of them. An NIR has few digits, so
whoever has the key finds them all: the key is a secret like the master keys, and is kept apart from the database.
The key last by name makes pseudonyms; the older ones are kept to search for what was written in their time.

Fails with ConfigurationError, "cle-pseudonymes-illisible" or "cle-pseudonymes-absente".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from oct.crypto.private_files import read_keys
from oct.errors import ConfigurationError

SUFFIX = ".pseudonyme"
LENGTH = 16
NOBODY = bytes(LENGTH)
"""Of an invoice without NIR."""
_USE = b"oct/nir/1/"


class Pseudonyms:
    """Safe to share between threads."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """`keys`: 32 bytes each, by name; the last one by name is the current one."""
        self._keys = [_prepared(keys[name]) for name in sorted(keys)]
        self._current = self._keys[-1]

    def of(self, nir: bytes) -> bytes:
        """The pseudonym that is written today; NOBODY for no NIR."""
        return _derived(self._current, nir) if nir else NOBODY

    def every(self, nir: bytes) -> list[bytes]:
        """All that an NIR may have been written as, the current one last."""
        return [_derived(key, nir) for key in self._keys]


def load_pseudonyms(directory: Path) -> Pseudonyms:
    """The keys of `directory`, `<name>.pseudonyme`."""
    keys = read_keys(directory, SUFFIX, "cle-pseudonymes-illisible")
    if not keys:
        raise ConfigurationError(
            "cle-pseudonymes-absente", f"Aucune clé de pseudonymes dans {directory} : « oct init » en crée une."
        )
    return Pseudonyms(keys)


def _prepared(key: bytes) -> HMAC:
    """All of a pseudonym that is the same for everybody: copied, it costs a third of an HMAC from the key on."""
    begun = HMAC(key, SHA256())
    begun.update(_USE)
    return begun


def _derived(begun: HMAC, nir: bytes) -> bytes:
    own = begun.copy()
    own.update(nir)
    return own.finalize()[:LENGTH]
