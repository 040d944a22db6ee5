"""Leases that nobody works under any more: those of a predecessor that died, taken back before anything begins, and
those of a worker under which the database went away, given back as soon as the database answers.

Without the second, what was claimed would wait until the lease ends, and then count as left by a process that died, a
suspect (H3). The outcome of a commit that broke is unknown, so a claim that failed is given back too, whether it took
anything or not. While something is left, nothing new is to be claimed (`waiting`).
"""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass

from oct.errors import StoreError
from oct.steps.work.settlement import Settlement
from oct.steps.workshop import Workshop
from oct.store import consignments, messages
from oct.store.engine import Store

_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The process of the same `name` that was here before. The database lets no two live at once."""

    workshop: Workshop
    name: str

    def start(self) -> None:
        """Settles what it had delivered, then takes back its leases."""
        own = f"{self.name}/"
        with closing(Settlement(self.workshop)) as settlement:
            settlement.take_up(self.workshop.clock(), dead=own)
        with self.workshop.store.begin() as conn:
            messages.release_leases(conn, own)
            consignments.release_leases(conn, own)

    def stop(self) -> None:
        """The next one takes back what is left."""


class Leavings:
    """The names of claims that were left, and which rows of each (ids) somebody has in hand all the same. Thread-safe;
    a thread of its own gives them back, when there are some."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._owners: dict[str, frozenset[int]] = {}
        self._stopping = threading.Event()

    @property
    def waiting(self) -> bool:
        """Whether the database has not been told yet."""
        return bool(self._owners)

    def leave(self, owner: str, but: frozenset[int] = frozenset()) -> None:
        """This claim will not be worked on by us, but for what is in hand: these rows may be left later."""
        with self._lock:
            alone = not self._owners
            self._owners[owner] = but
        if alone:
            threading.Thread(target=self._give_back, name="leavings", daemon=True).start()

    def stop(self) -> None:
        """No longer tries: the next process of the same name takes back what is left."""
        self._stopping.set()

    def _give_back(self) -> None:
        while not self._stopping.wait(_PAUSE_S):
            with self._lock:
                left = dict(self._owners)
            try:
                with self._store.begin() as conn:
                    for owner, but in left.items():
                        messages.give_back(conn, owner, but)
                        consignments.give_back(conn, owner, but)
            except StoreError:
                continue
            with self._lock:
                for owner, but in left.items():
                    if self._owners[owner] is but:
                        del self._owners[owner]
                if not self._owners:
                    return
