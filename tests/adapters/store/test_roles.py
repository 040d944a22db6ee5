"""The application's role on PostgreSQL, as infra/postgres/roles.sql makes it: it works, and cannot change the past."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from oct.errors import StoreError
from oct.store.engine import Store, open_store
from tests.databases import Postgres
from tests.steps.journal_rig import TABLES, Journal

ROLES = Path(__file__).parents[3] / "infra" / "postgres" / "roles.sql"


@pytest.fixture
def application(postgres_server: Postgres, postgres_url: str) -> Iterator[Store]:
    """The database of a test, opened by the application's role."""
    role = f"app_{uuid4().hex}"
    owner = open_store(postgres_url)
    with owner.begin() as conn:
        conn.execute(text(f"CREATE ROLE {role} LOGIN"))
        statements = ROLES.read_text(encoding="utf-8").replace(':"application"', role)
        conn.exec_driver_sql(statements)
    store = open_store(make_url(postgres_url).set(username=role).render_as_string(hide_password=False))
    yield store
    store.close()
    with owner.begin() as conn:
        conn.execute(text(f"DROP OWNED BY {role}"))
        conn.execute(text(f"DROP ROLE {role}"))
    owner.close()


def test_the_application_writes_seals_and_reads_events(application: Store, tmp_path: Path) -> None:
    log = Journal(application, tmp_path)
    log.write(5)
    assert log.seal() == 5
    assert log.live() == 5


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "deed", ["UPDATE {} SET at = at", "DELETE FROM {}", "TRUNCATE {} CASCADE", "ALTER TABLE {} DISABLE TRIGGER USER"]
)
def test_the_application_cannot_change_the_past(application: Store, table: str, deed: str) -> None:
    with pytest.raises(StoreError), application.begin() as conn:
        conn.execute(text(deed.format(table)))
