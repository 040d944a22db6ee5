"""Passwords of hosted mailboxes and of the console: hashed with argon2id (RFC 9106, second recommended option).

The only home of argon2-cffi. One hash or check takes a tenth of a second and 64 MiB: callers keep the number of those
that run at once small. Nothing here fails on a wrong password or on a stored text that is no hash: it does not match.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's 32 signs: nothing to be taken for something else when read aloud or copied by hand."""
_GROUPS, _GROUP = 4, 4


def hash_password(password: str) -> str:
    """The text to store: algorithm, costs, salt and hash."""
    return _HASHER.hash(password)


def verify_password(stored: str, password: str) -> bool:
    """Whether this is the password of a stored hash."""
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError, UnicodeError):
        return False


def needs_rehash(stored: str) -> bool:
    """Whether a hash that has just been verified was made with other costs than today's."""
    return _HASHER.check_needs_rehash(stored)


def generate_password(chance: Callable[[int], bytes]) -> str:
    """A password of 80 bits that can be dictated, as `k3fa-90xt-mm2e-7vqc`. `chance(n)` gives n random bytes."""
    signs = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in chance(_GROUPS * _GROUP))
    return "-".join(signs[start : start + _GROUP] for start in range(0, len(signs), _GROUP))


def token_digest(token: str) -> bytes:
    """By what a random token is known: 32 bytes. Nobody guesses its 256 bits, so that SHA-256 is enough."""
    return hashlib.sha256(token.encode()).digest()
