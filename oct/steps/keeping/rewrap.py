"""Puts payloads and second factors under the newest master key, so that an older one can be retired.

Only the wrapped keys are written, never the contents; in short transactions, so that it runs beside the rest, and from
the start again when it was interrupted: what is done already is passed over. Failure: "contenu-altere" names a payload
whose key cannot be unwrapped; ConfigurationError when its master key is missing.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Table

from oct.crypto.atrest import Vault
from oct.store.engine import Store
from oct.store.wrapped_keys import TABLES, by_master_key, rewrap_some

_BATCH = 500


def rewrap(store: Store, vault: Vault) -> int:
    """Rewraps all that is under an older key; how many."""
    return sum(_rewrap(store, vault, table) for table in TABLES)


def _rewrap(store: Store, vault: Vault, table: Table) -> int:
    done, last = 0, 0
    while True:
        with store.begin() as conn:
            found = rewrap_some(conn, table, vault, last, _BATCH)
        if not found:
            return done
        done += len(found)
        last = found[-1]


def kept_under(store: Store) -> Mapping[str, int]:
    """How much each master key protects, by its name."""
    with store.read() as conn:
        return by_master_key(conn)
