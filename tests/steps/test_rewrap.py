"""Master keys are rolled over: new payloads under the new one, old ones moved there, the old one retired."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import select

from oct.crypto.atrest import Vault
from oct.errors import ConfigurationError, RuleError
from oct.steps.keeping import rewrap
from oct.store import payloads
from oct.store.engine import Store
from oct.store.tables import payloads as table

OLD, NEW = {"2025": os.urandom(32)}, {"2026": os.urandom(32)}
NOW = 1_795_000_000_000


def kept(store: Store, vault: Vault, count: int) -> list[int]:
    with store.begin() as conn:
        return payloads.put_many(conn, vault, [b"contenu %d" % rank for rank in range(count)], NOW)


def test_an_old_master_key_can_be_retired(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrap, "_BATCH", 3)
    both = Vault(OLD | NEW, "2026")
    ids = kept(store, Vault(OLD, "2025"), 7) + kept(store, both, 2)
    with store.begin() as conn:
        payloads.destroy(conn, ids[1], NOW)
        before = list(conn.execute(select(table.c.content).order_by(table.c.id)).scalars())
    assert rewrap.kept_under(store) == {"2025": 6, "2026": 2}
    assert (rewrap.rewrap(store, both), rewrap.rewrap(store, both)) == (6, 0)
    assert rewrap.kept_under(store) == {"2026": 8}
    alone = Vault(NEW, "2026")
    with store.read() as conn:
        assert payloads.get(conn, alone, ids[6]) == b"contenu 6"
        assert list(conn.execute(select(table.c.content).order_by(table.c.id)).scalars()) == before
        with pytest.raises(RuleError, match="contenu-detruit"):
            payloads.get(conn, alone, ids[1])


def test_what_was_interrupted_is_taken_up_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the fourth payload is none: three were moved, and stay so."""
    monkeypatch.setattr(rewrap, "_BATCH", 3)
    ids = kept(store, Vault(OLD, "2025"), 5)
    with store.begin() as conn:
        conn.execute(table.update().where(table.c.id == ids[3]).values(master_key="perdue"))
    both = Vault(OLD | NEW, "2026")
    with pytest.raises(ConfigurationError, match="perdue"):
        rewrap.rewrap(store, both)
    assert rewrap.kept_under(store) == {"2025": 1, "2026": 3, "perdue": 1}
    with store.begin() as conn:
        conn.execute(table.update().where(table.c.id == ids[3]).values(master_key="2025"))
    assert rewrap.rewrap(store, both) == 2
