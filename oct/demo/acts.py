"""The acts of the demonstration: one message of every kind, and what insurers answer.

The seed is fixed, so every run plays the same; each act checks its own outcome on the stage.
"""

from __future__ import annotations

from collections.abc import Callable

from oct.demo.stage import Stage
from oct.demo.world import (
    AIN,
    ALPHA,
    BETA,
    DOCTOR,
    LABORATORY,
    LOIRE,
    MSA,
    NURSE,
    PHARMACY,
    PHYSIO,
    UNLISTED,
    address_of,
)
from oct.formats.noemie import Form
from oct.simulators.faults import contract99_settlement15, mixed_regimes, truncated
from oct.simulators.invoices import Kind
from oct.simulators.mail import Shape
from oct.simulators.practitioner import Wrapping
from oct.steps.release import release
from oct.store import events, holds

ActPlay = Callable[[Stage], None]
_OPERATOR = "demo"


def single_file(stage: Stage) -> None:
    """Annex 4.2: one file for all, split by destination."""
    claims = stage.world.claims
    lots = [claims.fse_lot(DOCTOR, caisse) for caisse in (LOIRE, AIN, LOIRE, MSA)]
    act = stage.submit("Fichier unique", DOCTOR, claims.file(DOCTOR, lots))
    stage.expect_lots(act, {LOIRE: [lots[0], lots[2]], AIN: [lots[1]], MSA: [lots[3]]})
    stage.expect_art(act, "TRAITÉ.", "4 lots")


def source_split(stage: Stage) -> None:
    """Annex 4.1: already addressed to its caisse, passed on byte for byte."""
    file = stage.world.claims.caisse_file(NURSE, AIN, lots=2)
    act = stage.submit("Fichier éclaté à la source", NURSE, file, Wrapping(shape=Shape.MULTIPART))
    stage.expect(
        act,
        "le fichier n'est pas arrivé tel quel",
        lambda: any(one.file.data == file.data for one in stage.received(AIN)),
    )
    stage.expect_art(act, "TRAITÉ.")


def enriched(stage: Stage) -> None:
    """Annex 4.3: contract 99, the AMC flow is derived."""
    claims = stage.world.claims
    invoices = [claims.invoice(PHYSIO, MSA, Kind.FSE), claims.invoice(PHYSIO, MSA, Kind.ENRICHED, amc=ALPHA)]
    lot = claims.lot(PHYSIO, MSA, invoices)
    act = stage.submit("FSE enrichie (contrat 99)", PHYSIO, claims.file(PHYSIO, [lot]))
    numbers = {invoice.number for invoice in invoices}
    stage.expect(act, "le flux AMO n'est pas arrivé", lambda: stage.has_invoices(MSA, numbers))
    stage.expect(act, "le flux AMC n'est pas arrivé", lambda: stage.has_invoices(ALPHA, {invoices[1].number}))
    stage.expect_art(act, "TRAITÉ.", "flux AMC")


def claims_and_dre(stage: Stage) -> None:
    """A single file that mixes FSE for an AMO and DRE for an AMC."""
    claims = stage.world.claims
    lots = [claims.dre_lot(PHARMACY, BETA), claims.fse_lot(PHARMACY, AIN)]
    act = stage.submit("FSE et DRE ensemble", PHARMACY, claims.file(PHARMACY, lots))
    stage.expect_lots(act, {BETA: [lots[0]], AIN: [lots[1]]})
    stage.expect_art(act, "TRAITÉ.", "lot DRE")


def unknown_caisse(stage: Stage) -> None:
    """L6: a caisse that the directory lacks waits, until the operator adds it and releases the lot."""
    claims = stage.world.claims
    lots = [claims.fse_lot(LABORATORY, UNLISTED), claims.fse_lot(LABORATORY, LOIRE)]
    act = stage.submit("Caisse inconnue", LABORATORY, claims.file(LABORATORY, lots))
    stage.expect_lots(act, {LOIRE: [lots[1]]})
    stage.expect_art(act, "TRAITÉ EN PARTIE", "La caisse 511")
    stage.world.list_caisse(UNLISTED)
    workshop = stage.world.workshop
    with workshop.store.read() as conn:
        waiting = holds.list_open(conn, code="caisse-inconnue")
    for hold in waiting:
        release(workshop, hold.id, _OPERATOR)
    stage.expect_lots(act, {UNLISTED: [lots[0]]})


def malformed(stage: Stage) -> None:
    """L7: a file that is cut is refused whole, with the place."""
    act = stage.submit("Fichier malformé", NURSE, truncated(stage.world.claims, NURSE))
    stage.expect_art(act, "REFUSÉ", "enregistrement", "[règle L7]")


def bad_settlement(stage: Stage) -> None:
    """C2: contract 99 with tiers payant on both parts; its lot is refused."""
    act = stage.submit("Contrat 99, règlement 15", DOCTOR, contract99_settlement15(stage.world.claims, DOCTOR))
    stage.expect_art(act, "[règle C2]")


def ambiguous(stage: Stage) -> None:
    """L3: a lot of two régimes has no one destination."""
    act = stage.submit("Régimes mêlés dans un lot", DOCTOR, mixed_regimes(stage.world.claims, DOCTOR))
    stage.expect_art(act, "destination ambiguë", "[règle L3]")


