"""The first step by itself: what is answered 250 is on disk, what arrives together shares a commit (P1, D4, H6)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from oct.domain.journey import MessageState
from oct.formats.mime_headers import Headers, read_headers
from oct.smtp.transaction import Reply, Transaction
from oct.steps import receive
from oct.steps.receive import Receiver
from oct.store import events, messages, payloads
from tests.steps.bench import CLAIMS, OCT, Bench, bench
from tests.steps.refusing import allow, refuse

PONT = "pont@boite.example"
GOLDEN = (CLAIMS / "messages" / "01-single-file.eml").read_bytes()


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Bench]:
    with bench(tmp_path, database_url) as made:
        yield made


@pytest.fixture(params=["here", "beside"])
def sealed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where messages are sealed: by the thread that writes, or as if they were large."""
    monkeypatch.setattr(receive, "_LARGE", 1 if request.param == "beside" else 1 << 30)
    return str(request.param)


def other(rank: int) -> bytes:
    """The golden message under another compostage."""
    return GOLDEN.replace(b"2026112008000100001", b"20261120080001%05d" % rank)


def accepted(receiver: Receiver, raw: bytes) -> asyncio.Future[Reply]:
    transaction = Transaction("127.0.0.1", "essai", PONT, (OCT,), raw, None, tls=True)
    return asyncio.ensure_future(receiver.accept(transaction))


def together(pieces: Bench, contents: Sequence[bytes]) -> list[Reply]:
    """The answers to transactions that all wait before the writing thread begins."""

    async def accept_all(receiver: Receiver) -> list[Reply]:
        waiting = [accepted(receiver, raw) for raw in contents]
        await asyncio.sleep(0)
        receiver.start()
        return await asyncio.gather(*waiting)

    receiver = Receiver(pieces.workshop)
    replies = asyncio.run(accept_all(receiver))
    receiver.stop()
    return replies


def kept(pieces: Bench, reply: Reply) -> messages.Message:
    with pieces.workshop.store.read() as conn:
        message = messages.by_trace(conn, reply.text.rpartition(" ")[2])
    assert message is not None
    return message


@pytest.mark.usefixtures("sealed")
def test_what_is_answered_250_is_kept_byte_for_byte(pieces: Bench) -> None:
    """P1."""
    message = kept(pieces, pieces.receive(GOLDEN, PONT))
    assert (message.state, message.compostage) == (MessageState.RECEIVED, "2026112008000100001")
    assert message.due_at is not None
    with pieces.workshop.store.read() as conn:
        assert payloads.get(conn, pieces.workshop.vault, message.payload_id) == GOLDEN


def test_messages_that_wait_together_share_one_commit(pieces: Bench) -> None:
    replies, commits = commits_of(pieces, lambda: together(pieces, [other(rank) for rank in range(20)]))
    assert {reply.code for reply in replies} == {250}
    assert len({reply.text for reply in replies}) == 20
    assert commits == 1
    with pieces.workshop.store.read() as conn:
        assert sum(messages.counts(conn, 0).values()) == 20


