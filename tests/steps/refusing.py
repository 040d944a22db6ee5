"""A database that refuses some rows, by triggers of its own: what a value that nobody foresaw would meet. Or that is
out of order for a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from oct.store.engine import Store


def refuse(store: Store, table: str, condition: str, deed: str = "INSERT") -> None:
    """From now on the database refuses rows of a table of which the condition holds; it says NEW.column."""
    with store.begin() as conn:
        if store.dialect == "sqlite":
            refusal = "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        else:
            conn.execute(
                text(
                    f"CREATE FUNCTION refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS "
                    "$$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'check_violation'; END $$"
                )
            )
            refusal = f"EXECUTE FUNCTION refuse_{table}()"
        when = f"WHEN ({condition})"
        conn.execute(text(f"CREATE TRIGGER refuse_{table} BEFORE {deed} ON {table} FOR EACH ROW {when} {refusal}"))


def allow(store: Store, table: str) -> None:
    """It takes them again."""
    with store.begin() as conn:
        conn.execute(text(f"DROP TRIGGER refuse_{table}" + ("" if store.dialect == "sqlite" else f" ON {table}")))
        if store.dialect != "sqlite":
            conn.execute(text(f"DROP FUNCTION refuse_{table}()"))


@contextmanager
def unable_to_tell(store: Store) -> Iterator[None]:
    """The database does not take what is told of a try, and may later: its table of events is away."""
    with store.begin() as conn:
        conn.execute(text("ALTER TABLE events RENAME TO events_away"))
    yield
    with store.begin() as conn:
        conn.execute(text("ALTER TABLE events_away RENAME TO events"))
