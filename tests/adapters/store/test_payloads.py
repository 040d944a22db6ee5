"""Payloads at rest: unreadable in the files of the database, destroyed by their key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import select

from oct.errors import RuleError
from oct.store import payloads
from oct.store.engine import Store, open_store
from oct.store.tables import payloads as table
from tests.adapters.store.arrivals import NOW, VAULT

CANARY = b"ASSUREE INVENTEE 299999999999999"


def test_what_is_put_is_what_is_got(store: Store) -> None:
    piece = 4 * 2**20  # a big one is read piece by piece
    contents = [b"", CANARY, bytes(piece - 17), bytes(piece - 16), bytes(range(256)) * (piece // 128) + b"end"]
    with store.begin() as conn:
        ids = payloads.put_many(conn, VAULT, contents, NOW)
        single = payloads.put(conn, VAULT, b"single", NOW)
    with store.read() as conn:
        assert [payloads.get(conn, VAULT, payload_id) for payload_id in [*ids, single]] == [*contents, b"single"]
        kept = conn.execute(select(table).where(table.c.id == ids[1])).one()
    assert (kept.size, kept.sha256) == (len(CANARY), hashlib.sha256(CANARY).digest())


def test_no_payload_is_readable_in_the_files_of_the_database(sqlite_url: str, tmp_path: Path) -> None:
    """T4: neither in the database nor in its log, before and after the destruction."""
    store = open_store(sqlite_url)
    with store.begin() as conn:
        payload_id = payloads.put(conn, VAULT, CANARY * 1_000, NOW)
    assert CANARY not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    with store.begin() as conn:
        payloads.destroy(conn, payload_id, NOW)
    store.close()
    assert CANARY not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_destroyed_key_is_in_no_file_of_the_database(sqlite_url: str, tmp_path: Path) -> None:
    """T3: destroying the key destroys the content, so the key must not linger in a freed page."""
    store = open_store(sqlite_url)
    sealed = payloads.seal(VAULT, CANARY)
    with store.begin() as conn:
        payload_id = payloads.insert_many(conn, [sealed], NOW)[0]
    assert sealed.sealed.wrapped_key in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    with store.begin() as conn:
        payloads.destroy(conn, payload_id, NOW)
    store.close()
    assert sealed.sealed.wrapped_key not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_payload_is_destroyed_once_and_then_says_so(store: Store) -> None:
    with store.begin() as conn:
        payload_id = payloads.put(conn, VAULT, CANARY, NOW)
        assert payloads.destroy(conn, payload_id, NOW + 1)
        assert not payloads.destroy(conn, payload_id, NOW + 2)
        kept = conn.execute(select(table).where(table.c.id == payload_id)).one()
        assert (kept.wrapped_key, kept.content, kept.destroyed_at) == (None, None, NOW + 1)
        with pytest.raises(RuleError, match="contenu-detruit"):
            payloads.get(conn, VAULT, payload_id)
        assert payloads.insert_many(conn, [], NOW) == []


def test_of_several_contents_those_that_were_destroyed_are_left_out(store: Store) -> None:
    with store.begin() as conn:
        kept, destroyed, other = payloads.put_many(conn, VAULT, [b"a", b"b", b"c"], NOW)
        payloads.destroy(conn, destroyed, NOW + 1)
        assert payloads.get_many(conn, VAULT, [other, destroyed, kept, kept]) == {kept: b"a", other: b"c"}
        assert payloads.get_many(conn, VAULT, []) == {}
