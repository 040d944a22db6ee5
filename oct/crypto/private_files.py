"""Files that hold a secret: created for their owner alone, never overwritten, never readable in between."""

from __future__ import annotations

import os
from pathlib import Path

from oct.errors import ConfigurationError


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
