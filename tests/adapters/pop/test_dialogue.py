"""The state machine of RFC 1939, command by command (P6)."""

from __future__ import annotations

import base64
import poplib

import pytest

from oct.pop.wire import Credentials
from tests.adapters.pop.boxes import LOGIN, PASSWORD, Opened, Opener, Peer, letter

OWNER = 1

_WRONG = b"RETR|RETR 0|RETR 4|RETR 1 1|RETR -1|RETR 1x|RETR 99999999999999|TOP 1|TOP 1 -1|DELE|DELE 0|LIST 1 2|LIST 9"
_REFUSED = [
    *(_WRONG + b"|STAT 1|NOOP x|QUIT now|CAPA x|RSET 1|HELO x|| |RETR\x001|\xc3\xa9").split(b"|"),
    *b"USER cabinet1|PASS x|STLS|AUTH PLAIN".split(b"|"),  # too late
]
_PLAIN = [b"cabinet1", b"other\0cabinet1\0" + PASSWORD.encode(), b"\0cabinet1\0wrong", b"\0\0", b"\0\xff\0x"]


def clear(opened: Opened) -> Peer:
    """A peer in the TRANSACTION state, in clear as the operator allowed it."""
    peer = opened.peer()
    assert peer.line().startswith(b"+OK ")
    assert peer.ask(b"USER " + LOGIN.encode()).startswith(b"+OK")
    assert peer.ask(b"PASS " + PASSWORD.encode()).startswith(b"+OK 3 ")
    return peer


def test_the_greeting_offers_no_apop(opens: Opener) -> None:
    with opens(clear=True).peer() as peer:
        assert peer.line() == b"+OK boites.oct.test POP3 pret\r\n"
        assert peer.ask(b"APOP cabinet1 c4c9334bac560ecc979e58001b3e22fb").startswith(b"-ERR ")


def test_stat_list_and_uidl_agree(opens: Opener) -> None:
    opened = opens(clear=True)
    with clear(opened) as peer:
        items = opened.house.listing(OWNER)
        assert peer.ask(b"STAT") == f"+OK 3 {sum(item.size for item in items)}\r\n".encode()
        assert peer.ask(b"LIST") == b"+OK\r\n"
        assert peer.lines() == [f"{n} {item.size}\r\n".encode() for n, item in enumerate(items, 1)]
        assert peer.ask(b"UIDL") == b"+OK\r\n"
        assert peer.lines() == [f"{n} {item.uid}\r\n".encode() for n, item in enumerate(items, 1)]
        assert peer.ask(b"LIST 2") == f"+OK 2 {items[1].size}\r\n".encode()
        assert peer.ask(b"uidl 3") == f"+OK 3 {items[2].uid}\r\n".encode()


def test_retr_gives_the_message_byte_for_byte(opens: Opener) -> None:
    """R1; dots at the start of lines are doubled on the wire only (RFC 1939, 3)."""
    with clear(opens(clear=True)) as peer:
        assert peer.ask(b"RETR 1") == b"+OK\r\n"
        wire = peer.lines()
        assert b"..\r\n" in wire
        assert b"...deux\r\n" in wire
        assert b"".join(line[1:] if line.startswith(b".") else line for line in wire) == letter(LOGIN, 1)


def test_top_gives_headers_and_as_many_lines_as_asked(opens: Opener) -> None:
    with clear(opens(clear=True)) as peer:
        assert peer.ask(b"TOP 1 0") == b"+OK\r\n"
        assert peer.lines() == [b"Subject: retour 1\r\n", b"X-Boite: cabinet1\r\n", b"\r\n"]
        assert peer.ask(b"TOP 1 2") == b"+OK\r\n"
        assert peer.lines()[3:] == [b"cabinet1/1\r\n", b"..\r\n"]
        assert peer.ask(b"TOP 1 99999") == b"+OK\r\n"
        assert len(peer.lines()) == 9


def test_a_marked_message_is_gone_for_the_session_and_rset_brings_it_back(opens: Opener) -> None:
    with clear(opens(clear=True)) as peer:
        assert peer.ask(b"DELE 2") == b"+OK\r\n"
        for command in (b"DELE 2", b"RETR 2", b"LIST 2", b"UIDL 2", b"TOP 2 0"):
            assert peer.ask(command).startswith(b"-ERR ")
        assert peer.ask(b"STAT").startswith(b"+OK 2 ")
        assert peer.ask(b"RSET").startswith(b"+OK")
        assert peer.ask(b"STAT").startswith(b"+OK 3 ")
        assert peer.ask(b"NOOP") == b"+OK\r\n"


@pytest.mark.parametrize(
    "command",
    _REFUSED,
)
def test_what_is_not_allowed_is_refused_and_harms_nothing(opens: Opener, command: bytes) -> None:
    with clear(opens(clear=True)) as peer:
        assert peer.ask(command).startswith(b"-ERR ")
        assert peer.ask(b"STAT").startswith(b"+OK 3 ")


def test_before_a_login_there_is_no_mailbox(opens: Opener) -> None:
    with opens(clear=True).peer() as peer:
        peer.line()
        for command in (b"STAT", b"LIST", b"UIDL", b"RETR 1", b"TOP 1 0", b"DELE 1", b"RSET", b"NOOP", b"PASS x"):
            assert peer.ask(command).startswith(b"-ERR ")
        assert peer.ask(b"QUIT").startswith(b"+OK")
        assert peer.rest() == b""


