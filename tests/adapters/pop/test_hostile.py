"""Limits, guesses, surprises: whatever a peer does, others are served and nothing is removed (H2, H9, H10)."""

from __future__ import annotations

import asyncio
import poplib
import threading
from collections.abc import Collection
from dataclasses import replace
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oct.pop.mailboxes import Maildrop
from oct.pop.throttle import Slowness
from tests.adapters.pop.boxes import LOGIN, PASSWORD, Opened, Opener, letter

OWNER = 1

_WORDS = [b"USER cabinet1\r\n", b"PASS " + PASSWORD.encode() + b"\r\n", b"AUTH PLAIN\r\n", b"CAPA\r\n", b"LIST\r\n"]
_WORDS += [b"RETR 1\r\n", b"TOP 1 1\r\n", b"DELE 1\r\n", b"RSET\r\n", b"UIDL 2\r\n", b"STAT\r\n", b"\r\n", b"\n"]


def served(opened: Opened) -> bool:
    """An honest client gets its mailbox."""
    client = opened.logged_in()
    shown = client.stat()[0]
    client.quit()
    return shown == 3


def test_any_octets_give_an_answer_or_a_close(opens: Opener) -> None:
    """H10: never an exception, never a message removed without QUIT."""
    opened = opens(clear=True, logins=1000, slowness=Slowness(first=0.0))
    pieces = st.lists(st.sampled_from(_WORDS) | st.binary(max_size=40), max_size=12).map(b"".join)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(pieces.filter(lambda said: b"QUIT" not in said.upper() and b"STLS" not in said.upper()))
    def say(said: bytes) -> None:
        with opened.peer() as peer:
            peer.say(said)
            peer.sock.shutdown(1)
            heard = peer.rest()
        assert heard.startswith(b"+OK boites.oct.test POP3 pret\r\n")
        assert b"[SYS/" not in heard
        assert opened.house.counts(OWNER).visible == 3

    say()
    assert served(opened)


def test_a_line_too_long_ends_the_session(opens: Opener) -> None:
    """RFC 2449, 4: 255 octets with the line end, 12,288 in an AUTH exchange."""
    opened = opens(clear=True)
    with opened.peer() as peer:
        peer.line()
        assert peer.ask(b"USER " + b"a" * 248) == b"+OK Mot de passe ?\r\n"
        peer.say(b"USER " + b"a" * 249 + b"\r\n")
        assert peer.rest() == b"-ERR Ligne trop longue\r\n"
    with opened.peer() as peer:
        peer.line()
        peer.ask(b"AUTH PLAIN")
        assert peer.ask(b"A" * 12_286).startswith(b"-ERR [AUTH] ")
        peer.ask(b"AUTH PLAIN")
        peer.say(b"A" * 12_300)
        assert peer.rest() == b"-ERR Ligne trop longue\r\n"


def test_nonsense_ends_the_session_after_a_while(opens: Opener) -> None:
    with opens(bad_commands=5).peer() as peer:
        peer.line()
        peer.say(b"GET / HTTP/1.1\r\n" * 50)
        assert peer.rest() == b"-ERR Commande inconnue\r\n" * 5


def test_three_wrong_logins_end_the_session(opens: Opener) -> None:
    opened = opens(clear=True)
    with opened.peer() as peer:
        peer.line()
        peer.say(b"USER cabinet1\r\nPASS wrong\r\n" * 4)
        answers = peer.rest()
        assert answers.count(b"-ERR [AUTH] Identifiant ou mot de passe incorrect\r\n") == 3
    assert served(opened)


def test_guesses_at_once_from_one_address_are_refused_but_the_practitioner_gets_in(opens: Opener) -> None:
    """H9: a delay that grows, one guess at a time; an address that has opened the mailbox before does not wait."""
    opened = opens(clear=True, slowness=Slowness(first=20.0, cap=20.0))
    assert served(opened)
    with opened.peer() as first, opened.peer() as second:
        for peer in (first, second):
            peer.line()
        first.say(b"USER victime\r\nPASS wrong\r\n")
        first.line()
        assert first.line().startswith(b"-ERR [AUTH] ")
        first.say(b"USER victime\r\nPASS wrong\r\n")
        assert served(opened)
        second.say(b"USER autre\r\nPASS wrong\r\n")
        second.line()
        assert second.line().startswith(b"-ERR [LOGIN-DELAY] ")


def test_a_silent_peer_is_sent_away(opens: Opener) -> None:
    opened = opens(clear=True, idle_seconds=0.2)
    with opened.peer() as peer:
        peer.line()
        peer.say(f"USER {LOGIN}\r\nPASS {PASSWORD}\r\nDELE 1\r\n".encode())
        assert peer.rest().count(b"+OK") == 3
    assert opened.house.counts(OWNER).hidden == 0
    with opens(clear=True, login_seconds=0.2).peer() as peer:
        peer.line()
        assert peer.rest() == b""


def test_an_address_has_its_share_of_connections(opens: Opener) -> None:
    opened = opens(connections_per_address=2)
    with opened.peer() as first, opened.peer() as second:
        first.line()
        second.line()
        with opened.peer() as third:
            assert third.rest().startswith(b"-ERR [SYS/TEMP] ")
        with opened.peer(1) as fourth:
            assert fourth.rest() == b""
        first.ask(b"QUIT")
        first.rest()
    assert served(opened)