def test_h3_messages_that_are_large_together_do_not(pieces: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is in memory twice while it is written."""
    monkeypatch.setattr(receive, "_GROUP_BYTES", len(GOLDEN) + 1)
    replies, commits = commits_of(pieces, lambda: together(pieces, [other(rank) for rank in range(6)]))
    assert {reply.code for reply in replies} == {250}
    assert commits == 3


def test_a_lone_message_waits_for_nobody_and_one_behind_several_for_the_next(
    pieces: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit costs as much as ten messages."""
    waits, comes = threading.Event(), threading.Event()

    def moment(_seconds: float) -> None:
        waits.set()
        comes.wait(60)

    async def arrive(receiver: Receiver) -> list[Reply]:
        several = [accepted(receiver, other(rank)) for rank in range(2)]
        await asyncio.sleep(0)
        receiver.start()
        first = await asyncio.gather(*several)
        behind = accepted(receiver, other(2))
        assert await asyncio.to_thread(waits.wait, 60)
        late = accepted(receiver, other(3))
        await asyncio.sleep(0)
        comes.set()
        return [*first, await behind, await late]

    async def arrive_alone(receiver: Receiver) -> list[Reply]:
        receiver.start()
        return [await accepted(receiver, other(rank)) for rank in (4, 5)]

    def run(story: Callable[[Receiver], Coroutine[None, None, list[Reply]]]) -> list[Reply]:
        receiver = Receiver(pieces.workshop)
        replies = asyncio.run(story(receiver))
        receiver.stop()
        return replies

    monkeypatch.setattr(receive, "sleep", moment)
    replies, commits = commits_of(pieces, lambda: run(arrive))
    assert [reply.code for reply in replies] == [250] * 4
    assert commits == 2
    waits.clear()
    assert [reply.code for reply in run(arrive_alone)] == [250] * 2
    assert not waits.is_set()


def commits_of(pieces: Bench, act: Callable[[], list[Reply]]) -> tuple[list[Reply], int]:
    """The answers, and in how many commits what they answer was written."""
    written: list[str] = []
    event.listen(
        pieces.workshop.store.engine,
        "before_cursor_execute",
        lambda _conn, _cursor, statement, *_: written.append(statement),
    )
    commits: list[int] = []
    event.listen(pieces.workshop.store.engine, "commit", lambda _: commits.append(len(written)))
    replies = act()
    transactions = [written[start:end] for start, end in pairwise([0, *commits])]
    return replies, sum(any("INTO messages" in statement for statement in done) for done in transactions)


@pytest.mark.usefixtures("sealed")
def test_the_same_transaction_in_one_group_or_later_is_one_message(pieces: Bench) -> None:
    """D4."""
    first, second = together(pieces, [GOLDEN, GOLDEN])
    later = pieces.receive(b"Received: from relais.example\r\n" + GOLDEN, PONT)
    assert kept(pieces, first) == kept(pieces, second) == kept(pieces, later)
    with pieces.workshop.store.read() as conn:
        story = events.of_message(conn, kept(pieces, first).id)
    assert sorted(one.outcome for one in story) == ["nouveau", "repete", "repete"]


@pytest.mark.usefixtures("sealed")
def test_a_refusal_in_a_group_harms_nobody_else(pieces: Bench) -> None:
    """H6."""
    stranger = GOLDEN.replace(b"00000421234567", b"00000999000111")
    replies = together(pieces, [other(1), stranger, b"Subject: rien\r\n\r\n", other(2)])
    assert [reply.code for reply in replies[::3]] == [250, 250]
    assert all(reply.code in {550, 554} for reply in replies[1:3])
    with pieces.workshop.store.read() as conn:
        assert sum(messages.counts(conn, 0).values()) == 2


def test_a_database_that_fails_is_a_451_with_a_fixed_text(pieces: Bench) -> None:
    """P1: never a 5xx, never the cause."""
    with pieces.workshop.store.begin() as conn:
        conn.execute(text("ALTER TABLE messages RENAME TO parti"))
    reply = pieces.receive(GOLDEN, PONT)
    assert (reply.code, reply.text) == (451, "4.3.0 Service momentanement indisponible, reessayez plus tard")
    with pieces.workshop.store.begin() as conn:
        conn.execute(text("ALTER TABLE parti RENAME TO messages"))
    assert pieces.receive(GOLDEN, PONT).code == 250


@pytest.mark.usefixtures("sealed")
def test_p1_a_message_that_the_database_refuses_waits_alone(pieces: Bench) -> None:
    """451 with the fixed text, for the fault is not the sender's; its neighbours have their 250, and it has its own
    once it is taken."""
    refuse(pieces.workshop.store, "messages", "NEW.compostage = '2026112008000100003'")
    group = [other(rank) for rank in range(1, 6)]
    replies = together(pieces, group)
    assert [reply.code for reply in replies] == [250, 250, 451, 250, 250]
    assert replies[2].text == "4.3.0 Service momentanement indisponible, reessayez plus tard"
    assert {kept(pieces, reply).state for reply in replies if reply.code == 250} == {MessageState.RECEIVED}
    assert [reply.code for reply in together(pieces, group)] == [250, 250, 451, 250, 250]
    allow(pieces.workshop.store, "messages")
    assert pieces.receive(group[2], PONT).code == 250
    with pieces.workshop.store.read() as conn:
        assert sum(messages.counts(conn, 0).values()) == 5


@pytest.mark.usefixtures("sealed")
def test_p1_a_surprise_over_one_message_harms_nobody_else(pieces: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprised(content: bytes, *rest: Any) -> Headers:
        if content == other(2):
            raise RecursionError
        return read_headers(content, *rest)

    monkeypatch.setattr(receive, "read_headers", surprised)
    assert [reply.code for reply in together(pieces, [other(1), other(2), other(3)])] == [250, 451, 250]


def test_a_large_message_is_sealed_while_another_one_is_written(pieces: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is in memory once when it waits for its turn (H3)."""
    monkeypatch.setattr(receive, "_LARGE", len(GOLDEN))
    large = other(1).replace(b"\r\n\r\n", b"\r\n\r\n" + b"a" * 998 + b"\r\n", 1)

    async def arrive(receiver: Receiver) -> Reply:
        waiting = Transaction("127.0.0.1", "essai", PONT, (OCT,), large, None, tls=True)
        reply = asyncio.ensure_future(receiver.accept(waiting))
        while receiver._queue.empty():  # nobody writes yet
            await asyncio.sleep(0.001)
        assert waiting.content == b""
        receiver.start()
        return await reply

    receiver = Receiver(pieces.workshop)
    message = kept(pieces, asyncio.run(arrive(receiver)))
    receiver.stop()
    with pieces.workshop.store.read() as conn:
        assert payloads.get(conn, pieces.workshop.vault, message.payload_id) == large


def test_p3_a_full_database_is_a_452_and_the_first_250_comes_with_the_room(pieces: Bench) -> None:
    """The error is the database's own; what was kept is whole."""
    first, large = kept(pieces, pieces.receive(GOLDEN, PONT)), other(2) + b"x" * (1 << 20)
    for full, code in ((True, 452), (False, 250)):
        _fill(pieces, full=full)
        assert pieces.receive(large, PONT).code == code
    with pieces.workshop.store.read() as conn:
        assert payloads.get(conn, pieces.workshop.vault, first.payload_id) == GOLDEN
        assert sum(messages.counts(conn, 0).values()) == 2
        if pieces.workshop.store.dialect == "sqlite":
            assert conn.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def _fill(pieces: Bench, *, full: bool) -> None:
    """Leaves no page to SQLite; has PostgreSQL say what it says on a full disk."""
    store = pieces.workshop.store
    if store.dialect == "sqlite":
        with store.read() as conn:
            pages = conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        event.listen(
            store.engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count = {pages if full else 1 << 30}")
        )
        store.close()
        return
    with store.begin() as conn:
        if full:
            conn.execute(text("CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
                              "$$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '53100'; END $$"))  # fmt: skip
            conn.execute(text("CREATE TRIGGER full_disk BEFORE INSERT ON messages EXECUTE FUNCTION full_disk()"))
        else:
            conn.execute(text("DROP TRIGGER full_disk ON messages"))


def test_h6_an_insurer_writes_only_from_its_networks_when_they_are_named(pieces: Bench) -> None:
    """550 from anywhere else; practitioners write from where they are."""
    loire = "01422@422.01.rss.fr"
    raw = GOLDEN.replace(b"pont@boite.example", loire.encode())
    for networks, code in ((("10.0.0.0/8", "::1/128"), 550), (("10.0.0.0/8", "127.0.0.0/8"), 250)):
        named = tuple(ip_network(one) for one in networks)
        workshop = replace(pieces.workshop, rules=replace(pieces.workshop.rules, insurer_networks=named))
        elsewhere = Bench(workshop, pieces.hands, pieces.outside)
        assert elsewhere.receive(raw, loire).code == code
        assert elsewhere.receive(GOLDEN, PONT).code == 250