def in_clear(stage: Stage) -> None:
    """An attachment that is not encrypted is refused."""
    file = stage.world.claims.single_file(NURSE, kinds=(Kind.FSE,), lots=1)
    act = stage.submit("Pièce jointe en clair", NURSE, file, Wrapping(shape=Shape.CLEAR))
    stage.expect_art(act, "REFUSÉ", "n'est pas chiffrée")


def sent_twice(stage: Stage) -> None:
    """D4: the same SMTP transaction again, because its 250 was lost, is the same message."""
    claims = stage.world.claims
    lot = claims.fse_lot(DOCTOR, LOIRE)
    message = stage.world.software(DOCTOR).message(claims.file(DOCTOR, [lot]))
    act = stage.send("Transaction répétée", DOCTOR, message)
    again = stage.world.software(DOCTOR).send(message)
    if act.trace not in again.text:
        act.faults.append("la répétition a reçu un autre numéro de suivi")
    stage.expect_lots(act, {LOIRE: [lot]})
    stage.expect_art(act, "TRAITÉ.")
    if stage.world.insurer.lots()[address_of(LOIRE)].count(lot.sha256) != 1:
        act.faults.append("le lot est parti deux fois")


def impatient_insurer(stage: Stage) -> None:
    """An insurer that first answers 450 gets the same bytes later."""
    claims = stage.world.claims
    lot = claims.fse_lot(PHARMACY, MSA)
    stage.world.insurer.temper.refuse(450, 1, address=address_of(MSA))
    act = stage.submit("Caisse momentanément fermée", PHARMACY, claims.file(PHARMACY, [lot]))
    stage.expect_lots(act, {MSA: [lot]})
    stage.expect_art(act, "TRAITÉ.")
    workshop = stage.world.workshop
    with workshop.store.read() as conn:
        story = [event for found in events.find(conn, act.trace) for event in events.of_message(conn, found)]
    if not any(event.kind == "remise" and event.outcome == "differe" for event in story):
        act.faults.append("la caisse n'a pas été réessayée")


def acknowledged(stage: Stage) -> None:
    """R1: an ARL reaches its practitioner byte for byte."""
    claims = stage.world.claims
    lot = claims.fse_lot(NURSE, LOIRE)
    act = stage.submit("ARL positif", NURSE, claims.file(NURSE, [lot]))
    stage.answer(act, lot, LOIRE, stage.world.answers.acknowledge, b"AR")


def turned_down(stage: Stage) -> None:
    """A negative ARL too."""
    claims = stage.world.claims
    lot = claims.fse_lot(PHARMACY, LOIRE)
    act = stage.submit("ARL négatif", PHARMACY, claims.file(PHARMACY, [lot]))
    stage.answer(
        act, lot, LOIRE, lambda opened: stage.world.answers.acknowledge(opened, code="0042", label="LOT REFUSE"), b"AR"
    )


def paid(stage: Stage) -> None:
    """A RSP (NOEMIE) for one practitioner."""
    claims = stage.world.claims
    lot = claims.fse_lot(DOCTOR, AIN)
    act = stage.submit("RSP pour un PS", DOCTOR, claims.file(DOCTOR, [lot]))
    stage.answer(act, lot, AIN, lambda opened: stage.world.answers.settle([opened], form=Form.BLOCKS), b"RS")


def paid_together(stage: Stage) -> None:
    """R3: one RSP for two practitioners; each gets its own entities and nothing else."""
    claims = stage.world.claims
    pair = []
    for sender in (DOCTOR, PHYSIO):
        lot = claims.fse_lot(sender, MSA)
        act = stage.submit("RSP pour deux PS", sender, claims.file(sender, [lot]))
        stage.expect_lots(act, {MSA: [lot]})
        stage.expect_art(act, "TRAITÉ.")
        pair.append((act, sender, lot))
    opened = [one for _, _, lot in pair for one in stage.holding(MSA, lot)]
    stage.answered |= {(one.arrival.rcpt_to, one.file.file_id) for one in opened}
    before = [len(stage.returned(sender)) for _, sender, _ in pair]
    stage.world.answers.settle(opened, to_sender=True)
    for (act, sender, lot), seen in zip(pair, before, strict=True):
        stage.expect_returned(act, seen)
        foreign = [invoice for _, other, one in pair if other is not sender for invoice in one.invoices]
        for content in stage.returned(sender)[seen:]:
            if any(invoice.number.encode() not in content for invoice in lot.invoices):
                act.faults.append("une facture manque dans la RSP")
            if any(invoice.number.encode() in content for invoice in foreign):
                act.faults.append("la RSP contient la facture d'un autre PS")


ACTS: tuple[ActPlay, ...] = (
    single_file,
    source_split,
    enriched,
    claims_and_dre,
    unknown_caisse,
    malformed,
    bad_settlement,
    ambiguous,
    in_clear,
    sent_twice,
    impatient_insurer,
    acknowledged,
    turned_down,
    paid,
    paid_together,
)
"""In the order in which they are played."""
