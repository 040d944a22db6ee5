"""Frozen dataclasses in and out of rows: a field is a column of the same name, in the order of the dataclass."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Table


def columns(table: Table, kind: type[Any]) -> list[Column[Any]]:
    """The columns to select so that `kind(*row)` is the value of a row."""
    return [table.c[name] for name in kind.__match_args__]


def values(value: Any) -> dict[str, Any]:
    """The row that keeps a value, a dataclass."""
    return {name: getattr(value, name) for name in value.__match_args__}
