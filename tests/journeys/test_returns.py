"""Insurers answer: each practitioner gets what is his, byte for byte, and nobody anything else (R1 to R4, C6)."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from oct.clock import paris, system_clock
from oct.formats.noemie import Form, read_noemie
from oct.simulators.invoices import Kind
from oct.simulators.traffic import Claims
from tests.journeys.answering import ENTITIES, Recorded, Sent, answered, only_letter, sent
from tests.journeys.outside import LAYOUTS
from tests.journeys.practice import (
    ALPHA,
    ALPHA_MAILBOX,
    BOURG,
    LABO,
    NETWORK,
    PONT,
    REIMS,
    Practice,
    practice,
)
from tests.journeys.world import World


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
    claims._lots[LABO.number, BOURG.organism] = 998  # the flow's own lots count down from 999
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
