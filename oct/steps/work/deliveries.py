"""Writes down that the other side said 250: those that are told while a commit runs share the next one.

Each sender waits until its own is on disk before it sends another message, so a crash repeats at most one message for
each sender, byte for byte (P2). Whoever finds nobody writing writes for all who wait.

Failure: StoreError for the one that wrote; the others then try for themselves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection

from oct.clock import Clock
from oct.domain.journey import LotState
from oct.store import consignments, events, lots
from oct.store.engine import Store
from oct.store.events import Event


class _LeaseLostError(Exception):
    """Somebody else works on it by now: nothing of the transaction is to be written."""


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A consignment (id) that `owner` leased and that was taken with `reply`; `told` gives the trace's events of it."""

    consignment_id: int
    owner: str
    reply: str
    told: Callable[[Connection], list[Event]]


class Deliveries:
    """Shared by the senders of a process."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._turn = threading.Lock()
        self._waiting: list[Delivery] = []

    def record(self, delivery: Delivery) -> None:
        """Returns when it is on disk, or when there is nothing to write because the lease was lost."""
        self._waiting.append(delivery)
        with self._turn:
            if delivery not in self._waiting:
                return  # whoever had the turn before wrote it
            together = list(self._waiting)
            try:
                self._write(together)
            except BaseException:
                self._waiting.remove(delivery)
                raise
            del self._waiting[: len(together)]

    def _write(self, together: Sequence[Delivery]) -> None:
        """All at once; when the lease of one was lost, each by itself, and that one not at all."""
        try:
            self._write_at_once(together)
        except _LeaseLostError:
            for one in together:
                with suppress(_LeaseLostError):
                    self._write_at_once([one])

    def _write_at_once(self, together: Sequence[Delivery]) -> None:
        now = self._clock()
        with self._store.begin() as conn:
            told = [(one.consignment_id, one.owner, one.reply) for one in together]
            if not consignments.mark_all_delivered(conn, told, now):
                raise _LeaseLostError
            lots.set_state_of_consignments(conn, [one.consignment_id for one in together], LotState.DELIVERED, "", now)
            events.append(conn, [event for one in together for event in one.told(conn)])
