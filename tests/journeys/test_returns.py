"""Insurers answer: each practitioner gets what is his, byte for byte, and nobody anything else (R1 to R4, C6)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from oct.clock import paris, system_clock
from oct.domain.return_parts import ORPHAN
from oct.formats.entities import Entities
from oct.formats.frame import FrameFields
from oct.formats.noemie import Form, build_noemie, read_noemie
from oct.settings.data_files import built_in
from oct.simulators.answers import Answers
from oct.simulators.insurer import Opened
from oct.simulators.invoices import Kind
from oct.simulators.mail import Letter
from oct.simulators.parties import Caisse
from oct.simulators.return_files import FORMS, AnsweredInvoice, AnsweredLot, Settlement, rsp
from oct.simulators.sending import Reply, deliver
from oct.simulators.traffic import Claims
from oct.store import holds, lots, messages
from oct.store.lots import Lot
from tests.journeys.golden import OCT
from tests.journeys.outside import LAYOUTS
from tests.journeys.practice import (
    ALPHA,
    ALPHA_MAILBOX,
    BOURG,
    GARE,
    LABO,
    MAILBOX,
    NETWORK,
    OWN,
    PONT,
    REIMS,
    Practice,
    practice,
)
from tests.journeys.world import Outcome, World

ENTITIES = Entities.from_toml(built_in("noemie.toml"))


class Recorded(Answers):
    """Answers that remember the last file they sent."""

    file = b""

    def send_back(self, opened: Opened, description: str, data: bytes) -> Reply:
        self.file = data
        return super().send_back(opened, description, data)


@dataclass(frozen=True, slots=True)
class Sent:
    """A file of one lot that an insurer opened."""

    trace: str
    opened: Opened

    def lots(self, world: World) -> list[Lot]:
        """The lots of its message, as the concentrator knows them."""
        with world.store.read() as conn:
            message = messages.by_trace(conn, self.trace)
            assert message is not None
            return lots.of_message(conn, message.id)

    def state(self, world: World) -> str:
        (lot,) = self.lots(world)
        return lot.state


@pytest.fixture(scope="module")
def pont() -> Practice:
    return practice(PONT, 30)


@pytest.fixture(scope="module")
def gare() -> Practice:
    return practice(GARE, 31)


@pytest.fixture
def answers(world: World) -> Recorded:
    """Insurers that seal their answers to the concentrator."""
    certificate = OWN["oct"].certificate
    return Recorded(world.door, layouts=LAYOUTS, entities=ENTITIES, clock=system_clock, certificate=certificate)


def sent(world: World, who: Practice, caisse: Caisse = BOURG) -> Sent:
    """One lot of one practitioner, delivered to a caisse."""
    file = who.claims.file(who.sender, [who.claims.fse_lot(who.sender, caisse)])
    outcome = world.play(who.address, who.wrap(file))
    (opened,) = outcome.opened
    one = Sent(outcome.trace, opened)
    assert one.state(world) == "delivered"
    return one


def answered(world: World, reply: Reply, before: int) -> Outcome:
    """What came of an answer."""
    assert reply.code == 250
    world.settle()
    return world.since(before, reply)


def only_letter(outcome: Outcome) -> Letter:
    """The one thing that was sent to anybody."""
    (letter,) = outcome.letters
    assert outcome.opened == []
    return letter


@pytest.mark.parametrize(("code", "state"), [("", "acknowledged"), ("1070", "refused")])
def test_an_arl_of_a_lot_reaches_its_practitioner_byte_for_byte(
    world: World, pont: Practice, answers: Recorded, code: str, state: str
) -> None:
    """R1, R4."""
    one, before = sent(world, pont), len(world.outside.arrivals)
    letter = only_letter(answered(world, answers.acknowledge(one.opened, code=code), before))
    assert (letter.rcpt_to, letter.content) == (pont.address, answers.file)
    assert letter.subject == one.opened.letter.subject
    assert letter.description == "ARL/SV"
    (lot,) = one.lots(world)
    assert (lot.state, lot.code) == (state, code)


@pytest.mark.parametrize(("code", "state"), [("", "acknowledged"), ("9999", "refused")])
def test_an_arl_of_a_whole_file_reaches_its_practitioner_too(
    world: World, pont: Practice, answers: Recorded, code: str, state: str
) -> None:
    """R2: it is addressed to the concentrator, and named by the file that it answers."""
    one, before = sent(world, pont), len(world.outside.arrivals)
    letter = only_letter(answered(world, answers.acknowledge_file(one.opened, code=code), before))
    assert (letter.rcpt_to, letter.content) == (pont.address, answers.file)
    assert one.state(world) == state


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize(("rejection", "state"), [("", "paid"), ("0301", "rejected")])
def test_a_payment_reaches_its_practitioner_byte_for_byte(
    world: World, pont: Practice, answers: Recorded, form: Form, rejection: str, state: str
) -> None:
    """R1, R4: after its ARL, in both physical forms."""
    one = sent(world, pont)
    before = len(world.outside.arrivals)
    answered(world, answers.acknowledge(one.opened), before)
    assert one.state(world) == "acknowledged"
    before = len(world.outside.arrivals)
    letter = only_letter(answered(world, answers.settle([one.opened], form=form, rejection=rejection), before))
    assert (letter.rcpt_to, letter.content) == (pont.address, answers.file)
    assert one.state(world) == state


@pytest.mark.parametrize(
    ("first", "then", "states"),
    [
        ("P", "P", ["part_paid", "paid"]),
        ("R", "R", ["acknowledged", "rejected"]),
        ("R", "P", ["acknowledged", "part_paid"]),
    ],
)
def test_a_lot_settled_by_two_returns_has_the_state_that_both_give(
    world: World, pont: Practice, answers: Recorded, first: str, then: str, states: list[str]
) -> None:
    """R4: one invoice each; a lot of which only some invoices are rejected is answered, nothing more."""
    file = pont.claims.file(pont.sender, [pont.claims.fse_lot(pont.sender, BOURG, invoices=2)])
    outcome = world.play(pont.address, pont.wrap(file))
    (opened,) = outcome.opened
    one = Sent(outcome.trace, opened)
    (lot,) = opened.file.lots
    seen = []
    for invoice, word in zip(lot.invoices, (first, then), strict=True):
        alone = replace(opened, file=replace(opened.file, lots=(replace(lot, invoices=(invoice,)),)))
        before = len(world.outside.arrivals)
        answered(world, answers.settle([alone], rejection="0301" if word == "R" else ""), before)
        seen.append(one.state(world))
    assert seen == states


@pytest.mark.parametrize("form", list(Form))
def test_a_payment_of_two_practitioners_is_split(
    world: World, pont: Practice, gare: Practice, answers: Recorded, form: Form
) -> None:
    """R3: each gets only its own entities, in a file that reads cleanly; nobody anything else."""
    of_pont, of_gare = sent(world, pont, REIMS), sent(world, gare, REIMS)
    before = len(world.outside.arrivals)
    outcome = answered(world, answers.settle([of_pont.opened, of_gare.opened], form=form), before)
    received = {letter.rcpt_to: letter.content for letter in outcome.letters}
    assert set(received) == {pont.address, gare.address}
    assert len(outcome.letters) == 2
    for who, one, other in ((pont, of_pont, of_gare), (gare, of_gare, of_pont)):
        content = received[who.address]
        read_noemie(content, LAYOUTS, ENTITIES)
        stream = (
            content
            if form is Form.STREAM
            else b"".join(content[at + 1 : at + 128] for at in range(0, len(content), 128))
        )
        assert all(invoice.number.encode() in stream for lot in one.opened.file.lots for invoice in lot.invoices)
        assert not any(
            f"100{level:02}{invoice.number}".encode() in stream
            for level in range(10)
            for lot in other.opened.file.lots
            for invoice in lot.invoices
        )
        assert other.opened.file.lots[0].ps_number.encode() not in stream
        assert one.state(world) == "paid"


def test_an_arl_on_a_lot_that_the_concentrator_built_is_its_own(
    world: World, pont: Practice, answers: Recorded
) -> None:
    """C6: nobody gets it, the lot's state moves."""
    invoice = pont.claims.invoice(PONT, BOURG, Kind.ENRICHED, amc=ALPHA, settlement="05", tiers_payant=True)
    file = pont.claims.file(PONT, [pont.claims.lot(PONT, BOURG, [invoice])])
    outcome = world.play(pont.address, pont.wrap(file))
    (flow,) = [one for one in outcome.opened if one.arrival.rcpt_to == ALPHA_MAILBOX]
    before = len(world.outside.arrivals)
    nobody = answered(world, answers.acknowledge(flow), before)
    assert (nobody.letters, nobody.opened) == ([], [])
    states = {lot.kind: lot.state for lot in Sent(outcome.trace, flow).lots(world)}
    assert states == {"FSE": "delivered", "AMC": "acknowledged"}


