"""Payloads: received messages, bytes to send, bytes that wait. Encrypted at rest, one key each.

A payload is destroyed by destroying its wrapped key, and its bytes with it; its size and digest stay. Sealing is
CPU alone, so a batch is best sealed (`seal`) before the transaction that inserts it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import compress
from typing import Any

from sqlalchemy import Connection, Integer, LargeBinary, bindparam, func, select, update

from oct.crypto.atrest import SealedPayload, Vault
from oct.errors import RuleError
from oct.store.rows import copy_all, insert_all
from oct.store.tables import payloads


@dataclass(frozen=True, slots=True)
class NewPayload:
    """A sealed payload on its way to the table. `size` and `sha256` are those of the clear content."""

    sealed: SealedPayload
    size: int
    sha256: bytes


_PIECE = 4 * 2**20
_LARGE = 2**18
"""Octets from which contents are handed to PostgreSQL one by one: in one statement, a driver and a server would copy
all of them several times, and beyond some size each copy is new memory, which costs more than the copying."""
_COLUMNS = ("content", "master_key", "wrapped_key", "size", "sha256", "created_at")
_SELECT = select(
    payloads.c.id,
    payloads.c.master_key,
    payloads.c.wrapped_key,
    func.substr(payloads.c.content, bindparam("start", type_=Integer), _PIECE, type_=LargeBinary).label("piece"),
).where(payloads.c.id.in_(bindparam("payloads", expanding=True)))


def seal(vault: Vault, content: bytes) -> NewPayload:
    """Encrypt `content`; touches no database."""
    return NewPayload(vault.seal(content), len(content), hashlib.sha256(content).digest())


def insert_many(conn: Connection, sealed: Sequence[NewPayload], now: int) -> list[int]:
    """Insert sealed payloads and give their ids, in the same order."""
    by_pieces = conn.dialect.name == "sqlite"
    large = [by_pieces and len(payload.sealed.ciphertext) > _PIECE for payload in sealed]
    rows = [
        (
            payload.sealed.ciphertext if not waits else b"",
            payload.sealed.key_id,
            payload.sealed.wrapped_key,
            payload.size,
            payload.sha256,
            now,
        )
        for payload, waits in zip(sealed, large, strict=True)
    ]
    one_by_one = not by_pieces and sum(len(row[0]) for row in rows) >= _LARGE
    ids = (copy_all if one_by_one else insert_all)(conn, payloads, _COLUMNS, rows)
    for payload_id, payload in compress(zip(ids, sealed, strict=True), large):
        _write_by_pieces(conn, payload_id, payload.sealed.ciphertext)
    return ids


def _write_by_pieces(conn: Connection, payload_id: int, content: bytes) -> None:
    """A large value on SQLite: bound to a statement, a copy of it would stay there until the statement's next use."""
    room = func.zeroblob(len(content))
    conn.execute(update(payloads).where(payloads.c.id == payload_id).values(content=room))
    driver: Any = conn.connection.driver_connection
    with driver.blobopen(payloads.name, payloads.c.content.name, payload_id) as blob:
        for at in range(0, len(content), _PIECE):
            blob.write(memoryview(content)[at : at + _PIECE])


def put_many(conn: Connection, vault: Vault, contents: Iterable[bytes], now: int) -> list[int]:
    """Seal and insert several contents; their ids, in the same order."""
    return insert_many(conn, [seal(vault, content) for content in contents], now)


def put(conn: Connection, vault: Vault, content: bytes, now: int) -> int:
    """Seal and insert one content; its id."""
    return put_many(conn, vault, [content], now)[0]


def get(conn: Connection, vault: Vault, payload_id: int) -> bytes:
    """The clear content. Raises RuleError when the payload was destroyed: its retention has ended (R6)."""
    found = get_many(conn, vault, [payload_id])
    if not found:
        raise RuleError("contenu-detruit", "Ce contenu n'existe plus : sa conservation a pris fin.", rule="R6")
    return found[payload_id]


def get_many(conn: Connection, vault: Vault, payload_ids: Sequence[int]) -> dict[int, bytes]:
    """The clear contents, by their ids; without those of payloads that were destroyed (R6)."""
    rows = conn.execute(_SELECT, {"payloads": payload_ids, "start": 1}).all()
    return {
        row_id: vault.open(SealedPayload(master_key, wrapped_key, _whole(conn, row_id, piece)))
        for row_id, master_key, wrapped_key, piece in rows
        if wrapped_key is not None
    }


def _whole(conn: Connection, payload_id: int, first: bytes) -> bytes:
    """The ciphertext. PostgreSQL sends bytes as text twice their size, so a big one is fetched piece by piece."""
    if len(first) < _PIECE:
        return first
    whole, piece = BytesIO(), first
    while whole.write(piece) == _PIECE:
        piece = conn.execute(_SELECT, {"payloads": [payload_id], "start": whole.tell() + 1}).one().piece
    return whole.getvalue()


def exists(conn: Connection, payload_id: int) -> bool:
    """Whether the content can still be read: its key was not destroyed."""
    kept = select(payloads.c.id).where(payloads.c.id == payload_id, payloads.c.wrapped_key.is_not(None))
    return conn.execute(kept).first() is not None


def destroy(conn: Connection, payload_id: int, now: int) -> bool:
    """Destroy key and content for good; False when that was done already."""
    done = conn.execute(
        update(payloads)
        .where(payloads.c.id == payload_id, payloads.c.destroyed_at.is_(None))
        .values(wrapped_key=None, content=None, destroyed_at=now)
    )
    return done.rowcount == 1
