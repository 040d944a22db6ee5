"""Returns that are forged, contradictory or of unknown things: held with a reason; nobody gets them (R2, R3, H6)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from oct.clock import system_clock
from oct.domain.return_parts import ORPHAN
from oct.formats.frame import FrameFields
from oct.formats.noemie import Form, build_noemie, read_noemie
from oct.simulators.answers import Answers
from oct.simulators.insurer import Opened
from oct.simulators.return_files import FORMS, AnsweredInvoice, AnsweredLot, Settlement, rsp
from oct.simulators.sending import Reply, deliver
from oct.store import holds
from tests.journeys.answering import ENTITIES, Recorded, Sent, answered, reaches_nobody, sent, unanswering
from tests.journeys.golden import OCT
from tests.journeys.outside import LAYOUTS
from tests.journeys.practice import (
    BOURG,
    GARE,
    MAILBOX,
    PONT,
    REIMS,
    Practice,
)
from tests.journeys.world import World


def test_an_arl_of_an_unknown_lot_is_held_and_reaches_nobody(world: World, pont: Practice, answers: Recorded) -> None:
    """R2: no lot, no practitioner, no message that is answered."""
    one = sent(world, pont)
    stranger = unanswering(one.opened)
    lot = replace(stranger.file.lots[0], number="998", ps_number="999000111")
    reaches_nobody(world, lambda: answers.acknowledge_lots(stranger, [lot], to_sender=True))


def test_an_arl_of_a_lot_never_sent_is_held_whatever_its_header_and_what_it_answers(
    world: World, pont: Practice, gare: Practice, answers: Recorded
) -> None:
    """R2: the header names PONT, or the message answered is PONT's; the lot is nobody's, or GARE's by its number."""
    one = sent(world, pont)
    never = replace(one.opened.file.lots[0], number="997")
    of_gare = replace(never, ps_number=GARE.number)
    reaches_nobody(world, lambda: answers.acknowledge_lots(unanswering(one.opened), [never]))
    reaches_nobody(world, lambda: answers.acknowledge_lots(one.opened, [of_gare], to_sender=True))
    reaches_nobody(world, lambda: answers.acknowledge_lots(one.opened, [never]))
    assert one.state(world) == "delivered"


def test_a_payment_settled_to_somebody_unknown_is_held_whatever_its_header(
    world: World, pont: Practice, answers: Recorded
) -> None:
    """R2, R3: what is settled to a number that nobody has here is not PONT's, though the header names PONT."""
    one = sent(world, pont)
    (lot,) = one.opened.file.lots
    settled = tuple(
        Settlement(number, (AnsweredLot(lot.number, lot.created_on, (AnsweredInvoice(lot.invoices[0].number),)),))
        for number in (PONT.number, "999000111")
    )
    fields = FrameFields(
        sender_type=one.opened.file.recipient_type,
        sender_number=one.opened.file.recipient_number,
        recipient_type="TP",
        recipient_number=PONT.number.zfill(14),
        application="RS",
        file_id="R00900",
        created_on="261121",
        norm="580",
    )
    data = rsp(fields, settled, Form.STREAM, LAYOUTS, ENTITIES)
    reaches_nobody(world, lambda: answers.send_back(unanswering(one.opened), "RSP/SV", data))


def test_a_payment_whose_control_is_wrong_is_held_with_its_place_and_its_rule_once(
    world: World, pont: Practice, answers: Recorded
) -> None:
    """R3, L7: the sum of the last control, one centime more."""
    one = sent(world, pont)
    answered(world, answers.settle([one.opened], to_sender=True), len(world.outside.arrivals))
    end = answers.file.rindex(b"P@")
    wrong = answers.file[: end - 1] + bytes([answers.file[end - 1] ^ 1]) + answers.file[end:]
    reaches_nobody(world, lambda: answers.send_back(one.opened, "RSP/SV", wrong))
    with world.store.read() as conn:
        sentence = holds.list_open(conn)[-1].sentence
    assert "contredit ce qui la précède (zone sum). (position 31) [règle L7]" in sentence
    assert sentence.count("règle") == 1


