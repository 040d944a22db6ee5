"""One POP3 session: the state machine of RFC 1939, as a table.

AUTHORIZATION until a login, TRANSACTION until QUIT, UPDATE while what was marked is removed. Only UPDATE removes
anything: a session that ends in any other way removes nothing and gives the mailbox back at once (P6). A message
counts as read when the peer goes on after it, not when it was written to a socket.

Fails towards its peer: `-ERR` for what is not allowed, `-ERR [SYS/TEMP]` for whatever goes wrong here, an end of the
connection for a peer that is silent, too fast, or asks nonsense. No exception leaves `run`.

Sources: RFC 1939; 2449 (CAPA, response codes, pipelining); 2595 (STLS); 3206 (AUTH, SYS); 5034 (AUTH PLAIN).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from oct.doors.admission import address_group
from oct.pop import replies, wire
from oct.pop.connection import Connection
from oct.pop.desk import Desk
from oct.pop.mailboxes import Item
from oct.pop.reading import Reading
from oct.pop.wire import Credentials

_SENT = b""
"""The answer of a command that has already sent its own."""


class State(Enum):
    """RFC 1939, section 3; ENDED once nothing more will be read."""

    AUTHORIZATION = auto()
    TRANSACTION = auto()
    UPDATE = auto()
    ENDED = auto()


class Session:
    """The dialogue on one connection. Its methods `on_…` are the commands; each gives the answer to send."""

    def __init__(self, desk: Desk, connection: Connection) -> None:
        self._desk = desk
        self._connection = connection
        self._state = State.AUTHORIZATION
        self._login = b""
        self._failed_logins = 0
        self._bad_commands = 0
        self._reading: Reading | None = None
        self._given: list[int] = []
        self._deadline = asyncio.get_running_loop().time() + desk.limits.login_seconds
        self._waiting = False
        self._retiring = False

    @property
    def reader(self) -> str | None:
        """Who holds the lock, when one is held."""
        return None if self._reading is None else self._reading.maildrop.reader

    async def run(self) -> None:
        """From the greeting to the end."""
        try:
            await self._converse()
        except ConnectionError:
            pass
        except Exception as surprise:  # noqa: BLE001 - the door answers for all that fails
            self._desk.tell(surprise)
        finally:
            await self._leave()

    def retire(self) -> None:
        """End now when the peer is silent, else after the answer that is being made. Nothing is removed."""
        self._retiring = True
        if self._waiting:
            self._connection.task.cancel()

    async def _converse(self) -> None:
        if self._connection.implicit_tls:
            assert self._desk.tls is not None
            await self._connection.secure(self._desk.tls)
        await self._connection.send(replies.greeting(self._desk.hostname))
        while self._state is not State.ENDED and not self._retiring:
            line = await self._next_line(wire.LINE_OCTETS)
            await self._note_read()
            await self._connection.send(await self._obey(line) if line is not None else self._end(replies.TOO_LONG))
            if self._bad_commands >= self._desk.limits.bad_commands:
                return

    async def _next_line(self, octets: int) -> bytes | None:
        seconds = self._desk.limits.idle_seconds
        if self._state is State.AUTHORIZATION:
            seconds = min(seconds, self._deadline - asyncio.get_running_loop().time())
        self._waiting = True
        try:
            return await self._connection.line(octets, seconds)
        finally:
            self._waiting = False

    async def _obey(self, line: bytes) -> bytes:
        """The answer to a command line."""
        found = wire.split_command(line)
        command = _COMMANDS.get(found[0]) if found is not None else None
        if found is None or command is None:
            return self._refuse(replies.UNKNOWN_COMMAND)
        if self._state not in command.states:
            return self._refuse(replies.WRONG_MOMENT)
        arguments = command.arguments(found[1])
        if arguments is None:
            return self._refuse(replies.BAD_ARGUMENT)
        try:
            return await command.action(self, *arguments)
        except ConnectionError:
            raise
        except Exception as surprise:  # noqa: BLE001 - the door answers for all that fails
            self._desk.tell(surprise)
            return replies.SURPRISE

    def _refuse(self, reply: bytes) -> bytes:
        self._bad_commands += 1
        return reply

    def _end(self, reply: bytes) -> bytes:
        self._state = State.ENDED
        return reply

    async def _note_read(self) -> None:
        """The peer goes on: it has read what it was given. What cannot be noted now is noted at the next line."""
        if self._reading is None or not self._given:
            return
        try:
            await self._desk.run(self._desk.mailboxes.fetched, self._reading.maildrop, tuple(self._given))
            self._given.clear()
        except Exception as surprise:  # noqa: BLE001 - a note that waits must not end the session
            self._desk.tell(surprise)

    async def _leave(self) -> None:
        """Gives the mailbox back and closes."""
        reading, self._reading = self._reading, None
        if reading is not None:
            try:
                await self._desk.run(self._desk.mailboxes.release, reading.maildrop)
            except Exception as surprise:  # noqa: BLE001 - the lock ends by itself
                self._desk.tell(surprise)
        await self._connection.close()

    # Any state

    async def on_capa(self) -> bytes:
        """RFC 2449, section 5."""
        return wire.listed("+OK", self._capabilities())

    def _capabilities(self) -> Iterator[str]:
        yield from ("TOP", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE")
        if self._state is State.AUTHORIZATION and self._may_log_in():
            yield from ("USER", "SASL PLAIN")
        if self._state is State.AUTHORIZATION and self._may_pass_to_tls():
            yield "STLS"

    async def on_quit(self) -> bytes:
        """RFC 1939, sections 5 and 6: out of TRANSACTION, the only way to remove anything."""
        if self._reading is None:
            return self._end(replies.GOODBYE)
        self._state = State.UPDATE
        marked = self._reading.marked_ids()
        try:
            removed = await self._desk.run(self._desk.mailboxes.close, self._reading.maildrop, marked)
        finally:
            self._state = State.ENDED
        self._reading = None
        return replies.GOODBYE if removed or not marked else replies.NOT_REMOVED

    # AUTHORIZATION

    def _may_log_in(self) -> bool:
        """H9: a password never passes in clear, unless the operator says so for the peer's network."""
        return self._connection.secured or self._desk.allows_clear(self._connection.peer)

    def _may_pass_to_tls(self) -> bool:
        return self._desk.tls is not None and not self._connection.secured

    async def on_stls(self) -> bytes:
        """RFC 2595, section 4: what was said before is forgotten."""
        if self._desk.tls is None or self._connection.secured:
            return self._refuse(replies.WRONG_MOMENT)
        self._login = b""
        await self._connection.secure(self._desk.tls, replies.BEGIN_TLS)
        return _SENT

    async def on_user(self, login: bytes) -> bytes:
        """RFC 1939, section 7. Every name is taken: which exist is nobody's business."""
        if not self._may_log_in():
            return self._refuse(replies.TLS_NEEDED)
        self._login = login
        return replies.NAME_TAKEN

    async def on_pass(self, password: bytes) -> bytes:
        """RFC 1939, section 7: the password is all that follows the blank, blanks included."""
        if not self._login:
            return self._refuse(replies.WRONG_MOMENT)
        login, self._login = self._login, b""
        return await self._log_in(wire.credentials(login, password))

    async def on_auth(self, argument: bytes) -> bytes:
        """RFC 5034: PLAIN, its response on the line itself or on the next one; `*` gives up."""
        mechanism, _, response = argument.partition(b" ")
        if mechanism.upper() != b"PLAIN":
            return self._refuse(replies.UNKNOWN_MECHANISM)
        if not self._may_log_in():
            return self._refuse(replies.TLS_NEEDED)
        if not response:
            await self._connection.send(replies.CHALLENGE)
            given = await self._next_line(wire.AUTH_OCTETS)
            if given is None:
                return self._end(replies.TOO_LONG)
            if given == b"*":
                return self._refuse(replies.CANCELLED)
            response = given
        return await self._log_in(wire.plain_credentials(response))

    async def _log_in(self, claim: Credentials | None) -> bytes:
        account = await self._judge(claim) if claim is not None else self._wrong_login()
        if isinstance(account, bytes):
            return account
        maildrop = await self._desk.run(self._desk.mailboxes.open, account)
        if maildrop is None:
            return self._refuse(replies.IN_USE)
        self._reading = Reading(maildrop)
        self._state = State.TRANSACTION
        return replies.opened(len(maildrop.items))

    async def _judge(self, claim: Credentials) -> int | bytes:
        """The account of a login, after the delay that earlier failures ask for; or the answer that refuses it."""
        loop, throttle = asyncio.get_running_loop(), self._desk.throttle
        address = address_group(self._connection.peer)
        turn = throttle.enter(claim.login, address, loop.time())
        if turn is None:
            return self._refuse(replies.TOO_SOON)
        try:
            await asyncio.sleep(turn.delay)
            account = await self._desk.check_login(claim.login, claim.password)
        finally:
            throttle.leave(turn)
        if account is None:
            throttle.failed(claim.login, address, loop.time())
            return self._wrong_login()
        throttle.succeeded(claim.login, address, loop.time())
        return account

    def _wrong_login(self) -> bytes:
        self._failed_logins += 1
        if self._failed_logins >= self._desk.limits.logins:
            self._state = State.ENDED
        return replies.WRONG_LOGIN

    # TRANSACTION

    def _opened(self) -> Reading:
        assert self._reading is not None
        return self._reading

    async def on_stat(self) -> bytes:
        """RFC 1939, section 5."""
        sizes = [item.size for _, item in self._opened().shown()]
        return replies.status(len(sizes), sum(sizes))

    async def on_list(self, *asked: int) -> bytes:
        """RFC 1939, section 5."""
        return self._table(asked, lambda item: item.size)

    async def on_uidl(self, *asked: int) -> bytes:
        """RFC 1939, section 7."""
        return self._table(asked, lambda item: item.uid)

    def _table(self, asked: tuple[int, ...], shown: Callable[[Item], object]) -> bytes:
        if not asked:
            return wire.listed("+OK", (f"{number} {shown(item)}" for number, item in self._opened().shown()))
        item = self._opened().item(asked[0])
        return replies.NO_SUCH_MESSAGE if item is None else replies.status(asked[0], shown(item))

    async def on_retr(self, number: int) -> bytes:
        """RFC 1939, section 5."""
        return await self._give(number, lambda content: content)

    async def on_top(self, number: int, count: int) -> bytes:
        """RFC 1939, section 7. Who asks for all the lines there are has read the message."""
        return await self._give(number, lambda content: wire.top(content, count))

    async def _give(self, number: int, part: Callable[[bytes], bytes]) -> bytes:
        item = self._opened().item(number)
        if item is None:
            return replies.NO_SUCH_MESSAGE
        async with self._desk.transfers:
            content = await self._desk.run(self._desk.mailboxes.fetch, item)
            given = part(content)
            await self._connection.send(replies.OK + wire.stuffed(given))
        if len(given) == len(content):
            self._given.append(item.id)
        return _SENT

    async def on_dele(self, number: int) -> bytes:
        """RFC 1939, section 5: a mark, until QUIT."""
        return replies.OK if self._opened().mark(number) else replies.NO_SUCH_MESSAGE

    async def on_rset(self) -> bytes:
        """RFC 1939, section 5."""
        self._opened().unmark_all()
        return replies.RESET

    async def on_noop(self) -> bytes:
        """RFC 1939, section 5."""
        return replies.OK


