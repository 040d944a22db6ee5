"""Keys wrapped by a master key, wherever they are kept: of payloads, of second factors."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, Table, bindparam, func, select, update

from oct.crypto.atrest import SealedPayload, Vault
from oct.store.tables import payloads, second_factors

TABLES = (payloads, second_factors)


def rewrap_some(conn: Connection, table: Table, vault: Vault, after: int, limit: int) -> list[int]:
    """Put up to `limit` keys of rows above an id under the current master key; the rows' ids, none when all are."""
    kept = table.c
    older = (kept.id > after, kept.wrapped_key.is_not(None), kept.master_key != vault.current)
    wanted = select(kept.id, kept.master_key, kept.wrapped_key).where(*older).order_by(kept.id).limit(limit)
    rows = conn.execute(wanted.with_for_update()).all()
    if rows:
        sealed = [vault.rewrap(SealedPayload(row.master_key, row.wrapped_key, b"")) for row in rows]
        statement = update(table).where(kept.id == bindparam("row"))
        conn.execute(
            statement.values(master_key=bindparam("master"), wrapped_key=bindparam("wrapped")),
            [
                {"row": row.id, "master": one.key_id, "wrapped": one.wrapped_key}
                for row, one in zip(rows, sealed, strict=True)
            ],
        )
    return [row.id for row in rows]


def by_master_key(conn: Connection) -> Counter[str]:
    """How many keys each master key protects."""
    found = Counter[str]()
    for table in TABLES:
        kept = select(table.c.master_key, func.count()).where(table.c.wrapped_key.is_not(None))
        for name, count in conn.execute(kept.group_by(table.c.master_key)):
            found[name] += count
    return found
