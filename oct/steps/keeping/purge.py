"""Ends what was kept for long enough (T3): payloads, the details of readings, the oldest events and their invoices.

Takes the limits of the settings; works in chunks, each one transaction with the event that declares it, so that it may
be stopped anywhere. A payload is destroyed with its key, which leaves the database's own log as well. Of readings, who
and what goes, that there was one stays; an old event goes but for its leaf: so the log still verifies, and what went
without being declared is found (ADR 0014). With the events go the invoices of their time: numbers, amounts, patients'
pseudonyms; what is not over keeps its own until it is. Lots and messages stay, which tell of no patient.
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
CONTENTS, INVOICES = "contenus", "factures"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things are kept, in ms: payloads after the last word on them, or `unanswered` when there is none."""

    payloads: int
    unanswered: int
    access: int
    journal: int


@dataclass(frozen=True, slots=True)
class _Old:
    """What goes from the oldest on: how the event calls it, up to which place it is gone, up to which it is older than
    an instant (ms), what removes that much."""

    outcome: str
    reached: Callable[[Connection], int]
    end: Callable[[Connection, int], int]
    remove: Callable[[Connection, int, int], int]


_READINGS = _Old(ACCESS, retention.forgotten, retention.sealed_before, retention.forget)
_INVOICES = _Old(INVOICES, retention.unbilled, retention.received_before, retention.unbill)
_EVENTS = _Old(JOURNAL, retention.emptied, retention.sealed_before, retention.empty)


def purge(store: Store, clock: Clock, limits: Limits) -> int:
    """Ends all that is due; how many messages, events and invoices it concerned."""
    contents = _purge_payloads(store, clock(), limits)
    readings = _purge_old(store, clock(), _READINGS, limits.access, _PLACES)
    bills = _purge_old(store, clock(), _INVOICES, limits.journal, _MESSAGES)
    old = _purge_old(store, clock(), _EVENTS, limits.journal, _PLACES)
    store.forget()
    if contents or readings or bills or old:
        _log.info("purge", messages=contents, consultations=readings, factures=bills, evenements=old)
    return contents + readings + bills + old


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
                if one.received_at < now - limits.journal:  # it waited for longer than the log is kept
                    told["factures"] = retention.unbill_message(conn, one.id)
                events.append(conn, [Event(now, PURGE, CONTENTS, message_id=one.id, data=told)])
        done, last = done + len(some), some[-1]


def _purge_old(store: Store, now: int, what: _Old, kept: int, step: int) -> int:
    """What is older than `kept` ms, step by step; each step is declared, with the place that it reaches."""
    done = 0
    while True:
        with store.begin() as conn:
            first, end = what.reached(conn), what.end(conn, now - kept)
            if first >= end:
                return done
            before = min(first + step, end)
            if removed := what.remove(conn, first, before):
                told = {"avant": before, "nombre": removed, "conservation": kept}
                events.append(conn, [Event(now, PURGE, what.outcome, data=told)])
        done += removed
