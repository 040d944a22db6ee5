"""Both databases for every test of the store: SQLite in a file, and a real PostgreSQL.

PostgreSQL is the one of OCT_TEST_POSTGRES (a URL whose user may create databases), else one started here from the
binaries of the machine: as another user when root (PostgreSQL refuses root), on a unix socket in a short temporary
directory, without fsync, and stopped by its pid when the session ends. Each pytest process has its own. A session
migrates one template; a test gets a copy of it.
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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
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
        url = self.admin.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())


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
