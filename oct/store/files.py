"""The files that arrived inside messages: what their headers and trailers said, never their content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, select

from oct.store.rows import columns, insert_all
from oct.store.tables import files


class NewFile(NamedTuple):
    """A file of a message, as its row.

    `shape` is `unique` (annex 4.2), `source` (4.1), or the kind of an opaque flow (O2).
    """

    message_id: int
    shape: str
    file_id: str
    sender_number: str
    recipient_type: str
    recipient_number: str
    application: str
    norm: str
    record_count: int
    lot_count: int
    invoice_count: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is kept."""

    id: int
    message_id: int
    shape: str
    file_id: str
    sender_number: str
    recipient_type: str
    recipient_number: str
    application: str
    norm: str
    record_count: int
    lot_count: int
    invoice_count: int
    sha256: bytes


def insert_many(conn: Connection, new: Sequence[NewFile]) -> list[int]:
    """Keep what is known of the files; their ids, in the same order."""
    return insert_all(conn, files, NewFile._fields, new)


def of_message(conn: Connection, message_id: int) -> list[StoredFile]:
    """The files of a message, in order."""
    rows = conn.execute(
        select(*columns(files, StoredFile)).where(files.c.message_id == message_id).order_by(files.c.id)
    )
    return [StoredFile(*row) for row in rows]
