"""Runs the steps inside one program: threads that claim what is due, work on it, and wait for the bell.

The database is the queue; the bell only saves the wait until the next look. A thread whose step fails with a
StoreError leaves the rows to their lease and looks again later; any other failure is a defect, is logged by type and
place, and never ends the thread. A message that was left open by a process that died is a suspect: it is opened
alone, no other suspect at the same time, and each opening is on disk before it begins; after `tries` of them the step
holds it (H3).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

import structlog

from oct.domain.admission import Origin
from oct.errors import OctError, described
from oct.steps.deliver import deliver
from oct.steps.increments import keep_increment
from oct.steps.notices import note
from oct.steps.process import process
from oct.steps.seal import Sealer
from oct.steps.send import Connect, send
from oct.steps.sweep import sweep
from oct.steps.watch import watch
from oct.steps.workshop import Workshop
from oct.store import consignments, messages
from oct.store.messages import Message

_log = structlog.get_logger()
_SEAL_S = 30.0
"""How often events are sealed: they are under a signed head within 60 s (T1)."""
_STEPS = {Origin.INSURER: deliver, Origin.ISSUER: keep_increment, Origin.REPORT: note}
"""What brings a message to its end, by whose it is; those of practitioners are processed by batches."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much runs at once. `lease` and `look` are milliseconds: `look` is how often what nobody rang for is looked at
    (P2); `any_recipient`: all leaves through one relay."""

    processors: int
    senders: int
    batch: int
    lease: int
    look: int
    any_recipient: bool


class Bell:
    """Wakes the threads that wait for one kind of work."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._count = 0

    def ring(self) -> None:
        """There is work."""
        with self._rung:
            self._count += 1
            self._rung.notify_all()

    def seen(self) -> int:
        """To be handed to `wait`, read before looking for work."""
        return self._count

    def wait(self, seen: int, seconds: float) -> None:
        """Returns when it was rung since `seen`, or after `seconds`."""
        with self._rung:
            self._rung.wait_for(lambda: self._count != seen, seconds)


class Runner:
    """The embedded worker."""

    def __init__(self, workshop: Workshop, connect: Connect, pace: Pace, name: str, sealer: Sealer) -> None:
        self._workshop = workshop
        self._connect = connect
        self._pace = pace
        self._name = name
        self._sealer = sealer
        self._claims = count()
        self._one_suspect = threading.Lock()
        self._stopping = threading.Event()
        self.incoming = Bell()
        """Rung after each message received."""
        self._outgoing = Bell()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Takes back the leases of a predecessor that died, then starts the threads."""
        with self._workshop.store.begin() as conn:
            messages.release_leases(conn, self._name)
            consignments.release_leases(conn, self._name)
        pace = self._pace
        jobs: list[tuple[Callable[[], bool], Bell]] = [(self._process_some, self.incoming)] * pace.processors
        jobs += [(self._send_some, self._outgoing)] * pace.senders
        self._threads = [threading.Thread(target=self._work, args=job, daemon=True) for job in jobs]
        self._threads += [threading.Thread(target=alone, daemon=True) for alone in (self._sweep, self._seal)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets every thread end what it is doing; what they did is sealed last."""
        self._stopping.set()
        self.incoming.ring()
        self._outgoing.ring()
        for thread in self._threads:
            thread.join()
        self._survive(self._seal_some)

    def _work(self, some: Callable[[], bool], bell: Bell) -> None:
        while not self._stopping.is_set():
            seen = bell.seen()
            if not self._survive(some):
                bell.wait(seen, self._pace.look / 1000)

    def _survive(self, some: Callable[[], bool]) -> bool:
        """Whether there was work; False after a failure too, so that it is not tried again at once."""
        try:
            return some()
        except OctError as error:
            _log.warning("etape-interrompue", code=error.code)
        except Exception as surprise:  # noqa: BLE001 - the runner of steps: a defect must not end the thread
            _log.error("etape-surprise", **described(surprise))
        return False

    def _process_some(self) -> bool:
        owner = self._owner()
        with self._workshop.store.begin() as conn:
            claimed = messages.claim(conn, owner, self._workshop.clock(), self._pace.lease, self._pace.batch)
        if not claimed:
            return False
        try:
            self._bring([message for message in claimed if not message.attempts], owner)
            for message in claimed:
                if message.attempts:
                    self._bring_suspect(message, owner)
        finally:
            self._outgoing.ring()
        return True

    def _bring(self, received: Sequence[Message], owner: str) -> None:
        claims = [message for message in received if message.origin == Origin.PS]
        if claims:
            process(self._workshop, claims, owner)
        for message in received:
            if message.origin != Origin.PS:
                _STEPS[Origin(message.origin)](self._workshop, message, owner)

    def _bring_suspect(self, message: Message, owner: str) -> None:
        with self._one_suspect:
            with self._workshop.store.begin() as conn:
                held = messages.begin_opening(conn, message.id, owner)
            if held:
                self._bring([replace(message, attempts=message.attempts + 1)], owner)

    def _send_some(self) -> bool:
        owner = self._owner()
        claim = consignments.claim_any if self._pace.any_recipient else consignments.claim
        with self._workshop.store.begin() as conn:
            claimed = claim(conn, owner, self._workshop.clock(), self._pace.lease, self._pace.batch)
        if not claimed:
            return False
        send(self._workshop, claimed, owner, self._connect)
        return True

    def _sweep(self) -> None:
        while not self._stopping.is_set():
            for look in (sweep, watch):
                if self._survive(partial(self._look_over, look)):
                    self._outgoing.ring()
            self._stopping.wait(self._pace.look / 1000)

    def _seal(self) -> None:
        """A thread of its own: a long sweep must not make the heads late."""
        while not self._stopping.is_set():
            self._survive(self._seal_some)
            self._stopping.wait(_SEAL_S)

    def _seal_some(self) -> bool:
        return self._sealer.run() > 0

    def _look_over(self, look: Callable[[Workshop], int]) -> bool:
        return look(self._workshop) > 0

    def _owner(self) -> str:
        """A name that no other claim has; its beginning is the program's."""
        return f"{self._name}{next(self._claims)}"
