"""A15: what was built for one destination from several messages leaves as one file, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import update

from oct.domain.journey import LotState
from oct.errors import RuleError
from oct.steps import gather as gathering
from oct.steps.gather import gather
from oct.steps.release import refuse, release
from oct.steps.sweep import sweep
from oct.store import certificates, events, payloads, tables
from oct.store.consignments import Consignment
from oct.store.messages import Message
from oct.store.overview import overview
from oct.store.story import Story, tell
from tests.claims import Batch, Claim, dre, enriched, records_of
from tests.steps.bench import add_certificates
from tests.steps.grouping_rig import GARE, GARE_ADDRESS, WINDOW, Group, as_gare, group, lot, without_grouping
from tests.steps.refusing import refuse as refuse_rows
from tests.steps.resending_rig import ADDRESS, BOURG, LOIRE, MUTUELLE, TO_LOIRE, file_of, mail

ONE, TWO, THREE = lot(1), lot(2), lot(3)


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Group]:
    with group(tmp_path, database_url) as made:
        yield made


@pytest.fixture
def light(tmp_path: Path, sqlite_url: str) -> Iterator[Group]:
    """The same on SQLite alone, for what does not touch how a database is written."""
    with group(tmp_path, sqlite_url) as made:
        yield made


def story(pieces: Group, message: Message) -> Story:
    with pieces.rig.workshop.store.read() as conn:
        found = tell(conn, message.id)
    assert found is not None
    return found


def sending(pieces: Group, message: Message) -> Consignment:
    """The one sending that carries a message's lots."""
    (carrier,) = {one.consignment_id for one in pieces.rig.rows(message)}
    return next(one for one in story(pieces, message).consignments if one.id == carrier)


def test_several_messages_leave_as_one_file_lots_byte_identical_in_order_of_arrival(pieces: Group) -> None:
    """A15, L1, L2, L5: one new 000 and 999 around the lots of two practices, sent once the window of the first ends."""
    first, second, third = pieces.rig.submit(ONE, TWO), pieces.submit_gare(ONE), pieces.rig.submit(THREE)
    assert (gather(pieces.rig.workshop), pieces.arrived()) == (0, [])
    assert all("Prêt, part groupé avec d'autres envois sous 1 h : - lot FSE" in text for text in pieces.rig.texts)
    assert pieces.close_window() == 1
    (arrived,) = pieces.arrived()
    assert arrived.lots == [ONE.content(), TWO.content(), as_gare(ONE), THREE.content()]
    opening, *_, closing = records_of(arrived.file.data)
    assert (opening[3:19], opening[25:27], opening[47:49]) == (b"OT00000552100554", b"CT", b"TR")
    assert (closing[55:63], closing[82:85]) == (b"00000022", b"004")
    assert arrived.letter.subject.endswith("/00004")
    for message in (first, second, third):
        assert set(pieces.rig.states(message)) == {LotState.DELIVERED}
        assert sending(pieces, message).file_id == arrived.file.file_id
    assert pieces.close_window() == 0
    assert len(pieces.arrived()) == 1


def test_a_group_that_the_database_refuses_is_held_and_the_next_one_leaves(pieces: Group) -> None:
    """L6: each of its files waits for a person."""
    held = pieces.rig.submit(ONE)
    other = pieces.rig.submit(Batch((Claim(4, ("01", "011", "0000")),), 3, organism="011"))
    insurer = pieces.rig.rows(held)[0].insurer_id
    refuse_rows(pieces.rig.workshop.store, "consignments", f"NEW.kind = 'groupe' AND NEW.insurer_id = {insurer}")
    assert pieces.close_window() == 2
    assert ([hold.code for hold in pieces.rig.holds(held)], pieces.rig.states(held)) == (["base-refus"], ["held"])
    assert (pieces.arrived(), len(pieces.arrived(BOURG)), pieces.rig.states(other)) == ([], 1, [LotState.DELIVERED])
    assert pieces.close_window() == 0


def test_its_story_is_told_from_each_message_and_from_each_identifier(pieces: Group) -> None:
    """J1, J2: in both directions, of its own lots alone, and nothing is left of the file that waited."""
    first, second = pieces.rig.submit(ONE), pieces.submit_gare(TWO)
    waiting = [sending(pieces, message) for message in (first, second)]
    with pieces.rig.workshop.store.read() as conn:
        seen = overview(conn, pieces.rig.clock())
    assert (seen.consignments["gathering"], seen.oldest_gathering) == (2, waiting[0].created_at)
    pieces.close_window()
    left = sending(pieces, second)
    assert left.message_id == first.id
    for message, own, waited in ((first, "421234567/001/FSE", waiting[0]), (second, f"{GARE}/002/FSE", waiting[1])):
        told = story(pieces, message)
        assert {one.id: one.replaced_by for one in told.consignments}[waited.id] == left.id
        before, after = (one for one in told.events if one.kind == "groupage")
        assert (before.outcome, before.consignment_id, before.data["lots"]) == ("attente", waited.id, [own])
        assert (after.outcome, after.consignment_id, after.data["lots"]) == ("pret", left.id, [own])
        assert after.data["remplace"] == waited.id
        assert [one.outcome for one in told.events if one.consignment_id == left.id and one.kind == "remise"] == [
            "remis"
        ]
    with pieces.rig.workshop.store.read() as conn:
        for identifier in (left.file_id, left.compostage, left.message_uid):
            assert events.find(conn, identifier) == [first.id, second.id]
        assert overview(conn, pieces.rig.clock()).oldest_gathering is None
        assert not payloads.exists(conn, waiting[0].payload_id)


