"""What is wrong is said in French, with its place; nothing of it goes on, and nothing of a patient stands in a text."""

from __future__ import annotations

import gzip
import re
import smtplib
from collections.abc import Callable
from itertools import count

import pytest

from oct.simulators.faults import FAULTS
from oct.simulators.mail import Shape
from oct.simulators.practitioner import Wrapping
from oct.store import holds, messages
from tests.journeys import slicing
from tests.journeys.golden import OCT, golden
from tests.journeys.practice import ADDRESS, GARE, PONT, Practice, sealed
from tests.journeys.waiting import PATIENCE_S
from tests.journeys.world import Outcome, World

NUMBERS = count(1)
UNDECIPHERABLE = "Le message ne peut pas être déchiffré : vérifiez que votre logiciel utilise le certificat actuel"


def fresh() -> str:
    """A compostage that no message had."""
    return f"20261120100000{next(NUMBERS):05}"


def plain(art: str) -> str:
    """A text on one line."""
    return " ".join(art.split())


def refused_whole(outcome: Outcome, world: World) -> str:
    """The ART of a message nothing of which went on."""
    assert outcome.opened == []
    assert "REFUSÉ : rien n'a été transmis." in outcome.art
    assert not slicing.holds_nir(without_own_numbers(outcome.art))
    assert not slicing.holds_nir(without_own_numbers(world.log))
    return plain(outcome.art)


def without_own_numbers(text: str) -> str:
    """A text without the compostages, which are numbers too."""
    return re.sub(r"(?<!\d)\d{19}(?!\d)", "", text)


BROKEN_FILES = {
    "truncated": r"n'est pas un multiple de 128 : il est coupé. \(enregistrement \d+, position \d+\) \[règle L7\]",
    "missing_999": r"son dernier enregistrement n'est pas un 999. \(enregistrement \d+, position 1\) \[règle L7\]",
    "bad_record_count": r"compteur des enregistrements du 999 .* \(enregistrement \d+, position 56\) \[règle L7\]",
    "bad_lot_count": r"compteur des lots du 999 .* \(enregistrement \d+, position 83\) \[règle L7\]",
    "bad_invoice_count": r"comme nombre de factures, .* \(enregistrement \d+, position 11\) \[règle L7\]",
    "trailer_contradicts_header": r"contredit l'en-tête du lot. \(enregistrement \d+, position 52\) \[règle L7\]",
    "records_out_of_order": r"\(enregistrement \d+, position \d+\) \[règle L7\]",
}
BROKEN_LOTS = {
    "mixed_regimes": r"destination ambiguë .* \(enregistrement 2, position 17\) \[règle L3\]",
    "unknown_caisse": r"n'est pas dans l'annuaire. \(enregistrement 3, position 49\) \[règle L6\]",
    "contract99_settlement15": r"contrat 99 et le règlement 15 .* \(enregistrement \d+, position 115\) \[règle C2\]",
    "contract99_split_by_ps": r"contrat 99 mais le PS déclare .* \(enregistrement \d+, position 46\) \[règle C3\]",
    "contract99_with_dre": r"DRE et aussi comme FSE de contrat 99 .* \(enregistrement \d+, position 117\) \[règle C3\]",
    "foreign_lot": r"Le numéro PS 999000111 n'appartient pas .* \(enregistrement 2, position 2\) \[règle L8\]",
}


def test_every_fault_of_the_simulators_is_tried() -> None:
    assert set(FAULTS) == set(BROKEN_FILES) | set(BROKEN_LOTS)


@pytest.mark.parametrize("fault", BROKEN_FILES)
def test_a_file_that_is_no_sound_b2_is_refused_whole_with_its_place(world: World, pont: Practice, fault: str) -> None:
    """L7."""
    file = FAULTS[fault](pont.claims, PONT)
    art = refused_whole(world.play(pont.address, pont.wrap(file)), world)
    assert re.search(BROKEN_FILES[fault], art)
    assert not any(person in art for person in slicing.insured_numbers(file.data))


