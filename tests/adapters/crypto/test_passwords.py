"""Passwords: argon2id, and nothing raised whatever is compared (H9)."""

from __future__ import annotations

import os

from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from oct.crypto.passwords import generate_password, hash_password, needs_rehash, verify_password


def test_a_password_is_hashed_with_argon2id_and_a_salt_of_its_own() -> None:
    one, two = hash_password("ouvre-toi"), hash_password("ouvre-toi")
    assert one.startswith("$argon2id$")
    assert one != two
    assert verify_password(one, "ouvre-toi")
    assert not verify_password(one, "ouvre-Toi")
    assert not needs_rehash(one)


def test_a_hash_of_older_costs_matches_and_says_so() -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("ouvre-toi")
    assert verify_password(old, "ouvre-toi")
    assert needs_rehash(old)


@given(st.text(alphabet=st.characters(codec="utf-8")), st.text(alphabet=st.characters(codec="utf-8")))
def test_a_stored_text_that_is_no_hash_matches_nothing(stored: str, password: str) -> None:
    assert not verify_password(stored, password)


def test_a_generated_password_can_be_dictated_and_never_repeats() -> None:
    made = {generate_password(os.urandom) for _ in range(200)}
    assert len(made) == 200
    assert generate_password(lambda count: bytes(range(count))) == "0123-4567-89ab-cdef"
    assert all(len(one) == 19 and not set(one) & set("ilou") for one in made)
