"""Everything that is not a file of claims: the opposition list (O1), SCOR (O2), what nobody knows (O3).

The messages are the golden ones of `tests/vectors/flows`, on both databases.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oct.crypto.keystore import KeyRing, OwnKey
from oct.domain.journey import LotState, MessageState
from oct.simulators.envelopes import Judge, unseal, unwrap
from oct.simulators.mail import Letter
from oct.steps.release import release
from oct.steps.sweep import sweep
from oct.store import files, insurers, lots, practitioners, returns
from oct.store.holds import HoldSubject
from tests.steps.bench import CLAIMS, OCT, PKI, Bench, add_certificates, bench

FLOWS = Path(__file__).parents[1] / "vectors" / "flows"
MESSAGES: dict[str, dict[str, Any]] = json.loads((FLOWS / "flows.json").read_text(encoding="utf-8"))
ADDRESS, ISSUER, BOURG = "pont@boite.example", "dloi@emetteur.example", "01011@011.01.rss.fr"
REIMS = "01511@511.01.rss.fr"
WITH_ISSUER = f'[clear]\naccept = true\n[dloi]\nissuer = "{ISSUER.upper()}"\n'


@pytest.fixture(scope="module")
def keys() -> dict[str, OwnKey]:
    """The insurers' keys, by address."""
    return {key.name: key for key in KeyRing.load(PKI).keys if "@" in key.name}


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Bench]:
    """A concentrator that accepts clear attachments, with an issuer of the opposition list."""
    with bench(tmp_path, database_url, WITH_ISSUER) as made:
        yield made


def golden(name: str) -> tuple[bytes, str]:
    """A message and its MAIL address."""
    return (FLOWS / f"{name}.eml").read_bytes(), MESSAGES[name]["mail_from"]


def content(name: str) -> bytes:
    """The file of a message."""
    return (FLOWS / f"{name}.bin").read_bytes()


def arts(pieces: Bench) -> list[str]:
    """The texts that reached the practitioner."""
    letters = [letter for letter in pieces.outside.of(ADDRESS) if letter.subject.startswith("ART/")]
    return [letter.content.decode("latin-1") for letter in letters]


def increments(pieces: Bench, address: str = ADDRESS) -> list[Letter]:
    """The increments that reached a practitioner."""
    return [letter for letter in pieces.outside.of(address) if letter.description == "DLOI/SV"]


def opened(letter: Letter, keys: dict[str, OwnKey]) -> bytes:
    """What an insurer finds in a message, by the openssl command."""
    return unwrap(unseal(letter.content, keys[letter.rcpt_to], Judge.OPENSSL))


def answer(name: str, number: bytes, answered: str, *, to: bytes | None = None) -> bytes:
    """A golden increment under another number, that answers a message of ours; for one practitioner when named."""
    raw, _ = golden(name)
    file = content(name).replace(b"000101", number)
    if to is not None:
        file = file.replace(b"OT00000552100554", b"TP00000" + to)
    head, _, _ = raw.partition(b"\r\n\r\n")
    head = head.replace(b"Message-ID: <flux", b"Message-ID: <re.flux").replace(b"base64", b"8bit")
    return head + f"\r\nIn-Reply-To: {answered}".encode() + b"\r\n\r\n" + file + b"\r\n"


# O1 ------------------------------------------------------------------------------------------------------------


def test_o1_a_practitioner_gets_the_increments_it_lacks_oldest_first_and_unchanged(pieces: Bench) -> None:
    for name in ("dloi-103", "dloi-101", "dloi-102"):
        message = pieces.take(*golden(name))
        assert (message.origin, message.state) == ("emetteur", MessageState.PROCESSED)
        assert [event.outcome for event in pieces.events(message, "increment")] == ["garde"]
    assert pieces.outside.letters == []
    request = pieces.take(*golden("request-behind"))
    assert request.state == MessageState.PROCESSED
    sent = increments(pieces)
    assert [letter.content for letter in sent] == [content("dloi-102"), content("dloi-103")]
    assert [letter.subject for letter in sent] == ["DLOI/000102", "DLOI/000103"]
    assert all((letter.mail_from, letter.rcpt_to) == (OCT, ADDRESS) for letter in sent)
    (art,) = arts(pieces)
    assert "Incréments de la liste d'opposition envoyés : 2 (000102 à 000103)" in art
    assert [event.data["numero"] for event in pieces.events(request, "retour")] == [102, 103]


