"""Frozen dataclasses in and out of rows: a field is a column of the same name, in the order of the dataclass.

Many rows are written at once, in the words of the driver: SQLAlchemy prepares each row anew, ten microseconds apiece,
and on PostgreSQL spells a statement as long as its rows, which both sides then parse. A table is handed over there as
one array a column, and the statement is always the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Select, String, Table, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

Rows = Sequence[Mapping[str, Any]]
"""Rows that all have the same columns, two at least."""
Tuples = Sequence[tuple[Any, ...]]
"""Rows whose columns are named apart."""
_WHERE = re.compile(r"\sWHERE ")
_PARAMETER = re.compile(r"%\((\w+)\)")
_CAST = re.compile(r"%\((\w+)\)s::(\w+)")
"""A parameter of PostgreSQL with its type."""


def columns(table: Table, kind: type[Any]) -> list[Column[Any]]:
    """The columns to select so that `kind(*row)` is the value of a row."""
    return [table.c[name] for name in kind.__match_args__]


def values(value: Any) -> dict[str, Any]:
    """The row that keeps a value, a dataclass."""
    return {name: getattr(value, name) for name in value.__match_args__}


def insert_rows(conn: Connection, table: Table, rows: Rows) -> None:
    """Insert rows whose values the drivers take as they are, and ask nothing back."""
    if rows:
        names = tuple(rows[0])
        insert_tuples(conn, table, names, _tuples(names, rows))


def insert_tuples(conn: Connection, table: Table, names: tuple[str, ...], rows: Tuples) -> None:
    """The same, of rows that hold the values of these columns in this order."""
    if not rows:
        return
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(_of_arrays(table, conn.dialect, names), _arrays(names, rows))
    else:
        conn.exec_driver_sql(_of_values(table, conn.dialect, names), [*rows])


def insert_all(conn: Connection, table: Table, names: tuple[str, ...], rows: Tuples) -> list[int]:
    """Insert rows of values of these columns and give their ids, in the same order.

    PostgreSQL numbers them in the order of the SELECT they come from. SQLite has one writer and numbers rows one by
    one, so the last number tells them all.
    """
    if not rows:
        return []
    if conn.dialect.name == "postgresql":
        text = f"{_of_arrays(table, conn.dialect, names)} RETURNING id"
        return sorted(conn.exec_driver_sql(text, _arrays(names, rows)).scalars())
    insert_tuples(conn, table, names, rows)
    last: int = conn.exec_driver_sql("SELECT last_insert_rowid()").scalar_one()
    return list(range(last - len(rows) + 1, last + 1))


def copy_all(conn: Connection, table: Table, names: tuple[str, ...], rows: Tuples) -> list[int]:
    """`insert_all` of large rows on PostgreSQL: handed over one after the other (COPY). The server keeps one while the
    next is on its way, and nobody ever makes a copy of all."""
    quoted, driver = conn.dialect.identifier_preparer.quote, conn.dialect.loaded_dbapi
    drawn = "SELECT nextval(pg_get_serial_sequence(%(table)s, 'id')) FROM generate_series(1, %(wanted)s)"
    ids = sorted(conn.exec_driver_sql(drawn, {"table": table.name, "wanted": len(rows)}).scalars())
    listed = ("id", *names)
    taken = f"COPY {quoted(table.name)} ({', '.join(map(quoted, listed))}) FROM STDIN (FORMAT BINARY)"
    connection: Any = conn.connection.driver_connection
    try:
        with connection.cursor() as cursor, cursor.copy(taken) as copy:
            copy.set_types([_bare(table.c[name]).compile(conn.dialect).lower() for name in listed])
            for number, row in zip(ids, rows, strict=True):
                copy.write_row((number, *row))
    except driver.Error as error:  # SQLAlchemy has no words for COPY: its error is made here
        raise DBAPIError.instance(None, None, error, driver.Error, hide_parameters=True) from None
    return ids


def insert_new(conn: Connection, table: Table, names: tuple[str, ...], rows: Tuples, key: str) -> dict[Any, int]:
    """Insert rows but those that break a constraint since another transaction was first; the ids of the others by their
    values of the column `key`. SQLite has one writer: who has looked knows."""
    if conn.dialect.name == "postgresql":
        text = f"{_of_arrays(table, conn.dialect, names)} ON CONFLICT DO NOTHING RETURNING {key}, id"
        return {row[0]: row[1] for row in conn.exec_driver_sql(text, _arrays(names, rows))}
    place = names.index(key)
    return dict(zip([row[place] for row in rows], insert_all(conn, table, names, rows), strict=True))


def update_rows(conn: Connection, statement: Update, rows: Rows) -> int:
    """Run a statement that is kept for good, once for each row of parameters; how many rows it changed in all. It must
    not hold lists: what is written IN (…) has no words before its values are known. No two rows may mean the same."""
    if not rows:
        return 0
    names = tuple(rows[0])
    if conn.dialect.name == "postgresql":
        words = _joined(statement, conn.dialect, names)
        return conn.exec_driver_sql(words.text, {**words.fixed, **_arrays(names, _tuples(names, rows))}).rowcount
    words = _words(statement, conn.dialect, names)
    given = [{**words.fixed, **row} for row in rows]
    return conn.exec_driver_sql(words.text, _tuples(words.order, given)).rowcount


def update_and_insert(
    conn: Connection,
    parts: Sequence[tuple[Update | Select[Any], Rows]],
    table: Table,
    names: tuple[str, ...],
    rows: Tuples,
) -> bool:
    """On PostgreSQL, as one statement: what `update_rows` does with each of the parts, and `insert_tuples` with rows.
    The first part is a SELECT: False, and nothing done, unless it finds a row for each of its rows of parameters."""
    words = _as_one(tuple((statement, tuple(given[0])) for statement, given in parts), table, conn.dialect, names)
    wanted = len(parts[0][1])
    parameters = {**words.fixed, "wanted": wanted, **_arrays(names, rows)}
    for number, (_, given) in enumerate(parts):
        own = tuple(given[0])
        parameters |= _named(number, _arrays(own, _tuples(own, given)))
    found: int = conn.exec_driver_sql(words.text, parameters).scalar_one()
    return found == wanted


@dataclass(frozen=True, slots=True)
class _Words:
    """A statement as the driver wants it, the parameters that are the same each time, and, where they have no names,
    the order of all."""

    text: str
    fixed: Mapping[str, Any]
    order: Sequence[str] = ()


@cache
def _words(statement: Update, dialect: Dialect, names: tuple[str, ...]) -> _Words:
    """The UPDATE of SQLite, for one row of parameters. What is fixed is plain text, not a value of an enumeration: the
    module looks for a way to convert such a value each time that it meets it."""
    compiled = statement.compile(dialect=dialect, column_keys=names)
    fixed = {
        name: str(value) if isinstance(value, str) else value
        for name, value in compiled.params.items()
        if name not in names
    }
    return _Words(str(compiled), fixed, compiled.positiontup or ())


@cache
def _joined(statement: Update | Select[Any], dialect: Dialect, names: tuple[str, ...]) -> _Words:
    """The UPDATE or SELECT of PostgreSQL, for all rows of parameters at once: it is joined to them."""
    quoted, types = dialect.identifier_preparer.quote, dict[str, str]()

    def of_a_row(parameter: re.Match[str]) -> str:
        name, kind = parameter.groups()
        if name not in names:
            return parameter[0]
        types[name] = kind
        return f"given.{quoted(name)}"

    compiled = statement.compile(dialect=dialect, column_keys=names)
    changes, condition = _WHERE.split(_CAST.sub(of_a_row, str(compiled)), maxsplit=1)
    arrays = ", ".join(f"%({name})b::{types[name]}[]" for name in names)
    given = f"unnest({arrays}) AS given({', '.join(map(quoted, names))})"
    fixed = {name: value for name, value in compiled.params.items() if name not in names}
    joint = " FROM" if isinstance(statement, Update) else ","
    return _Words(f"{changes}{joint} {given} WHERE {condition}", fixed)


_Part = tuple[Update | Select[Any], tuple[str, ...]]
"""A statement with the names of its parameters that change from row to row."""


@cache
def _as_one(parts: tuple[_Part, ...], table: Table, dialect: Dialect, names: tuple[str, ...]) -> _Words:
    """The statement of PostgreSQL that does all of these when the first finds as many rows as are wanted."""
    told, fixed = list[str](), dict[str, Any]()
    guard = "(SELECT count(*) FROM found) = %(wanted)b::BIGINT"
    for number, (statement, own) in enumerate(parts):
        words = _joined(statement, dialect, own)
        text = _PARAMETER.sub(rf"%(p{number}_\1)", words.text)
        told.append(f"change{number} AS ({text} AND {guard})" if number else f"found AS MATERIALIZED ({text})")
        fixed |= _named(number, words.fixed)
    told.append(f"inserted AS ({_of_arrays(table, dialect, names, guard)})")
    return _Words(f"WITH {', '.join(told)} SELECT count(*) FROM found", fixed)  # noqa: S608 - words of ours


def _named(number: int, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as a part of a statement calls them."""
    return {f"p{number}_{name}": value for name, value in parameters.items()}


