"""Reads DATA in chunks, without I/O: chunks in, the message out, and what stood behind the final dot.

Three to five times the speed of a reading line by line, with the same strictness: only CRLF . CRLF ends the data
(RFC 5321 section 4.1.1.4), so no variant of it (LF . LF, LF . CRLF, CR . CR…) can smuggle a second message (H1).
Bare LF becomes CRLF; bare CR and NUL, a line too long, a message too big or a full memory are faults: what was read is
forgotten at once, the rest is read to its end and forgotten too, and the session stays usable.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from io import BytesIO, IncrementalNewlineDecoder

from oct.smtp.memory import Memory

_BARE_LF = re.compile(rb"(?<!\r)\n")
CRLF = "\r\n"
_PIECE = 1 << 15
"""Octets that are looked at together. A copy of more of them is new memory each time, which costs eight times the
copying."""


class DataFault(Enum):
    """Why a message that was read to its end is not taken."""

    TOO_BIG = auto()
    NO_MEMORY = auto()
    LINE_TOO_LONG = auto()
    FORBIDDEN_CONTROL = auto()


class DataReader:
    """One DATA: `feed` it until it gives something else than None, then look at `fault` and `take()`.

    `size_limit` counts the octets of the message, `line_octets` those of a line without its end. What it keeps is
    taken from `memory`; `held` octets are to be given back by the owner.
    """

    def __init__(self, *, size_limit: int, line_octets: int, memory: Memory) -> None:
        self._size_limit = size_limit
        self._line_octets = line_octets
        self._memory = memory
        self._kept = BytesIO()
        self._pending = b""
        self._after_crlf = True
        self.held = 0
        self.fault: DataFault | None = None

    def feed(self, chunk: bytes) -> bytes | None:
        """Take the next octets; None while the end has not come, else the octets that follow the end."""
        for start in range(0, len(chunk), _PIECE):
            rest = self._feed(chunk[start : start + _PIECE])
            if rest is not None:
                return rest + chunk[start + _PIECE :]
        return None

    def _feed(self, piece: bytes) -> bytes | None:
        data = self._pending + piece
        end = self._find_end(data)
        if end >= 0:
            self._keep(data[:end])
            return data[end + 3 :]
        cut = data.rfind(b"\n") + 1
        if cut:
            self._keep(data[:cut])
            self._after_crlf = data[cut - 2 : cut] == b"\r\n"
        self._hold_back(data[cut:])
        return None

    def take(self) -> bytes:
        """The message, handed over: meaningful when the end has come and `fault` is None."""
        kept, self._kept = self._kept, BytesIO()
        return kept.getvalue()

    def forget(self) -> None:
        """Drop what was kept and give its memory back."""
        self._kept = BytesIO()
        self._memory.give(self.held)
        self.held = 0

    def _find_end(self, data: bytes) -> int:
        """Where the line of the final dot begins, or -1."""
        if self._after_crlf and data.startswith(b".\r\n"):
            return 0
        if b"." not in data:  # base64 has none: the common piece is told at the speed of memchr
            return -1
        found = data.find(b"\r\n.\r\n")
        return found + 2 if found >= 0 else -1

    def _hold_back(self, unfinished: bytes) -> None:
        """Keep a line whose end has not come; of one too long, only the last octet, which may be half a CRLF."""
        if len(unfinished) > self._line_octets + 2:
            self._fail(DataFault.LINE_TOO_LONG)
            unfinished = unfinished[-1:]
            self._after_crlf = False
        self._pending = unfinished

    def _keep(self, lines: bytes) -> None:
        """Keep whole lines: un-dot-stuffed, ended by CRLF, within the limits."""
        if self.fault is not None:
            return
        if self._after_crlf and lines.startswith(b"."):
            lines = lines[1:]
        if lines.find(b"\r\n.", 0, lines.rfind(b".") + 1) >= 0:  # behind the last dot, in base64, there is none
            lines = lines.replace(b"\r\n.", b"\r\n")
        ends = line_ends(lines)
        if "\r" in ends or b"\0" in lines:
            self._fail(DataFault.FORBIDDEN_CONTROL)
            return
        if "\n" in ends:
            lines = _BARE_LF.sub(b"\r\n", lines)
        if has_long_line(lines, self._line_octets):
            self._fail(DataFault.LINE_TOO_LONG)
        elif self.held + len(lines) > self._size_limit:
            self._fail(DataFault.TOO_BIG)
        elif not self._memory.take(len(lines)):
            self._fail(DataFault.NO_MEMORY)
        else:
            self.held += len(lines)
            self._kept.write(lines)

    def _fail(self, fault: DataFault) -> None:
        if self.fault is None:
            self.fault = fault
            self.forget()


def line_ends(lines: bytes) -> frozenset[str]:
    """Which line ends there are: CRLF, bare CR, bare LF. Python's own reader of text files tells them in one pass, at
    four times the speed of counting."""
    decoder = IncrementalNewlineDecoder(None, translate=False)
    for start in range(0, len(lines), _PIECE):
        decoder.decode(lines[start : start + _PIECE].decode("latin-1"))
    decoder.decode("", final=True)
    seen = decoder.newlines or ()
    return frozenset(seen if isinstance(seen, tuple) else (seen,))


def has_long_line(lines: bytes, line_octets: int) -> bool:
    """Whether a line, its CRLF left out, exceeds `line_octets`.

    Every window of a line's greatest length must hold a line end: the search leaps from window to window.
    """
    window = line_octets + 2
    start = 0
    while len(lines) - start > window:
        last = lines.rfind(b"\n", start, start + window)
        if last < 0:
            return True
        start = last + 1
    return False
