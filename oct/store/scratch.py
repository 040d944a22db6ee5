"""A PostgreSQL database for the length of a trial, beside whatever else its server holds, and gone afterwards.

ConfigurationError when the server is away or the user may not create databases.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from oct.errors import ConfigurationError
from oct.store.engine import CONNECT_S


@contextmanager
def scratch_database(url: str) -> Iterator[str]:
    """The URL of a new, empty database on the server of `url`, whose user must be allowed to create one."""
    try:
        given = make_url(url).set(drivername="postgresql+psycopg")
    except ArgumentError:
        raise _refused() from None
    engine = create_engine(
        given, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": CONNECT_S}
    )
    name = f"oct_essai_{secrets.token_hex(4)}"
    try:
        with engine.connect() as conn:
            _run(conn, f'CREATE DATABASE "{name}" TEMPLATE template0')
    except DBAPIError:
        raise _refused() from None
    try:
        yield given.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as conn:
            _run(conn, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _run(conn: Connection, statement: str) -> None:
    conn.execute(text(statement))


def _refused() -> ConfigurationError:
    return ConfigurationError(
        "base-d-essai-impossible",
        "Aucune base d'essai n'a pu être créée : donnez l'adresse postgresql+psycopg://… d'un serveur en marche "
        "dont l'utilisateur a le droit CREATEDB.",
    )
