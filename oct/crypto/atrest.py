"""Payloads at rest: each under a key of its own, which is wrapped by a master key.

Takes the bytes of a payload and gives three columns for the store: the master key's name, the wrapped key, the
ciphertext. Purging a payload is destroying its wrapped key: whatever copy of the ciphertext remains is then noise
(T3). Rolling the master key over rewraps keys of 32 bytes and never touches the payloads.

AES-256-GCM twice. A payload key enciphers one payload, so its nonce is constant; a master key wraps under random
nonces, sound for some four billion payloads (NIST SP 800-38D §8.3): roll it over before. The name of the master key
is bound to the wrapped key, and each use has its own label, so that neither can be passed off as the other.

Fails with `OctError("contenu-altere")`, held for a person, or `ConfigurationError` when a master key is missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oct.crypto.private_files import read_keys, write_key
from oct.errors import ConfigurationError, OctError

_KEY_LENGTH = 32
_NONCE_LENGTH = 12
_ONLY_NONCE = bytes(_NONCE_LENGTH)
_WRAPPING = b"oct/cle/1/"
_PAYLOAD = b"oct/charge/1"
SUFFIX = ".master"


@dataclass(frozen=True, slots=True)
class SealedPayload:
    """`key_id` names the master key; `wrapped_key` is 60 bytes; `ciphertext` is the content and 16 bytes."""

    key_id: str
    wrapped_key: bytes
    ciphertext: bytes


class Vault:
    """Seals under the current master key, opens under any. Safe to share between threads."""

    def __init__(self, master_keys: Mapping[str, bytes], current: str) -> None:
        """`master_keys`: 32 bytes each, by name; `current` seals, the others only read."""
        self._masters = {name: AESGCM(key) for name, key in master_keys.items()}
        self._current = current
        self._master(current)

    @property
    def current(self) -> str:
        """The name of the master key that seals."""
        return self._current

    def seal(self, content: bytes) -> SealedPayload:
        """`content` under a new key."""
        key = os.urandom(_KEY_LENGTH)
        return SealedPayload(self._current, self._wrap(key), AESGCM(key).encrypt(_ONLY_NONCE, content, _PAYLOAD))

    def open(self, sealed: SealedPayload) -> bytes:
        """The content. Raises OctError "contenu-altere", ConfigurationError "cle-maitresse-absente"."""
        key = self._unwrap(sealed)
        try:
            return AESGCM(key).decrypt(_ONLY_NONCE, sealed.ciphertext, _PAYLOAD)
        except InvalidTag as cause:
            raise _altered() from cause

    def rewrap(self, sealed: SealedPayload) -> SealedPayload:
        """The same payload with its key under the current master key."""
        return SealedPayload(self._current, self._wrap(self._unwrap(sealed)), sealed.ciphertext)

    def _wrap(self, key: bytes) -> bytes:
        nonce = os.urandom(_NONCE_LENGTH)
        return nonce + self._masters[self._current].encrypt(nonce, key, _WRAPPING + self._current.encode())

    def _unwrap(self, sealed: SealedPayload) -> bytes:
        master = self._master(sealed.key_id)
        nonce, wrapped = sealed.wrapped_key[:_NONCE_LENGTH], sealed.wrapped_key[_NONCE_LENGTH:]
        try:
            return master.decrypt(nonce, wrapped, _WRAPPING + sealed.key_id.encode())
        except (InvalidTag, ValueError) as cause:
            raise _altered() from cause

    def _master(self, name: str) -> AESGCM:
        if name not in self._masters:
            raise ConfigurationError(
                "cle-maitresse-absente", f"La clé maîtresse « {name} » manque : remettez son fichier en place."
            )
        return self._masters[name]


def load_master_keys(directory: Path) -> dict[str, bytes]:
    """The master keys of `directory` by name, `<name>.master`, in the order of their names.

    Raises ConfigurationError "cle-maitresse-illisible".
    """
    return read_keys(directory, SUFFIX, "cle-maitresse-illisible")


def create_master_key(path: Path) -> None:
    """Write a new master key to `path` (`<name>.master`): 64 hexadecimal digits, mode 0600, never over another."""
    write_key(path)


def _altered() -> OctError:
    return OctError("contenu-altere", "Un contenu conservé a été altéré ou sa clé a été détruite.")
