"""The tables, as SQLAlchemy Core sees them; `migrations/` builds them, and a test holds the two equal.

Units: instants are milliseconds since the epoch UTC, amounts are centimes, sizes are bytes, digests are the 32
bytes of SHA-256. No column holds an NIR or a patient's name; what may hold one (files, lots, messages) is a
payload, encrypted at rest.
"""

from __future__ import annotations

from oct.store.tables.accounts import api_tokens, lockouts, second_factors, sessions, users
from oct.store.tables.columns import metadata
from oct.store.tables.register import (
    caisses,
    certificates,
    insurers,
    practitioner_addresses,
    practitioner_numbers,
    practitioners,
    revocation_lists,
)
from oct.store.tables.returns import (
    dloi_increments,
    mailbox_items,
    mailbox_locks,
    return_lots,
    returns,
)
from oct.store.tables.trace import (
    event_details,
    event_leaves,
    events,
    head_stamps,
    sequences,
    tree_heads,
    tree_state,
    tree_tiles,
)
from oct.store.tables.traffic import (
    UNFINISHED,
    consignments,
    files,
    holds,
    invoices,
    lots,
    messages,
    payloads,
)

__all__ = [
    "UNFINISHED",
    "api_tokens",
    "caisses",
    "certificates",
    "consignments",
    "dloi_increments",
    "event_details",
    "event_leaves",
    "events",
    "files",
    "head_stamps",
    "holds",
    "insurers",
    "invoices",
    "lockouts",
    "lots",
    "mailbox_items",
    "mailbox_locks",
    "messages",
    "metadata",
    "payloads",
    "practitioner_addresses",
    "practitioner_numbers",
    "practitioners",
    "return_lots",
    "returns",
    "revocation_lists",
    "second_factors",
    "sequences",
    "sessions",
    "tree_heads",
    "tree_state",
    "tree_tiles",
    "users",
]