def test_an_arl_on_a_lot_of_the_practitioner_s_reaches_him_though_the_amc_flow_has_one_of_its_number(
    world: World, answers: Recorded
) -> None:
    """C6, R1: the same number, date and organism, to the same AMC."""
    claims = Claims(LAYOUTS, random.Random(33), NETWORK, paris(system_clock()).date())
    drawing = replace(practice(LABO, 33), claims=claims)
    dre = claims.invoice(LABO, BOURG, Kind.DRE, amc=ALPHA)
    own = world.play(
        drawing.address,
        drawing.wrap(claims.file(LABO, [claims.lot(LABO, ALPHA, [dre], organism=BOURG.organism)])),
    )
    enriched = claims.invoice(LABO, BOURG, Kind.ENRICHED, amc=ALPHA, settlement="05", tiers_payant=True)
    file = claims.file(LABO, [claims.lot(LABO, BOURG, [enriched])])
    derived = world.play(drawing.address, drawing.wrap(file))
    flow = next(one for one in derived.opened if one.arrival.rcpt_to == ALPHA_MAILBOX)
    (opened,) = own.opened
    (mine,), (theirs,) = opened.file.lots, flow.file.lots
    assert (mine.number, mine.created_on, mine.organism) == (theirs.number, theirs.created_on, theirs.organism)
    before = len(world.outside.arrivals)
    letter = only_letter(answered(world, answers.acknowledge(opened, code="0012"), before))
    assert (letter.rcpt_to, letter.content) == (drawing.address, answers.file)
    before = len(world.outside.arrivals)
    assert answered(world, answers.acknowledge(flow), before).letters == []
    states = {lot.kind: lot.state for one in (own, derived) for lot in Sent(one.trace, flow).lots(world)}
    assert states == {"DRE": "refused", "FSE": "delivered", "AMC": "acknowledged"}


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
    "nobody": ("x@ailleurs.example", "x@ailleurs.example", 550),
    "a practitioner in an insurer's name": ("gare@boite.example", MAILBOX[BOURG], 550),
}


