"""Carries what is due to the other side: one thread with an event loop, and on it couriers, a connection each.

A courier takes one errand after the other and waits, with what it delivered, for the commit that it shares with its
neighbours. When everything leaves through one relay, all couriers work off the same errands, whoever they are for;
else each has those of one recipient to itself, and keeps its connection for the next recipient only when the same
server serves both (`crew`). New errands are claimed when there are none left, and looked for when the bell is rung and
every `look`.

Whoever does not answer keeps nobody else waiting (P4): after a second another courier works in the place of the one
that waits; what is for the same recipient is put aside; and once the relay fell silent over a recipient, whatever
waits for it is claimed apart (`consignments.claim_stalled`), by one courier, and shares the fate of the first that gets
no answer. Where servers differ, what is behind one that does not greet is put aside likewise, whoever it is for, and
shares that fate. An exchange ends before the lease of its consignment does.

A consignment of which the database refuses to keep what became of it, and one over which the program stumbles, is held
for a person (`hold_untold`). Another StoreError leaves the claim to `leavings`, but for what other couriers have in
hand.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from math import inf

import structlog

from oct.errors import ConfigurationError, DeliveryError, OctError, StoreError, StoreRefusalError, described
from oct.smtp.client import Connection, Outgoing, Route, Sent, unroutable
from oct.steps.failures import BROKEN, REFUSED, hold_untold
from oct.steps.send import record_failure, send
from oct.steps.work.crew import Connect, Courier, InTheWayError, Lane, is_shut, lanes
from oct.steps.work.deliveries import Deliveries
from oct.steps.work.errands import Errand, Errands, hand_back
from oct.steps.work.leavings import Leavings
from oct.steps.work.settlement import Settlement
from oct.steps.work.threads import ThreadEach
from oct.steps.workshop import Workshop

_log = structlog.get_logger()
_QUIET_S = 1.0
"""After so long without an answer somebody else works in a courier's place."""
_PATROL_S = 0.25
_MOST_QUIET = 8
"""Couriers without an answer on a lane, for each of those at work."""
_AVOIDED_S = 900.0
"""So long after a server did not greet, a domain's other servers are preferred to it (RFC 5321 section 5.1)."""
_GRACE_S = 5.0
"""What a clean stop leaves to the exchanges that are open (P5: 10 s in all)."""


@dataclass(frozen=True, slots=True)
class Round:
    """How many couriers go at once, and how many consignments a claim takes for how long. `lease` and `look` are
    milliseconds; `one_relay`: everything leaves through it, all couriers work off the same claim, and it takes `shares`
    batches."""

    senders: int
    batch: int
    shares: int
    lease: int
    look: int
    one_relay: bool


