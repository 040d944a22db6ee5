"""Those who carry: couriers, each with one connection at a time, and the lanes on which they go.

A connection leads to one server. A courier that goes on to another recipient keeps it only when the same server serves
both: what is for one is never said to the other's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Container, Hashable
from dataclasses import dataclass, field
from math import inf

from sqlalchemy import Connection as Database

from oct.clock import Clock
from oct.errors import DeliveryError
from oct.smtp.client import Connection, Route
from oct.steps.work.errands import Errand, Errands
from oct.steps.workshop import Workshop
from oct.store import consignments
from oct.store.consignments import Consignment

Connect = Callable[[str, Container[Route]], Awaitable[Connection]]
"""Finds the way to a recipient's address, which is not open yet: the best one that is not to be avoided, or the best
one if all are. DeliveryError when there is none."""

_Claim = Callable[[Database, str, int, int, int], list[Consignment]]
_SPACING_S = 1.0
"""Between two looks for what waits for recipients that stalled."""


@dataclass(slots=True, eq=False)
class Lane:
    """One way of claiming, and those who work so. `errands` are those of all when they are `shared`; `dry`: nothing was
    found since somebody said that there may be something (`wanted`). `spacing` and `looked_at` are seconds, of the
    loop's time."""

    claim: _Claim
    shared: bool
    errands: Errands
    spacing: float = 0.0
    hands: int = 0
    wanted: bool = True
    dry: bool = True
    looked_at: float = 0.0
    aside: dict[Hashable, list[Errand]] = field(default_factory=lambda: defaultdict(list))


def lanes(workshop: Workshop, *, one_relay: bool) -> list[Lane]:
    """Where everything leaves through one relay: for all, and apart for those over whom it fell silent. Else one, on
    which each courier has a recipient to itself."""
    nothing = Errands(workshop, (), "")
    if not one_relay:
        return [Lane(consignments.claim, shared=False, errands=nothing)]
    return [
        Lane(consignments.claim_any, shared=True, errands=nothing),
        Lane(consignments.claim_stalled, shared=False, errands=nothing, spacing=_SPACING_S),
    ]


class InTheWayError(Exception):
    """Others wait at the same place, and it would be in vain to wait beside them."""


@dataclass(slots=True, eq=False)
class Courier:
    """One connection, which leads to `recipient` at least, and what is on it. `errand` is what it has in hand, until
    that is told; `since` the loop's time at which it came to its place, `inf` when no exchange goes on. `place`: the
    domain whose server it looks for, or the route to the server that it speaks to. `waiting`: it has long had no answer
    there; `quiet`: somebody else works instead of it, from then on."""

    lane: Lane
    errands: Errands
    connection: Connection | None = None
    recipient: str = ""
    errand: Errand | None = None
    since: float = inf
    quiet: bool = False
    waiting: bool = False
    place: Hashable = None

    @property
    def is_introduced(self) -> bool:
        """Whether the server at its place has greeted it."""
        return self.connection is not None and self.connection.route == self.place and self.connection.is_introduced

    async def way_to(
        self,
        errand: Errand,
        find: Callable[[str], Awaitable[Connection]],
        clock: Clock,
        enter: Callable[[Courier], None],
    ) -> Connection:
        """The connection when it leads to this errand's recipient, else what `find` gives. DeliveryError when there is
        none, or when it was found too late for the errand's lease. `enter` is called at each place, and its errors are
        given."""
        recipient = errand.consignment.recipient
        if self.connection is None or not (self.lane.shared or self._leads_to(recipient)):
            self.place = recipient.rpartition("@")[2].lower()
            enter(self)
            way = await find(recipient)
            if clock() > errand.until:
                raise DeliveryError("adresse-tardive", "La recherche du serveur a pris trop de temps.", permanent=False)
            if self.connection is None or self.connection.route != way.route:
                self.hang_up()
                self.connection = way
            self.recipient = recipient
        self.place = self.connection.route
        enter(self)
        return self.connection

    def _leads_to(self, recipient: str) -> bool:
        """Whether the last word was that of the recipient's server: one that did not greet may have a substitute."""
        return self.recipient == recipient and self.is_introduced

    def give_up(self) -> None:
        """Cuts what is on its way, if anything is."""
        if self.connection is not None:
            self.connection.give_up()

    def hang_up(self) -> None:
        """Ends the connection, if there is one."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def is_shut(place: Hashable, crew: Collection[Courier], most: int) -> bool:
    """Whether it is in vain to wait at a place beside those of the crew who do: one of them was not greeted yet, and
    nobody else gets answers there; or they are as many as may wait at one place."""
    there = [one for one in crew if one.place == place]
    waiting = [one for one in there if one.waiting]
    if len(waiting) >= most:
        return True
    heard = any(one.is_introduced for one in there if one not in waiting)
    return not heard and any(not one.is_introduced for one in waiting)
