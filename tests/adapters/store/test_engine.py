"""Opening both databases: durability settings, transactions, and what an error may say."""

from __future__ import annotations

import fcntl
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from oct.errors import ConfigurationError, Fate, StoreError, StoreRefusalError
from oct.store import engine
from oct.store.counters import advance, value
from oct.store.engine import Store, open_store
from oct.store.numbering import reserve
from oct.store.tables import practitioner_numbers, sequences


def test_sqlite_survives_a_power_cut_by_its_settings(sqlite_url: str) -> None:
    """P1: WAL with synchronous FULL (2) lost no acknowledged write; every connection of the pool has it."""
    store = open_store(sqlite_url)
    with store.begin() as writer, store.read() as reader:
        for conn in (writer, reader):
            asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "secure_delete")
            found = [conn.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() for pragma in asked]
            assert found == ["wal", 2, 1, 30_000, 2]
    store.close()


def test_a_write_transaction_of_sqlite_holds_the_lock_from_its_first_word(sqlite_url: str) -> None:
    store, other = open_store(sqlite_url), open_store(sqlite_url)
    with store.begin(), other.read() as conn:
        conn.exec_driver_sql("PRAGMA busy_timeout = 0")
        with pytest.raises(Exception, match="locked"):
            conn.exec_driver_sql("UPDATE sequences SET value = 0")
        conn.exec_driver_sql("PRAGMA busy_timeout = 30000")
    store.close()
    other.close()


def test_a_transaction_commits_at_its_end_and_rolls_back_when_its_block_raises(store: Store) -> None:
    with store.begin() as conn:
        advance(conn, "kept")

    def interrupted() -> None:
        with store.begin() as conn:
            advance(conn, "lost")
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    with store.read() as conn:
        assert list(conn.execute(select(sequences.c.name)).scalars()) == ["kept"]


def test_a_reader_sees_one_snapshot_while_others_write(store: Store) -> None:
    with store.read() as reader:
        before = list(reader.execute(select(sequences)))
        with store.begin() as conn:
            advance(conn, "later")
        assert list(reader.execute(select(sequences))) == before == []


def test_an_error_of_the_database_is_declared_without_sql_or_values(store: Store) -> None:
    """Neither the sentence, nor the notes, nor the printed traceback hold what was written."""
    with pytest.raises(StoreError) as caught, store.begin() as conn:
        conn.execute(insert(practitioner_numbers).values(number="123456789", practitioner_id=404))
    printed = "".join(traceback.format_exception(caught.value))
    assert isinstance(caught.value, StoreRefusalError)
    assert caught.value.fate is Fate.HOLD
    assert caught.value.sentence == "La base de données a refusé l'opération."
    assert "IntegrityError" in printed or "ForeignKeyViolation" in printed
    for secret in ("123456789", "INSERT INTO", "404)"):
        assert secret not in printed


def test_a_database_that_is_away_is_a_store_error_to_retry(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'nowhere' / 'oct.db'}")
    with pytest.raises(StoreError) as caught, store.read():
        pass
    assert (caught.value.code, caught.value.fate) == ("base-indisponible", Fate.RETRY)
    away = open_store(f"postgresql+psycopg://oct@/oct?host={tmp_path}")
    with pytest.raises(StoreError), away.begin():
        pass


@pytest.mark.parametrize("value", [2**63, 2**70, "\udc80"])
def test_h3_what_a_column_cannot_hold_is_refused_and_would_be_again(store: Store, value: object) -> None:
    """A number above 64 bits, half a character: some drivers do not even hand them over."""
    row = {"name": value if isinstance(value, str) else "a", "value": value if isinstance(value, int) else 1}
    for _ in range(2):
        with pytest.raises(StoreRefusalError, match="base-refus") as caught, store.begin() as conn:
            conn.execute(insert(sequences), row)
        assert caught.value.__notes__
    with store.begin() as conn:
        assert advance(conn, "a") == 1


@pytest.mark.parametrize(
    ("sqlstate", "fate"),
    [
        ("40001", Fate.RETRY),  # two transactions that cannot both be
        ("40P01", Fate.RETRY),  # a deadlock
        ("55P03", Fate.RETRY),  # a lock that is not given
        ("57014", Fate.RETRY),  # a statement that took too long
        ("25006", Fate.RETRY),  # a server that stands by
        ("42501", Fate.RETRY),  # a right that roles.sql will give
        ("42P01", Fate.RETRY),  # a table that a migration will make
        ("22001", Fate.HOLD),  # a text that is too long
        ("23505", Fate.HOLD),  # what is there already
        ("54000", Fate.HOLD),  # larger than PostgreSQL allows
        ("P0001", Fate.HOLD),  # a trigger says no
    ],
)
def test_what_is_asked_is_at_fault_or_the_database_is(postgres_url: str, sqlstate: str, fate: Fate) -> None:
    """What is refused for good is for a person; whatever else passes by itself, or once the operator did his part."""
    store = open_store(postgres_url)
    with pytest.raises(StoreError) as caught, store.begin() as conn:
        conn.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$")
    assert caught.value.fate is fate
    store.close()


def test_writers_of_several_processes_take_turns_on_sqlite(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turn ends with whoever has it, and somebody who never gives it back keeps nobody for ever."""
    one, other = open_store(sqlite_url), open_store(sqlite_url)
    with ThreadPoolExecutor(1) as pool:
        with one.begin() as conn:
            waiting = pool.submit(reserve, other, "a", 1)
            assert advance(conn, "a") == 1
        assert waiting.result() == range(2, 3)
    turn = next(tmp_path.glob("*.turn"))
    with turn.open("rb") as hung:
        fcntl.flock(hung, fcntl.LOCK_EX)
        monkeypatch.setattr(engine, "WAIT_S", 0.01)
        with pytest.raises(StoreError, match="base-occupee"), other.begin():
            raise AssertionError
        with other.read() as conn:
            assert value(conn, "a") == 2
    assert reserve(other, "a", 1) == range(3, 4)
    one.close()
    other.close()


def test_sessions_that_the_server_ended_are_replaced_before_anybody_uses_them(postgres_url: str) -> None:
    """A PostgreSQL that was restarted costs no message its 250."""
    store = open_store(postgres_url)
    with store.begin() as one, store.begin() as other:
        sessions = [conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() for conn in (one, other)]
    server = open_store(postgres_url)
    with server.begin() as conn:
        for session in sessions:
            assert conn.exec_driver_sql("SELECT pg_terminate_backend(%s, 5000)", (session,)).scalar_one()
    for _ in sessions:
        with store.read() as conn:
            assert conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() not in sessions
    store.close()
    server.close()


def test_a_full_disk_has_its_own_code(sqlite_url: str) -> None:
    """P3: the door answers 452 by it."""
    store = open_store(sqlite_url)

    def fill() -> None:
        with store.begin() as conn:
            conn.exec_driver_sql("PRAGMA max_page_count = 1")
            for number in range(2_000):
                advance(conn, f"filling the pages that are left {number}")

    with pytest.raises(StoreError) as caught:
        fill()
    assert caught.value.code == "base-pleine"
    store.close()


@pytest.mark.parametrize("url", ["mysql://localhost/oct", "oct.db", ""])
def test_another_kind_of_database_is_refused_at_start(url: str) -> None:
    with pytest.raises(ConfigurationError):
        open_store(url)