def test_o1_the_increments_sent_are_returns_that_can_be_sent_again(pieces: Bench) -> None:
    """R6."""
    pieces.take(*golden("dloi-102"))
    request = pieces.take(*golden("request-behind"))
    with pieces.workshop.store.read() as conn:
        assert request.practitioner_id is not None
        (kept,) = returns.of_practitioner(conn, request.practitioner_id, 0)
    assert (kept.kind, kept.message_id, kept.state) == ("DLOI", request.id, "remis")


def test_o1_who_is_up_to_date_gets_an_art_and_nothing_else(pieces: Bench) -> None:
    """T1."""
    pieces.take(*golden("dloi-101"))
    assert pieces.take(*golden("request-behind")).state == MessageState.PROCESSED
    assert len(pieces.outside.letters) == 1
    assert "est à jour" in arts(pieces)[0]


def test_o1_a_gap_before_the_first_increment_sent_is_said(pieces: Bench) -> None:
    pieces.take(*golden("dloi-103"))
    pieces.take(*golden("request-behind"))
    assert "Entre votre incrément 000101 et le 000103" in arts(pieces)[0].replace("\r\n  ", " ")


def test_o1_the_same_increment_again_is_known_and_other_bytes_are_held(pieces: Bench) -> None:
    raw, issuer = golden("dloi-101")
    pieces.take(raw, issuer)
    again = pieces.take(raw.replace(b"flux.1@", b"flux.1bis@"), issuer)
    assert [event.outcome for event in pieces.events(again, "increment")] == ["connu"]
    other = pieces.take(answer("dloi-101", b"000101", "<x.1@y.example>").replace(b"INCREMENT", b"AUTRECHOS"), issuer)
    assert (other.state, other.code) == (MessageState.HELD, "dloi-contradictoire")
    pieces.take(*golden("request-behind"))
    assert "est à jour" in arts(pieces)[0]


@pytest.mark.parametrize("name", ["request-ahead", "request-odd", "request-behind"])
def test_o1_a_request_that_cannot_be_served_goes_to_the_issuer_sealed(pieces: Bench, name: str) -> None:
    """Holding more than is known here, saying nothing readable, or asking when nothing is known here."""
    if name != "request-behind":
        pieces.take(*golden("dloi-101"))
    certify_issuer(pieces)
    message = pieces.take(*golden(name))
    assert message.state == MessageState.PROCESSED
    (letter,) = pieces.outside.of(ISSUER)
    assert letter.description == "DDLOI/SV/K"
    assert unwrap(unseal(letter.content, issuer_key(), Judge.OPENSSL)) == content(name)
    (art,) = arts(pieces)
    assert "transmise à l'émetteur" in art
    assert [event.outcome for event in pieces.events(message, "demande")] == ["transmise"]


def test_o1_the_issuer_s_answer_is_kept_and_reaches_who_asked(pieces: Bench) -> None:
    """R2: by the message it answers."""
    certify_issuer(pieces)
    pieces.take(*golden("request-behind"))
    asked = str(pieces.outside.of(ISSUER)[0].message["Message-ID"])
    arrived = pieces.take(answer("dloi-101", b"000201", asked), ISSUER)
    assert arrived.state == MessageState.PROCESSED
    (letter,) = increments(pieces)
    assert letter.content == content("dloi-101").replace(b"000101", b"000201")
    pieces.take(golden("request-behind")[0].replace(b"flux.11@", b"flux.11bis@"), ADDRESS)
    assert len(increments(pieces)) == 2, "it is kept for whoever asks next"


