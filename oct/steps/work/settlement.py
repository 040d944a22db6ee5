"""Settles what was delivered: the database is told that the other side said 250.

On PostgreSQL, deliveries are settled when they are told. On SQLite they are on slips first (`oct.store.slips`), which
couriers wait for, and are settled together a moment later, always before anything else is claimed: what was delivered
stays leased until then, so nobody sends it again. So is what others left on slips, once their leases are over: a
process that died, a program that could not settle before it ended. Where no slip can be written, the database is told
at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from oct.errors import OctError, StoreRefusalError
from oct.steps.failures import REFUSED, hold_untold
from oct.steps.tries import Tried, told_of, try_event
from oct.steps.workshop import Workshop
from oct.store import consignments
from oct.store.consignments import GROUPED, Consignment
from oct.store.delivered import tell
from oct.store.engine import Store
from oct.store.events import EventRow, row_of
from oct.store.leases import LeaseLostError
from oct.store.slips import Slip, beside

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A consignment that `owner` leased and that was taken with `reply`, at `at` (ms)."""

    consignment: Consignment
    owner: str
    at: int
    reply: str
    tls: bool

    @property
    def slip(self) -> Slip:
        """What is written of it, on disk before the database is told, or in the database at once."""
        return Slip(self.owner, self.consignment.id, self.at, self.reply, self.tls)

    def traced(self, store: Store) -> list[EventRow]:
        """The trace's events of it. Whose stories a file of grouped lots belongs to is looked up."""
        if self.consignment.kind != GROUPED:
            told = [try_event(self.consignment, Tried.DELIVERED, self.reply, tls=self.tls, now=self.at)]
        else:
            with store.read() as conn:
                told = told_of(conn, self.consignment, Tried.DELIVERED, self.reply, tls=self.tls, now=self.at)
        return [row_of(event) for event in told]


class Settlement:
    """How deliveries are told to the database of a workshop: at once, or by way of slips. Of one thread."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._slips = beside(workshop.store)
        self._open: list[Delivery] = []
        self._closed: list[Slip] = []

    @property
    def open(self) -> frozenset[int]:
        """The consignments (ids) that were delivered and that the database holds for leased still."""
        return frozenset(one.consignment.id for one in self._open)

    def write(self, together: Sequence[Delivery]) -> None:
        """Puts deliveries on disk, all or none. LeaseLostError and StoreRefusalError are about one of them; another
        StoreError says that nothing can be written."""
        if self._slips is not None:
            try:
                self._slips.write([one.slip for one in together], self._closed)
            except OctError as error:
                _log.warning("bordereaux-en-panne", code=error.code)
            else:
                self._closed.clear()
                self._open += together
                return
        self._settle(together)

    def settle(self) -> None:
        """Tells the database of all that it does not know yet. StoreError when it is away: then all stay open."""
        if not self._open:
            return
        try:
            self._settle(self._open)
        except (LeaseLostError, StoreRefusalError):
            for one in self._open:
                self._settle_alone(one)
        self._closed += [one.slip for one in self._open]
        self._open.clear()

    def take_up(self, now: int, dead: str | None = None) -> None:
        """Settles that too which others left on slips: owners whose names begin with `dead`, and those whose leases
        are over at `now` (ms). StoreError when the database is away, ConfigurationError when the slips are damaged."""
        if self._slips is not None:
            ours = {*self._closed, *(one.slip for one in self._open)}
            left = [slip for slip in self._slips.read() if slip not in ours]
            if left:
                self._open_again(left, now, dead)
        self.settle()

    def close(self) -> None:
        """Nothing more will be told: takes the slips of what was settled away. StoreError when they stay."""
        if self._slips is None:
            return
        try:
            if self._closed:
                self._slips.write((), self._closed)
        finally:
            self._slips.close()

    def _open_again(self, left: Sequence[Slip], now: int, dead: str | None) -> None:
        named = [slip.consignment for slip in left]
        with self._workshop.store.read() as conn:
            leases = consignments.leases_of(conn, named)
            found = {one.id: one for one in consignments.by_ids(conn, named)}
        for slip in left:
            owner, until = leases.get(slip.consignment, (None, None))
            if owner != slip.owner:
                self._closed.append(slip)
            elif until is None or until < now or (dead is not None and owner.startswith(dead)):
                self._open.append(Delivery(found[slip.consignment], slip.owner, slip.at, slip.reply, slip.tls))

    def _settle(self, together: Sequence[Delivery]) -> None:
        store = self._workshop.store
        traced = [row for one in together for row in one.traced(store)]
        with store.at_once() as conn:
            if not tell(conn, [one.slip for one in together], traced):
                raise LeaseLostError

    def _settle_alone(self, one: Delivery) -> None:
        try:
            self._settle([one])
        except LeaseLostError:
            _log.warning("remise-d-un-autre", consignment=one.consignment.id)
        except StoreRefusalError:
            hold_untold(self._workshop, one.consignment, one.owner, REFUSED)