def test_a_file_addressed_by_the_practitioner_is_never_grouped(light: Group) -> None:
    """S1, C4: it leaves at once, byte for byte; so does one of contract 99, under the practitioner's own header."""
    data = file_of([ONE], TO_LOIRE)
    light.rig.take(mail(data), ADDRESS)
    light.rig.submit(Batch((enriched(5),), 5), recipient=TO_LOIRE)
    plain, split = light.arrived()
    assert plain.file.data == data
    assert records_of(split.file.data)[0] == records_of(data)[0]
    assert light.arrived(MUTUELLE) == []
    assert light.close_window() == 1
    assert len(light.arrived(MUTUELLE)) == 1


def test_the_amc_flow_is_grouped_apart_from_the_practitioners_own_dre(light: Group) -> None:
    """C5, C6: whose ARL it is stays plain."""
    light.rig.submit(Batch((enriched(5),), 5), Batch((dre(7),), 7))
    light.rig.submit(Batch((enriched(6),), 6), Batch((dre(8),), 8))
    assert light.close_window() == 3
    files = light.arrived(MUTUELLE)
    assert sorted([lot.number for lot in one.file.lots] for one in files) == [["007", "008"], ["999", "998"]]


def test_under_the_practitioners_number_each_has_a_file(tmp_path: Path, sqlite_url: str) -> None:
    """A9: the sender stands in the 000."""
    with group(tmp_path, sqlite_url, WINDOW + '[conventions]\namo_sender = "ps"\n') as pieces:
        pieces.rig.submit(ONE)
        pieces.submit_gare(ONE)
        pieces.rig.submit(TWO)
        assert pieces.close_window() == 2
        files = sorted([one.lots for one in pieces.arrived()], key=len)
        assert files == [[as_gare(ONE)], [ONE.content(), TWO.content()]]


def test_processes_that_look_at_the_same_moment_send_one_file(pieces: Group) -> None:
    """P2."""
    for batch in (ONE, TWO, THREE):
        pieces.rig.submit(batch)
    pieces.rig.clock.pass_hours(1)
    start = Barrier(4)

    def look(_: int) -> int:
        start.wait()
        return gather(pieces.rig.workshop)

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(look, range(4))) == 1
    pieces.rig.work()
    assert [len(one.lots) for one in pieces.arrived()] == [3]