@pytest.mark.parametrize("fault", BROKEN_LOTS)
def test_a_lot_that_breaks_a_rule_stays_with_its_place_and_the_others_go_on(
    world: World, pont: Practice, fault: str
) -> None:
    """L3, L6, L8, C2, C3: only the last lot of these files is sound."""
    file = FAULTS[fault](pont.claims, PONT)
    outcome = world.play(pont.address, pont.wrap(file))
    forwarded = [b"".join(lot) for files in outcome.files.values() for one in files for lot in slicing.lots(one)]
    assert forwarded == [file.lots[-1].data]
    assert re.search(BROKEN_LOTS[fault], plain(outcome.art))
    assert not any(person in outcome.art + world.log for person in slicing.insured_numbers(file.data))


NO_CLAIMS: dict[str, tuple[Callable[[Practice], bytes], str]] = {
    "text": (lambda _: sealed(b"Bonjour, ceci est un texte." * 30), "Ce n'est pas un fichier B2"),
    "an empty file": (lambda _: sealed(b""), "Le fichier est vide."),
    "an empty attachment": (lambda _: b"", "Le fichier joint au message est vide."),
    "a bomb": (
        lambda _: sealed(gzip.compress(bytes(100 << 20), 9)),
        "Le fichier décompressé dépasse la taille acceptée. [règle H3]",
    ),
}


@pytest.mark.parametrize("kind", NO_CLAIMS)
def test_an_attachment_that_holds_no_claims_is_refused(world: World, pont: Practice, kind: str) -> None:
    """L7, M2, H3."""
    content, sentence = NO_CLAIMS[kind]
    outcome = world.play(pont.address, pont.message(content(pont), compostage=fresh()))
    assert sentence in refused_whole(outcome, world)


def test_a_file_in_clear_is_refused(world: World, pont: Practice) -> None:
    file = pont.claims.single_file(PONT)
    outcome = world.play(pont.address, pont.software.message(file, Wrapping(shape=Shape.CLEAR)))
    assert "La pièce jointe n'est pas chiffrée : elle doit l'être." in refused_whole(outcome, world)
    assert not any(person in outcome.art + world.log for person in slicing.insured_numbers(file.data))


def test_two_attachments_are_refused(world: World, pont: Practice) -> None:
    """Annex 7.1: one file only."""
    file = pont.claims.single_file(PONT)
    message = pont.software.message(file, Wrapping(shape=Shape.MULTIPART))
    second = message.rpartition(b"--=_envoi\r\n")[2]
    doubled = message.replace(b"--=_envoi--", b"--=_envoi\r\n" + second.partition(b"--=_envoi--")[0] + b"--=_envoi--")
    outcome = world.play(pont.address, doubled)
    assert "Le message contient plusieurs fichiers, un seul est permis." in refused_whole(outcome, world)


