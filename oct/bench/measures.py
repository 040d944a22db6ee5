"""The run itself: the concentrator whole, then its door alone, each in turn with a plain aiosmtpd, under the same load.

Takes where to work, how much to send and, for production mode, a PostgreSQL and a broker; gives the measures one by
one as they are made. Of every message sent, every file and ART must reach the sink: `Measure.missing` counts what did
not. Rates are of one run on one machine: compare them with those beside them, not with another day's. Nor with those of
the minute before, on a machine that is shared: so what is compared goes in turn, several times.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.process import BaseProcess
from pathlib import Path

from oct.bench.ground import Ground
from oct.bench.load import Given, Load, Shipment, load
from oct.bench.plain import Plain, plain
from oct.bench.processes import be_oct, cpu_seconds, launch
from oct.bench.sink import Arrivals, sink
from oct.bench.traffic import FOUR, LARGE, SHAPES, Shape, Traffic
from oct.bootstrap import open_workshop
from oct.errors import ConfigurationError
from oct.programs import front_door
from oct.settings import load as load_settings

READY = "Prêt"
"""What the program says when its doors are open."""
_START_S = 60.0
_STILL_S = 20.0
"""A drain in which nothing arrives for so long is over."""
_LOOK_S = 0.02
_FIRST = 8


class Mode(StrEnum):
    """What is measured."""

    PLAIN = "aiosmtpd seul"
    EMBEDDED = "embarqué"
    PRODUCTION = "production"


class Stretch(StrEnum):
    """From where to where."""

    DOOR = "porte"
    WHOLE = "bout en bout"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is sent: messages of each shape, for so many seconds at most."""

    messages: dict[str, int]
    seconds: float
    turns: int
    """Of what is compared."""
    rounds: int
    """Of the measure of cryptography."""


