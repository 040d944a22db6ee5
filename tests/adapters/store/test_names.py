"""Names of processes: one at a time bears one, through the loss of its connection too."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy.engine import make_url

from oct.store import names
from oct.store.names import holding, is_held
from tests.journeys.waiting import until

NAME = "worker-essai"


def cut(url: str) -> None:
    """Ends the sessions that hold a name, as a server does that stops."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE locktype = 'advisory' AND datname = current_database()"
        )


def test_a_name_is_borne_by_one_at_a_time_and_given_back(postgres_url: str) -> None:
    with holding(postgres_url, NAME, 0) as first, holding(postgres_url, NAME, 0) as second:
        assert (first, second) == (True, False)
    assert not is_held(postgres_url, NAME)


def test_a_process_whose_connection_was_cut_takes_its_name_again(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second one of the name is refused from then on."""
    monkeypatch.setattr(names, "_KEEP_S", 0.1)
    with holding(postgres_url, NAME, 0):
        cut(postgres_url)
        until("the name is taken again", lambda: is_held(postgres_url, NAME))


def test_a_name_that_another_took_meanwhile_is_taken_again_when_that_one_has_ended(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever only asks, like `oct health`, does not make a process lose its name for ever."""
    monkeypatch.setattr(names, "_KEEP_S", 2.0)
    with holding(postgres_url, NAME, 0):
        cut(postgres_url)
        with holding(postgres_url, NAME, 5) as second:
            assert second
            assert is_held(postgres_url, NAME)
        until("the name is taken again", lambda: is_held(postgres_url, NAME))
