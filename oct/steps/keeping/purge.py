"""Ends what was kept for long enough (T3): payloads, the details of readings, the oldest events.

Takes the limits of the settings; works in chunks, each one transaction with the event that declares it, so that it may
be stopped anywhere. A payload is destroyed with its key, which leaves the database's own log as well. Of readings, who
and what goes, that there was one stays; an old event goes but for its leaf: so the log still verifies, and what went
without being declared is found (ADR 0014).
Failure: StoreError when the database is away or refuses; what is left is taken up by the next run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from oct.clock import Clock
from oct.store import events, retention
from oct.store.engine import Store
from oct.store.events import Event
from oct.trace.verify import ACCESS, JOURNAL, PURGE

_MESSAGES = 200
_PLACES = 5000
CONTENTS = "contenus"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things are kept, in ms: payloads after the last word on them, or `unanswered` when there is none."""

    payloads: int
    unanswered: int
    access: int
    journal: int


def purge(store: Store, clock: Clock, limits: Limits) -> int:
    """Ends all that is due; how many messages and events it concerned."""
    contents = _purge_payloads(store, clock(), limits)
    readings = _purge_places(store, clock(), ACCESS, limits.access, retention.forgotten, retention.forget)
    old = _purge_places(store, clock(), JOURNAL, limits.journal, retention.emptied, retention.empty)
    store.forget()
    if contents or readings or old:
        _log.info("purge", messages=contents, consultations=readings, evenements=old)
    return contents + readings + old


def _purge_payloads(store: Store, now: int, limits: Limits) -> int:
    done, last = 0, None
    while True:
        with store.begin() as conn:
            some = retention.ended(conn, now - limits.payloads, now - limits.unanswered, last, _MESSAGES)
            if not some:
                return done
            for one in some:
                destroyed = retention.destroy_payloads(conn, [one.id], now)
                told = {"contenus": destroyed, "conservation": limits.payloads}
                events.append(conn, [Event(now, PURGE, CONTENTS, message_id=one.id, data=told)])
        done, last = done + len(some), some[-1]


def _purge_places(
    store: Store,
    now: int,
    what: str,
    kept: int,
    reached: Callable[[Connection], int],
    remove: Callable[[Connection, int, int], int],
) -> int:
    """What is under heads that are old enough. Each chunk is declared, with the place that it reaches."""
    done = 0
    while True:
        with store.begin() as conn:
            first, end = reached(conn), retention.sealed_before(conn, now - kept)
            if first >= end:
                return done
            before = min(first + _PLACES, end)
            if removed := remove(conn, first, before):
                told = {"avant": before, "nombre": removed, "conservation": kept}
                events.append(conn, [Event(now, PURGE, what, data=told)])
        done += removed
