"""The hosted mailboxes as their door uses them: logins, locks, one commit for what a QUIT does (P6, R6, H9)."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest
from argon2 import PasswordHasher

from oct.crypto.passwords import hash_password, needs_rehash
from oct.errors import RuleError
from oct.steps.mailbox import LEASE_MS, HostedMailboxes
from oct.store import mailboxes, payloads, practitioners
from oct.store.engine import Store
from tests.adapters.store.arrivals import NOW, VAULT, add_practitioner

PASSWORD = "k3fa-90xt-mm2e-7vqc"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass(slots=True)
class Time:
    """A clock that a test moves."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def hosted(store: Store, time: Time) -> HostedMailboxes:
    return HostedMailboxes(store, VAULT, time, os.urandom, "pop-essai-", remember_ms=1_000)


@pytest.fixture
def owner(store: Store) -> int:
    """A practitioner with a mailbox of two returns."""
    with store.begin() as conn:
        owner = add_practitioner(conn)
        practitioners.set_mailbox(conn, owner, "cabinet", hash_password(PASSWORD))
        for content in (b"un\r\n", b"deux\r\n"):
            payload_id = payloads.put(conn, VAULT, content, NOW)
            mailboxes.deposit(conn, owner, payload_id, None, len(content), NOW)
    return owner


def stored_password(store: Store) -> str:
    with store.read() as conn:
        found = practitioners.mailbox(conn, "cabinet")
    assert found is not None
    return found.password


def test_a_login_and_its_password_open_the_account(hosted: HostedMailboxes, owner: int) -> None:
    assert hosted.authenticate("cabinet", PASSWORD) == owner
    assert hosted.authenticate("cabinet", PASSWORD + "x") is None
    assert hosted.authenticate("cabinet", "") is None
    assert hosted.authenticate("inconnu", PASSWORD) is None


def test_a_verified_login_is_remembered_for_a_while_without_its_password(
    hosted: HostedMailboxes, store: Store, owner: int, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H9: what is kept is a keyed digest; a wrong password is checked each time."""
    checks: list[str] = []

    def counted(stored: str, password: str) -> bool:
        checks.append(password)
        return password == PASSWORD

    monkeypatch.setattr("oct.steps.mailbox.verify_password", counted)
    for _ in range(3):
        assert hosted.authenticate("cabinet", PASSWORD) == owner
    assert checks == [PASSWORD]
    assert hosted.authenticate("cabinet", "wrong") is None
    assert hosted.authenticate("cabinet", "wrong") is None
    time.now += 1_000
    assert hosted.authenticate("cabinet", PASSWORD) == owner
    assert checks == [PASSWORD, "wrong", "wrong", PASSWORD]
    assert all(PASSWORD.encode() not in proof for proof in hosted._verified)


def test_a_changed_password_counts_at_once(hosted: HostedMailboxes, store: Store, owner: int) -> None:
    assert hosted.authenticate("cabinet", PASSWORD) == owner
    with store.begin() as conn:
        practitioners.set_mailbox(conn, owner, "cabinet", CHEAP.hash("autre"))
    assert hosted.authenticate("cabinet", PASSWORD) is None
    assert hosted.authenticate("cabinet", "autre") == owner


def test_a_password_hashed_with_older_costs_is_hashed_anew(hosted: HostedMailboxes, store: Store, owner: int) -> None:
    with store.begin() as conn:
        practitioners.set_mailbox(conn, owner, "cabinet", CHEAP.hash(PASSWORD))
    assert hosted.authenticate("cabinet", PASSWORD) == owner
    assert not needs_rehash(stored_password(store))
    assert hosted.authenticate("cabinet", PASSWORD) == owner


def test_a_closed_account_still_reads_its_returns(hosted: HostedMailboxes, store: Store, owner: int) -> None:
    with store.begin() as conn:
        practitioners.close(conn, owner, NOW)
    assert hosted.authenticate("cabinet", PASSWORD) == owner


def test_an_open_mailbox_is_in_use_until_it_is_closed_or_its_lease_ends(
    hosted: HostedMailboxes, store: Store, owner: int, time: Time
) -> None:
    first = hosted.open(owner)
    assert first is not None
    assert [hosted.fetch(item) for item in first.items] == [b"un\r\n", b"deux\r\n"]
    assert hosted.open(owner) is None
    time.now += LEASE_MS
    hosted.renew([first.reader])
    time.now += LEASE_MS
    assert hosted.open(owner) is None
    time.now += 1
    second = hosted.open(owner)
    assert second is not None
    assert not hosted.close(first, [first.items[0].id])
    hosted.release(first)
    assert hosted.open(owner) is None
    assert hosted.close(second, [second.items[0].id])
    third = hosted.open(owner)
    assert third is not None
    assert third.items == second.items[1:]


def test_a_predecessor_that_died_gives_its_mailboxes_back(hosted: HostedMailboxes, store: Store, owner: int) -> None:
    assert hosted.open(owner) is not None
    successor = HostedMailboxes(store, VAULT, Time(), os.urandom, "pop-essai-")
    assert successor.take_back() == 1
    assert successor.open(owner) is not None


def test_a_content_past_its_retention_is_said_so(hosted: HostedMailboxes, store: Store, owner: int) -> None:
    maildrop = hosted.open(owner)
    assert maildrop is not None
    with store.begin() as conn:
        payloads.destroy(conn, maildrop.items[0].payload_id, NOW)
    with pytest.raises(RuleError, match="contenu-detruit"):
        hosted.fetch(maildrop.items[0])
