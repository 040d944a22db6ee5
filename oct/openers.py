"""Processes that open messages beside the one that has the doors: opening is CPU, and may kill the process it runs in.

Each claims what is due by itself, like any worker; the parent rings them when messages came, and they ring the parent
when there may be something to send, both by a byte in a pipe. One that dies is replaced, and its leases are taken
back: what it had open is then opened alone (`oct.steps.work.runner`). One that is not done with what it claimed after
`[queue] time_limit` is ended by its own alarm, even inside a library that hangs (H3). When the parent dies they end
what they have in hand and go: the pipe tells them.
"""

from __future__ import annotations

import contextlib
import gc
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import structlog

from oct.bootstrap import open_workshop, runner
from oct.errors import StoreError, described
from oct.settings import Settings
from oct.steps.workshop import Workshop
from oct.store import messages

_log = structlog.get_logger()
_CONTEXT = multiprocessing.get_context("forkserver")
"""One process imports the program, without threads or connections; openers are its copies."""
_LOOK_S = 1.0
_PAUSE_S = 0.5
"""Before an opener that died is replaced."""
_NICE = 4
_NEW_OBJECTS = 5_000
"""How many more there are before garbage is looked for among them; Python would at 700."""
_GRACE_S = 5.0
"""What a clean stop leaves to the messages in hand (P5: 10 s in all)."""


def as_it_is() -> None:
    """Sets nothing up."""


def pass_over_what_is_there() -> None:
    """What a process has loaded by now stays: full collections of garbage, of 60 ms each, no longer look at it. What is
    new is looked over less often: nearly all of it goes by itself."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)


def give_way() -> None:
    """A process that opens gives way to those that receive and send: what was opened leaves before more is opened. A
    little only: on SQLite they wait for it while it has the one writer's turn."""
    os.nice(_NICE)


@dataclass(frozen=True, slots=True)
class _Line:
    """What an opener and its parent tell each other: one end of two pipes."""

    hearing: Connection
    telling: Connection

    def ring(self) -> None:
        """A byte, unless so many wait already that the pipe is full or nobody listens any more."""
        with contextlib.suppress(OSError):
            self.telling.send_bytes(b".")


class Openers:
    """So many `processes`. `ready` is called when there may be something to send; `prepare`
    first of all in each new process (it sets the log up there), which it must survive being pickled for."""

    def __init__(
        self,
        settings: Settings,
        workshop: Workshop,
        name: str,
        ready: Callable[[], object],
        prepare: Callable[[], None] = as_it_is,
        *,
        processes: int,
    ) -> None:
        self._workshop = workshop
        self._name = name
        self._ready = ready
        self._given = (settings, name, prepare)
        self._stopping = threading.Event()
        self._seats = [_Seat() for _ in range(processes)]
        self._threads = [threading.Thread(target=self._keep, args=(seat,), daemon=True) for seat in self._seats]

    def start(self) -> None:
        """Starts the processes; they are ready a moment later."""
        _CONTEXT.set_forkserver_preload([__name__])
        for thread in self._threads:
            thread.start()

    def ring(self) -> None:
        """Messages wait."""
        for seat in self._seats:
            if seat.line is not None:
                seat.line.ring()

    def stop(self) -> None:
        """Lets the messages in hand end."""
        self._stopping.set()
        for seat in self._seats:
            seat.leave()
        for thread in self._threads:
            thread.join()

    def _keep(self, seat: _Seat) -> None:
        """The life of a seat: one opener after the other, until the program stops."""
        while not self._stopping.is_set():
            try:
                process, line = self._begin(seat)
            except OSError as error:  # no process, no socket to be had at this moment
                _log.error("ouvreur-impossible", **described(error))
                self._stopping.wait(_LOOK_S)
                continue
            with contextlib.suppress(EOFError, OSError):
                self._listen(line)
            line.hearing.close()
            process.join(_LOOK_S)
            process.kill()
            process.join()
            self._take_back(process)
            if not self._stopping.is_set():
                _log.error("ouvreur-interrompu", code=process.exitcode)
                self._stopping.wait(_PAUSE_S)

    def _listen(self, line: _Line) -> None:
        """Until the opener is gone (EOFError), or has had its time to end."""
        end = math.inf
        while time.monotonic() < end:
            if line.hearing.poll(_LOOK_S):
                line.hearing.recv_bytes()
                self._ready()
            elif self._stopping.is_set():
                end = min(end, time.monotonic() + _GRACE_S)

    def _begin(self, seat: _Seat) -> tuple[BaseProcess, _Line]:
        hearing, their_telling = _CONTEXT.Pipe(duplex=False)
        their_hearing, telling = _CONTEXT.Pipe(duplex=False)
        os.set_blocking(telling.fileno(), False)
        process = _CONTEXT.Process(target=_serve, args=(*self._given, _Line(their_hearing, their_telling)))
        process.start()
        their_hearing.close()
        their_telling.close()
        line = _Line(hearing, telling)
        seat.take(line, stopping=self._stopping.is_set())
        return process, line

    def _take_back(self, process: BaseProcess) -> None:
        """The leases of an opener that has ended."""
        try:
            with self._workshop.store.begin() as conn:
                messages.release_leases(conn, f"{self._name}/{process.pid}/")
        except StoreError as error:  # the leases end by themselves, later
            _log.warning("baux-non-repris", code=error.code)


class _Seat:
    """Where one opener sits: the line to the present one. Closing our end of it tells the opener to go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.line: _Line | None = None

    def take(self, line: _Line, *, stopping: bool) -> None:
        """The line to a new opener, who may go at once when the program is `stopping`."""
        with self._lock:
            self.line = line
        if stopping:
            self.leave()

    def leave(self) -> None:
        """Sends the opener away."""
        with self._lock:
            if self.line is not None:
                self.line.telling.close()
                self.line = None


@contextlib.contextmanager
def _alarmed(seconds: float) -> Iterator[None]:
    """SIGALRM ends the process when the block has not ended by then: nobody handles it, so nothing can hold it up."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _serve(settings: Settings, name: str, prepare: Callable[[], None], line: _Line) -> None:
    """The life of an opener: until its parent closes the line, or is gone."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # sent to the whole group; the parent says when to end
    prepare()
    os.set_blocking(line.telling.fileno(), False)
    workshop = open_workshop(settings)
    hand = runner(
        settings,
        workshop,
        f"{name}/{os.getpid()}",
        ready=line.ring,
        within=partial(_alarmed, min(settings.queue.time_limit, settings.worker.lease) / 1000),
    )
    pass_over_what_is_there()
    give_way()
    hand.start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            line.hearing.recv_bytes()
            hand.incoming.ring()
    hand.stop()
    workshop.store.close()
