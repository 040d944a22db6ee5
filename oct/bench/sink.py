"""Where everything that leaves arrives: the insurers and the mailboxes of the benchmark, as cheap as Python makes them.

Takes every message of every sender, counts it by its Message-ID and keeps nothing else. Speaks as much SMTP as the
concentrator's client needs (RFC 5321, PIPELINING of RFC 2920), in clear.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from oct.bench.processes import CONTEXT, launch

_END = b"\r\n.\r\n"
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_REPLIES = {
    b"EHLO": b"250-puits\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"DATA": b"354 ok\r\n",
    b"QUIT": b"221 ok\r\n",
}


class Arrivals:
    """What the sink has seen, shared with the process that measures."""

    def __init__(self) -> None:
        self._messages: Any = CONTEXT.Value("Q", lock=False)
        self._last: Any = CONTEXT.Value("d", lock=False)

    @property
    def messages(self) -> int:
        """Different messages that arrived."""
        return int(self._messages.value)

    @property
    def last(self) -> float:
        """When the last of them arrived, on the monotonic clock."""
        return float(self._last.value)

    def add(self) -> None:
        """One more."""
        self._messages.value += 1
        self._last.value = time.monotonic()


@contextmanager
def sink() -> Iterator[tuple[int, Arrivals]]:
    """A sink that runs: its port on 127.0.0.1 and what arrives there."""
    arrivals = Arrivals()
    hearing, telling = CONTEXT.Pipe(duplex=False)
    with launch(_serve, arrivals, telling):
        yield hearing.recv(), arrivals


def _serve(arrivals: Arrivals, telling: Connection) -> None:
    asyncio.run(_serve_for_ever(arrivals, telling))


async def _serve_for_ever(arrivals: Arrivals, telling: Connection) -> None:
    seen: set[bytes] = set()
    server = await asyncio.get_running_loop().create_server(lambda: _Session(arrivals, seen), "127.0.0.1", 0)
    telling.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class _Session(asyncio.Protocol):
    def __init__(self, arrivals: Arrivals, seen: set[bytes]) -> None:
        self._arrivals = arrivals
        self._seen = seen
        self._unread = bytearray()
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 puits\r\n")

    def data_received(self, data: bytes) -> None:
        looked_at = max(len(self._unread) - len(_END), 0)
        self._unread += data
        replies = []
        while (end := self._unread.find(_END if self._in_data else b"\r\n", looked_at)) >= 0:
            replies.append(self._take(end))
            looked_at = 0
        if replies:
            self._transport.write(b"".join(replies))

    def _take(self, end: int) -> bytes:
        """The reply to what stands before `end`, which is taken off."""
        if self._in_data:
            self._count(bytes(self._unread[:end]))
            del self._unread[: end + len(_END)]
            self._in_data = False
            return b"250 ok\r\n"
        verb = bytes(self._unread[:4]).upper()
        del self._unread[: end + 2]
        self._in_data = verb == b"DATA"
        return _REPLIES.get(verb, b"250 ok\r\n")

    def _count(self, message: bytes) -> None:
        found = _MESSAGE_ID.search(message)
        if found is not None and found[1] not in self._seen:
            self._seen.add(found[1])
            self._arrivals.add()
