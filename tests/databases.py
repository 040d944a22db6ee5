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


@contextmanager
def postgres() -> Iterator[Postgres]:
    """The server of a session."""
    if given := os.environ.get(VARIABLE):
        yield Postgres(make_url(given).set(drivername="postgresql+psycopg"))
        return
    binaries = _binaries()
    if binaries is None:
        raise RuntimeError(INSTRUCTION)
    home = Path(tempfile.mkdtemp(prefix="octpg"))
    try:
        with _server(binaries, home):
            yield Postgres(
                URL.create("postgresql+psycopg", username="oct", database="postgres", query={"host": str(home)})
            )
    finally:
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


@contextmanager
def _server(binaries: Path, home: Path) -> Iterator[None]:
    data, log = home / "data", home / "log"
    log.touch()
    if (user := _unprivileged()) is not None:
        os.chown(home, user.pw_uid, user.pw_gid)
    options = ["--username=oct", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    if _launch([binaries / "initdb", "-D", data, *options], home, log, user).wait(START_S):
        raise RuntimeError(f"initdb failed:\n{log.read_text()}")
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(home),
        "fsync": "off",
        "full_page_writes": "off",
        "shared_buffers": "32MB",
        "max_connections": "50",
        "wal_level": "minimal",
        "max_wal_senders": "0",
    }
    given = [f"--{name}={value}" for name, value in settings.items()]
    process = _launch([binaries / "postgres", "-D", data, *given], home, log, user)
    try:
        _await(process, home, log)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(START_S)


def _unprivileged() -> pwd.struct_passwd | None:
    """Who runs the server in place of root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


def _launch(
    command: Sequence[str | Path], home: Path, log: Path, user: pwd.struct_passwd | None
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        if user is None:
            return subprocess.Popen(command, cwd=home, stdout=output, stderr=output)
        return subprocess.Popen(
            command, cwd=home, stdout=output, stderr=output, user=user.pw_uid, group=user.pw_gid, extra_groups=[]
        )


def _await(process: subprocess.Popen[bytes], home: Path, log: Path) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(f"host={home} user=oct dbname=postgres").close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
