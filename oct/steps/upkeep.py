"""What an operator must see to about the trace itself, as French sentences: heads that are late (T1).

Takes the store and where heads are published; gives nothing when all is well. Cheap: it looks at the ends of the log,
never through it (`steps/proof` does). Failure: StoreError when the database is away.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from oct.clock import paris
from oct.store import journal
from oct.store.engine import Store
from oct.trace.heads import last_published
from oct.trace.verify import ProofError

_LATE_MS = 60_000
"""An event is under a published head within this (T1)."""


def upkeep_alerts(store: Store, heads: Path, now: int) -> Iterator[str]:
    """What needs a person. `heads` is the file outside the database; `now` in ms."""
    try:
        head = last_published(heads)
    except (OSError, ProofError):
        yield f"les têtes publiées du journal ne peuvent pas être lues : {heads}"
        return
    with store.read() as conn:
        since = journal.unproven_since(conn, head.size if head is not None else 0)
    if since is not None and since < now - _LATE_MS:
        yield f"des événements ne sont sous aucune tête publiée depuis le {_instant(since)} : « oct run » ? ({heads})"


def _instant(at: int) -> str:
    return f"{paris(at):%d/%m/%Y %H:%M:%S}"
