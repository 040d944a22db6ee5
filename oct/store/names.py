"""Names of processes on one PostgreSQL: each is held by one at a time, for as long as its connection lives.

Leases and locks bear the name of the process that took them, and the next process of that name takes them back; two
at once would take each other's work. The name is an advisory lock of a session, which ends with the process however
that dies, so nothing is left behind.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from oct.errors import StoreError

_LOCK = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
_LOOK_S = 0.1


@contextmanager
def holding(url: str, name: str, patience_s: float) -> Iterator[bool]:
    """Whether `name` is this process's now, after having waited for it at most `patience_s` seconds; it is given back
    when the block ends. StoreError when the database does not answer."""
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": 10},
    )
    try:
        connection = engine.connect()
    except DBAPIError:
        raise StoreError("base-indisponible", "La base de données ne répond pas : vérifiez [store] url.") from None
    try:
        yield _taken(connection, f"oct:{name}", time.monotonic() + patience_s)
    finally:
        connection.invalidate()  # closes the session, and with it the lock, whatever became of the server
        connection.close()


def _taken(connection: Connection, name: str, end: float) -> bool:
    while not connection.execute(_LOCK, {"name": name}).scalar_one():
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK_S)
    return True
