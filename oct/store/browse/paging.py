"""Pages that go on from the last row shown: `Page`, and the statement that reads one.

A cursor is the key of that row, whole numbers joined by dots, or text where the key is one; whoever invents one gets a
page from there, or ValueError when it is no key at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, Connection, Select, tuple_

T = TypeVar("T")

SIZE = 50
"""Rows of a page."""
_GREATEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the cursor from which the next page goes on; empty after the last one."""

    rows: tuple[T, ...]
    next: str


@dataclass(frozen=True, slots=True)
class Traced(Generic[T]):
    """A row, with the trace number of the message that it came in or comes from."""

    of: T
    trace: str


def read_page(
    conn: Connection,
    statement: Select[Any],
    key: Sequence[Column[int]],
    cursor: str,
    make: Callable[..., T],
    *,
    ascending: bool = False,
) -> Page[T]:
    """The rows after `cursor` (empty: from the beginning) in the order of `key`, the greatest first by default.

    `key` is what an index holds, in its order; each row ends with its values.
    """
    if cursor:
        last = numbers(cursor, len(key))
        row = tuple_(*key) if len(key) > 1 else key[0]
        bound = tuple_(*last) if len(key) > 1 else last[0]
        statement = statement.where(row > bound if ascending else row < bound)
    order = [column.asc() if ascending else column.desc() for column in key]
    found = conn.execute(
        statement.add_columns(*(column.label(None) for column in key)).order_by(*order).limit(SIZE + 1)
    )
    rows = [tuple(row) for row in found]
    shown = rows[:SIZE]
    following = _joined(shown[-1][-len(key) :]) if len(rows) > SIZE else ""
    return Page(tuple(make(*row[: -len(key)]) for row in shown), following)


def numbers(cursor: str, count: int) -> list[int]:
    """The numbers of a cursor. ValueError when it has not so many, or one that no column holds."""
    found = [int(part) for part in cursor.split(".") if part.isascii() and part.isdecimal() and len(part) < 20]
    if len(found) != count or cursor != _joined(found) or max(found) > _GREATEST:
        raise ValueError("cursor")
    return found


def _joined(values: Iterable[int]) -> str:
    return ".".join(map(str, values))
