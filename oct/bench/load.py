"""The load: practitioners' software, reduced to what it writes on the wire. One connection a message, as in the field.

Takes messages that were built beforehand and a door; gives how many were answered 250, when it began and ended, and
how long senders waited for their 250. Threads on bare sockets: the dialogue costs less than in asyncio.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from multiprocessing.connection import Connection
from statistics import quantiles

from oct.bench.processes import CONTEXT, launch

_CONNECTIONS = 20
"""Senders at once."""
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Shipment:
    """A message, ready to be sent: who sends, to whom, and the bytes behind DATA with their final dot."""

    sender: str
    recipient: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Given:
    """What became of a load: how long each 250 was waited for, all other ends, instants on the monotonic clock."""

    waits_ms: list[float]
    refused: int
    started: float
    ended: float

    @property
    def accepted(self) -> int:
        """How many were answered 250."""
        return len(self.waits_ms)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile of the waits."""
        return quantiles(self.waits_ms, n=100)[98] if len(self.waits_ms) > 1 else 0.0


class Load:
    """A process that sends what it is told to."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def send(self, port: int, shipments: Sequence[Shipment], seconds: float, rate: float = inf) -> Given:
        """Sends all of these to a door on 127.0.0.1, at most `rate` a second, as many as `seconds` are enough for."""
        self._pipe.send((port, shipments, seconds, rate))
        given = self._pipe.recv()
        assert isinstance(given, Given)
        return given


@contextmanager
def load() -> Iterator[Load]:
    """A load that waits for its orders."""
    ours, theirs = CONTEXT.Pipe()
    with launch(_obey, theirs):
        yield Load(ours)


def _obey(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        pipe.send(_send_all(*pipe.recv()))


def _send_all(port: int, shipments: Sequence[Shipment], seconds: float, rate: float) -> Given:
    waiting, turn = iter(enumerate(shipments)), threading.Lock()
    waits: list[float] = []
    refused: list[Shipment] = []
    started = time.monotonic()

    def work() -> None:
        while time.monotonic() < started + seconds:
            with turn:
                rank, shipment = next(waiting, (0, None))
            if shipment is None:
                return
            time.sleep(max(0.0, started + rank / rate - time.monotonic()))
            wait = _sent(port, shipment)
            if wait is None:
                refused.append(shipment)
            else:
                waits.append(wait * 1000)

    threads = [threading.Thread(target=work) for _ in range(_CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Given(waits, len(refused), started, time.monotonic())


def _sent(port: int, shipment: Shipment) -> float | None:
    """Seconds between the final dot and its 250; None when it was not taken."""
    try:
        with socket.create_connection(("127.0.0.1", port), _PATIENCE_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            commands = (
                b"EHLO ps.example\r\n",
                f"MAIL FROM:<{shipment.sender}>\r\n".encode(),
                f"RCPT TO:<{shipment.recipient}>\r\n".encode(),
                b"DATA\r\n",
            )
            _reply(connection)
            for command in commands:
                connection.sendall(command)
                if _reply(connection) >= 400:
                    return None
            connection.sendall(shipment.data)
            dot = time.monotonic()
            code = _reply(connection)
            wait = time.monotonic() - dot
            connection.sendall(b"QUIT\r\n")
    except OSError:
        return None
    return wait if code == 250 else None


def _reply(connection: socket.socket) -> int:
    """The code of the next reply. OSError when there is none."""
    received = b""
    while not received.endswith(b"\r\n") or received[received.rfind(b"\n", 0, -1) + 1 :][3:4] == b"-":
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionError
        received += piece
    return int(received[:3])
