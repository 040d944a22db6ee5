"""What commands print: tables, drawn on a terminal and plain elsewhere; the same rows as JSON; instants for both.

In a table an instant is French legal time, in JSON it is UTC.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oct.clock import paris, utc

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Instant:
    """Milliseconds since the epoch."""

    ms: int

    def __str__(self) -> str:
        return f"{paris(self.ms):%d/%m/%Y %H:%M:%S}"


def instant(ms: int | None) -> Instant | None:
    """An instant to print, or nothing."""
    return None if ms is None else Instant(ms)


def print_json(value: object) -> None:
    """One JSON document; instants are ISO 8601 in UTC."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_for_json))


def print_rows(rows: Sequence[Row], headings: Mapping[str, str], *, as_json: bool, empty: str) -> None:
    """A list: the columns of `headings` as a table, or every field as JSON. `empty` is said when there is none."""
    if as_json:
        print_json(list(rows))
    elif rows:
        _print_table(list(headings.values()), [[cell(row[key]) for key in headings] for row in rows])
    else:
        print(empty)


def print_fields(fields: Row, *, as_json: bool) -> None:
    """One thing: a line for each field."""
    if as_json:
        print_json(fields)
        return
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        print(f"{name.replace('_', ' '):<{width}} : {cell(value)}")


def cell(value: object) -> str:
    """A value on one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "oui" if value else "non"
    if isinstance(value, list | tuple):
        return ", ".join(cell(one) for one in value)
    return str(value)


def _for_json(value: object) -> object:
    if isinstance(value, Instant):
        return utc(value.ms).isoformat(timespec="milliseconds")
    raise TypeError(type(value).__name__)


def _print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        drawn = Table(*headings)
        for row in rows:
            drawn.add_row(*(Text(text) for text in row))
        Console().print(drawn)
        return
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        print("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())
