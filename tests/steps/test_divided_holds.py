"""A re-sent lot that waits in a hold with others: it is treated as new, the others leave later without it (D2, L1)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update

from oct.domain.journey import LotState
from oct.errors import ConservationError, RuleError
from oct.formats.b2 import read_file
from oct.simulators.envelopes import unseal, unwrap
from oct.steps.gather import gather
from oct.steps.process import process
from oct.steps.release import refuse, release
from oct.steps.sweep import sweep
from oct.store import certificates, holds, insurers, messages, payloads
from oct.store.holds import Hold
from oct.store.messages import Message
from oct.store.tables import lots
from tests.claims import LAYOUTS, Batch, Claim, enriched
from tests.steps.bench import add_certificates
from tests.steps.resending_rig import ADDRESS, KEYS, LOIRE, MUTUELLE, TO_LOIRE, Rig, file_of, mail, rig

ONE, TWO, THREE = (Batch((Claim(number), Claim(number + 10)), number) for number in (1, 2, 3))
SPLIT, ALSO_SPLIT = (Batch((enriched(number),), number) for number in (8, 9))


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Rig]:
    with rig(tmp_path, database_url) as made:
        yield made


def certified(pieces: Rig) -> None:
    """LOIRE has a certificate, under which its key reads."""
    with pieces.workshop.store.begin() as conn:
        add_certificates(conn, "01422@*.pem", address=LOIRE)


def contents(*batches: Batch) -> list[bytes]:
    return [batch.content() for batch in batches]


def files_at(pieces: Rig, address: str = LOIRE) -> list[bytes]:
    return [unwrap(unseal(letter.content, KEYS[address])) for letter in pieces.outside.of(address)]


def held(pieces: Rig, message: Message) -> Hold:
    (hold,) = pieces.holds(message)
    return hold


def waiting(pieces: Rig, *batches: Batch, recipient: tuple[str, str] | None = None) -> Message:
    """Lots of one file that lacks only its sealing: LOIRE has no certificate any more."""
    with pieces.workshop.store.begin() as conn:
        for one in certificates.list_all(conn):
            if one.address == LOIRE:
                certificates.retire(conn, one.id, pieces.workshop.clock())
    message = pieces.submit(*batches, recipient=recipient)
    assert set(pieces.states(message)) == {LotState.HELD}
    return message


def failed(pieces: Rig, *batches: Batch, address: str = LOIRE) -> Message:
    """Lots whose one consignment was refused for good."""
    pieces.outside.temper.refuse(550, 1, address=address)
    message = pieces.submit(*batches)
    assert held(pieces, message).code == "remise-impossible"
    return message


def test_a_lot_of_a_file_that_waits_leaves_at_once_and_the_others_later_without_it(pieces: Rig) -> None:
    """L1, L2, L5: byte-identical, in order, counted, in a file that was never sent before."""
    first = waiting(pieces, ONE, TWO, THREE)
    certified(pieces)
    again = pieces.submit(TWO)
    assert pieces.arrived() == contents(TWO)
    assert pieces.states(first) == [LotState.HELD, LotState.DUPLICATE, LotState.HELD]
    assert [lot.first_lot_id for lot in pieces.rows(first)] == [None, pieces.rows(again)[0].id, None]
    assert "Remplace l'envoi qui était en attente (envoi du " in pieces.texts[-1]
    assert f"suivi {first.trace})." in pieces.texts[-1]
    told = [pieces.events(message, "decision")[-1] for message in (first, again)]
    assert [event.outcome for event in told] == ["remplace"] * 2
    assert told[0].data["lots_remplaces"] == [pieces.rows(first)[1].id]
    assert told[0].data["retenues_closes"] == []
    assert sweep(pieces.workshop) == 1
    pieces.work()
    assert pieces.arrived() == contents(TWO, ONE, THREE)
    sent, rest = (read_file(raw, LAYOUTS) for raw in files_at(pieces))
    assert (len(rest.lots), rest.invoice_count) == (2, 4)
    assert rest.file_id != sent.file_id
    assert pieces.states(first) == [LotState.DELIVERED, LotState.DUPLICATE, LotState.DELIVERED]
    assert "(lots 001, 003) a été transmis à SAINT ETIENNE." in pieces.texts[-1]
    assert "Déjà remplacé par un envoi plus récent : lot 002." in pieces.texts[-1]
    assert pieces.outside.of(LOIRE)[-1].subject.endswith("/00004")


def test_a_lot_that_still_cannot_leave_is_held_anew_and_its_hold_closes_with_the_last(pieces: Rig) -> None:
    """L6: nothing waits twice."""
    first = waiting(pieces, ONE, TWO)
    second = pieces.submit(ONE)
    third = pieces.submit(TWO)
    assert pieces.states(first) == [LotState.DUPLICATE] * 2
    assert pieces.holds(first) == []
    assert pieces.events(first, "decision")[-1].data["retenues_closes"] != []
    certified(pieces)
    assert sweep(pieces.workshop) == 2
    pieces.work()
    assert pieces.arrived() == contents(ONE, TWO)
    assert pieces.states(second) + pieces.states(third) == [LotState.DELIVERED] * 2


def test_what_is_refused_of_a_divided_hold_is_what_is_left_in_it(pieces: Rig) -> None:
    first = waiting(pieces, ONE, TWO)
    certified(pieces)
    pieces.submit(ONE)
    refuse(pieces.workshop, held(pieces, first).id, "essai", "Essai.")
    pieces.work()
    assert pieces.states(first) == [LotState.DUPLICATE, LotState.REFUSED_HERE]
    assert "(lot 002) ne sera pas transmis." in pieces.texts[-1]


@pytest.mark.parametrize("mixed", [False, True])
def test_a_lot_of_a_sending_that_failed_leaves_at_once_and_the_others_later_without_it(
    pieces: Rig, mixed: bool
) -> None:
    """Its consignment is encrypted to its insurer: what is left is made again from the message, byte for byte."""
    others = (SPLIT, THREE) if mixed else (TWO, THREE)
    first = failed(pieces, ONE, *others)
    made = [lot.sha256 for lot in pieces.rows(first) if lot.kind == "FSE"]
    pieces.submit(ONE)
    assert pieces.arrived() == contents(ONE)
    release(pieces.workshop, held(pieces, first).id, "essai")
    pieces.work()
    rest = read_file(files_at(pieces)[1], LAYOUTS)
    assert [lot.number for lot in rest.lots] == [f"{one.number:03d}" for one in others]
    carried = [lot for lot in pieces.rows(first) if lot.kind == "FSE"]
    assert [lot.sha256 for lot in carried] == made
    assert [lot.state for lot in carried] == [LotState.DUPLICATE, LotState.DELIVERED, LotState.DELIVERED]
    if not mixed:
        assert pieces.arrived() == contents(ONE, *others)
    assert len(pieces.arrived(MUTUELLE)) == mixed


def test_the_amc_flow_that_failed_is_made_again_under_its_own_number(pieces: Rig) -> None:
    """C5: another number would be another lot."""
    first = failed(pieces, SPLIT, ALSO_SPLIT, address=MUTUELLE)
    numbers = {lot.rank: lot.number for lot in pieces.rows(first) if lot.kind == "AMC"}
    pieces.submit(SPLIT)
    release(pieces.workshop, held(pieces, first).id, "essai")
    pieces.work()
    anew, rest = (read_file(raw, LAYOUTS) for raw in files_at(pieces, MUTUELLE))
    assert [lot.number for lot in rest.lots] == [numbers[1]]
    drawn = [{invoice.number for lot in file.lots for invoice in lot.invoices} for file in (anew, rest)]
    assert drawn[0].isdisjoint(drawn[1])
    assert len(pieces.arrived()) == 2, "the AMO had its lots, they do not leave again"


def test_the_amc_flow_of_a_released_lot_has_the_place_of_the_lot_in_its_message(pieces: Rig) -> None:
    """C6: by it the practitioner's own number of the lot is found, and the flow is made again."""
    lost = Batch((enriched(7, caisse=("01", "999", "0000")),), 7, organism="999")
    message = pieces.submit(ONE, lost)
    with pieces.workshop.store.begin() as conn:
        known = {one.recipient_number: one.id for one in insurers.list_all(conn)}
        insurers.map_caisse(conn, "01", "999", "0000", "CAISSE", known["00000001999999"])
    release(pieces.workshop, held(pieces, message).id, "essai")
    assert [(lot.kind, lot.rank) for lot in pieces.rows(message)] == [("FSE", 0), ("FSE", 1), ("AMC", 1)]


