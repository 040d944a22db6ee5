"""Keeps the story of what the door refuses: peer, code and reason of each refusal, never content.

Told by the door after each refusal; a thread of its own writes them as events every second, so that nothing waits for
it, and honest traffic least of all. The first few of a minute and a reason are written one by one, the others of that
minute as one event that counts them: a flood costs a few rows. Failure: a database that is away, or a process that is
killed, loses the refusals that were not written yet, and nothing else.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import structlog

from oct.errors import StoreError
from oct.smtp.transaction import Reply
from oct.steps.work.runner import Lookout
from oct.steps.workshop import Workshop
from oct.store import events
from oct.store.alerts import COUNTED, REFUSAL, REFUSED
from oct.store.events import Event

_log = structlog.get_logger()
_ONE_BY_ONE = 10
"""Refusals of a minute and a reason that have an event each."""
_REASONS = 100
"""Reasons told apart in a minute; all that we say is far less, whatever is sent."""
_MINUTE_MS = 60_000
_LOOK_MS = 1_000


@dataclass(frozen=True, slots=True)
class _Reason:
    """What a peer was told, in one minute."""

    minute: int
    code: int
    text: str


class Refusals:
    """The step: `note` is handed to the door, from any thread; it neither waits nor fails."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._lock = threading.Lock()
        self._seen: dict[_Reason, int] = {}
        self._single: list[Event] = []
        self._lookout = Lookout([self.write], _LOOK_MS, lambda: None)

    def start(self) -> None:
        """Starts the writing thread."""
        self._lookout.start()

    def stop(self) -> None:
        """Writes what is left, the counts of the present minute too."""
        self._lookout.stop()
        try:
            self.write(ended=True)
        except StoreError as error:
            _log.warning("refus-perdus", code=error.code)

    def note(self, peer: str, reply: Reply) -> None:
        """A peer (IP address) was refused."""
        now = self._workshop.clock()
        text = reply.text.partition(", trace ")[0]
        with self._lock:
            reason = _Reason(now // _MINUTE_MS, reply.code, text if len(self._seen) < _REASONS else "")
            self._seen[reason] = seen = self._seen.get(reason, 0) + 1
            if seen <= _ONE_BY_ONE:
                data = {"pair": peer, "code": reply.code, "motif": text}
                self._single.append(Event(now, REFUSAL, REFUSED, data=data))

    def write(self, *, ended: bool = False) -> int:
        """Writes what was noted, and the counts of the minutes that are over (`ended`: of this one too); how many
        events. StoreError when the database is away: they are lost."""
        now = self._workshop.clock()
        with self._lock:
            single, self._single = self._single, []
            over = {one: seen for one, seen in self._seen.items() if ended or one.minute < now // _MINUTE_MS}
            for reason in over:
                del self._seen[reason]
        more = [(one, seen - _ONE_BY_ONE) for one, seen in over.items() if seen > _ONE_BY_ONE]
        counted = [
            Event(now, REFUSAL, COUNTED, data={"code": one.code, "motif": one.text, "nombre": others})
            for one, others in more
        ]
        if single or counted:
            with self._workshop.store.begin() as conn:
                events.append(conn, [*single, *counted])
        return len(single) + len(counted)
