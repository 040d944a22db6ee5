"""Slips: what the other side took, on disk at once, in a small database of its own beside SQLite's.

SQLite has one writer, and openers keep it busy: a courier that waited its turn after each 250 would spend its time so.
It waits for its slip instead, and the database is told of many deliveries in one transaction
(`oct.steps.work.settlement`). A slip that was not settled when the process died is settled by the next one. PostgreSQL
has no such file: there any number write at once, and a worker may come back on another machine.

Fails with StoreError, as the database itself does; with ConfigurationError when the file is damaged, or none of
SQLite's.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from oct.errors import ConfigurationError
from oct.store.engine import Store, declared

_WAIT_S = 1.0
"""How long one program of the process waits for another one, which writes for a moment only."""

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS slips (owner TEXT NOT NULL, consignment INTEGER NOT NULL, "
    "at INTEGER NOT NULL, reply TEXT NOT NULL, tls INTEGER NOT NULL, "
    "PRIMARY KEY (owner, consignment)) WITHOUT ROWID"
)
_PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL")
_WRITE = "INSERT OR REPLACE INTO slips VALUES (?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM slips WHERE owner = ? AND consignment = ?"
_READ = "SELECT owner, consignment, at, reply, tls FROM slips ORDER BY at"
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


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

    def read(self) -> list[Slip]:
        """All that there are, oldest first."""
        with self._transaction() as conn:
            rows = conn.execute(_READ)
            return [Slip(owner, consignment, at, reply, bool(tls)) for owner, consignment, at, reply, tls in rows]

    def close(self) -> None:
        """Closes the file; it is opened again when it is needed."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, declared(), self._readable():
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
        conn = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            for statement in (*_PRAGMAS, _SCHEMA):
                conn.execute(statement)
        except sqlite3.Error:
            conn.close()
            raise
        return conn

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if not getattr(error, "sqlite_errorname", "").startswith(_DAMAGED):
                raise
            raise ConfigurationError(
                "bordereaux-illisibles",
                f"{self._path} n'est pas lisible : mettez-le de côté ; ce qu'il disait remis partira une seconde fois.",
            ) from None


def beside(store: Store) -> Slips | None:
    """The slips of a database: None where it takes what it is told without a turn."""
    if store.dialect != "sqlite":
        return None
    return Slips(Path(store.engine.url.database or "").with_suffix(".slips"))