def test_a_crash_before_the_commit_leaves_the_files_waiting(pieces: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    """P2: run twice is run once."""
    message = pieces.rig.submit(ONE)
    pieces.rig.clock.pass_hours(1)
    with monkeypatch.context() as broken:
        broken.setattr(gathering, "_sealed_event", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            gather(pieces.rig.workshop)
    assert sending(pieces, message).state == "gathering"
    assert (gather(pieces.rig.workshop), gather(pieces.rig.workshop)) == (1, 0)
    pieces.rig.work()
    assert [one.lots for one in pieces.arrived()] == [[ONE.content()]]


def test_a_window_taken_back_lets_leave_what_waits(light: Group) -> None:
    """A15: nothing stays behind when the setting changes."""
    light.rig.submit(ONE)
    workshop = without_grouping(light).rig.workshop
    assert gather(workshop) == 1
    light.rig.work()
    assert len(light.arrived()) == 1


def test_a_lot_sent_again_while_the_first_waits_is_known(light: Group) -> None:
    """D2: forwarded once."""
    light.rig.submit(ONE)
    again = light.rig.submit(ONE)
    assert light.rig.states(again) == [LotState.DUPLICATE]
    assert "il est en cours d'envoi" in light.rig.texts[-1]
    light.close_window()
    assert [one.lots for one in light.arrived()] == [[ONE.content()]]


def test_silence_is_told_to_each_of_its_own_lots(light: Group) -> None:
    """D1."""
    light.rig.submit(ONE)
    light.submit_gare(TWO)
    light.close_window()
    light.rig.clock.pass_hours(48)
    assert light.rig.watch() == 2
    for address, own, other in ((ADDRESS, "lot 001", "lot 002"), (GARE_ADDRESS, "lot 002", "lot 001")):
        text = light.texts(address)[-1]
        assert own in text
        assert other not in text


def test_a_certificate_that_went_bad_meanwhile_holds_each_file_and_the_sweep_lets_them_leave(pieces: Group) -> None:
    """L6, H8: as at processing; nobody has to ask, and each practitioner is told of its own."""
    first, second = pieces.rig.submit(ONE), pieces.submit_gare(TWO)
    with pieces.rig.workshop.store.begin() as conn:
        retired = next(one for one in certificates.list_all(conn) if one.address == LOIRE)
        certificates.retire(conn, retired.id, 1)
    assert pieces.close_window() == 2
    assert pieces.close_window() == 0
    for message, address in ((first, ADDRESS), (second, GARE_ADDRESS)):
        (hold,) = pieces.rig.holds(message)
        assert (hold.code, hold.subject) == ("certificat-absent", "file")
        assert pieces.rig.states(message) == [LotState.HELD]
        assert "qui devait partir groupé avec d'autres, est en attente" in pieces.texts(address)[-1]
    assert sweep(pieces.rig.workshop) == 0
    with pieces.rig.workshop.store.begin() as conn:
        add_certificates(conn, f"{LOIRE}.pem")
    assert sweep(pieces.rig.workshop) == 2
    pieces.rig.work()
    assert [one.lots for one in pieces.arrived()] == [[ONE.content()], [as_gare(TWO)]]
    assert pieces.rig.states(first) == pieces.rig.states(second) == [LotState.DELIVERED]


def test_a_file_that_does_not_hold_what_was_received_never_leaves(
    light: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L1: checked against the digests of the day of arrival."""
    message = light.rig.submit(ONE)
    monkeypatch.setattr(payloads, "get", lambda *_: file_of([TWO]))
    light.rig.clock.pass_hours(1)
    assert gather(light.rig.workshop) == 1
    monkeypatch.undo()
    assert [hold.code for hold in light.rig.holds(message)] == ["conservation"]
    light.rig.work()
    assert light.arrived() == []


def test_a_file_that_cannot_be_read_any_more_holds_up_no_other_destination(light: Group) -> None:
    """L6: its bytes were damaged on the disk."""
    message = light.rig.submit(ONE, Batch((Claim(4, ("01", "011", "0000")),), 4, organism="011"))
    (damaged,) = (one for one in story(light, message).consignments if one.recipient == LOIRE)
    with light.rig.workshop.store.begin() as conn:
        conn.execute(
            update(tables.payloads).where(tables.payloads.c.id == damaged.payload_id).values(content=b"?" * 64)
        )
    assert light.close_window() == 2
    (hold,) = light.rig.holds(message)
    assert (hold.subject, hold.payload_id) == ("file", damaged.payload_id)
    assert (len(light.arrived()), len(light.arrived(BOURG))) == (0, 1)


def test_a_sending_that_is_refused_is_told_to_each_and_leaves_again_as_it_was(pieces: Group) -> None:
    """T1, P4."""
    first, second = pieces.rig.submit(ONE), pieces.submit_gare(TWO)
    pieces.rig.outside.temper.refuse(550, 1, address=LOIRE)
    pieces.close_window()
    assert "n'a pas pu être remis à SAINT ETIENNE (lot 001)" in pieces.texts(ADDRESS)[-1]
    assert "n'a pas pu être remis à SAINT ETIENNE (lot 002)" in pieces.texts(GARE_ADDRESS)[-1]
    assert "echec" in {event.outcome for event in pieces.rig.events(second, "remise")}
    (hold,) = pieces.rig.holds(first)
    release(pieces.rig.workshop, hold.id, "essai")
    pieces.rig.work()
    assert [one.lots for one in pieces.arrived()] == [[ONE.content(), as_gare(TWO)]]
    assert [event.data["lots"] for event in pieces.rig.events(second, "decision")] == [["002"]]


def test_what_the_operator_refuses_is_told_to_each(light: Group) -> None:
    """K2: and its lots have come to their end."""
    first, second = light.rig.submit(ONE), light.submit_gare(TWO)
    light.rig.outside.temper.refuse(550, 1, address=LOIRE)
    light.close_window()
    (hold,) = light.rig.holds(first)
    refuse(light.rig.workshop, hold.id, "essai", "Essai.")
    light.rig.work()
    assert light.rig.states(first) == light.rig.states(second) == [LotState.REFUSED_HERE]
    assert "(lot 001) ne sera pas transmis" in light.texts(ADDRESS)[-1]
    assert "(lot 002) ne sera pas transmis" in light.texts(GARE_ADDRESS)[-1]
    with pytest.raises(RuleError, match="retenue-inconnue"):
        release(light.rig.workshop, hold.id, "essai")
