"""Events that anybody outside can cause, as often as they like: the first few of a minute and a subject one by one, the
others of that minute as one event that counts them, so that a flood costs a few rows.

`note` keeps them in memory, neither waits nor fails; a thread of its own writes them every second. Failure: a database
that is away, or a process that is killed, loses what was not written yet, and nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from oct.errors import StoreError
from oct.steps.work.runner import Lookout
from oct.steps.workshop import Workshop
from oct.store import events
from oct.store.alerts import COUNTED
from oct.store.events import Event

_MINUTE_MS = 60_000
_LOOK_MS = 1_000

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Subject:
    """What events of one minute have in common, as pairs of their data."""

    minute: int
    kind: str
    told: tuple[tuple[str, object], ...]


class BoundedEvents:
    """At most `singly` events of a minute and a subject by themselves, and one that counts the rest; so many `subjects`
    are told apart in a minute, whatever is sent."""

    def __init__(self, workshop: Workshop, *, singly: int, subjects: int) -> None:
        self._workshop = workshop
        self._singly = singly
        self._subjects = subjects
        self._lock = threading.Lock()
        self._seen: dict[_Subject, int] = {}
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
            _log.warning("evenements-perdus", code=error.code)

    def add(self, event: Event, subject: Mapping[str, object], crowded: Mapping[str, object]) -> None:
        """One event more. `subject` is what an event that counts it says, `crowded` the same where there are too many
        subjects already."""
        with self._lock:
            one = _Subject(event.at // _MINUTE_MS, event.kind, tuple(subject.items()))
            if one not in self._seen and len(self._seen) >= self._subjects:
                one = _Subject(one.minute, one.kind, tuple(crowded.items()))
            self._seen[one] = seen = self._seen.get(one, 0) + 1
            if seen <= self._singly:
                self._single.append(event)

    def write(self, *, ended: bool = False) -> int:
        """Writes what was noted, and the counts of the minutes that are over (`ended`: of this one too); how many
        events. StoreError when the database is away: they are lost."""
        now = self._workshop.clock()
        with self._lock:
            single, self._single = self._single, []
            over = {one: seen for one, seen in self._seen.items() if ended or one.minute < now // _MINUTE_MS}
            for one in over:
                del self._seen[one]
        counted = [
            Event(now, one.kind, COUNTED, data={**dict(one.told), "nombre": seen - self._singly})
            for one, seen in over.items()
            if seen > self._singly
        ]
        if single or counted:
            with self._workshop.store.begin() as conn:
                events.append(conn, [*single, *counted])
        return len(single) + len(counted)
