"""Files that hold a secret: created for their owner alone, never overwritten, never readable in between.

A secret key is a file of 64 hexadecimal digits, known by its name without suffix.
"""

from __future__ import annotations

import os
from pathlib import Path

from oct.errors import ConfigurationError

_KEY_LENGTH = 32


def write_private(path: Path, content: bytes) -> None:
    """Create `path` with mode 0600 and `content`, on disk when this returns; a file that exists is left alone.

    Raises ConfigurationError "fichier-secret-existant", or "fichier-secret" when the place cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as cause:
        raise ConfigurationError(
            "fichier-secret-existant", f"Le fichier {path} existe déjà : déplacez-le avant d'en créer un autre."
        ) from cause
    except OSError as cause:
        raise ConfigurationError(
            "fichier-secret", f"Le fichier {path} ne peut pas être créé : vérifiez le répertoire et ses droits."
        ) from cause
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_key(path: Path) -> None:
    """Create a new key of 32 bytes."""
    write_private(path, os.urandom(_KEY_LENGTH).hex().encode() + b"\n")


def read_keys(directory: Path, suffix: str, code: str) -> dict[str, bytes]:
    """The keys of a directory by name, in the order of their names. Raises ConfigurationError with `code`."""
    return {path.stem: _read_key(path, code) for path in sorted(directory.glob(f"*{suffix}"))}


def _read_key(path: Path, code: str) -> bytes:
    try:
        key = bytes.fromhex(path.read_text("ascii"))
    except (OSError, ValueError) as cause:
        raise _unreadable(path, code) from cause
    if len(key) != _KEY_LENGTH:
        raise _unreadable(path, code)
    return key


def _unreadable(path: Path, code: str) -> ConfigurationError:
    return ConfigurationError(code, f"La clé {path} ne peut pas être lue : 64 chiffres hexadécimaux attendus.")