def test_o1_an_increment_addressed_to_one_practitioner_is_kept_for_nobody_else(pieces: Bench) -> None:
    """R1, R2: by its header."""
    pieces.take(*golden("dloi-101"))
    arrived = pieces.take(answer("dloi-101", b"000102", "<x.1@y.example>", to=b"015432109"), ISSUER)
    assert [event.outcome for event in pieces.events(arrived, "increment")] == ["transmis"]
    assert len(increments(pieces, "parc@boite.example")) == 1
    pieces.take(*golden("request-behind"))
    assert increments(pieces) == []


def test_o1_an_increment_for_another_practitioner_than_the_one_who_asked_is_held(pieces: Bench) -> None:
    """R2: never guess."""
    certify_issuer(pieces)
    pieces.take(*golden("request-behind"))
    asked = str(pieces.outside.of(ISSUER)[0].message["Message-ID"])
    arrived = pieces.take(answer("dloi-101", b"000102", asked, to=b"015432109"), ISSUER)
    assert (arrived.state, arrived.code) == (MessageState.HELD, "destinataire-incertain")
    assert increments(pieces, "parc@boite.example") == increments(pieces) == []


def test_o1_without_a_certificate_of_the_issuer_the_request_waits_and_leaves_once_released(pieces: Bench) -> None:
    """H8; and the sweep does not take it up again and again."""
    message = pieces.take(*golden("request-ahead"))
    assert (message.state, message.code) == (MessageState.HELD, "dloi-sans-certificat")
    assert pieces.outside.of(ISSUER) == []
    assert "EN ATTENTE" in arts(pieces)[0]
    certify_issuer(pieces)
    assert sweep(pieces.workshop) == 0
    (hold,) = pieces.holds(message)
    release(pieces.workshop, hold.id, "essai")
    pieces.work()
    assert len(pieces.outside.of(ISSUER)) == 1
    assert len(arts(pieces)) == 2, "the second text follows the ART"


def test_o1_without_an_issuer_the_request_waits_and_its_mail_is_refused(tmp_path: Path, database_url: str) -> None:
    """H6: nobody is the issuer unless the settings say so."""
    with bench(tmp_path, database_url, "[clear]\naccept = true\n") as pieces:
        message = pieces.take(*golden("request-ahead"))
        assert (message.state, message.code) == (MessageState.HELD, "dloi-sans-emetteur")
        assert pieces.receive(*golden("dloi-101")).code == 550


def test_o1_a_request_may_come_in_clear_where_claims_may_not(tmp_path: Path, database_url: str) -> None:
    with bench(tmp_path, database_url, f'[dloi]\nissuer = "{ISSUER}"\n') as pieces:
        pieces.take(*golden("dloi-102"))
        assert pieces.take(*golden("request-behind")).state == MessageState.PROCESSED
        assert pieces.take(*golden("scor")).code == "non-chiffre"


def test_o1_a_request_in_the_name_of_another_practitioner_is_refused(pieces: Bench) -> None:
    """M4, R2: a practitioner cannot have another one's increments sent."""
    pieces.take(*golden("dloi-102"))
    raw, _ = golden("request-behind")
    head, _, _ = raw.partition(b"\r\n\r\n")
    foreign = content("request-behind").replace(b"421234567", b"015432109")
    message = pieces.take(head.replace(b"base64", b"8bit") + b"\r\n\r\n" + foreign + b"\r\n", ADDRESS)
    assert (message.state, message.code) == (MessageState.REFUSED, "emetteur-etranger")
    assert increments(pieces) == []


