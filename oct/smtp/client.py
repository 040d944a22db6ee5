"""Sends messages onward: one lasting connection, many messages, and for each what became of it.

Takes a `Route` and messages that were written down before (a retry sends the same bytes); gives a `Sent` for each.
Never raises for what the other side does: refused at any stage, cut, silent or unreachable is a `Sent`. A 5xx is
permanent, all the rest temporary; so is a 5xx to those who knock (greeting, EHLO, HELO), which refuses us and not the
message: its domain may have another server, and this one a better day. Cut or silent between our final dot and its
reply, the peer may have the message, which the text says. Nobody there, or nobody who answers in time, is `silent`:
what follows would fare no better; `stalled` when the peer had greeted before, and may well go on with other recipients.
FormatError is for our own faults only: a content or an address that SMTP cannot carry (H1, H5).

Sources: RFC 5321, 2920 (PIPELINING), 3207 (STARTTLS), 7435 (opportunistic TLS).
"""

from __future__ import annotations

import ssl
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import TracebackType
from typing import Self

from oct.doors.listening import require_modern
from oct.errors import ConfigurationError, DeliveryError, FormatError
from oct.smtp.addresses import is_address
from oct.smtp.data_reader import CRLF, has_long_line, line_ends
from oct.smtp.dialogue import FAILURES, Dialogue, UnwelcomeError, readable
from oct.smtp.tls import unverified_context

_LINE_OCTETS = 998


class TlsPolicy(StrEnum):
    """`none`: in clear. `opportunistic`: TLS, unverified, where it works. `required`: TLS, verified, or not at all."""

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Route:
    """One server to hand messages to."""

    host: str
    port: int
    tls: TlsPolicy


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for one recipient. `key` is the caller's; `sender` is empty for `<>`; `content` has CRLF ends."""

    key: Hashable
    sender: str
    recipient: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message. `reply_code` is 0 when there was no reply, and `reply_text` then our own words."""

    key: Hashable
    reply_code: int
    reply_text: str
    tls: bool
    permanent: bool
    delivered: bool
    silent: bool = False
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class _Outcome:
    code: int
    text: str
    silent: bool = False
    stalled: bool = False
    unwelcome: bool = False


class _LostBeforeDataError(Exception):
    """The connection was found dead, or closing, before any content was sent: the message may go by another one."""

    def __init__(self, outcome: _Outcome) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome


class Connection:
    """A lasting connection to `route`, opened by the first `send`, opened again once when found dead before DATA.

    `helo` is our name; `tls` the context that verifies the peer when the policy is `required`; `timeout_seconds` bounds
    the connection, each reply and the sending of each content.
    """

    def __init__(self, route: Route, *, helo: str, tls: ssl.SSLContext, timeout_seconds: float = 60) -> None:
        self.route = route
        self._helo = helo
        self._verifying = require_modern(tls)
        self._timeout_seconds = timeout_seconds
        self._dialogue: Dialogue | None = None
        self._in_clear = route.tls is TlsPolicy.NONE
        self._unfinished = False
        self._given_up = False
        self.is_introduced = False
        """Whether the peer has greeted, and TLS has begun where it is wanted, when it was connected to last."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say QUIT without waiting for its answer."""
        if self._dialogue is not None:
            self._dialogue.leave()
            self._dialogue = None

    def give_up(self) -> None:
        """End the connection at once, whatever is on its way: it is cut for whoever sends on it, be it that it is just
        being opened."""
        self._given_up = True
        if self._dialogue is not None:
            self._dialogue.close()

    async def send(self, message: Outgoing) -> Sent:
        """Hand over one message and say what became of it. FormatError when SMTP cannot carry it as it is."""
        check_sendable(message)
        self._given_up = False
        reused = self._dialogue is not None
        try:
            outcome = await self._try(message)
        except _LostBeforeDataError as lost:
            outcome = await self._try_again(message) if reused and not self._given_up else lost.outcome
        tls = self._dialogue is not None and self._dialogue.is_secured
        if outcome.code in (0, 421) or not self._is_open():
            self._hang_up()
        return Sent(
            key=message.key,
            reply_code=outcome.code,
            reply_text=outcome.text,
            tls=tls,
            permanent=outcome.code >= 500 and not outcome.unwelcome,
            delivered=200 <= outcome.code < 300,
            silent=outcome.silent,
            stalled=outcome.stalled,
        )

    async def _try_again(self, message: Outgoing) -> _Outcome:
        self._hang_up()
        try:
            return await self._try(message)
        except _LostBeforeDataError as lost:
            return lost.outcome

    async def _try(self, message: Outgoing) -> _Outcome:
        """One attempt. _LostBeforeDataError when the connection fails, or the peer says 421, before the content."""
        try:
            dialogue = await self._opened()
        except UnwelcomeError as error:
            raise _LostBeforeDataError(_Outcome(error.code, readable(error.text), unwelcome=True)) from error
        except FAILURES as error:
            raise _LostBeforeDataError(_failure(error)) from error
        try:
            refusal = await self._offer(dialogue, message)
        except FAILURES as error:
            raise _LostBeforeDataError(_failure(error, greeted=True)) from error
        if refusal is None:
            return await self._deliver(dialogue, message.content)
        if refusal.code == 421:
            raise _LostBeforeDataError(refusal)
        return refusal

    async def _opened(self) -> Dialogue:
        """The open connection, or a new one, greeted and wrapped as the policy says."""
        if self._dialogue is None:
            self._unfinished = self.is_introduced = False
            route = self.route
            self._dialogue = await Dialogue.open(
                route.host, route.port, helo=self._helo, reply_seconds=self._timeout_seconds
            )
            try:
                await self._wrap(self._dialogue)
            except FAILURES:
                self._hang_up()
                if route.tls is TlsPolicy.REQUIRED or self._given_up:
                    raise
                self._in_clear = True
                return await self._opened()
            if self._given_up:
                self._hang_up()
                raise ConnectionResetError("given up")
            self.is_introduced = True
        return self._dialogue

    async def _wrap(self, dialogue: Dialogue) -> None:
        """STARTTLS when the policy wants it. A peer that cannot give what is required is a temporary failure."""
        if self._in_clear:
            return
        required = self.route.tls is TlsPolicy.REQUIRED
        if "starttls" not in dialogue.extensions:
            if required:
                raise ssl.SSLError("STARTTLS not offered")
            return
        code, _ = await dialogue.secure(self._verifying if required else unverified_context())
        if code != 250 or not dialogue.is_secured:
            raise ssl.SSLError("STARTTLS refused")

    async def _offer(self, dialogue: Dialogue, message: Outgoing) -> _Outcome | None:
        """The envelope and DATA: None when the peer waits for the content, else its refusal."""
        commands = [f"MAIL FROM:<{message.sender}>", f"RCPT TO:<{message.recipient}>", "DATA"]
        if self._unfinished:
            commands.insert(0, "RSET")
        self._unfinished = True
        code, text = await dialogue.in_turn(commands)
        if code >= 400:
            return _Outcome(code, readable(text))
        if code != 354:
            raise ConnectionResetError("DATA neither refused nor taken")
        return None

    async def _deliver(self, dialogue: Dialogue, content: bytes) -> _Outcome:
        """The content and the peer's last word. Without that one after our final dot, it may have the message."""
        try:
            await dialogue.send_content(content)
        except FAILURES as error:
            return _failure(error, greeted=True)
        try:
            code, text = await dialogue.last_word()
        except FAILURES as error:
            cut = _failure(error, greeted=True)
            return replace(cut, text=f"{cut.text}, message peut-etre recu")
        self._unfinished = False
        return _Outcome(code, readable(text))

    def _is_open(self) -> bool:
        return self._dialogue is not None and self._dialogue.is_open

    def _hang_up(self) -> None:
        if self._dialogue is not None:
            self._dialogue.close()
            self._dialogue = None


