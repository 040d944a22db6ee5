"""One SMTP session: aiosmtpd's, with our limits, our texts and a reading of DATA in chunks.

aiosmtpd keeps the dialogue: the loop of commands, their order, the syntax of MAIL and RCPT, the AUTH exchange. This
module owns all that a hostile or unlucky peer could turn against us: what is answered (`push` lets none of the
library's texts through), time, the count of errors, the passage to TLS, DATA, and every exception, which becomes a 451
with a trace number (P1, H1, H2, H5, H9).

A method that ends the session raises CancelledError: aiosmtpd's loop would go on with what is left in its buffer.

Sources: RFC 5321, 1870 (SIZE), 2920 (PIPELINING), 3207 (STARTTLS), 4954 (AUTH), 6152 (8BITMIME).
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from aiosmtpd.smtp import Session as PeerState

from oct.doors.admission import ip_of
from oct.smtp import replies
from oct.smtp.addresses import split_path
from oct.smtp.data_reader import DataFault, DataReader
from oct.smtp.desk import Checks, Desk, without_brackets
from oct.smtp.transaction import Reply, Transaction

_HELO_NAME = re.compile(r"[!-~]{1,255}")
_TLS_HANDSHAKE_SECONDS = 30
_WHOLE_BUFFER = 1 << 24
"""More than a stream's buffer can hold: a read of so much empties it."""


