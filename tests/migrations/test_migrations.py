"""The migrations give the tables the program speaks of, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from oct.errors import StoreError
from oct.store import schema
from oct.store.engine import Store, open_store
from oct.store.tables import metadata
from tests.databases import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    name = f"oct_empty_{uuid4().hex}"
    yield server.create(name)
    server.drop(name)


def test_the_sum_of_the_migrations_is_the_tables(store: Store) -> None:
    with store.begin() as conn:
        defaults = store.dialect == "postgresql"  # SQLite gives them back as they were typed
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": defaults})
        assert compare_metadata(context, metadata) == []


def test_the_program_asks_for_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.REVISION]


def test_an_empty_database_is_refused_then_made_then_accepted(empty_url: str) -> None:
    store = open_store(empty_url)
    with pytest.raises(StoreError, match="oct migrate") as caught:
        schema.check_schema(store.engine)
    assert caught.value.code == "base-vide"
    schema.upgrade(empty_url)
    schema.upgrade(empty_url)
    schema.check_schema(store.engine)
    store.close()


def test_looking_for_a_database_that_is_not_there_makes_none(tmp_path: Path) -> None:
    """`oct status` in the wrong directory must not leave an empty database behind, nor have one made there."""
    file = tmp_path / "oct.db"
    with pytest.raises(StoreError, match="--config"):
        schema.check_schema(open_store(f"sqlite:///{file}").engine)
    assert not file.exists()


def test_a_database_of_another_version_is_refused(store: Store) -> None:
    with store.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="9999") as caught:
        schema.check_schema(store.engine)
    assert caught.value.code == "base-autre-version"


def test_a_database_that_is_away_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="base-indisponible"):
        schema.check_schema(open_store(f"sqlite:///{tmp_path / 'nowhere' / 'oct.db'}").engine)