class Couriers:
    """`name` begins the names of their claims, and no other running process has it."""

    def __init__(self, workshop: Workshop, connect: Connect, pace: Round, name: str) -> None:
        self._workshop = workshop
        self._connect = connect
        self._pace = pace
        self._name = name
        self._claims = count()
        self._leavings = Leavings(workshop.store)
        self._settlement = Settlement(workshop)
        self._deliveries = Deliveries(self._settlement.write, self._busy)
        self._lanes = lanes(workshop, one_relay=pace.one_relay)
        self._crew: set[Courier] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._quiet: Counter[Hashable] = Counter()
        self._away: dict[Route, float] = {}
        self._carried = 0
        self._rung = asyncio.Event()
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._attend()), name="couriers", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Lets the exchanges that are open end, and gives back what was not tried."""
        self._stopping = True
        self.ring()
        self._thread.join()
        self._leavings.stop()
        with suppress(OctError):  # the next program finds that they are settled
            self._settlement.close()

    def ring(self) -> None:
        """There may be something to send. From any thread; neither waits nor fails."""
        if self._loop is not None and not self._rung.is_set():
            with suppress(RuntimeError):  # the loop has just ended
                self._loop.call_soon_threadsafe(self._rung.set)

    async def work_off(self) -> bool:
        """Sends what is due, without a thread; whether there was something."""
        before = self._carried
        for lane in self._lanes:
            lane.dry = False
            self._hire(lane)
        while self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATROL_S)
            self._patrol()
        self._settlement.settle()
        return self._carried > before

    def _busy(self) -> int:
        return sum(lane.hands for lane in self._lanes)

    async def _attend(self) -> None:
        """The life of the thread."""
        self._loop = loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadEach())
        next_look = 0.0
        while not self._stopping:
            now = loop.time()
            if self._rung.is_set() or now >= next_look:
                self._rung.clear()
                next_look = now + self._pace.look / 1000
                for lane in self._lanes:
                    lane.wanted = True
            try:
                for lane in self._lanes:
                    self._look(lane, now)
                self._patrol()
            except Exception as surprise:  # noqa: BLE001 - nobody else would send
                _log.error("envoi-surprise", **described(surprise))
            restless = self._tasks or self._settlement.open or any(lane.wanted or lane.aside for lane in self._lanes)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._rung.wait(), _PATROL_S if restless else next_look - now)
        await self._go_home()

    def _look(self, lane: Lane, now: float) -> None:
        """Sends somebody to look for errands when that is wanted, and not too soon after the last look."""
        if lane.wanted and now >= lane.looked_at + lane.spacing:
            lane.wanted, lane.dry, lane.looked_at = False, False, now
            self._hire(lane)

    async def _go_home(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_GRACE_S)
        untried = [*(one.errands for one in self._crew), *(lane.errands for lane in self._lanes)]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._deliveries.write()
        with suppress(StoreError):  # the next process of the same name takes up what is left
            self._settlement.settle()
            for errands in untried:
                errands.hand_back()
            for lane in self._lanes:
                for whom in list(lane.aside):
                    self._resume(lane, whom)

    def _hire(self, lane: Lane) -> None:
        if lane.hands < self._pace.senders and not lane.dry and not self._stopping:
            lane.hands += 1
            courier = Courier(lane, Errands(self._workshop, (), ""))
            self._crew.add(courier)
            task = asyncio.get_running_loop().create_task(self._work(courier))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self, courier: Courier) -> None:
        """The life of a courier: until there are no errands, or somebody else has its place."""
        lane = courier.lane
        try:
            while not (self._stopping or courier.quiet) and (errand := self._next(courier)) is not None:
                self._hire(lane)
                courier.errand = errand
                await self._carry(courier, errand)
                courier.errand = None
            courier.errands.hand_back()
        except StoreError as error:
            self._leave(courier)
            _log.warning("envoi-interrompu", code=error.code)
        except Exception as surprise:  # noqa: BLE001 - a defect must not end the others' work
            _log.error("envoi-surprise", **described(surprise))
        finally:
            self._crew.remove(courier)
            lane.hands -= not courier.quiet
            courier.hang_up()

    def _leave(self, courier: Courier) -> None:
        """The database went away from this courier: nobody goes on with what was claimed, but for what others have in
        hand."""
        lane = courier.lane
        lane.dry = True
        owners = {errand.owner for waiting in lane.aside.values() for errand in waiting}
        lane.aside.clear()
        for errands in (courier.errands, lane.errands):
            errands.rest()
            owners.add(errands.owner)
        if courier.errand is not None:
            owners.add(courier.errand.owner)
        for owner in owners - {""}:
            self._leavings.leave(owner, self._in_hand(but=courier))

    def _in_hand(self, *, but: Courier) -> frozenset[int]:
        """What the others will tell of themselves, and what the database has yet to be told."""
        others = (one.errand for one in self._crew if one is not but)
        return self._settlement.open | {errand.consignment.id for errand in others if errand is not None}

    def _next(self, courier: Courier) -> Errand | None:
        lane, is_new = courier.lane, False
        while True:
            errands = lane.errands if lane.shared else courier.errands
            errand = errands.take()
            if errand is None:
                errands.hand_back()
                if is_new:
                    return None  # its time was over before it began: the next look takes it up again
                if not lane.shared and errands.owner:
                    lane.dry = False  # nobody else could claim what is for the recipient that this one served
                if not self._claim(courier):
                    return None
                is_new = True
                continue
            is_new = False
            if lane.shared and errand.consignment.recipient in self._quiet:
                lane.aside[errand.consignment.recipient].append(replace(errand, content=None))
            else:
                return errand

    def _claim(self, courier: Courier) -> bool:
        """Takes new errands; False when there are none."""
        workshop, pace, lane = self._workshop, self._pace, courier.lane
        now = workshop.clock()
        late = any(one.errand is not None and now > one.errand.until for one in self._crew)
        if self._leavings.waiting or lane.dry or late:  # what somebody has in hand is not to be claimed
            return False
        self._settlement.take_up(now)
        owner = f"{self._name}{next(self._claims)}"
        try:
            with workshop.store.begin() as conn:
                limit = pace.batch * (pace.shares if lane.shared else 1)
                claimed = lane.claim(conn, owner, now, pace.lease, limit)
        except StoreError:
            self._leavings.leave(owner)
            raise
        lane.dry = not claimed
        errands = Errands(workshop, claimed, owner, now=now, lease=pace.lease)
        if lane.shared:
            lane.errands = errands
        else:
            courier.errands = errands
        return bool(claimed)

    async def _carry(self, courier: Courier, errand: Errand) -> None:
        async def way(message: Outgoing) -> Sent:
            courier.since = asyncio.get_running_loop().time()
            try:
                return await self._hand_over(courier, errand, message)
            finally:
                courier.since, courier.waiting = inf, False
                if courier.quiet:
                    self._heard_of(courier, message.recipient)

        self._carried += 1
        try:
            sent = await send(self._workshop, errand, way, self._deliveries)
        except InTheWayError:
            self._put_aside(courier, errand)
            return
        except StoreRefusalError:
            hold_untold(self._workshop, errand.consignment, errand.owner, REFUSED)
            return
        except StoreError:
            raise
        except Exception as surprise:  # noqa: BLE001 - what follows may be without fault
            _log.error("envoi-surprise", consignment=errand.consignment.id, **described(surprise))
            courier.hang_up()
            hold_untold(self._workshop, errand.consignment, errand.owner, BROKEN)
            return
        if sent is not None and sent.silent and not courier.lane.shared:
            await self._give_up(courier, errand, sent)

    async def _hand_over(self, courier: Courier, errand: Errand, message: Outgoing) -> Sent:
        try:
            connection = await courier.way_to(errand, self._find, self._workshop.clock, self._enter)
            sent = await connection.send(message)
        except (DeliveryError, ConfigurationError) as error:
            return unroutable(message.key, error)
        except asyncio.CancelledError:
            courier.give_up()
            raise
        if connection.is_introduced:
            self._away.pop(connection.route, None)
        else:
            self._away[connection.route] = asyncio.get_running_loop().time()
        return sent

    async def _find(self, recipient: str) -> Connection:
        now = asyncio.get_running_loop().time()
        return await self._connect(
            recipient, {route for route, since in self._away.items() if now < since + _AVOIDED_S}
        )

    def _enter(self, courier: Courier) -> None:
        """Before it looks for a server, or speaks to one. Who goes to a server that did not greet the last one gives up
        its place at once. InTheWayError when it is not to go on."""
        if self._pace.one_relay:
            return
        courier.since, courier.waiting = asyncio.get_running_loop().time(), False
        if self._is_in_the_way(courier.place, but=courier):
            raise InTheWayError
        if courier.place in self._away:
            assert courier.errand is not None
            self._replace(courier, courier.errand.consignment.recipient)

    def _put_aside(self, courier: Courier, errand: Errand) -> None:
        """It, and what was to follow it, until those who are in the way have their answer."""
        following = [errand.consignment, *courier.errands.rest()]
        courier.lane.aside[courier.place] += [replace(errand, consignment=one, content=None) for one in following]

    async def _give_up(self, courier: Courier, errand: Errand, sent: Sent) -> None:
        """What was to follow to a recipient that does not answer is not tried now, nor what was put aside because its
        server does not."""
        aside = courier.lane.aside
        failing = [replace(errand, consignment=one, content=None) for one in courier.errands.rest()]
        if not sent.stalled:
            failing += aside.pop(courier.place, [])
        aside[courier] = failing  # who stops gives back what is left of it
        while aside.get(courier):
            following = aside[courier][-1]
            try:
                record_failure(self._workshop, following, sent)
            except StoreRefusalError:
                hold_untold(self._workshop, following.consignment, following.owner, REFUSED)
            aside[courier].pop()
            await asyncio.sleep(0)  # others have their turn
        aside.pop(courier, None)

    def _patrol(self) -> None:
        now, clock = asyncio.get_running_loop().time(), self._workshop.clock()
        for courier in [one for one in self._crew if one.since < inf]:
            assert courier.errand is not None
            if clock > courier.errand.until:
                courier.give_up()
            elif now > courier.since + _QUIET_S and not courier.waiting:
                self._replace(courier, courier.errand.consignment.recipient)
        for lane in self._lanes:
            for whom in [one for one in lane.aside if not self._is_in_the_way(one)]:
                self._resume(lane, whom)
        with suppress(StoreError):  # it stays open until the database is back
            self._settlement.settle()

    def _is_in_the_way(self, whom: Hashable, *, but: Courier | None = None) -> bool:
        """Whether what is put aside for a recipient, at a place, or to fail with what a courier had, stays there."""
        others = [one for one in self._crew if one is not but]
        return whom in self._quiet or whom in others or is_shut(whom, others, _MOST_QUIET * self._pace.senders // 2)

    def _replace(self, courier: Courier, recipient: str) -> None:
        """Somebody else works in the place of one that waits."""
        silent = sum(one.quiet for one in self._crew if one.lane is courier.lane)
        if courier.quiet:
            courier.waiting = True
        elif silent < _MOST_QUIET * self._pace.senders:
            courier.quiet = courier.waiting = True
            self._quiet[recipient] += 1
            courier.lane.hands -= 1
            self._hire(courier.lane)

    def _heard_of(self, courier: Courier, recipient: str) -> None:
        """It has its answer, or waits no more. It goes on when its place is free."""
        lane = courier.lane
        self._quiet[recipient] -= 1
        if not self._quiet[recipient]:
            del self._quiet[recipient]
        if lane.hands < self._pace.senders:
            courier.quiet = False
            lane.hands += 1

    def _resume(self, lane: Lane, whom: Hashable) -> None:
        """What was put aside for a recipient, or at a server, may be claimed again; later, when the database is
        away."""
        with suppress(StoreError):
            hand_back(self._workshop, [(one.consignment, one.owner) for one in lane.aside[whom]])
            del lane.aside[whom]
            lane.wanted = True
