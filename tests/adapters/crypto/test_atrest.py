"""Payloads at rest: a key each, wrapped by a master key; nothing altered goes unseen (T3, T4)."""

from __future__ import annotations

import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.crypto.atrest import SealedPayload, Vault, create_master_key, load_master_keys
from oct.errors import ConfigurationError, OctError

KEYS = {"2025": bytes(range(32)), "2026": bytes(range(1, 33))}


@pytest.fixture(scope="module")
def vault() -> Vault:
    return Vault(KEYS, "2026")


@given(st.binary(max_size=3000))
def test_what_is_sealed_opens_to_the_same_bytes(vault: Vault, content: bytes) -> None:
    assert vault.open(vault.seal(content)) == content


def test_t4_the_same_content_never_looks_the_same(vault: Vault) -> None:
    first, second = vault.seal(b"000" * 40), vault.seal(b"000" * 40)
    assert first.ciphertext != second.ciphertext
    assert first.wrapped_key != second.wrapped_key
    assert b"000000" not in first.ciphertext


@given(st.data())
def test_any_alteration_is_declared(vault: Vault, data: st.DataObject) -> None:
    sealed = vault.seal(b"000 FSE 999")
    wrapping = data.draw(st.booleans())
    value = bytearray(sealed.wrapped_key if wrapping else sealed.ciphertext)
    if data.draw(st.booleans()):
        value[data.draw(st.integers(0, len(value) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del value[data.draw(st.integers(0, len(value) - 1)) :]
    altered = replace(sealed, wrapped_key=bytes(value)) if wrapping else replace(sealed, ciphertext=bytes(value))
    with pytest.raises(OctError, match="contenu-altere"):
        vault.open(altered)


def test_parts_of_two_payloads_do_not_go_together(vault: Vault) -> None:
    first, second = vault.seal(b"000"), vault.seal(b"999")
    with pytest.raises(OctError, match="contenu-altere"):
        vault.open(replace(first, ciphertext=second.ciphertext))


def test_t3_without_its_wrapped_key_a_payload_is_gone(vault: Vault) -> None:
    with pytest.raises(OctError, match="contenu-altere"):
        vault.open(replace(vault.seal(b"000"), wrapped_key=b""))


def test_the_name_of_the_master_key_is_bound_to_the_wrapped_key() -> None:
    same_key_twice = Vault({"a": KEYS["2025"], "b": KEYS["2025"]}, "a")
    with pytest.raises(OctError, match="contenu-altere"):
        same_key_twice.open(replace(same_key_twice.seal(b"000"), key_id="b"))


def test_an_older_master_key_still_reads_and_rewrapping_frees_from_it(vault: Vault) -> None:
    old = Vault(KEYS, "2025").seal(b"000 FSE 999")
    assert vault.open(old) == b"000 FSE 999"
    renewed = vault.rewrap(old)
    assert renewed.key_id == "2026"
    assert renewed.ciphertext is old.ciphertext
    assert Vault({"2026": KEYS["2026"]}, "2026").open(renewed) == b"000 FSE 999"


def test_a_master_key_that_is_missing_is_named(vault: Vault) -> None:
    for act in (vault.open, vault.rewrap):
        with pytest.raises(ConfigurationError, match=r"cle-maitresse-absente.*2019"):
            act(SealedPayload("2019", b"", b""))
    with pytest.raises(ConfigurationError, match=r"cle-maitresse-absente.*2027"):
        Vault(KEYS, "2027")


def test_a_large_payload_is_copied_once(vault: Vault) -> None:
    content = os.urandom(8 << 20)
    tracemalloc.start()
    try:
        sealed = vault.seal(content)
        assert tracemalloc.get_traced_memory()[1] < 1.1 * len(content)
        tracemalloc.reset_peak()
        assert vault.open(sealed) == content
        assert tracemalloc.get_traced_memory()[1] < 2.1 * len(content)
    finally:
        tracemalloc.stop()


def test_master_keys_are_files_for_their_owner_alone(tmp_path: Path) -> None:
    for name in ("2026-b", "2025-a"):
        create_master_key(tmp_path / f"{name}.master")
    assert (tmp_path / "2025-a.master").stat().st_mode & 0o777 == 0o600
    keys = load_master_keys(tmp_path)
    assert list(keys) == ["2025-a", "2026-b"]
    assert {len(key) for key in keys.values()} == {32}
    assert keys["2025-a"] != keys["2026-b"]
    with pytest.raises(ConfigurationError, match="fichier-secret-existant"):
        create_master_key(tmp_path / "2026-b.master")
    assert load_master_keys(tmp_path) == keys


@pytest.mark.parametrize("content", [b"", b"abcd", b"zz" * 32, b"\xff" * 64, b"ab" * 33])
def test_a_damaged_master_key_names_its_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "2026.master").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"cle-maitresse-illisible.*2026\.master"):
        load_master_keys(tmp_path)