def _text(argument: bytes) -> tuple[bytes] | None:
    return (argument,) if argument else None


def _numbers(*counts: int) -> Callable[[bytes], tuple[int, ...] | None]:
    """As many numbers as one of `counts`."""

    def read(argument: bytes) -> tuple[int, ...] | None:
        found = wire.numbers(argument)
        return found if found is not None and len(found) in counts else None

    return read


@dataclass(frozen=True, slots=True)
class _Command:
    """When a command is allowed, how its argument reads (None: wrongly), what it does."""

    states: frozenset[State]
    arguments: Callable[[bytes], tuple[object, ...] | None]
    action: Callable[..., Awaitable[bytes]]


_NONE = _numbers(0)
_BEFORE = frozenset({State.AUTHORIZATION})
_AFTER = frozenset({State.TRANSACTION})

_COMMANDS: Mapping[bytes, _Command] = {
    b"CAPA": _Command(_BEFORE | _AFTER, _NONE, Session.on_capa),
    b"QUIT": _Command(_BEFORE | _AFTER, _NONE, Session.on_quit),
    b"STLS": _Command(_BEFORE, _NONE, Session.on_stls),
    b"USER": _Command(_BEFORE, _text, Session.on_user),
    b"PASS": _Command(_BEFORE, _text, Session.on_pass),
    b"AUTH": _Command(_BEFORE, _text, Session.on_auth),
    b"STAT": _Command(_AFTER, _NONE, Session.on_stat),
    b"LIST": _Command(_AFTER, _numbers(0, 1), Session.on_list),
    b"UIDL": _Command(_AFTER, _numbers(0, 1), Session.on_uidl),
    b"RETR": _Command(_AFTER, _numbers(1), Session.on_retr),
    b"TOP": _Command(_AFTER, _numbers(2), Session.on_top),
    b"DELE": _Command(_AFTER, _numbers(1), Session.on_dele),
    b"RSET": _Command(_AFTER, _NONE, Session.on_rset),
    b"NOOP": _Command(_AFTER, _NONE, Session.on_noop),
}