def test_a_payment_of_two_that_cannot_be_cut_says_why(
    world: World, pont: Practice, gare: Practice, answers: Recorded
) -> None:
    """R3: an entity of an unknown code just before GARE's settlement."""
    of_pont, of_gare = sent(world, pont, REIMS), sent(world, gare, REIMS)
    answered(world, answers.settle([of_pont.opened, of_gare.opened]), len(world.outside.arrivals))
    frame = read_noemie(answers.file, LAYOUTS, ENTITIES).frame
    settlement = f"04002{GARE.number:0>15}".encode()
    raws = [entity.raw for entity in read_noemie(answers.file, LAYOUTS, ENTITIES).entities]
    at = next(rank for rank, raw in enumerate(raws) if raw.startswith(settlement))
    raws.insert(at, b"77702A QUI@")
    data = build_noemie(frame, raws, FORMS[Form.STREAM], LAYOUTS, ENTITIES)
    reaches_nobody(world, lambda: answers.send_back(unanswering(of_pont.opened), "RSP/SV", data))
    with world.store.read() as conn:
        assert ORPHAN in holds.list_open(conn)[-1].sentence


def test_a_return_that_contradicts_what_it_answers_is_held(
    world: World, pont: Practice, gare: Practice, answers: Recorded
) -> None:
    """R2: an ARL on GARE's lot in answer to PONT's file: never guess."""
    of_pont, of_gare = sent(world, pont), sent(world, gare)
    mixed = of_gare.opened.file.lots
    reaches_nobody(world, lambda: answers.acknowledge_lots(of_pont.opened, mixed, to_sender=True))
    assert of_pont.state(world) == of_gare.state(world) == "delivered"


def test_an_insurer_cannot_answer_for_another(world: World, pont: Practice, answers: Recorded) -> None:
    """R2: REIMS speaks of a lot that BOURG got; nothing that REIMS received is meant."""
    one = sent(world, pont, BOURG)
    elsewhere = replace(unanswering(one.opened), arrival=replace(one.opened.arrival, rcpt_to=MAILBOX[REIMS]))
    reaches_nobody(world, lambda: answers.acknowledge(elsewhere, to_sender=True))
    assert one.state(world) == "delivered"


FORGERS = {
    "nobody": ("x@ailleurs.example", "x@ailleurs.example", "celle d'aucun assureur : x@ailleurs.example"),
    "a practitioner in an insurer's name": ("gare@boite.example", MAILBOX[BOURG], "l'adresse d'un praticien"),
}


@pytest.mark.parametrize("forger", FORGERS)
def test_a_forged_return_is_refused_at_the_door_and_held_for_the_operator(
    world: World, pont: Practice, forger: str
) -> None:
    """H6: only a registered insurer sends returns; what looks like one is kept, traced, and reaches nobody."""
    mail_from, header_from, why = FORGERS[forger]
    one, before = sent(world, pont), len(world.outside.arrivals)
    raw = forged(one, header_from)
    replies = {deliver(world.door, mail_from, OCT, raw) for _ in range(2)}
    world.settle()
    assert {reply.code for reply in replies} == {550}
    assert len(world.outside.arrivals) == before
    assert one.state(world) == "delivered"
    (hold,) = [hold for hold in json.loads(world.oct("held", "list", "--json")) if why in hold["motif"]]
    story = json.loads(world.oct("trace", "show", hold["suivi"], "--json"))
    assert (story["message"]["de"], story["message"]["etat"]) == (header_from, "retenu")
    assert [event["quoi"] for event in story["evenements"]] == ["recu"]
    world.oct("held", "refuse", str(hold["id"]), "--reason", "un faux")
    assert json.loads(world.oct("trace", "show", hold["suivi"], "--json"))["message"]["etat"] == "refusé"


def test_a_return_that_a_practitioner_sends_as_itself_goes_no_further(
    world: World, pont: Practice, gare: Practice
) -> None:
    """O3: held, told to its sender only; the lot it speaks of does not move."""
    one = sent(world, pont)
    outcome = world.play(gare.address, forged(one, gare.address))
    assert [letter.rcpt_to for letter in outcome.letters] == [gare.address]
    assert outcome.opened == []
    assert one.state(world) == "delivered"


def forged(one: Sent, header_from: str) -> bytes:
    """An ARL of a lot as somebody would forge it."""
    captured: list[bytes] = []

    class Captured(Answers):
        def send_back(self, opened: Opened, description: str, data: bytes) -> Reply:
            captured.append(data)
            return Reply(0, "")

    Captured(("127.0.0.1", 0), layouts=LAYOUTS, entities=ENTITIES, clock=system_clock).acknowledge(one.opened)
    headers = [
        f"From: {header_from}",
        f"To: {OCT}",
        "Subject: ARL",
        f"Message-ID: <{system_clock()}@faux.example>",
        "MIME-Version: 1.0",
        "Content-Type: Application/EDI-consent",
        "Content-Transfer-Encoding: 8bit",
        "Content-Description: ARL/SV",
    ]
    return "\r\n".join([*headers, "", ""]).encode() + captured[0]