@pytest.mark.parametrize("name", ["scor", "unknown"])
def test_o3_what_the_issuer_sends_that_is_no_increment_is_held_and_not_answered(pieces: Bench, name: str) -> None:
    raw, _ = golden(name)
    message = pieces.take(raw.replace(f"From: {ADDRESS}".encode(), f"From: {ISSUER}".encode()), ISSUER)
    assert (message.state, message.code) == (MessageState.HELD, "flux-inconnu")
    assert pieces.outside.letters == []


def test_h6_a_practitioner_does_not_write_in_the_issuer_s_name(pieces: Bench) -> None:
    raw, _ = golden("dloi-101")
    assert pieces.receive(raw, ADDRESS).code == 550


# O2 ------------------------------------------------------------------------------------------------------------


def test_o2_scor_goes_unchanged_to_the_insurer_that_its_header_names(pieces: Bench, keys: dict[str, OwnKey]) -> None:
    message = pieces.take(*golden("scor"))
    assert message.state == MessageState.PROCESSED
    (letter,) = pieces.outside.of(BOURG)
    assert opened(letter, keys) == content("scor")
    assert letter.description == "SCOR/SV/ZK"
    assert letter.subject.startswith("SV140700/00000421234567/")
    assert letter.subject.endswith("/00003")
    (art,) = arts(pieces)
    assert "TRAITÉ." in art
    assert "Envoi scor (2560 octets) transmis à BOURG EN BRESSE, sans être lu." in art
    with pieces.workshop.store.read() as conn:
        (lot,) = lots.of_message(conn, message.id)
        (file,) = files.of_message(conn, message.id)
    assert (lot.kind, lot.state, lot.number.isalpha()) == ("FLX", LotState.DELIVERED, True)
    assert (file.shape, file.file_id) == ("scor", "S00001")
    (sealed,) = pieces.events(message, "scelle")
    assert (sealed.data["destinataire"], sealed.data["fichier"]) == (BOURG, "S00001")


@pytest.mark.parametrize("by_file", [True, False])
def test_o2_the_return_of_scor_finds_its_practitioner_and_its_file(pieces: Bench, by_file: bool) -> None:
    """R2, R4: an ARL for the file, or for lots that nobody here has read."""
    message = pieces.take(*golden("scor"))
    arl = acknowledgement(pieces.outside.of(BOURG)[0], by_file=by_file)
    returned = pieces.take(arl, BOURG)
    assert returned.state == MessageState.PROCESSED
    assert [letter.description for letter in pieces.outside.of(ADDRESS)] == ["ART/ER", "ARL/SV"]
    with pieces.workshop.store.read() as conn:
        (lot,) = lots.of_message(conn, message.id)
        (kept,) = returns.of_lot(conn, lot.id)
    assert lot.state == LotState.ACKNOWLEDGED
    assert (kept.message_id, kept.evidence) == (returned.id, "content" if by_file else "message")


def test_d2_scor_sent_again_is_not_forwarded_and_its_arl_goes_out_again(pieces: Bench) -> None:
    raw, sender = golden("scor")
    again = raw.replace(b"/20261120090000", b"/20261123090000").replace(b"<flux.", b"<flux.encore.")
    assert again != raw
    pieces.take(raw, sender)
    waiting = pieces.take(again, sender)
    assert len(pieces.outside.of(BOURG)) == 1
    assert "non renvoyé" in arts(pieces)[-1].replace("\r\n", " ")
    pieces.take(acknowledgement(pieces.outside.of(BOURG)[0], by_file=True), BOURG)
    pieces.take(again.replace(b"<flux.encore.", b"<flux.enfin."), sender)
    assert len(pieces.outside.of(BOURG)) == 1
    assert [letter.description for letter in pieces.outside.of(ADDRESS)].count("ARL/SV") == 2
    with pieces.workshop.store.read() as conn:
        (lot,) = lots.of_message(conn, waiting.id)
    assert lot.state == LotState.DUPLICATE


