"""Frozen dataclasses in and out of rows: a field is a column of the same name, in the order of the dataclass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Table, insert
from sqlalchemy.sql.dml import ReturningInsert


def columns(table: Table, kind: type[Any]) -> list[Column[Any]]:
    """The columns to select so that `kind(*row)` is the value of a row."""
    return [table.c[name] for name in kind.__match_args__]


def values(value: Any) -> dict[str, Any]:
    """The row that keeps a value, a dataclass."""
    return {name: getattr(value, name) for name in value.__match_args__}


def insert_rows(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many small rows whose values the drivers take as they are, and ask nothing back.

    SQLAlchemy prepares each row anew, ten microseconds apiece; its statement goes straight to the driver instead.
    """
    if rows:
        text, names = _statement(table, conn.dialect, tuple(rows[0]))
        conn.exec_driver_sql(text, [tuple(row[name] for name in names) for row in rows] if names else list(rows))


def insert_all(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert rows and give their ids, in the same order.

    SQLite has one writer and numbers rows one by one, so the last number tells them all.
    """
    if not rows:
        return []
    if conn.dialect.name != "sqlite":
        return list(conn.execute(_returning(table), rows).scalars())
    insert_rows(conn, table, rows)
    last: int = conn.exec_driver_sql("SELECT last_insert_rowid()").scalar_one()
    return list(range(last - len(rows) + 1, last + 1))


@cache
def _statement(table: Table, dialect: Dialect, names: tuple[str, ...]) -> tuple[str, Sequence[str]]:
    """The INSERT of these columns in the dialect's words, and their order when it wants positions, not names."""
    compiled = insert(table).compile(dialect=dialect, column_keys=names)
    return str(compiled), compiled.positiontup or ()


@cache
def _returning(table: Table) -> ReturningInsert[int]:
    return insert(table).returning(table.c.id, sort_by_parameter_order=True)
