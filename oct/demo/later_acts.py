"""The acts in which time passes or something fails: re-sent files, a mailbox provider's outage, silence, dLOI.

Like those of `oct.demo.acts`, each checks its own outcome from outside.
"""

from __future__ import annotations

import poplib

from oct.clock import paris, system_clock
from oct.crypto.passwords import hash_password
from oct.demo.stage import Stage
from oct.demo.world import AIN, CONCENTRATOR, DOCTOR, ISSUER, LABORATORY, LOIRE, MSA, NUMBER, NURSE, PHYSIO, mailbox_of
from oct.simulators.mail import Envelope, Letter, Shape, compose
from oct.simulators.opposition import increment, request
from oct.simulators.sending import deliver
from oct.steps.hosting import restore
from oct.store import increments, practitioners

_PASSWORD = "mot de passe de la démonstration"  # noqa: S105 - it protects nothing
_OPERATOR = "demo"
_HELD, _AVAILABLE = 101, (102, 103)


def sent_again(stage: Stage) -> None:
    """D2: a file sent again after its ARL is not forwarded; the practitioner gets the stored ARL once more."""
    claims = stage.world.claims
    lot = claims.fse_lot(PHYSIO, AIN)
    file = claims.file(PHYSIO, [lot])
    first = stage.submit("Fichier qui sera renvoyé", PHYSIO, file)
    stage.answer(first, lot, AIN, stage.world.answers.acknowledge, b"AR")
    before = len(stage.returned(PHYSIO))
    again = stage.submit("Fichier renvoyé", PHYSIO, file)
    stage.expect_art(again, "Déjà transmis")
    stage.expect_returned(again, before)
    if len(stage.holding(AIN, lot)) != 1:
        again.faults.append("le lot est reparti chez l'assureur")


def mailbox_outage(stage: Stage) -> None:
    """R5: the practitioner's mailbox provider fails; the hosted mailbox stands in, read by POP, until it is mended."""
    claims, workshop = stage.world.claims, stage.world.workshop
    with workshop.store.begin() as conn:
        account = practitioners.by_number(conn, NURSE.number)
        if account is not None:
            practitioners.set_mailbox(conn, account.id, NURSE.number, hash_password(_PASSWORD))
    lot = claims.fse_lot(NURSE, AIN)
    stage.world.mailbox.temper.refuse(550, 1, address=mailbox_of(NURSE))
    act = stage.submit("Panne de la boîte du PS", NURSE, claims.file(NURSE, [lot]))
    stage.expect_lots(act, {AIN: [lot]})
    stage.expect(act, "l'ART n'est pas dans la boîte hébergée", lambda: _fetched(stage, act.trace.encode()))
    for opened in stage.holding(AIN, lot):
        stage.answered.add((opened.arrival.rcpt_to, opened.file.file_id))
        stage.world.answers.acknowledge(opened)
    stage.expect(act, "l'ARL n'est pas dans la boîte hébergée", lambda: _fetched(stage, b"CT", b"AR"))
    if account is not None:
        restore(workshop, [account], _OPERATOR)
    after = stage.submit("Boîte du PS rétablie", NURSE, claims.file(NURSE, [claims.fse_lot(NURSE, LOIRE)]))
    stage.expect_art(after, "TRAITÉ.")


def _fetched(stage: Stage, *words: bytes) -> bool:
    """Whether one message of the hosted mailbox holds these words, as the practitioner's software reads it by POP."""
    mailbox = poplib.POP3(*stage.world.pop)
    try:
        mailbox.user(NURSE.number)
        mailbox.pass_(_PASSWORD)
        raws = [b"\r\n".join(mailbox.retr(number + 1)[1]) for number in range(len(mailbox.list()[1]))]
    finally:
        mailbox.quit()
    contents = [Letter("", mailbox_of(NURSE), raw).content for raw in raws]
    return any(all(word in content for word in words) for content in contents)


def silence(stage: Stage) -> None:
    """D1: all insurers answer but one; its practitioner is told once, after the delay of the settings."""
    stage.acknowledge_rest()
    claims = stage.world.claims
    lot = claims.fse_lot(LABORATORY, MSA)
    act = stage.submit("Assureur silencieux", LABORATORY, claims.file(LABORATORY, [lot]))
    stage.expect_lots(act, {MSA: [lot]})
    stage.expect(act, "le PS n'a pas été prévenu du silence", lambda: bool(stage.texts(act, "Sans réponse")))


def opposition_list(stage: Stage) -> None:
    """O1: increments are kept when they come; a practitioner gets those it lacks."""
    layouts, concentrator = stage.world.workshop.layouts, NUMBER.zfill(14)
    today = f"{paris(system_clock()):%y%m%d}"
    issued = {number: increment(number, concentrator, today, layouts) for number in (_HELD, *_AVAILABLE)}
    for number, content in issued.items():
        deliver(stage.world.door, ISSUER, CONCENTRATOR, _carried(ISSUER, f"DLOI/{number:06d}", "DLOI/SV", content))
    stage.world.until(lambda: _kept(stage) == list(issued))
    before = len(stage.returned(DOCTOR))
    subject = f"SV140700/{DOCTOR.header_number}/{paris(system_clock()):%Y%m%d%H%M%S}99999/00000"
    asked = request(DOCTOR, _HELD, concentrator, today, layouts)
    act = stage.send("Demande de dLOI", DOCTOR, _carried(mailbox_of(DOCTOR), subject, "DDLOI/SV", asked))
    stage.expect(act, "les incréments manquent", lambda: len(stage.returned(DOCTOR)) >= before + len(_AVAILABLE))
    if stage.returned(DOCTOR)[before:] != [issued[number] for number in _AVAILABLE]:
        act.faults.append("ce ne sont pas les incréments attendus, dans l'ordre")
    stage.expect_art(act)


def _kept(stage: Stage) -> list[int]:
    with stage.world.workshop.store.read() as conn:
        return increments.numbers(conn)


def _carried(sender: str, subject: str, description: str, content: bytes) -> bytes:
    envelope = Envelope(
        sender=sender,
        recipient=CONCENTRATOR,
        subject=subject,
        sent_at=system_clock(),
        message_id=f"<{subject.replace('/', '.')}@demo.example>",
        description=description,
        name="fichier.bin",
    )
    return compose(envelope, Shape.CLEAR, content)


LATER_ACTS = (sent_again, mailbox_outage, opposition_list, silence)
"""In the order in which they are played."""
