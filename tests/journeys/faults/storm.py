"""What production does to a concentrator, all of it at once, for a while (P2).

Under a storm, processes are killed, the broker loses all, is mute, dies and comes back empty, the database stops as
in a crash, and insurers refuse and cut. A supervisor starts again what ends, as systemd and Docker do. The judgement
comes afterwards and from outside: the ledger of every 250 against what the insurers deciphered.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from oct.simulators.envelopes import Judge
from tests.databases import Cluster, own_cluster
from tests.journeys.fleet import Fleet, fill
from tests.journeys.outside import Outside
from tests.journeys.world import free_port
from tests.valkey import Broker

KILL_EVERY_S = 2.0
REFUSED_EVERY = 10
"""An insurer refuses each tenth recipient for the moment."""
CUT_EVERY = 50
"""The connection is cut after each fiftieth message was stored."""
ROLES = ("smtp-1", "smtp-2", "worker-1", "worker-2", "beat-1")
_ENDLESS = 10**9


class Storm:
    """Blows until `stop`. `kills` counts the processes that were killed, `blows` what befell broker and database."""

    def __init__(self, fleet: Fleet, broker: Broker, cluster: Cluster, seed: int, pause: float) -> None:
        self.kills = 0
        self.blows = 0
        self._fleet = fleet
        self._chance = random.Random(seed)
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._kill),
            threading.Thread(target=self._blow, args=(_blows(broker, cluster), pause)),
        ]

    def start(self) -> None:
        """Bends the insurers and lets it blow."""
        misbehave(self._fleet.outside)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """The end: what was stopped runs again, everybody behaves."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._fleet.outside.temper.behave()

    @property
    def interruptions(self) -> int:
        """How many commits can have been lost after the peer's 250: each worker may have one in hand (P2)."""
        return (self.kills + self.blows) * sum(name.startswith("worker") for name in ROLES)

    def _kill(self) -> None:
        while not self._stopping.wait(KILL_EVERY_S):
            victim = self._chance.choice(self._fleet.processes())
            with suppress(ProcessLookupError):  # it ended by itself a moment before
                os.kill(victim, signal.SIGKILL)
                self.kills += 1

    def _blow(self, blows: Sequence[tuple[Callable[[], None], Callable[[], None]]], pause: float) -> None:
        """Each blow lasts for a pause, and so does the calm after it."""
        while True:
            for strike, repair in blows:
                if self._stopping.wait(pause):
                    return
                strike()
                self.blows += 1
                self._stopping.wait(pause)
                repair()


def misbehave(outside: Outside) -> None:
    """Insurers refuse 10 % for the moment, and cut 2 % of the connections after they stored the message (P2)."""
    outside.temper.refuse(451, _ENDLESS, every=REFUSED_EVERY)
    outside.temper.cut_after_storing(_ENDLESS, every=CUT_EVERY)


def repeats(outside: Outside) -> int:
    """How many arrivals were identical repeats of an earlier one."""
    arrived = [(one.rcpt_to, one.raw) for one in outside.arrivals]
    return len(arrived) - len(set(arrived))


def _blows(broker: Broker, cluster: Cluster) -> list[tuple[Callable[[], None], Callable[[], None]]]:
    return [
        (broker.flush, _nothing),
        (broker.freeze, broker.thaw),
        (broker.kill, broker.start),
        (lambda: cluster.stop(signal.SIGQUIT), cluster.start),
    ]


def _nothing() -> None:
    pass


@contextmanager
def stormy_fleet(
    directory: Path, judge: Judge = Judge.CRYPTOGRAPHY, roles: Sequence[str] = ROLES
) -> Iterator[tuple[Fleet, Broker, Cluster]]:
    """Roles, running, on a database server and a broker that are theirs alone."""
    with ExitStack() as stack:
        cluster, server = stack.enter_context(own_cluster())
        filled, broker = directory / "fleet", Broker(free_port(), directory)
        filled.mkdir()
        url = server.create("oct")
        fill(filled, url)
        broker.start()
        stack.callback(broker.kill)
        fleet = Fleet(filled, url, judge, queue=f'url = "{broker.url}"')
        stack.callback(fleet.close)
        fleet.start(*roles)
        yield fleet, broker, cluster
