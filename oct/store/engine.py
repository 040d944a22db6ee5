"""Opening the database: SQLite for one machine, PostgreSQL for many, and the same code above.

Takes a URL (`sqlite:///…` or `postgresql+psycopg://…`) and gives a `Store`, which hands out write and read
transactions as SQLAlchemy connections. Durability is decided here and nowhere else: SQLite runs in WAL with
`synchronous=FULL` (with NORMAL a power cut loses acknowledged commits), its writers queue up at `BEGIN IMMEDIATE`,
and before that they take turns on locks of ours, within a process and between them: SQLite's own waiting is neither
fair nor quick.

Fails with `StoreError` only, whose sentence is fixed: neither SQL nor a value ever leaves this file. The class of
the driver's error and its SQLSTATE travel as a note, for the log. A `StoreRefusalError` says that what was asked is at
fault (a text too long, a number too large, a constraint); any other, that the database is: it is away, busy or full,
lets nobody write, or lacks a table, a column or a right that a migration or its owner will give.
"""

from __future__ import annotations

import fcntl
import os
import select
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from oct.errors import ConfigurationError, StoreError, StoreRefusalError

if TYPE_CHECKING:
    import psycopg

for _kind in (type(None), bool, bytes):
    # the module looks for a way to convert these at each value, in vain: to be told that there is nothing to do costs
    # it half as much
    sqlite3.register_adapter(_kind, lambda value: value)

WAIT_S = 30
"""How long a writer waits for its turn, and a connection for a free place in the pool, in seconds."""

CONNECT_S = 10
"""How long opening a connection to PostgreSQL may take, in seconds."""

_LOOK_S = 0.0005
"""How often a writer looks whether another process is done."""

_FORGET_MS = 500
"""How long the emptying of the write-ahead log may wait for readers, and keep writers waiting."""

_PRAGMAS = (
    f"PRAGMA busy_timeout = {WAIT_S * 1000}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = FAST",  # a destroyed key is overwritten, not only forgotten
)

_SESSION = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "statement_timeout": "60s",
        "lock_timeout": f"{WAIT_S}s",
        "idle_in_transaction_session_timeout": "60s",  # its process hangs: others must not wait for its rows
        "tcp_user_timeout": "30s",
        "enable_seqscan": "off",
        "jit": "off",
    }.items()
)
"""What PostgreSQL gives up, so that a process which hangs or a network that swallows holds nobody for ever; and no
table is read whole where an index leads: a plan that is made while tables are small is kept while they grow."""

_NOBODY_WAITS: nullcontext[None] = nullcontext()
_BEGIN = "sqlite_begin"
_IDLE = "idle"
_FULL = {"SQLITE_FULL", "53100"}
_AMISS = ("25", "3D", "3F", "42")
"""Classes of SQLSTATE: a transaction that may not go on or not write; a database, schema, table, column or right that
is not there."""
_TOO_MUCH = "54"
"""The class of what is larger than PostgreSQL's own limits; its drivers say the same of a server that is away."""