class Session(SMTP):
    """The protocol of one connection. `task` ends when the session does."""

    session: PeerState
    envelope: Envelope
    task: asyncio.Task[None]

    def __init__(self, desk: Desk, checks: Checks, *, implicit_tls: bool) -> None:
        super().__init__(
            checks,
            data_size_limit=desk.limits.message_bytes,
            hostname=desk.hostname,
            ident="ESMTP",
            timeout=desk.limits.idle_seconds,
            auth_require_tls=False,  # smtp_AUTH below is stricter: it knows implicit TLS too
            authenticator=_provisional,
            loop=asyncio.get_running_loop(),
        )
        self._smtp_methods = {command: getattr(self, method) for command, method in _COMMANDS}
        self._desk = desk
        self._implicit_tls = implicit_tls
        self._seated = self._secure = False
        self._errors = 0
        self._deadline = 0.0
        self._in_data = self._accepting = self._retiring = False

    def __dir__(self) -> list[str]:
        """What aiosmtpd looks through, for every connection: all of a protocol would take 0.2 ms."""
        return _MECHANISMS

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Seat the peer, or send it away before anything is spent on it."""
        assert isinstance(transport, asyncio.Transport)
        peer = transport.get_extra_info("peername")
        if peer is None or not self._desk.admission.enter(ip_of(peer)):
            if not self._implicit_tls:
                transport.write(replies.to_wire(replies.TOO_MANY_CONNECTIONS))
            transport.close()
            return
        self._seated = True
        super().connection_made(transport)
        if self._implicit_tls:
            transport.pause_reading()
        self._desk.sessions.add(self)
        assert self._handler_coroutine is not None
        self.task = self._handler_coroutine
        self.task.add_done_callback(self._left)

    def connection_lost(self, error: Exception | None) -> None:
        """The peer is gone: aiosmtpd ends the task. What `accept` was given goes on to its end."""
        if self._seated:
            super().connection_lost(error)

    def eof_received(self) -> bool | None:
        """A peer that has said all it had to say still gets the answer to its DATA."""
        if self._accepting:
            return asyncio.StreamReaderProtocol.eof_received(self)
        return super().eof_received()

    def retire(self) -> None:
        """End the session; an open DATA is answered first."""
        self._retiring = True
        if not self._in_data:
            self.dismiss(replies.CLOSING)

    def dismiss(self, reply: Reply) -> None:
        """Say a last word and close; a peer that does not even read is cut off."""
        transport = self.transport
        if not isinstance(transport, asyncio.Transport) or transport.is_closing():
            return
        if transport.get_write_buffer_size():
            transport.abort()
        else:
            transport.write(replies.to_wire(reply))
            transport.close()

    def _left(self, task: asyncio.Task[None]) -> None:
        self._stop_timer()
        self._writer.close()
        self._desk.sessions.discard(self)
        self._desk.admission.leave(ip_of(self.session.peer))
        if not task.cancelled() and (error := task.exception()) is not None:
            self._desk.surprise(error)

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Begin to count the time anew. A timer that is set already is left to ring too early: to set one at every
        command would cost more than the command."""
        self._deadline = self.loop.time() + (duration or self._timeout_duration)
        timer = self._timeout_handle
        if timer is None or timer.cancelled() or timer.when() > self._deadline:
            self._set_timer()

    def _set_timer(self) -> None:
        self._stop_timer()
        self._timeout_handle = self.loop.call_at(self._deadline, self._timeout_cb)

    def _timeout_cb(self) -> None:
        if self.loop.time() < self._deadline:
            self._set_timer()
        else:
            self.dismiss(replies.TOO_SLOW)

    def _stop_timer(self) -> None:
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()

    async def _handle_client(self) -> None:
        if self._implicit_tls:
            await self._pass_to_tls()
        try:
            await super()._handle_client()
        except ConnectionError:
            self._writer.close()

    # What is answered

    async def push(self, status: Reply | str | bytes) -> None:
        """Answer a command. aiosmtpd's texts become ours; refused commands are counted."""
        if isinstance(status, bytes):  # an AUTH challenge: base64 of a fixed word
            await self._write(status + b"\r\n")
            return
        reply = status if isinstance(status, Reply) else self._translate(status)
        if reply.code >= 500:
            self._errors += 1
            if self._errors >= self._desk.limits.errors:
                self.dismiss(replies.TOO_MANY_ERRORS)
                raise asyncio.CancelledError
        await self._answer(reply)

    async def handle_exception(self, error: Exception) -> Reply:  # type: ignore[override]  # push takes both
        """The answer to an exception in a command; a connection that broke is not a surprise and ends the task."""
        if isinstance(error, (asyncio.IncompleteReadError, ConnectionError)):
            raise asyncio.CancelledError from error
        return self._desk.surprise(error)

    def _translate(self, status: str) -> Reply:
        if status.startswith("220"):
            return replies.greeting(self._desk.hostname)
        if status.startswith("552"):
            return replies.too_big(self._desk.limits.message_bytes)
        return replies.of_library(status)

    async def _answer(self, reply: Reply) -> None:
        if reply.code in replies.REFUSALS:
            self._desk.refused(ip_of(self.session.peer), reply)
        await self._write(replies.to_wire(reply))

    async def _write(self, line: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(line)
            await self._writer.drain()

    # Commands

    async def smtp_HELO(self, hostname: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """HELO: no extension."""
        if self._greeted(hostname, extended=False):
            await self._answer(Reply(250, self._desk.hostname))
        else:
            await self.push(replies.BAD_ARGUMENT)

    async def smtp_EHLO(self, hostname: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """EHLO, answered in one segment: some clients miss STARTTLS in a later one."""
        if not self._greeted(hostname, extended=True):
            await self.push(replies.BAD_ARGUMENT)
            return
        lines = [self._desk.hostname, "PIPELINING", f"SIZE {self._desk.limits.message_bytes}", "8BITMIME"]
        if self._desk.tls is not None and not self._secure:
            lines.append("STARTTLS")
        if self._desk.authenticate is not None and self._secure:
            lines.append("AUTH PLAIN LOGIN")
        body = "".join(f"250-{line}\r\n" for line in lines) + "250 ENHANCEDSTATUSCODES\r\n"
        await self._write(body.encode("ascii"))

    async def smtp_HELP(self, arg: str | None) -> None:  # noqa: N802, ARG002 - aiosmtpd's name and signature
        """HELP: the list of commands, whatever is asked."""
        await self._answer(replies.HELP)

    async def smtp_QUIT(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """QUIT: nothing sent behind it is looked at."""
        if arg:
            await self.push(replies.BAD_ARGUMENT)
        else:
            self.dismiss(replies.GOODBYE)
            raise asyncio.CancelledError

    async def smtp_STARTTLS(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """STARTTLS: all that was said before is forgotten, all that was sent ahead is thrown away (RFC 3207)."""
        if arg:
            await self.push(replies.BAD_ARGUMENT)
        elif self._desk.tls is None:
            await self.push(replies.NOT_OFFERED)
        elif self._secure:
            await self.push(replies.OUT_OF_SEQUENCE)
        else:
            assert isinstance(self.transport, asyncio.Transport)
            self.transport.pause_reading()
            await self._answer(replies.START_TLS)
            await self._pass_to_tls()

    async def smtp_AUTH(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """AUTH: only over TLS, only when someone can tell a good password, never inside a transaction."""
        if self._desk.authenticate is None:
            await self.push(replies.NOT_OFFERED)
        elif not self._secure:
            await self.push(replies.TLS_NEEDED)
        elif self.envelope.mail_from:
            await self.push(replies.OUT_OF_SEQUENCE)
        else:
            mechanism, blank, initial = (arg or "").partition(" ")
            await super().smtp_AUTH(mechanism.upper() + blank + initial)

    async def auth_PLAIN(self, _: Any, args: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        """RFC 4616."""
        return await self._verified(await super().auth_PLAIN(_, args))

    async def auth_LOGIN(self, _: Any, args: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        """The LOGIN exchange: user name, then password."""
        return await self._verified(await super().auth_LOGIN(_, args))

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """DATA: read it whole, hand it over, answer."""
        refusal = self._refuses_data(arg)
        if refusal is not None:
            await self.push(refusal)
            return
        self._in_data = True
        reader = DataReader(
            size_limit=self._desk.limits.message_bytes,
            line_octets=self._desk.limits.line_octets,
            memory=self._desk.memory,
        )
        try:
            await self._answer(replies.START_DATA)
            await self._read_data(reader)
            reply = await self._outcome(reader)
            self.envelope = self._create_envelope()
            await self._answer(reply)
        except ConnectionError:
            raise
        except Exception as error:
            # Half of a message may still be in the pipe: it must never be taken for commands.
            self.dismiss(self._desk.surprise(error))
            raise asyncio.CancelledError from error
        finally:
            reader.forget()
            self._in_data = False
        if self._retiring:
            self.dismiss(replies.CLOSING)
        if self._retiring or self._reader.at_eof():
            raise asyncio.CancelledError
        self._reset_timeout()

    # What the commands are made of

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        return split_path(arg) or (None, None)

    def _greeted(self, hostname: str | None, *, extended: bool) -> bool:
        if hostname is None or _HELO_NAME.fullmatch(hostname) is None:
            return False
        self.envelope = self._create_envelope()
        self.session.extended_smtp = extended
        self.session.host_name = hostname
        return True

    async def _pass_to_tls(self) -> None:
        """Wrap the connection; when the handshake fails the session ends."""
        assert self._desk.tls is not None
        self._stop_timer()
        stream: Any = self._reader
        stream._buffer.clear()  # noqa: SLF001 - as aiosmtpd does: nothing said in clear is heard after TLS
        try:
            await self._writer.start_tls(self._desk.tls, ssl_handshake_timeout=_TLS_HANDSHAKE_SECONDS)
        except (OSError, TimeoutError) as error:
            raise asyncio.CancelledError from error
        self.transport = stream._transport = self._writer.transport  # noqa: SLF001 - start_tls forgets the reader
        peer = self.session.peer
        self.session = self._create_session()
        self.session.peer = peer
        self.session.ssl = {"sslcontext": self._desk.tls}
        self.envelope = self._create_envelope()
        self._secure = True
        self._reset_timeout()

    async def _verified(self, claim: AuthResult) -> AuthResult:
        """The claim of a login and password, examined by the callable."""
        if not claim.success:
            return claim
        assert self._desk.authenticate is not None
        try:
            login, password = (part.decode("utf-8") for part in claim.auth_data or ())
        except UnicodeDecodeError:
            return AuthResult(success=False, handled=False)
        async with asyncio.timeout(self._desk.limits.accept_seconds):
            good = await self._desk.authenticate(login, password)
        return AuthResult(success=good, handled=False, auth_data=login if good else None)

    def _refuses_data(self, arg: str | None) -> Reply | None:
        if arg:
            return replies.BAD_ARGUMENT
        if not self.envelope.rcpt_tos:
            return replies.OUT_OF_SEQUENCE
        if not self._desk.memory.has_room(1):
            return replies.NO_MEMORY
        return None

    async def _read_data(self, reader: DataReader) -> None:
        """Read up to the final dot; what a client sent behind it waits for its turn (RFC 2920)."""
        self._reset_timeout(self._desk.limits.data_seconds)
        rest = None
        while rest is None:
            chunk = await self._reader.read(_WHOLE_BUFFER)
            if not chunk:
                raise asyncio.CancelledError
            rest = reader.feed(chunk)
        self._reader.feed_data(rest)
        self._stop_timer()

    async def _outcome(self, reader: DataReader) -> Reply:
        match reader.fault:
            case DataFault.TOO_BIG:
                return replies.too_big(self._desk.limits.message_bytes)
            case DataFault.NO_MEMORY:
                return replies.NO_MEMORY
            case DataFault.LINE_TOO_LONG:
                return replies.LINE_TOO_LONG
            case DataFault.FORBIDDEN_CONTROL:
                return replies.FORBIDDEN_CONTROL
            case None:
                return await self._hand_over(self._transaction(reader), reader)

    def _transaction(self, reader: DataReader) -> Transaction:
        return Transaction(
            peer=ip_of(self.session.peer),
            helo=self.session.host_name or "",
            mail_from=without_brackets(self.envelope.mail_from or ""),
            recipients=tuple(self.envelope.rcpt_tos),
            content=reader.take(),
            authenticated_as=self.session.auth_data,
            tls=self._secure,
        )

    async def _hand_over(self, transaction: Transaction, reader: DataReader) -> Reply:
        """What `accept` answers. The peer's leaving does not cut it short: a commit under way goes to its end."""
        held, reader.held = reader.held, 0
        acceptance = asyncio.create_task(self._desk.receive(transaction, held))
        self._desk.accepting.add(acceptance)
        acceptance.add_done_callback(self._desk.accepting.discard)
        self._accepting = True
        try:
            return await asyncio.shield(acceptance)
        finally:
            self._accepting = False


_MECHANISMS = [name for name in vars(SMTP) if name.startswith("auth_")]
_COMMANDS = [(name.removeprefix("smtp_"), name) for name in vars(SMTP) if name.startswith("smtp_")]


def _provisional(_server: Any, _session: Any, _envelope: Any, _mechanism: str, claim: LoginPassword) -> AuthResult:
    """aiosmtpd's authenticator cannot wait: it passes the claim on, `Session._verified` decides."""
    return AuthResult(success=True, auth_data=claim)