def test_a_rest_that_cannot_be_made_again_byte_for_byte_stays(pieces: Rig) -> None:
    """L1, R6."""
    first = failed(pieces, ONE, TWO)
    pieces.submit(ONE)
    with pieces.workshop.store.begin() as conn:
        conn.execute(update(lots).where(lots.c.id == pieces.rows(first)[1].id).values(sha256=b"\0" * 32))
    with pytest.raises(ConservationError):
        release(pieces.workshop, held(pieces, first).id, "essai")
    with pieces.workshop.store.begin() as conn:
        payloads.destroy(conn, first.payload_id, pieces.clock())
    with pytest.raises(RuleError, match="contenu-detruit"):
        release(pieces.workshop, held(pieces, first).id, "essai")


def test_a_sending_that_failed_and_was_answered_all_the_same_does_not_leave_again(pieces: Rig) -> None:
    """D2: the insurer has it; its practitioner is told nothing else."""
    first = failed(pieces, ONE, TWO)
    pieces.acknowledge(ONE, TWO)
    hold, told = held(pieces, first), len(pieces.texts)
    with pytest.raises(RuleError, match="deja-repondu"):
        release(pieces.workshop, hold.id, "essai")
    refuse(pieces.workshop, hold.id, "essai", "Déjà répondu.")
    pieces.work()
    assert pieces.states(first) == [LotState.ACKNOWLEDGED] * 2
    assert (len(pieces.texts), pieces.arrived()) == (told, [])


