"""Codes of six digits that change every 30 seconds (TOTP, RFC 6238), as telephone applications show them.

The only home of pyotp. A secret is 20 bytes (RFC 4226 §4). A code of the step before or after the present one is taken
too, for clocks that differ; that no code serves twice is the caller's to see, by the step that is given back.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable

import pyotp

_SECRET_BYTES = 20
_STEP_MS = 30_000
_NEIGHBOURS = (0, -1, 1)


def generate_secret(chance: Callable[[int], bytes]) -> bytes:
    """A new secret. `chance(n)` gives n random bytes."""
    return chance(_SECRET_BYTES)


def matching_step(secret: bytes, code: str, now: int) -> int | None:
    """The step whose code this is, around the instant `now` (ms); None when it is no such code."""
    digits = "".join(code.split()).encode()
    steps = (now // _STEP_MS + away for away in _NEIGHBOURS)
    return next((step for step in steps if hmac.compare_digest(_code(secret, step).encode(), digits)), None)


def code_at(secret: bytes, now: int) -> str:
    """The code of the instant `now` (ms), as a telephone shows it."""
    return _code(secret, now // _STEP_MS)


def _code(secret: bytes, step: int) -> str:
    return pyotp.TOTP(secret_text(secret)).generate_otp(step)


def secret_text(secret: bytes) -> str:
    """The secret as it is typed in (base 32)."""
    return base64.b32encode(secret).decode("ascii")


def enrolment_uri(secret: bytes, login: str, issuer: str) -> str:
    """What a telephone scans: an otpauth URI."""
    return pyotp.TOTP(secret_text(secret)).provisioning_uri(name=login, issuer_name=issuer)
