"""One SMTP connection seen from the client: commands out, replies in, several commands in one segment.

Takes an address; gives replies as (code, text). Fails with one of `FAILURES` only. The peer is not trusted: one that
drips octets, never ends its reply or reads no further is a TimeoutError after `reply_seconds` at most, one that talks
and talks a ConnectionError; what it says before it is asked is an answer to nothing. Nothing here blocks: any number of
dialogues go on side by side on one event loop, and of a large content only some pieces wait to be taken.

Sources: RFC 5321, 2920 (PIPELINING), 3207 (STARTTLS).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterator, Sequence
from typing import Self

_LONGEST_REPLY = 16_384
_REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])([ -]?)([^\r\n]*)\r?\n")
_UNPRINTABLE = re.compile(r"[^ -~]")
_PIECE = 131_072
"""Octets of a content that are written at once, up to the next line end."""
_DOT_AT_LINE_START = re.compile(rb"^\.", re.MULTILINE)

TEXT_LENGTH = 200
"""Characters that are kept of a reply's text."""

Reply = tuple[int, bytes]
"""A code, and the lines of a text joined by line feeds."""


class UnwelcomeError(Exception):
    """The peer greeted with a refusal: its `code` and `text`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply[0])
        self.code, self.text = reply


class Dialogue(asyncio.Protocol):
    """One connection, opened and introduced by `open`. `reply_seconds` bounds the wait for the replies to what was sent
    together, and the sending of a content."""

    def __init__(self, host: str, helo: str, reply_seconds: float) -> None:
        self._host = host
        self._helo = helo
        self._reply_seconds = reply_seconds
        self._unread = b""
        self._lines: list[bytes] = []
        self._size = 0
        self._replies: list[Reply] = []
        self._awaited = 0
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._end: Exception | None = None
        self._full = False
        self._transport: asyncio.Transport
        self.extensions: frozenset[str] = frozenset()
        """What the peer's EHLO names, in lower case."""
        self.is_secured = False

    @classmethod
    async def open(cls, host: str, port: int, *, helo: str, reply_seconds: float) -> Self:
        """Connects, waits for the greeting and introduces itself as `helo`."""
        made = cls(host, helo, reply_seconds)
        async with asyncio.timeout(reply_seconds):
            await asyncio.get_running_loop().create_connection(lambda: made, host, port)
        try:
            greeting = (await made._exchange(b"", 1))[0]
            if greeting[0] != 220:
                raise UnwelcomeError(greeting)
            await made._introduce()
        except BaseException:
            made.close()
            raise
        return made

    @property
    def is_open(self) -> bool:
        """Whether neither side has ended the connection."""
        return self._end is None

    def close(self) -> None:
        """Ends the connection at once."""
        if self._end is None:
            self._end = ConnectionResetError("closed here")
            self._transport.abort()

    def leave(self) -> None:
        """Says QUIT, and ends the connection without waiting for the answer."""
        if self._end is None:
            self._end = ConnectionResetError("closed here")
            self._transport.write(b"QUIT\r\n")
            self._transport.close()

    async def command(self, command: str) -> Reply:
        """The reply to one command."""
        return (await self._exchange(f"{command}\r\n".encode("ascii"), 1))[0]

    async def in_turn(self, commands: Sequence[str]) -> Reply:
        """The first refusal (400 and above) of several commands, or the reply to the last.

        With PIPELINING (RFC 2920) they leave in one segment; without, none leaves after a refusal. A peer that lets
        the last one pass though it refused another waits for what will never come: the connection is closed.
        """
        if "pipelining" not in self.extensions:
            for command in commands:
                reply = await self.command(command)
                if reply[0] >= 400:
                    break
            return reply
        wire = "".join(f"{command}\r\n" for command in commands).encode("ascii")
        answers = await self._exchange(wire, len(commands))
        last = answers[-1]
        refusal = next((answer for answer in answers if answer[0] >= 400), last)
        if refusal[0] != last[0] and last[0] < 400:
            self.close()
        return refusal

    async def send_content(self, content: bytes) -> None:
        """The message, dot-stuffed, and the final dot, but for what the transport holds back. CRLF line ends are the
        caller's promise. A peer that takes a message which it does not have yet is not believed."""
        end = asyncio.get_running_loop().time() + self._reply_seconds
        for number, piece in enumerate(to_data(content)):
            if number:
                await asyncio.sleep(0)  # others have their turn, and the peer is heard
            self._check_open()
            self._transport.write(piece)
            if self._full:
                await self._turn(end - asyncio.get_running_loop().time())
        if self._replies and self._replies[0][0] < 400:
            self._fail(ConnectionResetError("reply to nothing"))
            self._check_open()

    async def last_word(self) -> Reply:
        """The reply to the final dot."""
        return (await self._exchange(b"", 1))[0]

    async def secure(self, context: ssl.SSLContext) -> Reply:
        """STARTTLS, and EHLO again; what the peer sent ahead in clear is thrown away."""
        reply = await self.command("STARTTLS")
        if reply[0] != 220:
            return reply
        self._unread = b""
        self._forget_lines()
        self._replies.clear()
        async with asyncio.timeout(self._reply_seconds):
            secured = await asyncio.get_running_loop().start_tls(
                self._transport,
                self,
                context,
                server_hostname=self._host,
                ssl_handshake_timeout=self._reply_seconds + 1,  # not its word for it: it says that the peer cut
                ssl_shutdown_timeout=1,
            )
        self._check_open()
        assert secured is not None
        self._transport = secured
        self.is_secured = True
        return await self._greet()

    async def _introduce(self) -> None:
        """EHLO, or HELO to a peer that does not know it."""
        reply = await self._greet()
        if reply[0] >= 500:
            reply = await self.command(f"HELO {self._helo}")
        if reply[0] != 250:
            raise UnwelcomeError(reply)

    async def _greet(self) -> Reply:
        code, text = await self.command(f"EHLO {self._helo}")
        named = text.decode("ascii", "replace").lower().splitlines()[1:] if code == 250 else []
        self.extensions = frozenset(line.split()[0] for line in named if line.strip())
        return code, text

    async def _exchange(self, wire: bytes, count: int) -> list[Reply]:
        """Sends, and waits for so many replies. Nothing answers what has not been sent."""
        self._check_open()
        if wire:
            if self._replies:
                self._fail(ConnectionResetError("reply to nothing"))
                self._check_open()
            self._transport.write(wire)
        self._awaited = count
        if len(self._replies) < count:
            await self._turn(self._reply_seconds)
        replies = self._replies[:count]
        del self._replies[:count]
        self._awaited = 0
        return replies

    async def _turn(self, seconds: float) -> None:
        """Until what is waited for is there; after so long the connection is given up. A timer that is set already is
        left to ring too early: to set one at every turn would cost more than the turn."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        self._deadline = loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._set_timer(loop)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _check_open(self) -> None:
        if self._end is not None:
            raise self._end

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._stop_timer()
        self._timer = loop.call_at(self._deadline, self._ring)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():  # the answer came, be it while the loop was held up
            return
        loop = self._waiter.get_loop()
        if loop.time() < self._deadline:
            self._set_timer(loop)
        else:
            self._fail(TimeoutError())

    def _fail(self, why: Exception) -> None:
        """The end of the connection, told to whoever waits."""
        if self._end is None:
            self._end = why
            self._transport.abort()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(why)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _forget_lines(self) -> None:
        """What comes next begins a reply."""
        self._lines, self._size = [], 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._stop_timer()
        self._fail(exc or ConnectionResetError("closed by the peer"))

    def pause_writing(self) -> None:
        """Called by the loop when the peer does not keep up."""
        self._full = True

    def resume_writing(self) -> None:
        """Called by the loop when most of what was written is out."""
        self._full = False
        if not self._awaited:
            self._wake()

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        unread, at = self._unread + data, 0
        while (found := _REPLY_LINE.match(unread, at)) is not None:
            self._size += found.end() - at
            if self._size > _LONGEST_REPLY:
                break
            at = found.end()
            code, more, text = found.groups()
            self._lines.append(text)
            if more != b"-":
                self._replies.append((int(code), b"\n".join(self._lines)))
                self._forget_lines()
                if len(self._replies) == self._awaited:
                    self._wake()
        self._unread = unread[at:]
        is_amiss = b"\n" in self._unread or len(self._unread) > _LONGEST_REPLY
        if is_amiss or len(self._replies) > max(self._awaited, 1):
            self._fail(ConnectionResetError("reply is not SMTP"))


def to_data(content: bytes) -> Iterator[bytes]:
    """A message as it goes over the wire, in pieces: dot-stuffed, ended by the final dot (RFC 5321 section 4.5.2)."""
    last = b".\r\n" if content.endswith(b"\r\n") or not content else b"\r\n.\r\n"
    start = 0
    while (end := content.find(b"\n", start + _PIECE) + 1) > 0:
        yield _stuffed(content[start:end])
        start = end
    yield _stuffed(content[start:]) + last


def _stuffed(lines: bytes) -> bytes:
    """A dot more before each dot that begins a line. Behind the last dot, in base64, nothing needs to be looked at."""
    if lines.startswith(b".") or lines.find(b"\n.", 0, lines.rfind(b".") + 1) >= 0:
        return _DOT_AT_LINE_START.sub(b"..", lines)
    return lines


def readable(text: bytes) -> str:
    """A peer's words as they may be stored and shown: printable ASCII, at most 200 characters (H5)."""
    return _UNPRINTABLE.sub("?", text.replace(b"\n", b" ").decode("ascii", "replace"))[:TEXT_LENGTH]


FAILURES = (OSError, UnwelcomeError, UnicodeError)
"""All that a Dialogue raises for what the other side, or the name service, does. ssl.SSLError and TimeoutError are
OSErrors."""
