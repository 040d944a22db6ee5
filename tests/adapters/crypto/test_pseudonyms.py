"""J4: what stands for an NIR, under the key of today and those of before."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from oct.crypto.private_files import write_key
from oct.crypto.pseudonyms import NOBODY, Pseudonyms, load_pseudonyms
from oct.errors import ConfigurationError

NIR = b"1850578006048"
KEYS = {"2025": bytes(range(32)), "2026": bytes(range(32, 64))}


def by_hand(key: bytes, text: bytes) -> bytes:
    """HMAC (RFC 2104), from its definition."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + text).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()


def test_a_pseudonym_is_the_start_of_an_hmac_under_the_last_key_by_name() -> None:
    assert Pseudonyms(KEYS).of(NIR) == by_hand(KEYS["2026"], b"oct/nir/1/" + NIR)[:16]


def test_older_keys_still_find_what_they_made() -> None:
    before = Pseudonyms({"2025": KEYS["2025"]}).of(NIR)
    now = Pseudonyms(KEYS)
    assert now.every(NIR) == [before, now.of(NIR)]
    assert len({before, now.of(NIR), now.of(NIR[::-1])}) == 3


def test_no_nir_is_nobody() -> None:
    assert Pseudonyms(KEYS).of(b"") == NOBODY


def test_keys_are_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="oct init"):
        load_pseudonyms(tmp_path)
    write_key(tmp_path / "2025.pseudonyme")
    before = load_pseudonyms(tmp_path)
    write_key(tmp_path / "2026.pseudonyme")
    assert load_pseudonyms(tmp_path).every(NIR)[0] == before.of(NIR)
    (tmp_path / "2027.pseudonyme").write_text("abc")
    with pytest.raises(ConfigurationError, match="cle-pseudonymes-illisible"):
        load_pseudonyms(tmp_path)
