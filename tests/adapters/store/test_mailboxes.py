"""Hosted mailboxes: what is shown, read, hidden, put back; one reader at a time (R5, R6, P6)."""

from __future__ import annotations

import threading

from sqlalchemy import Connection, func, select

from oct.store import events, mailboxes, payloads
from oct.store.engine import Store
from oct.store.mailboxes import MailboxCounts
from oct.store.tables import mailbox_items
from tests.adapters.store.arrivals import NOW, VAULT, add_practitioner, arrive, consign


def put(conn: Connection, owner: int, content: bytes, now: int) -> int:
    payload_id = payloads.put(conn, VAULT, content, now)
    return mailboxes.deposit(conn, owner, payload_id, None, len(content), now)


def test_a_mailbox_shows_its_own_items_in_order_of_arrival(store: Store) -> None:
    with store.begin() as conn:
        one = add_practitioner(conn)
        other = add_practitioner(conn, "991111111", "autre@exemple.test")
        ids = [put(conn, one, b"a\r\n", NOW), put(conn, one, b"bb\r\n", NOW + 1)]
        put(conn, other, b"c\r\n", NOW)
        shown = mailboxes.listing(conn, one)
        assert [item.id for item in shown] == ids
        assert [item.size for item in shown] == [3, 4]
        assert [payloads.get(conn, VAULT, item.payload_id) for item in shown] == [b"a\r\n", b"bb\r\n"]
        assert len({item.uid for item in shown}) == 2
        assert mailboxes.listing(conn, 404) == []


def test_a_uidl_is_printable_short_and_stays(store: Store) -> None:
    """P6: the same over restarts; another one for a number that a restored backup would give again."""
    with store.begin() as conn:
        owner = add_practitioner(conn)
        put(conn, owner, b"a\r\n", NOW)
        (before,) = mailboxes.listing(conn, owner)
        mailboxes.mark_fetched(conn, owner, [before.id], NOW + 5)
    with store.read() as conn:
        (after,) = mailboxes.listing(conn, owner)
    assert after.uid == before.uid
    assert 0 < len(after.uid) <= 70
    assert all(0x21 <= ord(sign) <= 0x7E for sign in after.uid)


def test_a_consignment_is_deposited_once(store: Store) -> None:
    with store.begin() as conn:
        owner = add_practitioner(conn)
        consignment_id = consign(conn, arrive(conn, 1), 1)
        payload_id = payloads.put(conn, VAULT, b"a\r\n", NOW)
        first = mailboxes.deposit(conn, owner, payload_id, consignment_id, 3, NOW)
        mailboxes.hide(conn, owner, [first], NOW)
        assert mailboxes.deposit(conn, owner, payload_id, consignment_id, 3, NOW + 9) == first
        assert conn.execute(select(func.count()).select_from(mailbox_items)).scalar_one() == 1


def test_reading_and_deleting_are_in_the_trace_of_the_message(store: Store) -> None:
    """R5: when a return was fetched is in its trace; the first time is kept on the item."""
    with store.begin() as conn:
        owner = add_practitioner(conn)
        message_id = arrive(conn, 1)
        consignment_id = consign(conn, message_id, 1)
        payload_id = payloads.put(conn, VAULT, b"a\r\n", NOW)
        item = mailboxes.deposit(conn, owner, payload_id, consignment_id, 3, NOW)
        assert mailboxes.mark_fetched(conn, owner, [item], NOW + 1) == 1
        assert mailboxes.mark_fetched(conn, owner, [item], NOW + 2) == 1
        (kept,) = mailboxes.listing(conn, owner)
        assert mailboxes.hide(conn, owner, [item], NOW + 3) == 1
        assert mailboxes.hide(conn, owner, [item], NOW + 4) == 0
        story = events.of_message(conn, message_id)
    assert kept.fetched_at == NOW + 1
    assert [(event.kind, event.at) for event in story] == [
        ("releve", NOW + 1),
        ("releve", NOW + 2),
        ("efface", NOW + 3),
    ]
    assert {(event.practitioner_id, event.consignment_id) for event in story} == {(owner, consignment_id)}
    assert story[0].data["uidl"] == kept.uid


def test_nobody_reads_or_deletes_in_a_mailbox_of_somebody_else(store: Store) -> None:
    """P6: never in another's box."""
    with store.begin() as conn:
        one = add_practitioner(conn)
        other = add_practitioner(conn, "991111111", "autre@exemple.test")
        item = put(conn, one, b"a\r\n", NOW)
        assert mailboxes.hide(conn, other, [item], NOW) == 0
        assert mailboxes.mark_fetched(conn, other, [item], NOW) == 0
        (kept,) = mailboxes.listing(conn, one)
        assert kept.fetched_at is None