@cache
def _of_values(table: Table, dialect: Dialect, names: tuple[str, ...]) -> str:
    """The INSERT of SQLite, whose parameters are the values of one row."""
    quoted = dialect.identifier_preparer.quote
    listed = ", ".join(quoted(name) for name in names)
    return f"INSERT INTO {quoted(table.name)} ({listed}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - names of ours


@cache
def _of_arrays(table: Table, dialect: Dialect, names: tuple[str, ...], condition: str = "true") -> str:
    """The INSERT of PostgreSQL whose parameters are the columns of all rows, in binary: their text is slow to make."""
    quoted = dialect.identifier_preparer.quote
    listed = ", ".join(quoted(name) for name in names)
    given = ", ".join(f"%({name})b::{_bare(table.c[name]).compile(dialect)}[]" for name in names)
    rows = f"unnest({given}) WITH ORDINALITY AS given({listed}, place) WHERE {condition} ORDER BY place"
    return f"INSERT INTO {quoted(table.name)} ({listed}) SELECT {listed} FROM {rows}"  # noqa: S608 - names of ours


def _bare(column: Column[Any]) -> TypeEngine[Any]:
    """The type of a column; a text without its length, which a conversion would cut it to instead of refusing it."""
    return String() if isinstance(column.type, String) else column.type


def _arrays(names: Sequence[str], rows: Tuples) -> dict[str, list[Any]]:
    """The rows, column by column."""
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _tuples(names: Sequence[str], rows: Rows) -> Tuples:
    return [*map(itemgetter(*names), rows)]