def test_o2_scor_for_nobody_known_waits_and_goes_where_the_operator_says(
    pieces: Bench, keys: dict[str, OwnKey]
) -> None:
    """L6."""
    message = pieces.take(*golden("scor-nowhere"))
    (hold,) = pieces.holds(message)
    assert (hold.subject, hold.code) == (HoldSubject.FILE, MESSAGES["scor-nowhere"]["expect"]["held"])
    assert "EN ATTENTE" in arts(pieces)[0]
    assert "n'est pas dans l'annuaire" in arts(pieces)[0].replace("\r\n", " ")
    with pieces.workshop.store.read() as conn:
        (reims,) = insurers.by_address(conn, REIMS)
    release(pieces.workshop, hold.id, "essai", reims)
    pieces.work()
    (letter,) = pieces.outside.of(REIMS)
    assert (opened(letter, keys), letter.description) == (content("scor-nowhere"), "SCOR/SV/ZK")
    with pieces.workshop.store.read() as conn:
        (lot,) = lots.of_message(conn, message.id)
    assert (lot.state, lot.insurer_id, lot.hold_id) == (LotState.DELIVERED, reims.id, None)


def test_o2_scor_leaves_by_itself_once_the_certificate_is_there(tmp_path: Path, database_url: str) -> None:
    """H8."""
    with bench(tmp_path, database_url, WITH_ISSUER, certified=False) as pieces:
        message = pieces.take(*golden("scor"))
        assert [hold.code for hold in pieces.holds(message)] == ["certificat-absent"]
        assert sweep(pieces.workshop) == 0
        with pieces.workshop.store.begin() as conn:
            add_certificates(conn, "*@*.pem")
        assert sweep(pieces.workshop) == 1
        pieces.work()
        assert len(pieces.outside.of(BOURG)) == 1
        assert len(arts(pieces)) == 2


def test_o2_scor_in_the_name_of_another_practitioner_is_refused(pieces: Bench) -> None:
    """M4."""
    message = pieces.take(*golden("scor-foreign"))
    assert (message.state, message.code) == (MessageState.REFUSED, MESSAGES["scor-foreign"]["expect"]["refused"])
    assert pieces.outside.of(BOURG) == []


def test_o2_scor_under_a_number_that_nobody_has_waits_and_leaves_once_it_is_the_account_s(pieces: Bench) -> None:
    """L8."""
    raw, address = golden("scor-foreign")
    head, _, _ = raw.partition(b"\r\n\r\n")
    file = content("scor-foreign").replace(b"015432109", b"425555555")
    message = pieces.take(head.replace(b"base64", b"8bit") + b"\r\n\r\n" + file, address)
    (hold,) = pieces.holds(message)
    assert hold.code == "numero-etranger"
    with pieces.workshop.store.begin() as conn:
        assert message.practitioner_id is not None
        practitioners.add_number(conn, message.practitioner_id, "425555555")
    release(pieces.workshop, hold.id, "essai")
    pieces.work()
    assert len(pieces.outside.of(BOURG)) == 1


@pytest.mark.parametrize(
    ("route", "sent_to", "code"),
    [(f'route = "{REIMS}"', REIMS, ""), ('route = "nul@part.example"', "", "destinataire-inconnu")],
)
def test_o2_any_other_flow_goes_where_its_profile_says(
    tmp_path: Path, database_url: str, keys: dict[str, OwnKey], route: str, sent_to: str, code: str
) -> None:
    """Its file needs no frame at all."""
    profiles = (CLAIMS.parents[2] / "config" / "profiles.toml").read_text(encoding="utf-8")
    carte = f'[messages.carte]\nkind = "FLUX"\npatterns = ["CARTE/*"]\n{route}\n'
    (tmp_path / "profiles.toml").write_text(f"{profiles}\n{carte}", encoding="utf-8")
    more = f'{WITH_ISSUER}[formats]\nprofiles = "profiles.toml"\n'
    with bench(tmp_path, database_url, more) as pieces:
        message = pieces.take(*golden("unknown"))
        assert [hold.code for hold in pieces.holds(message)] == ([code] if code else [])
        sent = [(letter.description, opened(letter, keys)) for letter in pieces.outside.of(REIMS)]
        assert sent == ([("CARTE/XX/ZK", b"on ne sait quoi")] if sent_to else [])


