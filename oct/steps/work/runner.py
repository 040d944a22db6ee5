"""Brings messages to their end inside one process: a thread claims what is due, works on it, and waits for the bell.

The database is the queue; the bell only saves the wait until the next look. Any number of runners, in as many
processes, share one database, each under its own name. A runner whose thread is not started processes what it is
told to, by the identifiers of messages (`process`), through the same claim: what is not due, or in other hands, is
left. `Lookout` does at intervals what is not anybody's work.

A step that fails because the database is away gives its rows back as soon as it answers (`leavings`); a message whose
outcome the database refuses is held (`custody`). Any other failure is a defect, is logged by type and place, leaves the
rows to their lease, and never ends the thread. A message that was left open by a process that died is a suspect: it is
opened alone, and each opening is on disk before it begins; after `tries` of them the step holds it (H3).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

import structlog

from oct.domain.admission import Origin
from oct.errors import Fate, OctError, StoreError, described
from oct.steps.custody import settle
from oct.steps.deliver import deliver
from oct.steps.door.slowing import slow_down
from oct.steps.increments import keep_increment
from oct.steps.notices import note
from oct.steps.process import process
from oct.steps.work.leavings import Leavings
from oct.steps.workshop import Workshop
from oct.store import messages
from oct.store.messages import Message

_log = structlog.get_logger()
_STEPS = {Origin.INSURER: deliver, Origin.ISSUER: keep_increment, Origin.REPORT: note}
"""What brings a message to its end, by whose it is; those of practitioners are processed by batches."""
_PORTION_BYTES = 16 << 20
"""How much of such a batch is opened at once, unless one message alone is larger."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is claimed at once. `lease` and `look` are milliseconds: `look` is how often what nobody rang for is
    looked at (P2)."""

    batch: int
    lease: int
    look: int


class Bell:
    """Wakes who waits for work."""

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


Within = Callable[[], AbstractContextManager[None]]


class Runner:
    """A worker. `name` begins the names of its claims, and no other running process has it. `ready` is called when
    there may be something to send; what is opened is opened `within` what that gives, which may end the process after
    a time."""

    def __init__(
        self, workshop: Workshop, pace: Pace, name: str, ready: Callable[[], object], within: Within = nullcontext
    ) -> None:
        self._within = within
        self._workshop = workshop
        self._pace = pace
        self._name = name
        self._ready = ready
        self._claims = count()
        self._leavings = Leavings(workshop.store)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="runner", daemon=True)
        self.incoming = Bell()
        """Rung when messages were received."""

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Lets it end what it is doing."""
        self._stopping.set()
        self.incoming.ring()
        self._thread.join()
        self._leavings.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            seen = self.incoming.seen()
            if not _survived(self._process_some):
                self.incoming.wait(seen, self._pace.look / 1000)

    def process(self, ids: Sequence[int]) -> bool:
        """Brings those of these messages that are due to their end; whether there were some. Never fails: what is
        left undone stays due."""
        return _survived(partial(self._process_some, ids))

    def _process_some(self, ids: Sequence[int] | None = None) -> bool:
        with self._claim_of() as owner:
            return not self._leavings.waiting and self._process_as(owner, ids)

    def _process_as(self, owner: str, ids: Sequence[int] | None) -> bool:
        lease = self._pace.lease
        with self._workshop.store.begin() as conn:
            now = self._workshop.clock()
            claimed = (
                messages.claim(conn, owner, now, lease, self._pace.batch)
                if ids is None
                else messages.claim_these(conn, owner, now, lease, ids)
            )
            at_once = slow_down(conn, self._workshop, claimed, owner)
        if not claimed:
            return False
        try:
            with self._within():
                self._bring([message for message in at_once if not message.attempts], owner)
            for message in at_once:
                if message.attempts:
                    with self._within():
                        self._bring_suspect(message, owner)
        finally:
            self._ready()
        return True

    def _bring(self, received: Sequence[Message], owner: str) -> None:
        for claims in _portions([message for message in received if message.origin == Origin.PS]):
            process(self._workshop, claims, owner)
        for message in received:
            if message.origin != Origin.PS:
                step = partial(_STEPS[Origin(message.origin)], self._workshop, message, owner)
                settle(self._workshop, message, owner, step)

    def _bring_suspect(self, message: Message, owner: str) -> None:
        with self._workshop.store.begin() as conn:
            held = messages.begin_opening(conn, message.id, owner)
        if held:
            self._bring([replace(message, attempts=message.attempts + 1)], owner)

    @contextmanager
    def _claim_of(self) -> Iterator[str]:
        """A name that no other claim has; its beginning is the program's. What is under it when the database goes away
        is left."""
        owner = f"{self._name}{next(self._claims)}"
        try:
            yield owner
        except StoreError as error:
            if error.fate is Fate.RETRY:
                self._leavings.leave(owner)
            raise


class Lookout:
    """A thread that does `looks` every `look` milliseconds, and `once_more` when it is stopped; calls `found` when one
    of them found something."""

    def __init__(
        self, looks: Sequence[Callable[[], int]], look: int, found: Callable[[], object], *, once_more: bool = False
    ) -> None:
        self._looks = looks
        self._look = look
        self._found = found
        self._once_more = once_more
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lookout", daemon=True)

    def start(self) -> None:
        """The first looks are at once."""
        self._thread.start()

    def stop(self) -> None:
        """Lets the look in hand end."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._look_over()
            self._stopping.wait(self._look / 1000)
        if self._once_more:
            self._look_over()

    def _look_over(self) -> None:
        for look in self._looks:
            if _survived(partial(_finds, look)):
                self._found()


def _portions(claims: Sequence[Message]) -> Iterator[list[Message]]:
    """Messages that may be in memory together: they are read and opened at once."""
    portion: list[Message] = []
    for message in claims:
        if portion and sum(one.size for one in portion) + message.size > _PORTION_BYTES:
            yield portion
            portion = []
        portion.append(message)
    if portion:
        yield portion


def _finds(look: Callable[[], int]) -> bool:
    return look() > 0


def _survived(some: Callable[[], bool]) -> bool:
    """Whether there was work; False after a failure too, so that it is not tried again at once."""
    try:
        return some()
    except OctError as error:
        _log.warning("etape-interrompue", code=error.code)
    except Exception as surprise:  # noqa: BLE001 - the runner of steps: a defect must not end the thread
        _log.error("etape-surprise", **described(surprise))
    return False
