"""Practitioners who keep sending, each on a thread: what breaks or gets a 4xx is tried again, the same bytes (D4).

What counts is the ledger: every message that was answered 250, with its trace number and the lots it holds.
"""

from __future__ import annotations

import math
import random
import threading
import time
from dataclasses import dataclass, field

from oct.simulators.invoices import Kind
from oct.simulators.parties import Sender
from oct.simulators.sending import Reply, deliver
from oct.simulators.traffic import Lot
from tests.journeys.golden import OCT
from tests.journeys.practice import Practice, practice
from tests.journeys.waiting import PATIENCE_S, until

_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that was answered 250. `tries` counts the sendings of its bytes."""

    reply: Reply
    address: str
    lots: tuple[Lot, ...]
    tries: int


@dataclass(slots=True)
class Traffic:
    """Each practitioner sends one message after the other until `stop`, with pauses of at most `pause` seconds; what
    was refused for good is kept apart."""

    door: tuple[str, int]
    senders: tuple[Sender, ...]
    seed: int
    accepted: list[Accepted] = field(default_factory=list)
    refused: list[Reply] = field(default_factory=list)
    pause: float = _PAUSE_S
    _ends_at: float = math.inf
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for rank, sender in enumerate(self.senders):
            who = practice(sender, self.seed + rank)
            thread = threading.Thread(target=self._send_all, args=(who, random.Random(self.seed + rank)))
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Lets each practitioner end the message in hand: the door must answer again, or it counts as refused."""
        self._ends_at = time.monotonic() + PATIENCE_S
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def flows(self, more: int) -> None:
        """Waits until so many more messages were taken."""
        goal = len(self.accepted) + more
        until("traffic flows", lambda: len(self.accepted) >= goal)

    def with_all_of(self, other: Traffic) -> Traffic:
        """What both came to, once both were stopped."""
        return Traffic(
            self.door,
            tuple(dict.fromkeys(self.senders + other.senders)),
            self.seed,
            self.accepted + other.accepted,
            self.refused + other.refused,
        )

    def _send_all(self, who: Practice, chance: random.Random) -> None:
        while not self._stopping.is_set():
            file = who.claims.single_file(who.sender, kinds=(Kind.FSE, Kind.DRE), lots=chance.randrange(1, 4))
            message = who.wrap(file)
            tries = 1
            while not (reply := deliver(self.door, who.address, OCT, message)).accepted:
                if reply.code >= 500 or time.monotonic() > self._ends_at:
                    self.refused.append(reply)
                    return
                tries += 1
                time.sleep(_PAUSE_S)
            self.accepted.append(Accepted(reply, who.address, file.lots, tries))
            time.sleep(chance.random() * self.pause)
