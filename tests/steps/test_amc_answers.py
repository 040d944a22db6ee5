"""C6: what an AMC answers about lots that the concentrator built is the concentrator's own business."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oct.crypto.keystore import KeyRing
from oct.domain.journey import LotState, MessageState
from oct.formats import b2
from oct.formats.b2 import read_file
from oct.simulators.envelopes import Judge, unseal, unwrap
from oct.simulators.mail import Letter
from oct.steps.release import refuse
from oct.store import holds, insurers, lots
from oct.store.lots import Lot
from oct.store.messages import Message
from tests.steps.bench import CLAIMS, OCT, PKI, Bench
from tests.steps.claims_bench import claims_bench

ALPHA = "ma349@349.ma.rss.fr"
KINE = "kine@boite.example"


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Bench]:
    with claims_bench(tmp_path, database_url) as made:
        with made.workshop.store.begin() as conn:
            insurers.upsert_amc(
                conn, number="0099999991", label="MUTUELLE ALPHA", address=ALPHA, route="MA", host="349"
            )
        yield made


def test_c6_a_refusal_waits_for_the_operator_and_is_nobody_else_s(pieces: Bench) -> None:
    sent = pieces.take((CLAIMS / "messages" / "04-enriched-single.eml").read_bytes(), KINE)
    before = len(pieces.outside.of(KINE))
    answered = pieces.take(_acknowledgement(pieces, "N0042"), ALPHA)
    assert answered.state == MessageState.PROCESSED
    assert len(pieces.outside.of(KINE)) == before
    assert _flow(pieces, sent).state == LotState.REFUSED
    (hold,) = pieces.holds(answered)
    assert (hold.code, hold.payload_id is not None) == ("lot-amc-refuse", True)
    refuse(pieces.workshop, hold.id, "essai", "vu avec l'AMC")
    with pieces.workshop.store.read() as conn:
        assert holds.list_open(conn, code="lot-amc-refuse") == []
    assert len(pieces.outside.of(KINE)) == before


def test_c6_an_acceptance_only_moves_the_lot(pieces: Bench) -> None:
    sent = pieces.take((CLAIMS / "messages" / "04-enriched-single.eml").read_bytes(), KINE)
    answered = pieces.take(_acknowledgement(pieces, "P    "), ALPHA)
    assert _flow(pieces, sent).state == LotState.ACKNOWLEDGED
    assert pieces.holds(answered) == []


def test_c6_an_amc_need_not_repeat_the_organism_of_a_caisse(pieces: Bench) -> None:
    sent = pieces.take((CLAIMS / "messages" / "04-enriched-single.eml").read_bytes(), KINE)
    before = len(pieces.outside.of(KINE))
    answered = pieces.take(_acknowledgement(pieces, "P    ", organism="349"), ALPHA)
    assert _flow(pieces, sent).state == LotState.ACKNOWLEDGED
    assert pieces.holds(answered) == []
    assert len(pieces.outside.of(KINE)) == before


def _flow(pieces: Bench, sent: Message) -> Lot:
    with pieces.workshop.store.read() as conn:
        alpha = pieces.workshop.registry.current(conn).insurers_by_address[ALPHA].id
        return next(lot for lot in lots.of_message(conn, sent.id) if lot.kind == "AMC" and lot.insurer_id == alpha)


def _acknowledgement(pieces: Bench, status: str, organism: str = "") -> bytes:
    """An ARL of the one lot that ALPHA received, in answer to its message."""
    (letter,) = pieces.outside.of(ALPHA)
    lot = _received(pieces, letter)
    head = "000OC00000099999991      OT00000552100554000000ARA00001".ljust(128)
    opening = f"1{lot.ps_number}      {organism or lot.organism}{lot.number}".ljust(71) + lot.created_on.ljust(57)
    tail = "999OC00000099999991      OT00000552100554      ARA00001".ljust(128)
    file = head + opening + f"7{status}".ljust(128) + tail
    headers = (
        f"From: {ALPHA}\r\nTo: {OCT}\r\nSubject: ARL\r\nIn-Reply-To: {letter.message['Message-ID']}\r\n"
        "Message-ID: <arl.99@amc.example>\r\nMIME-Version: 1.0\r\nContent-Type: Application/EDI-consent\r\n"
        "Content-Description: ARL/SV\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    return f"{headers}{file}\r\n".encode("latin-1")


def _received(pieces: Bench, letter: Letter) -> b2.Lot:
    key = next(key for key in KeyRing.load(PKI).keys if key.name == ALPHA)
    file = read_file(unwrap(unseal(letter.content, key, Judge.CRYPTOGRAPHY)), pieces.workshop.layouts)
    return file.lots[0]
