"""J4: every invoice is kept under its patient's pseudonym, however its lot goes, and no NIR is."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from oct.crypto.pseudonyms import load_pseudonyms
from oct.store import lots
from oct.store.tables import invoices
from tests.claims import ALPHA, Act, Batch, Claim
from tests.steps.resending_rig import rig

MARIE, PAUL = "2850578006048", "1700275101099"


def test_received_derived_held_and_refused_lots_have_their_patients(tmp_path: Path, database_url: str) -> None:
    """Of contract 99, both flows; a patient is found again in each."""
    home = tmp_path / "oct"
    with rig(home, database_url) as made:
        message = made.submit(
            Batch((Claim(1, nir=MARIE), Claim(2, nir=PAUL)), 1),
            Batch((Claim(3, nir=MARIE, contract="99", amc=ALPHA, tiers_payant="1", acts=(Act(amc=700),)),), 2),
        )
        pseudonyms = load_pseudonyms(home / "keys" / "pseudonymes")
        with made.workshop.store.read() as conn:
            kept = conn.execute(select(invoices.c.number, invoices.c.pseudonym).order_by(invoices.c.id)).all()
            found = lots.of_patient(conn, pseudonyms.every(MARIE.encode()), 10)
    marie, paul = (pseudonyms.of(nir.encode()) for nir in (MARIE, PAUL))
    assert {(number, bytes(kept_as)) for number, kept_as in kept} == {
        ("000000001", marie), ("000000002", paul), ("000000003", marie)
    }  # fmt: skip
    assert {claim.trace for claim in found} == {message.trace}
    assert [claim.number for claim in found].count("000000003") == len(found) - 1