def test_a_peer_that_does_not_read_is_cut_and_its_mailbox_given_back(opens: Opener) -> None:
    opened = opens(clear=True, stall_seconds=0.2)
    opened.house.put(OWNER, letter(LOGIN, 9, lines=1_500_000))
    with opened.peer() as peer:
        peer.say(f"USER {LOGIN}\r\nPASS {PASSWORD}\r\nRETR 4\r\n".encode())
        client = _opens_at_last(opened)
        assert client.stat()[0] == 4
        client.quit()
    assert opened.house.trace() == []


def _opens_at_last(opened: Opened) -> poplib.POP3_SSL:
    """A session on the mailbox, as soon as nobody else has it."""
    while True:
        try:
            return opened.logged_in()
        except poplib.error_proto:
            continue


def test_a_failing_store_is_a_temporary_failure_at_every_command(opens: Opener) -> None:
    def fails(*_: object) -> NoReturn:
        raise RuntimeError("secret")

    whole = opens(clear=True)
    for broken in ("authenticate", "open", "fetch", "close"):
        opened = opens(clear=True, mailboxes=replace(whole.house.instant_logins(), **{broken: fails}))
        with opened.peer() as peer:
            peer.line()
            peer.say(f"USER {LOGIN}\r\nPASS {PASSWORD}\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n".encode())
            heard = peer.rest()
            assert b"-ERR [SYS/TEMP] " in heard
            assert b"secret" not in heard
        assert whole.house.counts(OWNER).hidden == (1 if broken == "fetch" else 0)
        if broken == "fetch":
            with whole.house.store.begin() as conn:
                conn.exec_driver_sql("UPDATE mailbox_items SET hidden_at = NULL")
    assert served(whole)


def test_what_could_not_be_noted_is_noted_at_the_next_line_and_locks_that_stay_end_by_themselves(
    opens: Opener, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = opens(clear=True)
    real = whole.house.instant_logins()
    failures = iter([True])

    def fetched(maildrop: Maildrop, ids: Collection[int]) -> None:
        if next(failures, False):
            raise RuntimeError
        real.fetched(maildrop, ids)

    def release(_: Maildrop) -> NoReturn:
        raise RuntimeError

    opened = opens(clear=True, mailboxes=replace(real, fetched=fetched, release=release))
    with opened.peer() as peer:
        peer.line()
        peer.say(f"USER {LOGIN}\r\nPASS {PASSWORD}\r\nRETR 1\r\nNOOP\r\nNOOP\r\nFIN\r\n".encode())
        while peer.line() != b"-ERR Commande inconnue\r\n":
            pass
        assert [event.kind for event in whole.house.trace()] == ["releve"]
        peer.sock.shutdown(1)
        assert peer.rest() == b""
    assert capsys.readouterr().out.count("pop-surprise") == 2
    assert whole.house.hosted.take_back() == 1
    assert served(whole)


def test_locks_are_kept_for_as_long_as_their_sessions(opens: Opener) -> None:
    whole = opens(clear=True)
    real = whole.house.instant_logins()
    kept: list[str] = []
    twice = threading.Event()

    def renew(readers: Collection[str]) -> None:
        kept.extend(readers)
        if len(kept) == 1:
            raise RuntimeError
        real.renew(readers)
        twice.set()

    opened = opens(mailboxes=replace(real, renew=renew), renew_seconds=0.02)
    client = opened.logged_in()
    assert twice.wait(20)
    assert len(set(kept)) == 1
    client.quit()


def test_a_stop_ends_silent_sessions_at_once_and_removes_nothing(opens: Opener) -> None:
    """P5."""
    opened = opens(clear=True)
    with opened.peer() as peer:
        peer.line()
        peer.say(f"USER {LOGIN}\r\nPASS {PASSWORD}\r\nDELE 1\r\n".encode())
        assert [peer.line()[:3] for _ in range(3)] == [b"+OK"] * 3
        opened.loop.run(opened.server.stop(10))
        assert peer.rest() == b""
    assert opened.house.counts(OWNER).hidden == 0
    assert opened.house.hosted.take_back() == 0


def test_a_stop_lets_an_answer_under_way_go_out(opens: Opener) -> None:
    """P5: a QUIT that was heard is carried out and answered."""
    whole = opens(clear=True)
    real = whole.house.instant_logins()
    closing, go_on = threading.Event(), threading.Event()

    def close(maildrop: Maildrop, ids: Collection[int]) -> bool:
        closing.set()
        go_on.wait(20)
        return real.close(maildrop, ids)

    opened = opens(clear=True, mailboxes=replace(real, close=close))
    with opened.peer() as peer:
        peer.line()
        peer.say(f"USER {LOGIN}\r\nPASS {PASSWORD}\r\nDELE 1\r\nQUIT\r\n".encode())
        assert closing.wait(20)
        stopping = opened.loop.begin(opened.server.stop(10))
        opened.loop.run(asyncio.sleep(0.05))
        go_on.set()
        assert peer.rest().endswith(b"+OK Au revoir\r\n")
        stopping.result(20)
    assert whole.house.counts(OWNER).hidden == 1