def test_only_quit_removes_and_the_copy_stays(opens: Opener) -> None:
    """P6, R6: a session that ends without QUIT removes nothing."""
    opened = opens(clear=True)
    with clear(opened) as peer:
        peer.ask(b"DELE 1")
    with clear(opened) as peer:
        assert peer.ask(b"STAT").startswith(b"+OK 3 ")
        peer.ask(b"DELE 1")
        assert peer.ask(b"QUIT") == b"+OK Au revoir\r\n"
        assert peer.rest() == b""
    assert [item.id for item in opened.house.listing(OWNER)] == [2, 3]
    counts = opened.house.counts(OWNER)
    assert (counts.visible, counts.hidden) == (2, 1)


def test_a_dropped_connection_gives_the_mailbox_back_at_once(opens: Opener) -> None:
    opened = opens(clear=True)
    for _ in range(5):
        peer = clear(opened)
        peer.sock.close()


def test_a_mailbox_has_one_reader(opens: Opener) -> None:
    opened = opens(clear=True)
    with clear(opened) as first, opened.peer() as second:
        second.line()
        second.ask(b"USER cabinet1")
        assert second.ask(b"PASS " + PASSWORD.encode()).startswith(b"-ERR [IN-USE] ")
        first.ask(b"QUIT")
        second.ask(b"USER cabinet1")
        assert second.ask(b"PASS " + PASSWORD.encode()).startswith(b"+OK 3 ")


def test_a_lock_that_was_lost_removes_nothing(opens: Opener) -> None:
    """The database was away for longer than the lease, and somebody else reads: RFC 1939's UPDATE fails whole."""
    opened = opens(clear=True)
    with clear(opened) as peer:
        peer.ask(b"DELE 1")
        assert opened.house.hosted.take_back() == 1
        assert peer.ask(b"QUIT").startswith(b"-ERR [SYS/TEMP] ")
    assert opened.house.counts(OWNER).hidden == 0


def test_when_a_return_was_read_is_in_its_trace(opens: Opener) -> None:
    """R5: read means that the program went on after it; TOP of a part is no reading."""
    opened = opens(clear=True)
    with clear(opened) as peer:
        peer.ask(b"TOP 2 1")
        peer.lines()
        peer.ask(b"RETR 1")
        peer.lines()
        assert peer.ask(b"NOOP") == b"+OK\r\n"
        assert [event.kind for event in opened.house.trace()] == ["releve"]
        peer.ask(b"DELE 1")
        peer.ask(b"QUIT")
    story = [(event.kind, event.data["depot"], event.practitioner_id) for event in opened.house.trace()]
    assert story == [("releve", 1, OWNER), ("efface", 1, OWNER)]


def test_commands_sent_ahead_are_answered_in_order(opens: Opener) -> None:
    """RFC 2449, 6.8: PIPELINING."""
    with opens(clear=True).peer() as peer:
        peer.line()
        login = f"USER {LOGIN}\r\nPASS {PASSWORD}\r\n".encode()
        peer.say(login + b"STAT\r\nNOOP\r\nLIST 1\r\nDELE 1\r\n" + b"NOOP\r\n" * 4000 + b"QUIT\r\n")
        answers = peer.rest().splitlines()
        assert [line.split(b" ")[0] for line in answers] == [b"+OK"] * 4007
        assert answers[2].startswith(b"+OK 3 ")
        assert answers[-1] == b"+OK Au revoir"


def test_auth_plain_takes_its_response_on_either_line(opens: Opener) -> None:
    """RFC 5034."""
    response = base64.b64encode(f"\0{LOGIN}\0{PASSWORD}".encode())
    opened = opens(clear=True)
    with opened.peer() as peer:
        peer.line()
        assert peer.ask(b"AUTH PLAIN " + response).startswith(b"+OK 3 ")
        peer.ask(b"QUIT")
    with opened.peer() as peer:
        peer.line()
        assert peer.ask(b"auth plain") == b"+ \r\n"
        assert peer.ask(b"*").startswith(b"-ERR ")
        assert peer.ask(b"AUTH PLAIN") == b"+ \r\n"
        assert peer.ask(response).startswith(b"+OK 3 ")


@pytest.mark.parametrize(
    "response",
    [b"!!!", b"=", *(base64.b64encode(claim) for claim in _PLAIN)],
)
def test_a_wrong_auth_response_is_a_wrong_login(opens: Opener, response: bytes) -> None:
    with opens(clear=True).peer() as peer:
        peer.line()
        assert peer.ask(b"AUTH PLAIN " + response).startswith(b"-ERR [AUTH] ")


def test_what_cannot_be_read_now_is_a_temporary_failure(opens: Opener, capsys: pytest.CaptureFixture[str]) -> None:
    """A surprise is `[SYS/TEMP]`, its text stays inside, and the session goes on."""
    opened = opens(clear=True)
    broken = opened.house.listing(OWNER)[0].payload_id
    with opened.house.store.begin() as conn:
        conn.exec_driver_sql(f"UPDATE payloads SET content = x'00' WHERE id = {broken}")
    with clear(opened) as peer:
        assert peer.ask(b"RETR 1").startswith(b"-ERR [SYS/TEMP] ")
        assert peer.ask(b"RETR 2") == b"+OK\r\n"
    logged = capsys.readouterr().out
    assert "pop-" in logged
    assert PASSWORD not in logged


def test_a_claim_never_shows_its_password() -> None:
    assert PASSWORD not in repr(Credentials(LOGIN, PASSWORD))


def test_poplib_sees_the_same_uidl_after_a_restart(opens: Opener) -> None:
    """P6."""
    seen = []
    for _ in range(2):
        client = opens().logged_in()
        seen.append(client.uidl()[1])
        client.quit()
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 3


def test_poplib_is_told_why_it_may_not_log_in(opens: Opener) -> None:
    client = opens().client()
    client.user(LOGIN)
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        client.pass_("wrong")
    client.quit()