def test_a_grouped_sending_that_failed_leaves_later_without_the_lot_that_came_again(
    tmp_path: Path, database_url: str
) -> None:
    """A15: what is left comes from several messages, and each practitioner's text tells of its own lots."""
    with rig(tmp_path, database_url, '[grouping]\nwindow = "1h"\n') as pieces:
        first, second, third = pieces.submit(ONE), pieces.submit(TWO), pieces.submit(THREE)
        pieces.clock.pass_hours(1)
        pieces.outside.temper.refuse(550, 1, address=LOIRE)
        assert gather(pieces.workshop) == 1
        pieces.work()
        pieces.submit(ONE)
        with pieces.workshop.store.read() as conn:
            (hold,) = holds.list_open(conn)
        release(pieces.workshop, hold.id, "essai")
        pieces.work()
        assert pieces.arrived() == contents(TWO, THREE)
        assert [pieces.states(message) for message in (first, second, third)] == [
            [LotState.DUPLICATE], [LotState.DELIVERED], [LotState.DELIVERED],
        ]  # fmt: skip
        told = [text for text in pieces.texts if "a été transmis à SAINT ETIENNE" in text]
        assert [f"suivi : {one.trace}" in text for one, text in zip((second, third), told, strict=True)] == [True] * 2
        tries = [event for event in pieces.events(third, "remise") if event.data["genre"] == "groupe"]
        assert [event.outcome for event in tries] == ["echec", "remis"]


def test_a_file_split_at_the_source_that_waits_keeps_its_lots_until_all_come_again(pieces: Rig) -> None:
    """S1: forwarded whole, with the lot that came alone meanwhile."""
    first = waiting(pieces, ONE, TWO, recipient=TO_LOIRE)
    alone = pieces.submit(ONE)
    assert pieces.states(alone) == [LotState.DUPLICATE]
    assert "en attente ici dans un fichier qui part entier" in pieces.texts[-1]
    certified(pieces)
    release(pieces.workshop, held(pieces, first).id, "essai")
    pieces.work()
    assert files_at(pieces) == [file_of([ONE, TWO], TO_LOIRE)]


