"""What an operator must see to about the trace itself, as French sentences: heads that are late (T1), a logbook that is
not written (T5), what is kept for longer than it should be (T3).

Takes the store, where heads are published and how long things are kept; gives nothing when all is well. Cheap: it looks
at the ends of the log, never through it (`steps/journal/proof` does). Failure: StoreError when the database is away.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from oct.clock import paris
from oct.steps.journal.logbook import reached
from oct.steps.keeping.purge import Limits
from oct.store import journal, retention
from oct.store.engine import Store
from oct.trace.heads import last_published
from oct.trace.verify import ProofError

_LATE_MS = 60_000
"""An event is under a published head, and in the logbook, within this (T1, T5)."""
_GRACE_MS = 2 * 86_400_000
"""A purge comes every hour; this much later it did not come."""


def upkeep_alerts(store: Store, heads: Path, limits: Limits, now: int) -> Iterator[str]:
    """What needs a person. `heads` is the file outside the database; `now` in ms."""
    yield from _late_heads(store, heads, now)
    yield from _late_logbook(store, now)
    yield from _kept_too_long(store, limits, now - _GRACE_MS)


def _late_heads(store: Store, heads: Path, now: int) -> Iterator[str]:
    try:
        head = last_published(heads)
    except (OSError, ProofError):
        yield f"les têtes publiées du journal ne peuvent pas être lues : {heads}"
        return
    with store.read() as conn:
        since = journal.unproven_since(conn, head.size if head is not None else 0)
    if since is not None and since < now - _LATE_MS:
        yield f"des événements ne sont sous aucune tête publiée depuis le {_instant(since)} : « oct run » ? ({heads})"


def _late_logbook(store: Store, now: int) -> Iterator[str]:
    with store.read() as conn:
        since = journal.written_at(conn, reached(conn))
    if since is not None and since < now - _LATE_MS:
        yield f"le registre des messages acceptés n'est plus écrit depuis le {_instant(since)} ([journal] logbook)"


def _kept_too_long(store: Store, limits: Limits, now: int) -> Iterator[str]:
    with store.read() as conn:
        over = retention.ended(conn, now - limits.payloads, now - limits.unanswered, None, 1)
        read = retention.sealed_before(conn, now - limits.access) > retention.forgotten(conn)
        billed = retention.received_before(conn, now - limits.journal) > retention.unbilled(conn)
        old = retention.sealed_before(conn, now - limits.journal) > retention.emptied(conn)
    if over:
        since = _instant(over[0].received_at)
        yield f"des contenus auraient dû être détruits (messages depuis le {since}) : « oct run » ?"
    if read:
        yield "des consultations sont gardées plus longtemps que [retention] access : « oct run » ?"
    if old or billed:
        yield "des événements ou leurs factures sont gardés plus longtemps que [retention] journal : « oct run » ?"


def _instant(at: int) -> str:
    return f"{paris(at):%d/%m/%Y %H:%M:%S}"
