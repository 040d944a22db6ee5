"""Names of processes on one PostgreSQL: each is held by one at a time, for as long as its connection lives.

Leases and locks bear the name of the process that took them, and the next process of that name takes them back; two
at once would take each other's work. The name is an advisory lock of a session, which ends with the process however
that dies, so nothing is left behind. When the server goes, the name is taken again as soon as it is back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from oct.errors import StoreError
from oct.store.engine import CONNECT_S

_log = structlog.get_logger()
_LOCK = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
_LIVES = text("SELECT 1")
_LOOK_S = 0.1
_KEEP_S = 5.0


@contextmanager
def holding(url: str, name: str, patience_s: float) -> Iterator[bool]:
    """Whether `name` is this process's now, after having waited for it at most `patience_s` seconds; it is given back
    when the block ends. StoreError when the database does not answer."""
    lock = _Lock(url, name)
    end = time.monotonic() + patience_s
    while not (held := lock.take()) and time.monotonic() < end:
        time.sleep(_LOOK_S)
    if held:
        lock.keep()
    try:
        yield held
    finally:
        lock.give_back()


def is_held(url: str, name: str) -> bool:
    """Whether a process of this name runs. StoreError when the database does not answer."""
    with holding(url, name, 0) as free:
        return not free


class _Lock:
    """The lock of a name, on a connection of its own."""

    def __init__(self, url: str, name: str) -> None:
        self._engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": CONNECT_S},
        )
        self._name = name
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="name", daemon=True)
        self._connection = self._connect()

    def take(self) -> bool:
        """Whether the name is ours now."""
        return bool(self._connection.execute(_LOCK, {"name": f"oct:{self._name}"}).scalar_one())

    def keep(self) -> None:
        """Looks after the connection until the name is given back."""
        self._keeper.start()

    def give_back(self) -> None:
        """Ends the session, whatever became of the server."""
        self._ended.set()
        if self._keeper.is_alive():
            self._keeper.join()
        self._connection.invalidate()
        self._connection.close()

    def _connect(self) -> Connection:
        try:
            return self._engine.connect()
        except DBAPIError:
            raise StoreError("base-indisponible", "La base de données ne répond pas : vérifiez [store] url.") from None

    def _keep(self) -> None:
        held = True
        while not self._ended.wait(_KEEP_S):
            try:
                if held:
                    self._connection.execute(_LIVES)
                elif held := self.take():
                    _log.info("nom-repris", name=self._name)
            except DBAPIError:
                held = self._take_again()

    def _take_again(self) -> bool:
        """Whether the name is ours again, once the server is back; somebody who only asks for it may be in between."""
        self._connection.invalidate()
        self._connection.close()
        while not self._ended.is_set():
            try:
                self._connection = self._connect()
                if held := self.take():
                    return held
            except (StoreError, DBAPIError):
                self._ended.wait(_KEEP_S)
                continue
            _log.error("nom-pris-par-un-autre", name=self._name)
            return False
        return False