@pytest.mark.parametrize("forger", FORGERS)
def test_a_forged_return_is_refused_at_the_door(world: World, pont: Practice, forger: str) -> None:
    """H6: only a registered insurer sends returns."""
    mail_from, header_from, code = FORGERS[forger]
    one, before = sent(world, pont), len(world.outside.arrivals)
    reply = deliver(world.door, mail_from, OCT, forged(one, header_from))
    world.settle()
    assert reply.code == code
    assert len(world.outside.arrivals) == before
    assert one.state(world) == "delivered"


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


def unanswering(opened: Opened) -> Opened:
    """An opened file whose answer will name no message that we sent."""
    raw = b"From: oct@concentrateur.example\r\nSubject: reponse\r\nMessage-ID: <inconnu@ailleurs.example>\r\n\r\n"
    return replace(opened, letter=replace(opened.letter, raw=raw))


def reaches_nobody(world: World, answer: Callable[[], Reply]) -> None:
    """The return is taken, held for the operator, and nothing leaves."""
    before = len(world.outside.arrivals)
    outcome = answered(world, answer(), before)
    assert (outcome.letters, outcome.opened) == ([], [])
    with world.store.read() as conn:
        message = messages.by_trace(conn, outcome.trace)
        assert message is not None
        assert message.state == "held"
        assert [hold.message_id for hold in holds.list_open(conn)].count(message.id) == 1
