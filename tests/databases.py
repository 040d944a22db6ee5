"""Both databases for every test of the store: SQLite in a file, and a real PostgreSQL.

PostgreSQL is the one of OCT_TEST_POSTGRES (a URL whose user may create databases), else one started here from the
binaries of the machine: as another user when root (PostgreSQL refuses root), on a unix socket in a short temporary
directory, without fsync, and stopped by its pid when the session ends. Each pytest process has its own. A session
migrates one template; a test is lent a copy of it, which is emptied between two tests: that costs a tenth of a new one.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from oct.store.schema import upgrade

VARIABLE = "OCT_TEST_POSTGRES"
START_S = 60

INSTRUCTION = (
    "No PostgreSQL for the tests. Install it (apt-get install postgresql: the binaries are enough, no service), "
    f"or set {VARIABLE}=postgresql+psycopg://user@host/postgres to one where databases may be created."
)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server for the tests: `admin` is the URL of a database from which others are created."""

    admin: URL

    def create(self, name: str, template: str = "template0") -> str:
        """A new database, copied from `template`; its URL."""
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return self.admin.set(database=name).render_as_string(hide_password=False)

    def drop(self, name: str) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        with _connected(self.admin.render_as_string(hide_password=False)) as connection:
            connection.execute(statement.encode())


class Shelf:
    """Migrated databases that tests are lent, one test at a time.

    One that comes back with its schema as it was is emptied; otherwise, or when it has statistics or has served for
    long, it is dropped. Nothing of a test is seen by the next one.
    """

    def __init__(self, server: Postgres, template: str) -> None:
        self._server = server
        self._template = template
        self._free: list[_Lent] = []
        self._first: list[tuple[sql.Composed, tuple[object, ...]]] = []
        """What the migrations write: how, and each row."""

    @contextmanager
    def lend(self, *, new: bool = False) -> Iterator[str]:
        """The URL of a database, as `oct migrate` leaves it; `new`: one that nobody had before."""
        one = self._free.pop() if self._free and not new else self._made()
        try:
            yield one.url
        finally:
            self._take_back(one)

    def clear(self) -> None:
        """Drops all that was lent."""
        for one in self._free:
            self._server.drop(one.name)

    def _made(self) -> _Lent:
        name = f"oct_{uuid4().hex}"
        url = self._server.create(name, self._template)
        with _connected(url) as connection:
            if not self._first:
                self._first = _rows(connection)
            return _Lent(name, url, _shape(connection), 0)

    def _take_back(self, one: _Lent) -> None:
        with suppress(psycopg.Error), _connected(one.url) as connection:
            connection.execute(_ALONE)
            if one.times < _TIMES and _shape(connection) == one.shape:
                connection.execute(_EMPTY)
                for insertion, row in self._first:
                    connection.execute(insertion, row)
                self._free.append(replace(one, times=one.times + 1))
                return
        self._server.drop(one.name)


@dataclass(frozen=True, slots=True)
class _Lent:
    name: str
    url: str
    shape: str
    times: int


_TIMES = 60
"""Rows that were deleted take their place until a database is made anew."""

_SHAPE = b"""
SELECT md5(concat(
    (SELECT string_agg(concat(oid, relname, relacl), ',' ORDER BY oid) FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind <> 'i'),
    (SELECT string_agg(concat(oid, tgname, tgenabled), ',' ORDER BY oid) FROM pg_trigger WHERE NOT tgisinternal),
    (SELECT count(*) FROM pg_statistic JOIN pg_class ON pg_class.oid = starelid
     WHERE relnamespace = 'public'::regnamespace)))
"""
_ALONE = b"""
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_TABLES = b"SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
_EMPTY = b"""
SET session_replication_role = replica;
DO $$ DECLARE one text; BEGIN
    FOR one IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('DELETE FROM public.%I', one);
    END LOOP;
    FOR one IN SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace LOOP
        PERFORM setval(format('public.%I', one)::regclass, 1, false);
    END LOOP;
