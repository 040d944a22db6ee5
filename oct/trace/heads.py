"""Signing tree heads, the keys that do, and the file outside the database where the heads are published.

A key is two files, `<name>.key` (Ed25519, PKCS#8 PEM, 0600) and `<name>.pub` (what auditors get). The last one by name
signs; a key is rolled over by adding one, and what the old one signed is verified with the old `.pub`. Failures are
those of the file system (OSError), or ValueError for a key that is none.

The file holds one head a line (see verify.py), on disk when `publish` returns. A line that a crash left unfinished is
taken away, and its head published again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from oct.trace.verify import TreeHead, key_id, read_head, signed_text

_TAIL = 1 << 16
"""Longer than any line."""


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signs heads now."""

    key: Ed25519PrivateKey

    def sign(self, size: int, at: int, root: bytes) -> TreeHead:
        """The head of a tree of `size` with `root`, at an instant in ms."""
        return TreeHead(size, at, root, key_id(self.key.public_key()), self.key.sign(signed_text(size, at, root)))


def load_signer(directory: Path) -> Signer | None:
    """The last key of the directory; None when it has none."""
    paths = sorted(directory.glob("*.key"))
    if not paths:
        return None
    key = serialization.load_pem_private_key(paths[-1].read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(paths[-1].name)  # noqa: TRY004 - a wrong file, not a wrong call
    return Signer(key)


def create_key(directory: Path, name: str) -> Path:
    """Writes a new pair, the key for its owner alone; the path of its public half. Never overwrites."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = directory / f"{name}.pub"  # first: a key without its public half would sign what nobody can verify
    _create(path, public, 0o644)
    _create(path.with_suffix(".key"), private, 0o600)
    return path


def _create(path: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def last_published(path: Path) -> TreeHead | None:
    """The head on the last whole line of the file; None when there is no file or no line. Raises ProofError."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return None
    return read_head(lines[-1]) if lines else None


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Keeps others on this machine from publishing to the same file while the block runs. OSError when its folder is
    not there."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def publish(path: Path, heads: Sequence[TreeHead]) -> None:
    """Appends heads, in their order."""
    append_lines(path, [head.line() for head in heads])


def append_lines(path: Path, lines: Sequence[bytes]) -> None:
    """Appends lines; they are on disk when this returns. One that a crash left unfinished is taken away first."""
    created = not path.exists()
    with path.open("ab") as file:
        file.truncate(_whole_lines(path))
        file.write(b"".join(line + b"\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    if created:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _whole_lines(path: Path) -> int:
    """The length of the file up to its last line end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    return size - len(tail) + tail.rfind(b"\n") + 1
