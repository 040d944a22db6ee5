"""POP3's grammar, without a socket: command lines, message numbers, AUTH PLAIN, multi-line answers.

Pure functions from bytes to values and back; what does not follow the grammar gives None, never an exception.

Sources: RFC 1939 sections 3 and 5, RFC 2449 section 4, RFC 4616 (PLAIN), RFC 5034.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

LINE_OCTETS = 255
"""A command with its CRLF (RFC 2449, 4)."""

AUTH_OCTETS = 12288
"""A line of an AUTH exchange with its CRLF (RFC 5034, 4, after RFC 4422)."""

_COMMAND = re.compile(rb"([A-Za-z]{3,4})(?: (.*))?")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_NUMBER = re.compile(rb"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a peer claims."""

    login: str
    password: str = field(repr=False)


def split_command(line: bytes) -> tuple[bytes, bytes] | None:
    """The keyword in upper case and what follows its blank; None for what is no command."""
    match = _COMMAND.fullmatch(line)
    if match is None or _CONTROL.search(line):
        return None
    return match[1].upper(), match[2] or b""


def numbers(argument: bytes) -> tuple[int, ...] | None:
    """The numbers of an argument, separated by one blank each; None when one is not a number."""
    words = argument.split(b" ") if argument else []
    if any(_NUMBER.fullmatch(word) is None for word in words):
        return None
    return tuple(int(word) for word in words)


def credentials(login: bytes, password: bytes) -> Credentials | None:
    """A login and a password as text; None for what is empty, holds controls, or is not UTF-8."""
    if not login or not password or _CONTROL.search(login) or _CONTROL.search(password):
        return None
    try:
        return Credentials(login.decode(), password.decode())
    except UnicodeDecodeError:
        return None


def plain_credentials(response: bytes) -> Credentials | None:
    """The credentials of AUTH PLAIN's base64 response; who asks to act for somebody else gets None (RFC 4616, 2)."""
    try:
        parts = base64.b64decode(response, validate=True).split(b"\0")
    except ValueError:
        return None
    if len(parts) != 3 or parts[0] not in {b"", parts[1]}:
        return None
    return credentials(parts[1], parts[2])


def listed(first: str, lines: Iterable[str]) -> bytes:
    """A multi-line answer of short lines that need no dot-stuffing."""
    return "".join(f"{line}\r\n" for line in (first, *lines, ".")).encode("ascii")


def stuffed(content: bytes) -> bytes:
    """A message as the rest of a multi-line answer: dots doubled at the start of lines, and the final dot."""
    body = content.replace(b"\r\n.", b"\r\n..")
    start = b"." if body.startswith(b".") else b""
    end = b"" if not body or body.endswith(b"\r\n") else b"\r\n"
    return b"".join((start, body, end, b".\r\n"))


def top(content: bytes, count: int) -> bytes:
    """The headers, the empty line and the first `count` lines of the body (RFC 1939, 7)."""
    body = content.find(b"\r\n\r\n") + 4
    if body < 4:
        return content
    end = body
    for _ in range(count):
        found = content.find(b"\r\n", end)
        if found < 0:
            return content
        end = found + 2
    return content[:end]
