"""`oct bench` in production mode too: roles, PostgreSQL and a broker. How fast is nobody's promise here."""

from __future__ import annotations

import psycopg

from oct.bench.measures import Mode
from tests.databases import Postgres
from tests.journeys.benching import benched, every_figure_is_printed
from tests.valkey import Broker


def test_everything_arrives_and_every_figure_is_printed(postgres_server: Postgres, broker: Broker) -> None:
    store = postgres_server.admin.render_as_string(hide_password=False)
    before = databases(store)
    every_figure_is_printed(benched("--store", store, "--queue", broker.url), Mode.EMBEDDED, Mode.PRODUCTION)
    assert databases(store) == before


def databases(url: str) -> set[str]:
    """Those of a server."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
