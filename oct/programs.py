"""What one process runs: the whole concentrator (`embedded`), or one role of it on a PostgreSQL that it shares.

A program has doors, where others connect, parts behind them, and parts that work on their own, all of them threads or
processes. Parts start first and stop last: a door never takes what nobody writes down. Each function below is one role;
what a role rings, or is rung by, is handed in, so that this file knows no broker.

One process may live through several programs (`oct.generations`): the next one takes over the sockets, and the one
before works no more, keeps its doors until those who are in them have left, and ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from oct.bootstrap import (
    couriers,
    door,
    hosted,
    open_logbook,
    open_sealer,
    open_workshop,
    pop_door,
    publishing,
    retention_limits,
    web_door,
)
from oct.doors.listening import Sockets, bound
from oct.errors import ConfigurationError, os_reason
from oct.openers import Openers, as_it_is
from oct.pop.server import PopServer
from oct.settings import Settings
from oct.smtp.door import Door
from oct.steps.door.refusals import Refusals
from oct.steps.gather import gather
from oct.steps.keeping.purge import purge
from oct.steps.mailbox import HostedMailboxes
from oct.steps.receive import Receiver
from oct.steps.register.turned_away import TurnedAway
from oct.steps.sweep import sweep
from oct.steps.watch import watch
from oct.steps.work.leavings import Predecessor
from oct.steps.work.runner import Lookout
from oct.steps.workshop import Workshop
from oct.surroundings import check_clock, check_places

if TYPE_CHECKING:
    from oct.web.server import WebServer

EMBEDDED = "embarque"
"""The name of the whole concentrator in one process."""
LONGEST_LOOK_MS = 30_000
"""What nobody rang for is found after this at the latest (P2)."""
SEAL_MS = 30_000
"""How often events are sealed: they are under a signed head within 60 s (T1)."""
PURGE_MS = 3_600_000
"""How often it is looked for what was kept for long enough (T3)."""
LINGER_S = 600.0
"""What a reload leaves to the dialogues that are open: the longest DATA, the longest silence of a POP3 session."""
_GRACE_S = 4.0
"""What a clean stop leaves to open transactions, before the work behind them has its time (P5: 10 s in all)."""

Ring = Callable[[Sequence[int]], None]
"""Told which messages wait. Neither waits nor fails."""


class Part(Protocol):
    """Something that works on threads of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Together:
    """Parts that start one after the other, and end at the same time: what one has in hand is nothing to the others."""

    def __init__(self, *parts: Part) -> None:
        self._parts = parts
        self._started: list[Part] = []

    def start(self) -> None:
        """When one cannot start, those before it are stopped."""
        try:
            for part in self._parts:
                part.start()
                self._started.append(part)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Lets all that were started end."""
        with ThreadPoolExecutor(len(self._parts)) as pool:
            for end in [pool.submit(part.stop) for part in self._started]:
                end.result()


class Program:
    """One program: `start`, then `stop` or `retire`, on one event loop. `behind`: what its doors need; `work`: what
    goes on without them."""

    def __init__(
        self,
        workshop: Workshop,
        *,
        behind: Sequence[Part] = (),
        work: Sequence[Part] = (),
        smtp: Door | None = None,
        pop: PopServer | None = None,
        web: WebServer | None = None,
        listen: Sequence[str] = (),
    ) -> None:
        self._workshop = workshop
        self._behind = behind
        self._work = work
        self._listen = listen
        self._smtp = smtp
        self._pop = pop
        self._web = web
        self._doors = [one for one in (pop, smtp, web) if one is not None]
        self._hurried = asyncio.Event()
        self._work_ends: asyncio.Task[None] | None = None

    @property
    def ports(self) -> list[int]:
        """The ports that the SMTP door listens on."""
        return self._smtp.ports if self._smtp is not None else []

    @property
    def pop_ports(self) -> list[int]:
        """The ports that the hosted mailboxes' door listens on."""
        return self._pop.ports if self._pop is not None else []

    @property
    def web_ports(self) -> list[int]:
        """The ports that the console listens on."""
        return self._web.ports if self._web is not None else []

    async def start(self, sockets: Sockets | None = None) -> None:
        """Opens the doors last, on `sockets` or new ones, when everything behind them runs. When something cannot
        start, all that did is stopped; ConfigurationError when it is a port that cannot be had."""
        started: list[Part] = []
        opened: list[Door | PopServer | WebServer] = []
        try:
            for part in (*self._work, *self._behind):
                await asyncio.to_thread(part.start)
                started.append(part)
            for one in self._doors:
                await one.start(bound if sockets is None else partial(sockets.listen, type(one).__name__))
                opened.append(one)
        except Exception as error:
            await asyncio.gather(*(one.stop(0) for one in opened))
            await _stop(started)
            self._workshop.store.close()
            if not isinstance(error, OSError):
                raise
            raise ConfigurationError(
                "ecoute-impossible", f"Écoute impossible sur {', '.join(self._listen)} : {os_reason(error)}."
            ) from None

    async def stop(self) -> None:
        """Answers every open transaction, ends the work in hand, closes the database (P5)."""
        await asyncio.gather(*(one.stop(_GRACE_S) for one in self._doors))
        await _stop(self._behind)
        await self._end_work()
        self._workshop.store.close()

    async def retire(self) -> None:
        """Ends after those who are in its doors have left, and after LINGER_S, or when hurried, without waiting for
        them. Meanwhile it lets nobody in and does no other work."""
        self._end_work()
        leaving = asyncio.create_task(self._linger())
        hurried = asyncio.create_task(self._hurried.wait())
        await asyncio.wait((leaving, hurried), timeout=LINGER_S, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        hurried.cancel()
        await self.stop()

    def hurry(self) -> None:
        """Makes `retire` wait for nobody any more."""
        self._hurried.set()

    async def _linger(self) -> bool:
        await asyncio.gather(*(one.linger() for one in self._doors))
        return True

    def _end_work(self) -> asyncio.Task[None]:
        if self._work_ends is None:
            self._work_ends = asyncio.create_task(_stop(self._work))
        return self._work_ends


async def _stop(parts: Sequence[Part]) -> None:
    for part in reversed(parts):
        await asyncio.to_thread(part.stop)


def check_start(settings: Settings) -> None:
    """Stumbles over whatever `oct run` would before it listens: data files, keys, database, TLS."""
    check_places(settings)
    workshop = open_workshop(settings)
    try:
        check_clock(workshop)
        embedded(settings, workshop)
    finally:
        workshop.store.close()


def embedded(
    settings: Settings, workshop: Workshop, prepare: Callable[[], None] = as_it_is, name: str = EMBEDDED
) -> Program:
    """Everything, in one process but for those that open messages; `prepare` sets the log up in these."""
    senders = couriers(settings, workshop, name)
    openers = Openers(settings, workshop, name, senders.ring, prepare, processes=settings.worker.processes)
    lookout = Lookout(_looks(workshop), settings.worker.sweep, senders.ring)
    mailboxes = hosted(workshop, name)
    receiver, refusals = Receiver(workshop, lambda _: openers.ring()), Refusals(workshop)
    turned_away = TurnedAway(workshop)
    return Program(
        workshop,
        work=[*_proofs(settings, workshop), Together(Predecessor(workshop, name), senders, openers, lookout)],
        behind=[_Locks(mailboxes), refusals, turned_away, receiver],
        smtp=door(settings, workshop, receiver.accept, refusals.note),
        pop=pop_door(settings, mailboxes),
        web=web_door(settings, workshop, turned_away) if settings.web.listen else None,
        listen=(*settings.pop.listen, *settings.smtp.listen, *settings.web.listen),
    )


def front_door(settings: Settings, workshop: Workshop, ring: Ring, bells: Sequence[Part]) -> Program:
    """Role smtp: takes messages and writes them down; `bells` are what `ring` needs running."""
    receiver, refusals = Receiver(workshop, ring), Refusals(workshop)
    smtp = door(settings, workshop, receiver.accept, refusals.note)
    return Program(workshop, behind=[*bells, refusals, receiver], smtp=smtp, listen=settings.smtp.listen)


def hosted_mailboxes(settings: Settings, workshop: Workshop, name: str) -> Program:
    """Role pop: the hosted mailboxes' door. ConfigurationError when the settings give it no address to listen on."""
    if not settings.pop.listen:
        raise ConfigurationError("pop-sans-adresse", "Aucune adresse d'écoute pour POP3 : donnez [pop] listen.")
    mailboxes = hosted(workshop, name)
    pop = pop_door(settings, mailboxes)
    return Program(workshop, behind=[_Locks(mailboxes)], pop=pop, listen=settings.pop.listen)


def console(settings: Settings, workshop: Workshop) -> Program:
    """Role web: the console and the API. ConfigurationError when the settings give it no address to listen on."""
    if not settings.web.listen:
        raise ConfigurationError("web-sans-adresse", "Aucune adresse d'écoute pour la console : donnez [web] listen.")
    turned_away = TurnedAway(workshop)
    web = web_door(settings, workshop, turned_away)
    return Program(workshop, behind=[turned_away], web=web, listen=settings.web.listen)


def worker(settings: Settings, workshop: Workshop, name: str, prepare: Callable[[], None]) -> Program:
    """Role worker without a broker: looks for what is due by itself."""
    senders = couriers(settings, workshop, name)
    openers = Openers(settings, workshop, name, senders.ring, prepare, processes=settings.worker.processes)
    return Program(workshop, work=[Together(Predecessor(workshop, name), senders, openers)])


def beat(settings: Settings, workshop: Workshop, looks: Sequence[Callable[[], int]], bells: Sequence[Part]) -> Program:
    """Role beat: what is nobody's work, with `looks` of a broker that need `bells` running."""
    interval = min(settings.worker.sweep, LONGEST_LOOK_MS)
    proofs = _proofs(settings, workshop)
    return Program(workshop, work=[*bells, *proofs, Lookout([*_looks(workshop), *looks], interval, lambda: None)])


def _proofs(settings: Settings, workshop: Workshop) -> list[Lookout]:
    """What keeps the trace. Sealing is on a thread of its own: neither a long sweep nor an authority that is slow must
    make the heads late. What stopped last is sealed at the end."""
    proofs = [open_sealer(settings, workshop).run, open_logbook(settings, workshop).run]
    seals = Lookout(proofs, SEAL_MS, lambda: None, once_more=True)
    purges = partial(purge, workshop.store, workshop.clock, retention_limits(settings))
    return [
        seals,
        Lookout(publishing(settings, workshop), SEAL_MS, lambda: None),
        Lookout([purges], PURGE_MS, lambda: None),
    ]


def _looks(workshop: Workshop) -> tuple[Callable[[], int], ...]:
    return partial(gather, workshop), partial(sweep, workshop), partial(watch, workshop)


@dataclass(frozen=True, slots=True)
class _Locks:
    """The locks of a predecessor that died, taken back before the POP3 door opens."""

    mailboxes: HostedMailboxes

    def start(self) -> None:
        self.mailboxes.take_back()

    def stop(self) -> None:
        """The server has given back its own."""
