"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest
from cryptography.hazmat.primitives import serialization

from oct.store.engine import Store, open_store
from oct.store.schema import upgrade
from tests.databases import Postgres, Shelf, postgres, template

hypothesis.settings.register_profile(
    "shared machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared machine")  # speed is never judged by a test: these machines are noisy


@pytest.fixture(scope="session", autouse=True)
def keys_are_checked_once() -> Iterator[None]:
    """Reading a private key proves its primes, 60 ms of CPU; tests read the same few keys thousands of times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serialization, "load_pem_private_key", cache(serialization.load_pem_private_key))
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A real PostgreSQL, for the session."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Postgres) -> Iterator[str]:
    """The name of a migrated database, to copy."""
    with template(postgres_server, f"oct_template_{os.getpid()}") as name:
        yield name


@pytest.fixture(scope="session")
def postgres_shelf(postgres_server: Postgres, postgres_template: str) -> Iterator[Shelf]:
    """Migrated databases, for one test at a time."""
    shelf = Shelf(postgres_server, postgres_template)
    yield shelf
    shelf.clear()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "oct.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of the test's own."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'oct.db')}"


@pytest.fixture
def postgres_url(postgres_shelf: Shelf) -> Iterator[str]:
    """A migrated PostgreSQL database of the test's own."""
    with postgres_shelf.lend() as url:
        yield url


@pytest.fixture
def new_postgres_url(postgres_shelf: Shelf) -> Iterator[str]:
    """A migrated PostgreSQL database that nobody had: how it reads depends on how large its tables ever were."""
    with postgres_shelf.lend(new=True) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of the test's own: the test runs once with each kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store on a migrated database of the test's own: the test runs once with each kind."""
    opened = open_store(database_url)
    yield opened
    opened.close()