FULL = Effort({shape.label: count for shape, count in zip(SHAPES, (2000, 1500, 100, 150), strict=True)}, 5.0, 3, 300)
QUICK = Effort({shape.label: count for shape, count in zip(SHAPES, (8, 4, 2, 2), strict=True)}, 5.0, 1, 3)


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure. CPU is that of the program alone, its workers included, not of load, sink, database or broker;
    `p99_ms` is of the wait for the 250."""

    mode: Mode
    stretch: Stretch
    shape: str
    messages: int
    leaving: int
    missing: int
    seconds: float
    cpu_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds


class Bench:
    """The tools of a run: a load, a sink, and the messages, drawn as they are needed."""

    def __init__(self, directory: Path, effort: Effort) -> None:
        self._directory = directory
        self._effort = effort
        self._stack = ExitStack()

    def __enter__(self) -> Bench:
        self._load: Load = self._stack.enter_context(load())
        self._relay, self._arrivals = self._stack.enter_context(sink())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def embedded(self) -> Iterator[Measure]:
        """`oct run` on SQLite; the door alone on SQLite; each beside a plain aiosmtpd."""
        directory = self._directory / "embarque"
        directory.mkdir()
        ground = Ground(directory, self._relay)
        traffic = Traffic(ground.own.certificate)
        with plain(directory / "aiosmtpd") as beside:
            with self._running(ground, [["run"]]) as processes:
                yield from self._whole(Mode.EMBEDDED, ground, traffic, processes, beside)
            log = directory / "porte.log"
            with launch(_only_the_door, ground.config, log=log) as process:
                _await_ready(process, log)
                yield from self._door(Mode.EMBEDDED, ground, traffic, [process], beside)

    def production(self, store: str, queue: str) -> Iterator[Measure]:
        """The same by roles, on an empty PostgreSQL database, with Celery workers."""
        directory = self._directory / "production"
        directory.mkdir()
        ground = Ground(directory, self._relay, store=store, queue=queue)
        traffic = Traffic(ground.own.certificate)
        with plain(directory / "aiosmtpd") as beside, self._running(ground, [_role("smtp")]) as door:
            with self._running(ground, [_role("worker"), _role("beat")]) as others:
                yield from self._whole(Mode.PRODUCTION, ground, traffic, [*door, *others], beside)
            yield from self._door(Mode.PRODUCTION, ground, traffic, door, beside)

    def _door(
        self, mode: Mode, ground: Ground, traffic: Traffic, processes: Sequence[BaseProcess], beside: Plain
    ) -> Iterator[Measure]:
        for _ in range(self._effort.turns):
            yield self._plain(traffic, FOUR, beside)
            for shape in (FOUR, LARGE):
                yield self._at_door(mode, ground.door, shape, self._draw(traffic, shape), processes)
        yield self._plain(traffic, LARGE, beside)

    def _plain(self, traffic: Traffic, shape: Shape, beside: Plain) -> Measure:
        port, process = beside
        return self._at_door(Mode.PLAIN, port, shape, self._draw(traffic, shape), [process])

    def _at_door(
        self, mode: Mode, port: int, shape: Shape, shipments: Sequence[Shipment], processes: Sequence[BaseProcess]
    ) -> Measure:
        before = cpu_seconds(processes)
        given = self._load.send(port, shipments, self._effort.seconds)
        cpu = cpu_seconds(processes) - before
        return _measure(mode, Stretch.DOOR, shape, given, cpu, ended=given.ended, leaving=0, missing=given.refused)

    def _whole(
        self, mode: Mode, ground: Ground, traffic: Traffic, processes: Sequence[BaseProcess], beside: Plain
    ) -> Iterator[Measure]:
        self._warm_up(ground, traffic)
        for _ in range(self._effort.turns):
            yield self._plain(traffic, FOUR, beside)
            yield self._to_the_end(mode, ground, FOUR, self._draw(traffic, FOUR), processes)
        for shape in SHAPES:
            if shape is not FOUR:
                yield self._to_the_end(mode, ground, shape, self._draw(traffic, shape), processes)

    def _to_the_end(
        self, mode: Mode, ground: Ground, shape: Shape, shipments: Sequence[Shipment], processes: Sequence[BaseProcess]
    ) -> Measure:
        before, arrived = cpu_seconds(processes), self._arrivals.messages
        given = self._load.send(ground.door, shipments, self._effort.seconds)
        expected = given.accepted * shape.leaving
        missing = _drained(self._arrivals, arrived + expected)
        cpu = cpu_seconds(processes) - before
        return _measure(
            mode,
            Stretch.WHOLE,
            shape,
            given,
            cpu,
            ended=self._arrivals.last,
            leaving=expected - missing,
            missing=given.refused + missing,
        )

    def _warm_up(self, ground: Ground, traffic: Traffic) -> None:
        """Processes are up and have opened what they need before anything is measured."""
        arrived = self._arrivals.messages
        given = self._load.send(ground.door, traffic.draw(FOUR, _FIRST), self._effort.seconds)
        _drained(self._arrivals, arrived + given.accepted * FOUR.leaving)

    def _draw(self, traffic: Traffic, shape: Shape) -> list[Shipment]:
        return traffic.draw(shape, self._effort.messages[shape.label])

    @contextmanager
    def _running(self, ground: Ground, commands: Sequence[Sequence[str]]) -> Iterator[list[BaseProcess]]:
        """The program, once for each command, when each says that it is ready."""
        with ExitStack() as stack:
            logs = [ground.directory / f"{command[-1]}.log" for command in commands]
            processes = [
                stack.enter_context(launch(be_oct, [*command, "--config", str(ground.config)], log=log))
                for command, log in zip(commands, logs, strict=True)
            ]
            for process, log in zip(processes, logs, strict=True):
                _await_ready(process, log)
            yield processes


def _measure(
    mode: Mode,
    stretch: Stretch,
    shape: Shape,
    given: Given,
    cpu: float,
    *,
    ended: float,
    leaving: int,
    missing: int,
) -> Measure:
    return Measure(
        mode=mode,
        stretch=stretch,
        shape=shape.label,
        messages=given.accepted,
        leaving=leaving,
        missing=missing,
        seconds=ended - given.started,
        cpu_ms=cpu * 1000 / max(given.accepted, 1),
        p99_ms=given.p99_ms,
    )


def _role(role: str) -> list[str]:
    return ["run", "--name", "banc", "--role", role]


def _only_the_door(config: Path) -> None:
    """The door on its database, with nobody behind it to take its CPU."""
    asyncio.run(_serve_door(config))


async def _serve_door(config: Path) -> None:
    settings = load_settings(config, {}).settings
    program = front_door(settings, open_workshop(settings), lambda _: None, [])
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await program.start()
    print(READY, flush=True)
    await ended.wait()
    await program.stop()


def _await_ready(process: BaseProcess, log: Path) -> None:
    end = time.monotonic() + _START_S
    while not (log.exists() and READY in log.read_text("utf-8")):
        if not process.is_alive() or time.monotonic() > end:
            raise ConfigurationError("banc-interrompu", f"Le concentrateur d'essai ne démarre pas : {_last_line(log)}")
        time.sleep(_LOOK_S)


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    return lines[-1] if lines else "il n'a rien dit."


def _drained(arrivals: Arrivals, expected: int) -> int:
    """Waits for what must arrive; how much of it did not."""
    moved, seen = time.monotonic(), arrivals.messages
    while (count := arrivals.messages) < expected and time.monotonic() < moved + _STILL_S:
        if count != seen:
            moved, seen = time.monotonic(), count
        time.sleep(_LOOK_S)
    return expected - count
