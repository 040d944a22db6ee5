"""One peer's connection: lines in, octets out, TLS in between; time and memory bounded at each.

Fails by ConnectionAbortedError alone: the peer left, was silent for too long, does not read, or its handshake failed.
Whoever speaks to the peer then has nobody left to answer.

StreamReader is not used because STLS must throw away what was sent ahead of it (RFC 2595, 4), which it does not offer.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine

from oct.doors.admission import ip_of

_BUFFER_OCTETS = 16_384
"""What a peer may send ahead of our answers (PIPELINING): an AUTH line and more. Must exceed the longest line."""

_PIECE_OCTETS = 65_536
_HANDSHAKE_SECONDS = 30.0
_LAST_WORD_SECONDS = 5.0


class Connection(asyncio.Protocol):
    """A connection from its first octet. `task` runs what `serve` gives and ends with the session."""

    task: asyncio.Task[None]
    peer: str
    """The IP address of the peer."""

    def __init__(
        self,
        serve: Callable[[Connection], Coroutine[None, None, None]],
        *,
        implicit_tls: bool,
        stall_seconds: float,
    ) -> None:
        self._serve = serve
        self.implicit_tls = implicit_tls
        self.secured = False
        self._stall_seconds = stall_seconds
        self._buffer = bytearray()
        self._ended = False
        self._gone = asyncio.Event()
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The peer is there: a task of its own serves it."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.peer = ip_of(transport.get_extra_info("peername") or ("0.0.0.0",))  # noqa: S104 - gone already
        if self.implicit_tls:
            transport.pause_reading()
        self.task = asyncio.get_running_loop().create_task(self._serve(self))

    def data_received(self, data: bytes) -> None:
        """Keep it for `line`, and hold the peer back when it is too far ahead."""
        self._buffer += data
        if len(self._buffer) > _BUFFER_OCTETS:
            self._transport.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        """A peer that has said all it had to say still gets its answers; TLS has no half-closed connection."""
        self._ended = True
        self._news.set()
        return not self.secured

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer is gone."""
        del exc
        self._ended = True
        self._gone.set()
        self._news.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """The peer reads more slowly than we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    # Called by the session

    async def line(self, octets: int, seconds: float) -> bytes | None:
        """The next line without its end (CRLF, or LF alone); None when it is longer than `octets`."""
        try:
            async with asyncio.timeout(seconds):
                while (end := self._buffer.find(b"\n", 0, octets)) < 0:
                    if len(self._buffer) >= octets:
                        return None
                    if self._ended:
                        raise ConnectionAbortedError
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise ConnectionAbortedError from None
        found = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        if not self._ended and len(self._buffer) <= _BUFFER_OCTETS:
            self._transport.resume_reading()
        return found

    async def send(self, octets: bytes) -> None:
        """Write piece by piece, no faster than the peer reads."""
        for start in range(0, len(octets), _PIECE_OCTETS):
            self._refuse_if_lost()
            self._transport.write(octets[start : start + _PIECE_OCTETS])
            if not self._writable.is_set():
                try:
                    async with asyncio.timeout(self._stall_seconds):
                        await self._writable.wait()
                except TimeoutError:
                    raise ConnectionAbortedError from None
        self._refuse_if_lost()

    async def secure(self, context: ssl.SSLContext, announcement: bytes = b"") -> None:
        """Say `announcement` in clear, then pass to TLS. Nothing that was sent in clear ahead of it is heard."""
        self._transport.pause_reading()
        self._buffer.clear()
        self._refuse_if_lost()
        self._transport.write(announcement)
        try:
            wrapped = await asyncio.get_running_loop().start_tls(
                self._transport, self, context, server_side=True, ssl_handshake_timeout=_HANDSHAKE_SECONDS
            )
        except OSError:
            raise ConnectionAbortedError from None
        if wrapped is None:
            raise ConnectionAbortedError
        self._transport = wrapped
        self.secured = True

    async def close(self) -> None:
        """Close, once what was said is sent; a peer that does not read it is cut off."""
        if not self._gone.is_set():
            self._transport.close()
            try:
                async with asyncio.timeout(_LAST_WORD_SECONDS):
                    await self._gone.wait()
            except TimeoutError:
                self._transport.abort()

    def _refuse_if_lost(self) -> None:
        if self._gone.is_set():
            raise ConnectionAbortedError
