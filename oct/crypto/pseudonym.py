"""Keyed pseudonyms: what the log writes instead of an NIR or a name (J4).

Whoever holds the key can compute one again and so still ask for "this patient's claims"; nobody else can go back.
"""

from __future__ import annotations

import hmac

_HEX_DIGITS = 32  # 128 bits


def pseudonym(key: bytes, value: str) -> str:
    """HMAC-SHA-256 of `value` (UTF-8) under `key`, its first 128 bits in lower-case hexadecimal."""
    return hmac.digest(key, value.encode(), "sha256").hex()[:_HEX_DIGITS]