def test_a_file_split_at_the_source_that_lost_a_lot_to_another_one_never_leaves(pieces: Rig) -> None:
    """S1: not at all, rather than a lot twice; its practitioner is told to send the others, which are then new."""
    first = waiting(pieces, ONE, TWO, recipient=TO_LOIRE)
    certified(pieces)
    pieces.submit(ONE, THREE, recipient=TO_LOIRE)
    assert files_at(pieces) == [file_of([ONE, THREE], TO_LOIRE)]
    assert pieces.states(first) == [LotState.DUPLICATE, LotState.HELD]
    assert "dont le fichier ne partira plus : renvoyez ses autres lots." in pieces.texts[-1]
    with pytest.raises(RuleError, match="fichier-incomplet"):
        release(pieces.workshop, held(pieces, first).id, "essai")
    assert sweep(pieces.workshop) == 0
    pieces.submit(TWO)
    assert pieces.arrived() == contents(ONE, THREE, TWO)
    assert pieces.holds(first) == []


def test_where_everything_is_forwarded_a_whole_file_leaves_all_the_same(tmp_path: Path, database_url: str) -> None:
    """D2: the setting; what can be divided still gives way."""
    with rig(tmp_path, database_url, '[reemission]\npolicy = "tout-transmettre"\n') as pieces:
        whole = waiting(pieces, ONE, TWO, recipient=TO_LOIRE)
        divided = pieces.submit(THREE, SPLIT)
        certified(pieces)
        pieces.submit(ONE, THREE)
        assert sweep(pieces.workshop) == 2
        pieces.work()
        assert pieces.arrived()[:4] == contents(ONE, THREE, ONE, TWO)
        assert len(pieces.arrived()) == 5
        assert (pieces.states(whole), pieces.states(divided)[0]) == ([LotState.DELIVERED] * 2, LotState.DUPLICATE)


def test_a_decision_made_while_a_lot_leaves_its_hold_is_given_up(pieces: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes out twice, whoever is first to write."""
    first = waiting(pieces, ONE, TWO)
    certified(pieces)
    hold = held(pieces, first)
    numbering, draw = pieces.workshop.numbering, pieces.workshop.numbering.next_compostage

    def meanwhile(now: int) -> str:
        monkeypatch.setattr(numbering, "next_compostage", draw)
        pieces.submit(ONE)
        return draw(now)

    monkeypatch.setattr(numbering, "next_compostage", meanwhile)
    with pytest.raises(RuleError, match="retenue-changee"):
        release(pieces.workshop, hold.id, "essai")
    release(pieces.workshop, hold.id, "essai")
    pieces.work()
    assert pieces.arrived() == contents(ONE, TWO)


def test_lots_that_come_again_in_parallel_with_the_release_of_their_hold_leave_once(pieces: Rig) -> None:
    """Three connections send again what waits in one hold, a fourth releases it."""
    first = waiting(pieces, ONE, TWO, THREE)
    certified(pieces)
    hold = held(pieces, first)
    for batch in (ONE, TWO, THREE):
        assert pieces.receive(mail(file_of([batch])), ADDRESS).code == 250
    with pieces.workshop.store.begin() as conn:
        claimed = [messages.claim(conn, f"fil-{rank}", pieces.clock(), 60_000, 1) for rank in range(3)]
    start = threading.Barrier(4)

    def bring(rank: int) -> None:
        start.wait()
        if rank < 3:
            process(pieces.workshop, claimed[rank], f"fil-{rank}")
        else:
            _release_if_possible(pieces, hold)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(bring, range(4)))
    _release_if_possible(pieces, hold)
    pieces.work()
    assert sorted(pieces.arrived()) == sorted(contents(ONE, TWO, THREE))


def _release_if_possible(pieces: Rig, hold: Hold) -> None:
    try:
        release(pieces.workshop, hold.id, "essai")
    except RuleError as decided:
        if decided.code not in {"retenue-changee", "retenue-inconnue", "deja-decide"}:
            raise