class Store:
    """One database. Transactions commit when their block ends, and roll back when it raises."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        """`sqlite` or `postgresql`."""
        if self.dialect == "sqlite":
            self._turn: _Turn | None = _Turn(Path(engine.url.database or "").with_suffix(".turn"))
            self._writer: Engine = engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
            self._reader: Engine = engine
            self._hasty = self._writer
        else:
            self._turn = None
            self._writer = engine
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._hasty = engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A write transaction. Never open one inside another: on SQLite the second waits for the first."""
        with declared(), self._turn or _NOBODY_WAITS, self._writer.begin() as conn:
            yield conn

    @contextmanager
    def at_once(self) -> Iterator[Connection]:
        """A write transaction for one statement. PostgreSQL begins and ends it with the statement, so that there is one
        answer to wait for and not three; a second statement would be a second transaction there."""
        with declared(), self._turn or _NOBODY_WAITS, self._hasty.begin() as conn:
            yield conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: one snapshot of the database from its first query to its end."""
        with declared(), self._reader.begin() as conn:
            yield conn

    def forget(self) -> None:
        """Take what was deleted or overwritten out of SQLite's write-ahead log as well, unless somebody reads it now.

        PostgreSQL does the like by itself, when it vacuums.
        """
        if self.dialect != "sqlite":
            return
        with declared(), self._turn or _NOBODY_WAITS:
            raw = self.engine.raw_connection()
            try:
                raw.execute(f"PRAGMA busy_timeout = {_FORGET_MS}").close()
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
                raw.execute(_PRAGMAS[0]).close()
            finally:
                raw.close()

    def close(self) -> None:
        """Close the idle connections."""
        self.engine.dispose()


def open_store(url: str, *, pool_size: int = 10) -> Store:
    """Open the database at `url`, keeping at most `pool_size` connections. Nothing is connected before first use.

    Raises ConfigurationError for a URL that is neither SQLite's nor PostgreSQL's.
    """
    parsed = check_url(url)
    dialect = parsed.get_backend_name()
    options: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": WAIT_S}
    if dialect == "sqlite":
        engine = create_engine(parsed, hide_parameters=True, **options)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return Store(engine)
    options["connect_args"] = {"connect_timeout": CONNECT_S, "options": _SESSION}
    engine = create_engine(parsed.set(drivername="postgresql+psycopg"), hide_parameters=True, **options)
    event.listen(engine, "checkin", _came_back)
    event.listen(engine, "checkout", _check_alive)
    return Store(engine)


def check_url(url: str) -> URL:
    """The parts of the address of a database; ConfigurationError when it is neither SQLite's nor PostgreSQL's."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigurationError(
            "base-inconnue",
            "L'adresse de la base doit commencer par sqlite:/// ou postgresql+psycopg:// (clé [store] url).",
        )
    return parsed


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Settings of a new connection. `isolation_level = None` stops the module from beginning by itself."""
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma).close()


def _begin_sqlite(conn: Connection) -> None:
    conn.exec_driver_sql(conn.get_execution_options().get(_BEGIN, "BEGIN"))


class _Turn:
    """The one writer of SQLite: a lock for the threads of this process and, against other processes, one on an empty
    file beside the database, which the system ends with whoever holds it. SQLite alone would sleep longer and longer
    between two looks. Where the file cannot be opened (another user's), SQLite is left to say what is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._lock = threading.Lock()
        self._place: int | None = None

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=WAIT_S):
            raise _busy()
        try:
            self._place = self._taken()
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        place, self._place = self._place, None
        if place is not None:
            os.close(place)
        self._lock.release()

    def _taken(self) -> int | None:
        """The file, opened and locked."""
        try:
            place = os.open(self._path, os.O_RDONLY | os.O_CREAT, 0o600)
        except OSError:
            return None
        end = time.monotonic() + WAIT_S
        try:
            while not _locked(place):
                if time.monotonic() > end:
                    raise _busy()
                time.sleep(_LOOK_S)
        except BaseException:
            os.close(place)
            raise
        return place


def _locked(place: int) -> bool:
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _came_back(_connection: object, entry: ConnectionPoolEntry) -> None:
    entry.info[_IDLE] = True


def _check_alive(connection: psycopg.Connection, entry: ConnectionPoolEntry, _proxy: object) -> None:
    """A server that ends an idle session says so, and the system does when it died: then there is something to read.
    The pool replaces the connection. Asking the server each time would double the cost of a small transaction."""
    if entry.info.get(_IDLE):
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        if poll.poll(0):
            raise DisconnectionError


@contextmanager
def declared() -> Iterator[None]:
    """Turn the database's errors into the declared one: those of SQLAlchemy, and SQLite's own where it is used bare."""
    try:
        yield
    except PoolTimeoutError:
        raise _unavailable() from None
    except DBAPIError as error:
        raise _declare(error.orig, away=isinstance(error, OperationalError | InterfaceError)) from None
    except sqlite3.Error as error:
        raise _declare(error, away=isinstance(error, sqlite3.OperationalError | sqlite3.InterfaceError)) from None
    except (OverflowError, UnicodeEncodeError) as error:  # of a driver: a number, a text that it cannot hand over
        raise _noted(_refused(), type(error).__name__) from None


def _declare(error: BaseException | None, *, away: bool) -> StoreError:
    """`away`: the driver says that it is not what it was asked that is at fault."""
    code = _driver_code(error)
    return _noted(_meant(code, away=away), f"{type(error).__name__} {code}".rstrip())


def _meant(code: str, *, away: bool) -> StoreError:
    if code in _FULL:
        return StoreError("base-pleine", "La base de données n'a plus de place. L'opération sera tentée à nouveau.")
    if code.startswith(_AMISS):
        sentence = "La base de données ne permet pas l'opération : schéma, droits ou lecture seule."
        return StoreError("base-inadaptee", f"{sentence} Elle sera tentée à nouveau.")
    return _unavailable() if away and not code.startswith(_TOO_MUCH) else _refused()


def _refused() -> StoreRefusalError:
    return StoreRefusalError("base-refus", "La base de données a refusé l'opération.")


def _noted(declared: StoreError, cause: str) -> StoreError:
    declared.add_note(cause)
    return declared


def _busy() -> StoreError:
    return StoreError("base-occupee", "La base de données est occupée. L'opération sera tentée à nouveau.")


def _unavailable() -> StoreError:
    return StoreError("base-indisponible", "La base de données ne répond pas. L'opération sera tentée à nouveau.")


def _driver_code(error: BaseException | None) -> str:
    """The driver's name for what happened, or the SQLSTATE: free of values."""
    return str(getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or "")
