"""Many rows at once: in their order, as they are, or not at all."""

from __future__ import annotations

import pytest
from sqlalchemy import bindparam, select, update

from oct.domain.journey import LotState
from oct.errors import StoreRefusalError
from oct.store.engine import Store, open_store
from oct.store.rows import insert_all, insert_rows, update_rows
from oct.store.tables import payloads
from tests.adapters.store.arrivals import NOW

_MOVED = update(payloads).where(payloads.c.id == bindparam("row")).values(size=bindparam("to"), destroyed_at=None)


_NAMES = ("master_key", "content", "size", "sha256", "created_at")


def row(place: int, name: str) -> tuple[object, ...]:
    return (name, bytes([place, 0, 92, 34]) if place % 3 else None, place << 32, b"", NOW)


def test_rows_are_kept_as_they_are_and_numbered_in_their_order(store: Store) -> None:
    """Absent values, large numbers, octets that a text would escape, an enumeration among plain texts."""
    rows = [row(place, name) for place, name in enumerate(("a", LotState.SENT, 'b"{},\\', "NULL", ""))]
    with store.begin() as conn:
        ids = insert_all(conn, payloads, _NAMES, rows)
        kept = conn.execute(select(*(payloads.c[name] for name in ("id", *_NAMES))).order_by(payloads.c.id)).all()
    assert [tuple(one) for one in kept] == [(of, *given) for of, given in zip(ids, rows, strict=True)]


def test_a_text_that_is_too_long_is_refused_and_never_cut(postgres_url: str) -> None:
    """SQLite knows no lengths."""
    store = open_store(postgres_url)
    with pytest.raises(StoreRefusalError, match="base-refus"), store.begin() as conn:
        insert_rows(conn, payloads, [dict(zip(_NAMES, row(1, "a" * 33), strict=True))])
    store.close()


def test_each_row_is_changed_by_its_own_parameters_and_those_that_are_there_are_counted(store: Store) -> None:
    with store.begin() as conn:
        first, second = insert_all(conn, payloads, _NAMES, [row(1, "a"), row(2, "b")])
        given = [{"row": second, "to": 20}, {"row": first, "to": 10}, {"row": second + 1, "to": 30}]
        assert update_rows(conn, _MOVED, given) == 2
        assert update_rows(conn, _MOVED, []) == 0
        assert list(conn.execute(select(payloads.c.size).order_by(payloads.c.id)).scalars()) == [10, 20]
