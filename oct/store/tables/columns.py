"""What the tables are made of: one naming of keys and indexes, and the columns that several share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only for INTEGER PRIMARY KEY."""


def id_column() -> Column[int]:
    return Column("id", RowId, primary_key=True, autoincrement=True)


def reference(name: str, target: str, *, nullable: bool = True, index: bool = False) -> Column[int]:
    return Column(name, BigInteger, ForeignKey(f"{target}.id"), nullable=nullable, index=index)


def queue_columns() -> tuple[Column[int], Column[int], Column[str], Column[int]]:
    """The columns of a queue: next try, tries so far, who works on it, until when."""
    return (
        Column("due_at", BigInteger),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("lease_owner", String(64)),
        Column("lease_until", BigInteger),
    )