def check_sendable(message: Outgoing) -> None:
    """FormatError for a content with bare CR, bare LF, NUL or a line above 998 octets, or an unfit address (H1, H5)."""
    content = message.content
    if line_ends(content) - {CRLF} or b"\0" in content:
        raise FormatError("message-fins-de-ligne", "Le message à envoyer a un CR ou un LF isolé, ou un octet nul.")
    if has_long_line(content if content.endswith(b"\n") else content + b"\r\n", _LINE_OCTETS):
        raise FormatError("message-ligne-longue", "Le message à envoyer a une ligne de plus de 998 octets.")
    if not is_address(message.recipient) or (message.sender and not is_address(message.sender)):
        raise FormatError("adresse-incorrecte", "L'adresse d'expédition ou de destination n'est pas correcte.")


def unroutable(key: Hashable, error: DeliveryError | ConfigurationError) -> Sent:
    """What became of a message for whose domain no server was found, or could be looked for."""
    return Sent(
        key=key,
        reply_code=0,
        reply_text=error.sentence,
        tls=False,
        permanent=isinstance(error, DeliveryError) and error.permanent,
        delivered=False,
        silent=True,
    )


def _failure(error: BaseException, *, greeted: bool = False) -> _Outcome:
    """A failure without reply, in words that hold nothing of the exception's own."""
    match error:
        case ssl.SSLError():
            return _Outcome(0, "TLS impossible")
        case TimeoutError():
            return _Outcome(0, "delai depasse", silent=True, stalled=greeted)
        case ConnectionRefusedError():
            return _Outcome(0, "connexion refusee", silent=True)
        case ConnectionError():
            return _Outcome(0, "connexion coupee")
        case _:
            return _Outcome(0, "serveur injoignable", silent=True)