def test_o2_a_flow_without_a_route_waits(tmp_path: Path, database_url: str) -> None:
    profiles = (CLAIMS.parents[2] / "config" / "profiles.toml").read_text(encoding="utf-8")
    (tmp_path / "profiles.toml").write_text(profiles.replace('route = "header"\n', ""), encoding="utf-8")
    with bench(tmp_path, database_url, f'{WITH_ISSUER}[formats]\nprofiles = "profiles.toml"\n') as pieces:
        assert pieces.take(*golden("scor")).code == "flux-non-configure"


# O3 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in MESSAGES if MESSAGES[name]["expect"].get("held") == "flux-inconnu"])
def test_o3_what_nobody_knows_is_held_and_answered(pieces: Bench, name: str) -> None:
    message = pieces.take(*golden(name))
    assert (message.state, message.code) == (MessageState.HELD, "flux-inconnu")
    (hold,) = pieces.holds(message)
    assert hold.subject == HoldSubject.MESSAGE
    (letter,) = pieces.outside.letters
    assert letter.rcpt_to == ADDRESS
    assert "EN ATTENTE" in arts(pieces)[0]


@pytest.mark.parametrize("name", ["two-files", "nothing-claimed"])
def test_m2_a_known_type_without_its_one_file_is_refused_and_answered(pieces: Bench, name: str) -> None:
    message = pieces.take(*golden(name))
    assert (message.state, message.code) == (MessageState.REFUSED, MESSAGES[name]["expect"]["refused"])
    assert "REFUSÉ" in arts(pieces)[0]


# What the tests build ------------------------------------------------------------------------------------------


def issuer_key() -> OwnKey:
    """The issuer has a golden insurer's key; only its address differs."""
    return next(key for key in KeyRing.load(PKI).keys if key.name == REIMS)


def certify_issuer(pieces: Bench) -> None:
    """Records a certificate for the issuer."""
    with pieces.workshop.store.begin() as conn:
        add_certificates(conn, f"{REIMS}.pem", address=ISSUER)


def acknowledgement(letter: Letter, *, by_file: bool) -> bytes:
    """A positive ARL that answers a message of ours, addressed to the concentrator."""
    opening = _arl_record(b"000", b"S00001P" if by_file else b"")
    file = opening + (b"" if by_file else _arl_lot()) + _arl_record(b"999", b"")
    head = (
        f"From: {BOURG}\r\nTo: {OCT}\r\nSubject: ARL\r\nIn-Reply-To: {letter.message['Message-ID']}\r\n"
        "Message-ID: <arl.1@caisse.example>\r\nMIME-Version: 1.0\r\nContent-Type: Application/EDI-consent\r\n"
        "Content-Description: ARL/SV\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    return head.encode() + file + b"\r\n"


def _arl_record(kind: bytes, zone: bytes) -> bytes:
    return _placed(
        (1, kind), (4, b"CT"), (6, b"00000001016011"), (26, b"OT"), (28, b"00000552100554"), (48, b"AR"),
        (50, b"A00001"), (56, b"261121" if kind == b"000" else b"        "), (92, zone),
    )  # fmt: skip


def _arl_lot() -> bytes:
    lot = _placed((1, b"1"), (2, b"421234567"), (17, b"011"), (20, b"777"), (72, b"261120"))
    return lot + _placed((1, b"7P"))


def _placed(*pieces: tuple[int, bytes]) -> bytes:
    line = bytearray(b" " * 128)
    for first, text in pieces:
        line[first - 1 : first - 1 + len(text)] = text
    assert len(line) == 128
    return bytes(line)
