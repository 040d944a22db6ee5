"""What waits is never lost: for the directory, for a certificate, for an insurer that refuses, cuts or is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oct.simulators.faults import unknown_caisse
from oct.simulators.parties import Caisse
from oct.store import certificates, events, holds, insurers, messages
from oct.store.holds import Hold
from tests.journeys import slicing
from tests.journeys.conftest import Launch
from tests.journeys.golden import PKI
from tests.journeys.outside import text_of
from tests.journeys.practice import AGEN, BOURG, MAILBOX, PONT, REIMS, Practice
from tests.journeys.waiting import until
from tests.journeys.world import World


def wrapped(pont: Practice, caisse: Caisse) -> bytes:
    """A message with one lot for a caisse."""
    return pont.wrap(pont.claims.file(PONT, [pont.claims.fse_lot(PONT, caisse)]))


def hold_of(world: World, trace: str) -> Hold:
    """The one thing that waits of a message."""
    with world.store.read() as conn:
        message = messages.by_trace(conn, trace)
        assert message is not None
        (hold,) = [hold for hold in holds.list_open(conn) if hold.message_id == message.id]
    return hold


def let_go(world: World, hold: Hold) -> None:
    """The operator's decision."""
    world.oct("held", "release", str(hold.id))


def test_a_lot_for_an_unknown_caisse_leaves_once_the_directory_knows_it(world: World, pont: Practice) -> None:
    """L6: byte-identical, and the practitioner is told."""
    file = unknown_caisse(pont.claims, PONT)
    outcome = world.play(pont.address, pont.wrap(file))
    hold = hold_of(world, outcome.trace)
    before = len(world.outside.arrivals)
    with world.store.begin() as conn:
        known = insurers.upsert_amo(
            conn,
            regime="01",
            organism="888",
            centre="888",
            label="CAISSE NOUVELLE",
            address="01422@422.01.rss.fr",
            recipient_type="CT",
        )
        insurers.map_caisse(conn, "01", "888", "0001", "CAISSE NOUVELLE", known)
    let_go(world, hold)
    until("it left", lambda: len(world.outside.arrivals) >= before + 2)
    world.settle()
    later = world.since(before, outcome.reply)
    assert later.files.keys() == {"01422@422.01.rss.fr"}
    (sent,) = later.files["01422@422.01.rss.fr"]
    assert [b"".join(lot) for lot in slicing.lots(sent)] == [file.lots[0].data]
    slicing.counts_agree(sent)
    (told,) = later.letters
    assert told.rcpt_to == pont.address
    assert "a été transmis à CAISSE NOUVELLE" in " ".join(text_of(told).split())
    assert outcome.trace in text_of(told)


def test_what_lacks_a_certificate_leaves_by_itself_when_there_is_one(world: World, pont: Practice) -> None:
    """L6, H8: nothing is encrypted to a retired certificate; nobody has to ask once it is back."""
    with world.store.begin() as conn:
        retired = next(one for one in certificates.list_all(conn) if one.address == MAILBOX[AGEN])
        certificates.retire(conn, retired.id, 1)
    file = pont.claims.file(PONT, [pont.claims.fse_lot(PONT, AGEN)])
    outcome = world.play(pont.address, pont.wrap(file))
    assert outcome.opened == []
    assert "Aucun certificat n'est enregistré pour 02471@471.02.rss.fr." in " ".join(outcome.art.split())
    before = len(world.outside.arrivals)
    world.oct("certs", "add", str(PKI / f"{MAILBOX[AGEN]}.pem"))
    until("it left by itself", lambda: len(world.outside.arrivals) >= before + 2)
    world.settle()
    later = world.since(before, outcome.reply)
    (sent,) = later.files[MAILBOX[AGEN]]
    assert [b"".join(lot) for lot in slicing.lots(sent)] == [file.lots[0].data]
    assert [letter.rcpt_to for letter in later.letters] == [pont.address]


def test_an_insurer_that_refuses_for_a_while_gets_it_once(world: World, pont: Practice) -> None:
    """P4: 4xx is tried again; each try is an event."""
    world.outside.temper.refuse(451, 3, address=MAILBOX[REIMS])
    outcome = world.play(pont.address, wrapped(pont, REIMS))
    assert len(outcome.files[MAILBOX[REIMS]]) == 1
    with world.store.read() as conn:
        message = messages.by_trace(conn, outcome.trace)
        assert message is not None
        tries = [one.outcome for one in events.of_message(conn, message.id) if one.insurer_id and one.kind == "remise"]
    assert tries == ["differe", "differe", "differe", "remis"]


def test_a_grey_list_only_delays(world: World, pont: Practice) -> None:
    world.outside.temper.greylist(2, address=MAILBOX[REIMS])
    outcome = world.play(pont.address, wrapped(pont, REIMS))
    world.outside.temper.behave()
    assert len(outcome.files[MAILBOX[REIMS]]) == 1


def test_a_connection_cut_after_storing_repeats_the_same_bytes_only(world: World, pont: Practice) -> None:
    """P2: the insurer stored it, we never read its 250."""
    world.outside.temper.cut_after_storing(2, address=MAILBOX[REIMS])
    outcome = world.play(pont.address, wrapped(pont, REIMS))
    raws = [one.arrival.raw for one in outcome.opened]
    assert len(raws) == 3
    assert len(set(raws)) == 1


def test_a_refusal_for_good_waits_for_the_operator_and_is_told(world: World, pont: Practice) -> None:
    """P4, T1: then it leaves on his decision, under the same Message-ID."""
    world.outside.temper.refuse(550, 1, address=MAILBOX[BOURG])
    outcome = world.play(pont.address, wrapped(pont, BOURG))
    assert outcome.opened == []
    told = [text_of(letter) for letter in outcome.letters if "suite de votre envoi" in text_of(letter)]
    assert len(outcome.letters) == 2
    assert len(told) == 1
    assert "n'a pas pu être remis à BOURG EN BRESSE" in " ".join(told[0].split())
    before = len(world.outside.arrivals)
    let_go(world, hold_of(world, outcome.trace))
    until("it left", lambda: len(world.outside.opened(before)) == 1)
    world.settle()


@pytest.fixture(scope="module")
def hasty(launch: Launch) -> Iterator[World]:
    """A concentrator that gives up soon."""
    with launch(delivery='expire = "300ms"') as running:
        yield running


def test_what_cannot_be_delivered_in_time_waits_for_the_operator(hasty: World, pont: Practice) -> None:
    """P4: the end of the delay is a failure like a refusal."""
    hasty.outside.temper.refuse(451, 1000, address=MAILBOX[BOURG])
    outcome = hasty.play(pont.address, wrapped(pont, BOURG))
    assert outcome.opened == []
    assert hold_of(hasty, outcome.trace).code == "remise-impossible"
    assert len(outcome.letters) == 2


def test_one_insurer_that_is_silent_holds_up_no_other(hasty: World, pont: Practice) -> None:
    """P4."""
    hasty.outside.temper.behave()
    hasty.outside.temper.black_hole(120, address=MAILBOX[BOURG])
    before = len(hasty.outside.arrivals)
    assert hasty.send(pont.address, wrapped(pont, BOURG)).accepted
    until("its ART", lambda: len(hasty.outside.letters(pont.address, before)) == 1)
    for _ in range(5):
        assert hasty.send(pont.address, wrapped(pont, REIMS)).accepted
    until("the others", lambda: len(hasty.outside.opened(before, MAILBOX[REIMS])) == 5)
    assert hasty.outside.opened(before, MAILBOX[BOURG]) == []