def test_whatever_cannot_be_deciphered_gets_the_same_text(world: World, pont: Practice) -> None:
    """H4: the trace number, the compostage and the time apart, nothing tells one cause from another."""
    sound = sealed(gzip.compress(golden("01-single-file").b2, mtime=0))
    attempts = [
        bytes(range(256)) * 4,
        b"\x30\x82\x10\x00" + bytes(64),
        sealed(b"000", "stranger"),
        sound[: len(sound) // 2],
        sound[:-16],
        *(flipped(sound, len(sound) * part // 16) for part in range(1, 16)),
        *(flipped(sound, -last) for last in (1, 16, 17, 32)),
    ]
    texts = set()
    for attempt in attempts:
        outcome = world.play(pont.address, pont.message(attempt, compostage=fresh()))
        assert UNDECIPHERABLE in refused_whole(outcome, world)
        texts.add(re.sub(r"(?m)^(Numéro de suivi|Reçu le|Compostage).*", "", outcome.art))
    assert len(texts) == 1


def flipped(blob: bytes, place: int) -> bytes:
    """An envelope with one bit changed."""
    changed = bytearray(blob)
    changed[place] ^= 1
    return bytes(changed)


REFUSED_SENDERS = {
    "a number that nobody registered": ("pont@boite.example", "pont@boite.example", "999000111", "pas enregistre ici"),
    "nobody at all": ("x@ailleurs.example", "x@ailleurs.example", "999000111", "pas enregistre ici"),
    "the From of another account": ("x@ailleurs.example", ADDRESS[GARE], PONT.number, "appartient a un autre compte"),
    "two accounts at once": (ADDRESS[GARE], ADDRESS[PONT], PONT.number, "deux comptes differents"),
}


@pytest.mark.parametrize("who", REFUSED_SENDERS)
def test_a_sender_that_is_not_who_it_says_is_refused_at_the_door(world: World, pont: Practice, who: str) -> None:
    """H6: 550 before anything is kept."""
    mail_from, header_from, number, sentence = REFUSED_SENDERS[who]
    message = pont.message(sealed(b"000"), compostage=fresh(), sender=header_from, number=number)
    reply = world.send(mail_from, message)
    assert reply.code == 550
    assert sentence in reply.text
    assert reply.text.isascii()


def test_a_subject_that_names_nobody_from_an_unknown_address_is_refused(world: World, pont: Practice) -> None:
    message = pont.message(sealed(b"000"), compostage=fresh(), sender="x@ailleurs.example")
    reply = world.send("x@ailleurs.example", re.sub(rb"Subject: .*", b"Subject: bonjour\r", message))
    assert (reply.code, reply.text) == (550, "5.7.1 Expediteur inconnu")


def test_nothing_is_relayed(world: World, pont: Practice) -> None:
    """H2."""
    before = len(world.outside.arrivals)
    message = pont.wrap(pont.claims.single_file(PONT))
    for recipient in ("01511@511.01.rss.fr", "pont@boite.example", "oct@concentrateur.example@boite.example"):
        reply = world.send(pont.address, message, recipient)
        assert reply.code in {550, 501, 553}
    assert len(world.outside.arrivals) == before


def test_a_known_number_from_an_unknown_address_waits_for_the_operator(world: World, pont: Practice) -> None:
    """H6, H7: accepted, held, and nothing is sent to the unknown address."""
    message = pont.message(sealed(b"000"), compostage=fresh(), sender="nouveau@ailleurs.example")
    outcome = world.play("nouveau@ailleurs.example", message)
    assert outcome.reply.code == 250
    assert (outcome.opened, outcome.letters) == ([], [])
    with world.store.read() as conn:
        kept = messages.by_trace(conn, outcome.trace)
        assert kept is not None
        (hold,) = [one for one in holds.list_open(conn, code="expediteur-inconnu") if one.message_id == kept.id]
    assert hold.sentence == "L'adresse From n'est pas enregistrée pour ce numéro de PS."


@pytest.mark.parametrize("header", ["From", "Subject"])
def test_two_headers_where_one_is_allowed_are_refused(world: World, pont: Practice, header: str) -> None:
    """H5."""
    message = pont.wrap(pont.claims.single_file(PONT))
    line = next(line for line in message.splitlines() if line.startswith(header.encode()))
    reply = world.send(pont.address, line + b"\r\n" + message)
    assert (reply.code, reply.text) == (554, f"5.6.0 Le message porte deux en-tetes {header}.")


def test_the_same_transaction_twice_is_one_message(world: World, pont: Practice) -> None:
    """D4: the client lost our 250: the same trace number, one processing, one ART. A relay's line does not matter."""
    message = pont.wrap(pont.claims.single_file(PONT))
    outcome = world.play(pont.address, message)
    before = len(world.outside.arrivals)
    for repeated in (message, b"Received: from relais.example\r\n" + message):
        again = world.play(pont.address, repeated)
        assert again.trace == outcome.trace
    assert outcome.art
    assert len(world.outside.arrivals) == before


def test_one_connection_carries_good_and_bad_messages(world: World, pont: Practice) -> None:
    """A refusal spoils nothing of what follows in the same session."""
    good = pont.wrap(pont.claims.single_file(PONT))
    before = len(world.outside.arrivals)
    with smtplib.SMTP(*world.door, local_hostname="essai.example", timeout=PATIENCE_S) as session:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            session.sendmail(pont.address, ["x@ailleurs.example"], good)
        with pytest.raises(smtplib.SMTPDataError, match="550"):
            session.sendmail(pont.address, [OCT], good.replace(b"From: pont@", b"From: gare@"))
        assert session.sendmail(pont.address, [OCT], good) == {}
    world.settle()
    assert [letter.description for letter in world.outside.letters(pont.address, before)] == ["ART/ER"]
