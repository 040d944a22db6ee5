"""The addresses of MAIL and RCPT: one strict pattern, for what comes in and for what goes out (H5).

Takes the text of a command, gives the address or None. Narrower than RFC 5321 section 4.1.2 in that no comment and
no blank is allowed; a bare local part is let through (RFC 5321 section 4.5.1 wants `postmaster` to be).
"""

from __future__ import annotations

import re

_LOCAL = r"""(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+|"(?:[ !#-\[\]-~]|\\[ -~])*")"""
_DOMAIN = r"(?:[A-Za-z0-9._-]+|\[[A-Za-z0-9:.]+\])"
_ADDRESS = rf"{_LOCAL}(?:@{_DOMAIN})?"

_MAILBOX = re.compile(_ADDRESS)
_PATH = re.compile(rf"(?:<(?:@[A-Za-z0-9.,@_-]+:)?(?P<angle>{_ADDRESS})?>|(?P<bare>{_ADDRESS}))(?:\s+(?P<rest>.*))?")

NULL_PATH = "<>"
LONGEST = 320
"""Octets of the longest address: 64 for the local part, 255 for the domain (RFC 5321 section 4.5.3.1)."""


def split_path(argument: str) -> tuple[str, str] | None:
    """The address (`<>` when it is the null path) and the parameters that follow it; None when it is not a path."""
    found = _PATH.fullmatch(argument)
    if found is None:
        return None
    address = found["angle"] or found["bare"] or NULL_PATH
    if len(address) > LONGEST:
        return None
    return address, found["rest"] or ""


def is_address(text: str) -> bool:
    """Whether `text` can stand between the angle brackets of a command that we send."""
    return len(text) <= LONGEST and _MAILBOX.fullmatch(text) is not None
