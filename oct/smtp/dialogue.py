"""smtplib's client with what it lacks: a limit in time and size for each reply, and several commands in one segment.

Takes an address; gives replies as (code, text). Fails with one of `FAILURES` only. The peer is not trusted: one that
drips octets or never ends its reply is a TimeoutError or an SMTPServerDisconnected after `reply_seconds` at most, not a
worker held for ever.
"""

from __future__ import annotations

import re
import smtplib
import ssl
import time
from collections.abc import Sequence

_LONGEST_REPLY = 16_384
_REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])([ -]?)([^\r\n]*)\r?\n")
_UNPRINTABLE = re.compile(r"[^ -~]")
_DOT_AT_LINE_START = re.compile(rb"^\.", re.MULTILINE)

TEXT_LENGTH = 200
"""Characters that are kept of a reply's text."""


class Dialogue(smtplib.SMTP):
    """One connection, opened and introduced by the constructor; `reply_seconds` bounds the wait for a whole reply."""

    def __init__(self, host: str, port: int, *, helo: str, reply_seconds: float) -> None:
        self._reply_seconds = reply_seconds
        self._unread = bytearray()
        super().__init__(local_hostname=helo, timeout=reply_seconds)
        self._host = host  # the name that starttls verifies
        try:
            code, text = self.connect(host, port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, text)
            self._introduce()
        except BaseException:
            self.close()
            raise

    def getreply(self) -> tuple[int, bytes]:
        """One whole reply; its lines joined by line feeds, as smtplib does."""
        deadline = time.monotonic() + self._reply_seconds
        texts = []
        size = 0
        while True:
            line = self._line(deadline)
            found = _REPLY_LINE.fullmatch(line)
            size += len(line)
            if found is None or size > _LONGEST_REPLY:
                self.close()
                raise smtplib.SMTPServerDisconnected("reply is not SMTP")
            texts.append(found[3])
            if found[2] != b"-":
                return int(found[1]), b"\n".join(texts)

    def in_turn(self, commands: Sequence[str]) -> tuple[int, bytes]:
        """The first refusal (400 and above) of several commands, or the reply to the last.

        With PIPELINING (RFC 2920) they leave in one segment; without, none leaves after a refusal. A peer that lets
        the last one pass though it refused another waits for what will never come: the connection is closed.
        """
        if not self.has_extn("pipelining"):
            for command in commands:
                code, text = self.docmd(command)
                if code >= 400:
                    break
            return code, text
        self.send("".join(f"{command}\r\n" for command in commands))
        answers = [self.getreply() for _ in commands]
        refusal = next((answer for answer in answers if answer[0] >= 400), answers[-1])
        if refusal[0] != answers[-1][0] and answers[-1][0] < 400:
            self.close()
        return refusal

    def send_content(self, content: bytes) -> None:
        """The message, dot-stuffed, and the final dot. CRLF line ends are the caller's promise."""
        self.send(to_data(content))

    def secure(self, context: ssl.SSLContext) -> tuple[int, bytes]:
        """STARTTLS, and EHLO again; what the peer sent ahead in clear is thrown away."""
        code, text = self.docmd("STARTTLS")
        if code == 220:
            assert self.sock is not None
            self._unread.clear()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._host)
            self.esmtp_features.clear()
            return self.ehlo()
        return code, text

    def _introduce(self) -> None:
        """EHLO, or HELO to a peer that does not know it."""
        code, text = self.ehlo()
        if code >= 500:
            code, text = self.helo()
        if code != 250:
            raise smtplib.SMTPHeloError(code, text)

    def _line(self, deadline: float) -> bytes:
        """The next line of a reply, with its end."""
        sock = self.sock
        if sock is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        while (end := self._unread.find(b"\n") + 1) == 0:
            left = deadline - time.monotonic()
            if left <= 0 or len(self._unread) > _LONGEST_REPLY:
                raise TimeoutError
            sock.settimeout(left)
            received = sock.recv(4096)
            if not received:
                self.close()
                raise smtplib.SMTPServerDisconnected("closed by the peer")
            self._unread += received
        sock.settimeout(self._reply_seconds)
        line = bytes(self._unread[:end])
        del self._unread[:end]
        return line


def to_data(content: bytes) -> bytes:
    """A message as it goes over the wire: dot-stuffed, ended by the final dot (RFC 5321 section 4.5.2)."""
    end = b".\r\n" if content.endswith(b"\r\n") or not content else b"\r\n.\r\n"
    return _DOT_AT_LINE_START.sub(b"..", content) + end


def readable(text: bytes) -> str:
    """A peer's words as they may be stored and shown: printable ASCII, at most 200 characters (H5)."""
    return _UNPRINTABLE.sub("?", text.replace(b"\n", b" ").decode("ascii", "replace"))[:TEXT_LENGTH]


FAILURES = (OSError, smtplib.SMTPException, UnicodeError)
"""All that a Dialogue raises for what the other side, or the name service, does."""
