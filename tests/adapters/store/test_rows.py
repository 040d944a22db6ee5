"""Many rows at once: in their order, as they are, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest
from sqlalchemy import bindparam, func, select, update

from oct.domain.journey import LotState
from oct.errors import StoreError, StoreRefusalError
from oct.store.engine import Store, open_store
from oct.store.rows import copy_all, insert_all, insert_rows, update_rows
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


def test_what_is_copied_is_kept_like_what_is_inserted(postgres_url: str) -> None:
    rows = [row(place, name) for place, name in enumerate(("a", LotState.SENT, 'b"{},\\', "NULL", ""))]
    store = open_store(postgres_url)
    with store.begin() as conn:
        before, ids, after = (way(conn, payloads, _NAMES, rows) for way in (insert_all, copy_all, insert_all))
        kept = conn.execute(select(*(payloads.c[name] for name in ("id", *_NAMES))).order_by(payloads.c.id)).all()
    assert [tuple(one) for one in kept] == [
        (of, *given) for of, given in zip(before + ids + after, rows * 3, strict=True)
    ]
    store.close()


@pytest.mark.parametrize(
    "fault", [("a" * 33, b"", 1), ("a\0", b"", 1), ("a\udc00", b"", 1), ("a", b"", 1 << 70), ("a", b"", None)]
)
def test_a_row_that_cannot_be_copied_is_refused_and_nothing_is_kept(
    postgres_url: str, fault: tuple[object, ...]
) -> None:
    """Too long, what no text may hold, too large, absent; before it and behind it rows without fault."""
    store, good = open_store(postgres_url), row(1, "a")
    with pytest.raises(StoreRefusalError, match="base-refus"), store.begin() as conn:
        copy_all(conn, payloads, _NAMES, [good, (*fault, b"", NOW), good])
    with store.begin() as conn:
        assert conn.execute(select(func.count()).select_from(payloads)).scalar_one() == 0
        assert len(copy_all(conn, payloads, _NAMES, [good])) == 1
    store.close()


class Disturbed(list[tuple[object, ...]]):
    """Rows during whose reading something happens."""

    def __init__(self, rows: Iterable[tuple[object, ...]], place: int, happens: Callable[[], object]) -> None:
        super().__init__(rows)
        self._place, self._happens = place, happens

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        for place, one in enumerate(super().__iter__()):
            if place == self._place:
                self._happens()
            yield one


def copy_and_cut(store: Store, other: Store, place: int) -> None:
    """Copies six rows; the session is ended when it has been given `place` of them."""
    with store.begin() as conn:
        session = conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()

        def cut() -> None:
            with other.begin() as server:
                server.exec_driver_sql("SELECT pg_terminate_backend(%s, 5000)", (session,))

        copy_all(conn, payloads, _NAMES, Disturbed([("a", bytes(1 << 20), 1, b"", NOW)] * 6, place, cut))


@pytest.mark.parametrize("place", [0, 3, 5])
def test_a_server_that_goes_away_from_a_copy_is_away_and_the_next_transaction_has_another(
    postgres_url: str, place: int
) -> None:
    store, other = open_store(postgres_url), open_store(postgres_url)
    with pytest.raises(StoreError, match="base-indisponible"):
        copy_and_cut(store, other, place)
    with store.begin() as conn:
        assert conn.execute(select(func.count()).select_from(payloads)).scalar_one() == 0
    store.close()
    other.close()


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
