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
    """One connection, opened and greeted by the constructor; `reply_seconds` bounds the wait for each whole reply."""

    def __init__(self, host: str, port: int, *, helo: str, reply_seconds: float) -> None:
        self._reply_seconds = reply_seconds
        self._unread = bytearray()
        super().__init__(local_hostname=helo, timeout=reply_seconds)
        self._host = host  # the name that starttls verifies
        code, text = self.connect(host, port)
        if code != 220:
            self.close()
            raise smtplib.SMTPConnectError(code, text)

    def getreply(self) -> tuple[int, bytes]:
        """One whole reply; its lines joined by blanks."""
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
                return int(found[1]), b" ".join(texts)

    def together(self, commands: Sequence[str]) -> list[tuple[int, bytes]]:
        """The replies to several commands, sent in one segment when the peer offers PIPELINING (RFC 2920)."""
        if not self.has_extn("pipelining"):
            return [self.docmd(command) for command in commands]
        self.send("".join(f"{command}\r\n" for command in commands))
        return [self.getreply() for _ in commands]

    def send_content(self, content: bytes) -> None:
        """The message, dot-stuffed, and the final dot. CRLF line ends are the caller's promise."""
        end = b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"
        self.send(_DOT_AT_LINE_START.sub(b"..", content) + end)

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


def readable(text: bytes) -> str:
    """A peer's words as they may be stored and shown: printable ASCII, at most 200 characters (H5)."""
    return _UNPRINTABLE.sub("?", text.decode("ascii", "replace"))[:TEXT_LENGTH]


FAILURES = (OSError, smtplib.SMTPException, UnicodeError)
"""All that a Dialogue raises for what the other side, or the name service, does."""
