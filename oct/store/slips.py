"""Slips: what the other side took, on disk at once, in a small database of its own beside SQLite's.

SQLite has one writer, and openers keep it busy: a courier that waited its turn after each 250 would spend its time so.
It waits for its slip instead, and the database is told of many deliveries in one transaction
(`oct.steps.work.settlement`). A slip that was not settled when the process died is settled by the next one. PostgreSQL
has no such file: there any number write at once, and a worker may come back on another machine.

Fails with StoreError, as the database itself does; with ConfigurationError when the file is none of SQLite's.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from oct.errors import ConfigurationError
from oct.store.engine import WAIT_S, Store, declared

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS slips (owner TEXT NOT NULL, consignment INTEGER NOT NULL, "
    "at INTEGER NOT NULL, reply TEXT NOT NULL, tls INTEGER NOT NULL, "
    "PRIMARY KEY (owner, consignment)) WITHOUT ROWID"
)
_PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL")
_WRITE = "INSERT OR REPLACE INTO slips VALUES (?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM slips WHERE owner = ? AND consignment = ?"
_OF = "SELECT owner, consignment, at, reply, tls FROM slips WHERE substr(owner, 1, length(?1)) = ?1 ORDER BY at"
_FORGET_OF = "DELETE FROM slips WHERE substr(owner, 1, length(?1)) = ?1"


class Slip(NamedTuple):
    """A consignment (id) that `owner` had leased and that was taken with `reply`, at `at` (ms)."""

    owner: str
    consignment: int
    at: int
    reply: str
    tls: bool


class Slips:
    """Those beside one database. Thread-safe; opened when first used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def write(self, new: Sequence[Slip], settled: Sequence[Slip]) -> None:
        """Puts the new ones on disk, and takes away those that were settled, in one commit."""
        with self._transaction() as conn:
            conn.executemany(_FORGET, [(one.owner, one.consignment) for one in settled])
            conn.executemany(_WRITE, new)

    def of(self, prefix: str) -> list[Slip]:
        """Those of owners whose names begin so, oldest first."""
        with self._transaction() as conn:
            rows = conn.execute(_OF, (prefix,))
            return [Slip(owner, consignment, at, reply, bool(tls)) for owner, consignment, at, reply, tls in rows]

    def forget(self, prefix: str) -> None:
        """Takes away those of owners whose names begin so."""
        with self._transaction() as conn:
            conn.execute(_FORGET_OF, (prefix,))

    def close(self) -> None:
        """Closes the file; it is opened again when it is needed."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, declared():
            if self._opened is None:
                self._opened = self._open()
            conn = self._opened
            conn.execute("BEGIN IMMEDIATE")
            try:
                yield conn
                conn.execute("COMMIT")
            except BaseException:
                conn.rollback()
                raise

    def _open(self) -> sqlite3.Connection:
        conn = sqlite3.connect(self._path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            for statement in (*_PRAGMAS, _SCHEMA):
                conn.execute(statement)
        except sqlite3.OperationalError:
            conn.close()
            raise
        except sqlite3.DatabaseError:
            conn.close()
            raise ConfigurationError(
                "bordereaux-illisibles",
                f"{self._path} n'est pas lisible : mettez-le de côté ; ce qu'il disait remis partira une seconde fois.",
            ) from None
        return conn


def beside(store: Store) -> Slips | None:
    """The slips of a database: None where it takes what it is told without a turn."""
    if store.dialect != "sqlite":
        return None
    return Slips(Path(store.engine.url.database or "").with_suffix(".slips"))
