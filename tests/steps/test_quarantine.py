"""Returns that the door refuses are kept for the operator, once, within bounds, and let in by the register (H6, D4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from oct.domain.journey import MessageState
from oct.errors import RuleError
from oct.formats.mime_headers import MessageLimits, read_headers
from oct.formats.profiles import Profiles
from oct.settings.data_files import built_in
from oct.smtp.transaction import Reply
from oct.steps.door.quarantine import looks_like_return
from oct.steps.release import refuse, release
from oct.steps.workshop import QuarantineBounds, Rules
from oct.store import holds, insurers, messages, payloads
from oct.store.holds import Hold
from oct.store.messages import Message
from tests.steps.bench import CLAIMS, OCT, Bench, bench

REIMS, ELSEWHERE, PONT = "01511@511.01.rss.fr", "nouveau@ailleurs.example", "pont@boite.example"
CLAIM = (CLAIMS / "messages" / "01-single-file.eml").read_bytes()
PROFILES = Profiles.from_toml(built_in("profiles.toml"))


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Bench]:
    with bench(tmp_path, database_url) as made:
        yield made


def a_return(sender: str = ELSEWHERE, *more: str, rank: int = 1) -> bytes:
    """A text for a practitioner, as an insurer sends one."""
    headers = [
        f"From: {sender}",
        f"To: {OCT}",
        "Subject: information",
        f"Message-ID: <{rank}@ailleurs.example>",
        "Content-Type: text/plain",
        "Content-Description: TEXTE/SV",
        *more,
    ]
    return "\r\n".join([*headers, "", "Bonjour.", ""]).encode()


def kept(pieces: Bench) -> list[tuple[Hold, Message]]:
    """What is held of what was refused."""
    with pieces.workshop.store.read() as conn:
        found = [(hold, messages.by_id(conn, hold.message_id)) for hold in holds.list_open(conn, code="retour-inconnu")]
    return [(hold, message) for hold, message in found if message is not None]


def under(pieces: Bench, **rules: object) -> Bench:
    """The same concentrator under other rules."""
    changed: Rules = replace(pieces.workshop.rules, **rules)  # type: ignore[arg-type]
    return Bench(replace(pieces.workshop, rules=changed), pieces.hands, pieces.outside)


def test_h6_what_is_refused_is_kept_byte_for_byte_traced_and_held_with_what_to_do(pieces: Bench) -> None:
    reply = pieces.receive(a_return(), ELSEWHERE)
    assert (reply.code, reply.text) == (550, "5.7.1 Expediteur inconnu")
    pieces.work()
    ((hold, message),) = kept(pieces)
    assert (message.origin, message.state, message.due_at) == ("inconnu", MessageState.HELD, None)
    assert (message.practitioner_id, message.insurer_id) == (None, None)
    assert hold.sentence.startswith(
        "Un retour est venu d'une adresse qui n'est celle d'aucun assureur : nouveau@ailleurs.example."
    )
    assert "oct insurers set ID --address nouveau@ailleurs.example" in hold.sentence
    with pieces.workshop.store.read() as conn:
        assert payloads.get(conn, pieces.workshop.vault, message.payload_id) == a_return()
    (event,) = pieces.events(message, "recu")
    assert event.data["quarantaine"] == "retour-inconnu"
    assert pieces.outside.letters == []


def test_d4_the_same_refused_return_is_kept_once(pieces: Bench) -> None:
    for raw in (a_return(), a_return(), b"Received: from relais.example\r\n" + a_return()):
        assert pieces.receive(raw, ELSEWHERE).code == 550
    ((_, message),) = kept(pieces)
    assert len(pieces.events(message, "recu")) == 1


def test_a_claim_that_is_refused_is_not_kept(pieces: Bench) -> None:
    stranger = CLAIM.replace(b"00000421234567", b"00000999000111")
    assert pieces.receive(stranger, ELSEWHERE).code == 550
    with pieces.workshop.store.read() as conn:
        assert messages.counts(conn, 0) == {}


def test_the_operator_lets_it_in_once_its_address_is_registered(pieces: Bench) -> None:
    """Judged again by the register: as long as nobody has this address, it stays."""
    pieces.receive(a_return(), ELSEWHERE)
    ((hold, message),) = kept(pieces)
    with pytest.raises(RuleError, match="toujours-refuse"):
        release(pieces.workshop, hold.id, "essai")
    registered(pieces)
    release(pieces.workshop, hold.id, "essai")
    pieces.work()
    with pieces.workshop.store.read() as conn:
        now = messages.by_id(conn, message.id)
        assert now is not None
        assert now.insurer_id is not None
        assert (now.origin, now.code) == ("assureur", "destinataire-incertain"), "read, as a return: it names nobody"
    again = pieces.receive(a_return(), ELSEWHERE)
    assert again == Reply(250, f"2.0.0 Message deja recu, suivi {message.trace}"), "D4"


def test_what_came_since_by_the_right_way_is_not_let_in_twice(pieces: Bench) -> None:
    """D4."""
    pieces.receive(a_return(), ELSEWHERE)
    ((hold, message),) = kept(pieces)
    registered(pieces)
    taken = pieces.take(a_return(), ELSEWHERE)
    assert taken.id != message.id
    with pytest.raises(RuleError, match=f"suivi {taken.trace}"):
        release(pieces.workshop, hold.id, "essai")
    refuse(pieces.workshop, hold.id, "essai", "arrivé depuis")
    assert kept(pieces) == []


def test_h6_a_practitioner_in_an_insurers_name_is_told_apart(pieces: Bench) -> None:
    assert pieces.receive(a_return(REIMS), PONT).code == 550
    ((hold, _),) = kept(pieces)
    assert hold.sentence.startswith(f"Un retour au nom de {REIMS} est venu de {PONT}, l'adresse d'un praticien")
    with pytest.raises(RuleError, match="sans doute un faux"):
        release(pieces.workshop, hold.id, "essai")


def test_h6_an_insurer_outside_its_networks_is_told_apart_and_let_in_when_they_are_corrected(pieces: Bench) -> None:
    strict = under(pieces, insurer_networks=(ip_network("10.0.0.0/8"),))
    assert strict.receive(a_return(REIMS), REIMS).code == 550
    ((hold, message),) = kept(pieces)
    assert "est venu de 127.0.0.1, qui n'est pas du réseau des assureurs" in hold.sentence
    with pytest.raises(RuleError, match="insurer_networks"):
        release(strict.workshop, hold.id, "essai")
    release(pieces.workshop, hold.id, "essai")
    with pieces.workshop.store.read() as conn:
        now = messages.by_id(conn, message.id)
    assert now is not None
    assert (now.origin, now.state) == ("assureur", MessageState.RECEIVED)


SIZE = len(a_return(rank=1))
BOUNDS = {
    "messages of a network": QuarantineBounds(per_day=2),
    "messages in all": QuarantineBounds(total_per_day=2),
    "bytes of a network": QuarantineBounds(bytes_per_day=3 * SIZE - 1),
    "bytes in all": QuarantineBounds(total_bytes_per_day=3 * SIZE - 1),
}


@pytest.mark.parametrize("bound", BOUNDS)
def test_h2_what_is_kept_in_a_day_is_bounded(pieces: Bench, bound: str) -> None:
    tight = under(pieces, quarantine=BOUNDS[bound])
    assert [tight.receive(a_return(rank=rank), ELSEWHERE).code for rank in range(5)] == [550] * 5
    assert len(kept(tight)) == 2


LOOKS = {
    "its description": ("Content-Description: ARL/SV/ZK",),
    "NOEMIE": ("Content-Description: NOEMIE/580",),
    "an increment": ("Content-Description: DLOI/SV",),
    "its subject": ("Subject: RE: RSP 580 du 21/11",),
    "a notice": ("Content-Type: multipart/report; report-type=delivery-status",),
    "a file in answer to ours": (
        "Content-Type: multipart/mixed; boundary=b",
        "In-Reply-To: <20261121080000000001@concentrateur.example>",
    ),
}
LOOKS_NOT = {
    "a claim": ("Content-Description: FACTURE/SV/ZK", "Content-Type: application/edi-consent"),
    "a letter": ("Subject: bonjour",),
    "a letter in answer to ours": ("In-Reply-To: <20261121080000000001@concentrateur.example>",),
    "a file": ("Content-Type: multipart/mixed; boundary=b",),
}


@pytest.mark.parametrize("what", [*LOOKS, *LOOKS_NOT])
def test_what_looks_like_a_return_is_told_by_its_headers(what: str) -> None:
    lines = ["From: x@ailleurs.example", *({**LOOKS, **LOOKS_NOT}[what]), "", "ARL"]
    headers = read_headers("\r\n".join(lines).encode(), MessageLimits())
    assert looks_like_return(headers, PROFILES, OCT) == (what in LOOKS)


def registered(pieces: Bench) -> None:
    """The operator registers the new address of an insurer."""
    with pieces.workshop.store.begin() as conn:
        (insurer,) = insurers.by_address(conn, REIMS)
        insurers.set_fields(conn, insurer.id, address=ELSEWHERE)