def test_what_was_deleted_is_kept_and_comes_back_as_new(store: Store) -> None:
    """R6: deleting by POP does not delete our copy; redelivered, it has a UIDL that no program has seen."""
    with store.begin() as conn:
        owner = add_practitioner(conn)
        message_id = arrive(conn, 1)
        payload_id = payloads.put(conn, VAULT, b"late\r\n", NOW + 10)
        old = put(conn, owner, b"old\r\n", NOW)
        late_consignment = consign(conn, message_id, 1)
        late = mailboxes.deposit(conn, owner, payload_id, late_consignment, 6, NOW + 10)
        before = {item.id: item.uid for item in mailboxes.listing(conn, owner)}
        mailboxes.mark_fetched(conn, owner, [old, late], NOW + 20)
        mailboxes.hide(conn, owner, [old, late], NOW + 20)
        assert mailboxes.listing(conn, owner) == []
        assert mailboxes.show_again(conn, late_consignment, NOW + 30)
        (back,) = mailboxes.listing(conn, owner)
        assert (back.id, back.fetched_at, back.arrived_at) == (late, None, NOW + 30)
        assert back.uid not in before.values()
        assert payloads.get(conn, VAULT, back.payload_id) == b"late\r\n"


def test_what_is_past_its_retention_is_shown_no_more(store: Store) -> None:
    with store.begin() as conn:
        owner = add_practitioner(conn)
        put(conn, owner, b"a\r\n", NOW)
        (item,) = mailboxes.listing(conn, owner)
        payloads.destroy(conn, item.payload_id, NOW + 1)
        assert mailboxes.listing(conn, owner) == []


def test_counts_tell_what_waits_and_what_was_never_read(store: Store) -> None:
    with store.begin() as conn:
        owner = add_practitioner(conn)
        assert mailboxes.counts(conn, owner) == MailboxCounts(0, 0, 0, 0)
        first, second, _ = (put(conn, owner, b"abc\r\n", NOW + n) for n in range(3))
        mailboxes.hide(conn, owner, [first], NOW)
        mailboxes.mark_fetched(conn, owner, [second], NOW)
        assert mailboxes.counts(conn, owner) == MailboxCounts(visible=2, octets=10, unfetched=1, hidden=1)


def test_one_reader_at_a_time_until_it_leaves_or_dies(store: Store) -> None:
    with store.begin() as conn:
        owner = add_practitioner(conn)
        assert mailboxes.try_lock(conn, owner, "pop-1", NOW, NOW + 100)
        assert not mailboxes.try_lock(conn, owner, "pop-2", NOW + 100, NOW + 200)
        mailboxes.renew(conn, ["pop-1"], NOW + 300)
        assert not mailboxes.try_lock(conn, owner, "pop-2", NOW + 300, NOW + 400)
        assert mailboxes.try_lock(conn, owner, "pop-2", NOW + 301, NOW + 400)
        assert not mailboxes.unlock(conn, owner, "pop-1")
        assert mailboxes.unlock(conn, owner, "pop-2")
        assert mailboxes.try_lock(conn, owner, "pop-3", NOW, NOW + 100)


def test_the_locks_of_a_dead_process_are_given_back_by_its_name(store: Store) -> None:
    with store.begin() as conn:
        owner = add_practitioner(conn)
        other = add_practitioner(conn, "991111111", "autre@exemple.test")
        mailboxes.try_lock(conn, owner, "pop_a-1", NOW, NOW + 100)
        mailboxes.try_lock(conn, other, "popXa-1", NOW, NOW + 100)
        assert mailboxes.release_locks(conn, "pop_a-") == 1
        assert mailboxes.try_lock(conn, owner, "pop_b-1", NOW, NOW + 100)
        assert not mailboxes.try_lock(conn, other, "pop_b-2", NOW, NOW + 100)


def test_of_many_who_open_a_mailbox_at_once_one_gets_it(store: Store) -> None:
    with store.begin() as conn:
        owner = add_practitioner(conn)
    taken: list[str] = []
    start = threading.Barrier(6)

    def take(name: str) -> None:
        start.wait()
        with store.begin() as conn:
            if mailboxes.try_lock(conn, owner, name, NOW, NOW + 100):
                taken.append(name)

    readers = [threading.Thread(target=take, args=(f"r{n}",)) for n in range(6)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(taken) == 1