END $$
"""


def _rows(connection: psycopg.Connection) -> list[tuple[sql.Composed, tuple[object, ...]]]:
    """What stands in the tables, and the statements that write it again."""
    found: list[tuple[sql.Composed, tuple[object, ...]]] = []
    for (name,) in connection.execute(_TABLES).fetchall():
        for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))):
            values = sql.SQL(", ").join(sql.Placeholder() * len(row))
            found.append((sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(name), values), row))
    return found


def _shape(connection: psycopg.Connection) -> str:
    """What tests may have changed besides rows, as one value."""
    row = connection.execute(_SHAPE).fetchone()
    assert row is not None
    return str(row[0])


def _connected(url: str) -> psycopg.Connection:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


class Cluster:
    """A PostgreSQL of one's own, from the binaries of the machine, which can be stopped at once and started again;
    `settings` instead of ours."""

    def __init__(self, home: Path, **settings: str) -> None:
        binaries = _binaries()
        if binaries is None:
            raise RuntimeError(INSTRUCTION)
        self._binaries = binaries
        self._home = home
        self._settings = settings
        self._log = home / "log"
        self._user = _unprivileged()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process of the server, whose children are its sessions."""
        return None if self._process is None else self._process.pid

    def create(self) -> Postgres:
        """Makes the cluster and starts it."""
        self._log.touch()
        if self._user is not None:
            os.chown(self._home, self._user.pw_uid, self._user.pw_gid)
        options = ["--username=oct", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        if self._launch([self._binaries / "initdb", "-D", self._home / "data", *options]).wait(START_S):
            raise RuntimeError(f"initdb failed:\n{self._log.read_text()}")
        self.start()
        return Postgres(
            URL.create("postgresql+psycopg", username="oct", database="postgres", query={"host": str(self._home)})
        )

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._home),
            "fsync": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "shared_buffers": "32MB",
            "max_connections": "80",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            **self._settings,
        }
        given = [f"--{name}={value}" for name, value in settings.items()]
        self._process = self._launch([self._binaries / "postgres", "-D", self._home / "data", *given])
        self._await(self._process)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stops the server: SIGINT ends its sessions first, SIGQUIT is its immediate stop, a crash."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(START_S)

    def _launch(self, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        who = self._user
        with self._log.open("ab") as output:
            if who is None:
                return subprocess.Popen(command, cwd=self._home, stdout=output, stderr=output)
            return subprocess.Popen(
                command,
                cwd=self._home,
                stdout=output,
                stderr=output,
                user=who.pw_uid,
                group=who.pw_gid,
                extra_groups=[],
            )

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(f"host={self._home} user=oct dbname=postgres").close()
                return
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}") from None
                time.sleep(0.05)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """The server of a session."""
    if given := os.environ.get(VARIABLE):
        yield Postgres(make_url(given).set(drivername="postgresql+psycopg"))
        return
    with own_cluster() as (_, server):
        yield server


@contextmanager
def own_cluster(**settings: str) -> Iterator[tuple[Cluster, Postgres]]:
    """A cluster in a short temporary directory, for as long as the block runs."""
    home = Path(tempfile.mkdtemp(prefix="octpg"))
    cluster = Cluster(home, **settings)
    try:
        yield cluster, cluster.create()
    finally:
        cluster.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def template(server: Postgres, name: str) -> Iterator[str]:
    """A database with every migration applied, to copy; its name."""
    upgrade(server.create(name))
    try:
        yield name
    finally:
        server.drop(name)


def _binaries() -> Path | None:
    """The directory of `initdb` and `postgres`: the one on the PATH, else the newest of Debian's."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in installed), key=lambda path: int(path.parent.name), default=None)


def _unprivileged() -> pwd.struct_passwd | None:
    """Who runs the server in place of root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]
