"""Who a message is from, decided at the door: every way in and every refusal (H5, H6, H7)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.domain.admission import Admitted, Claimed, Origin, Register, Rejected, admit
from oct.domain.model import Insurer, InsurerKind, Practitioner

PONT, PARC = "pont@boite.example", "parc@boite.example"
CAISSE, ISSUER, NOBODY = "01422@422.01.rss.fr", "dloi@emetteur.example", "qui@ailleurs.example"
PONT_NUMBER, PARC_NUMBER, SECOND, CLOSED_NUMBER = "421234567", "015432109", "015432208", "750009998"
CLOSED = "ferme@boite.example"


def account(id_: int, address: str, *numbers: str, closed: bool = False) -> Practitioner:
    return Practitioner(id_, numbers[0], frozenset(numbers), "IF", "X", address, frozenset({address}), closed=closed)


ACCOUNTS = [
    account(1, PONT, PONT_NUMBER),
    account(2, PARC, PARC_NUMBER, SECOND),
    account(3, CLOSED, CLOSED_NUMBER, closed=True),
]
INSURER = Insurer(7, InsurerKind.AMO, "CAISSE", CAISSE, "CT", "00000001016422")
REGISTER = Register(
    by_number={number: one for one in ACCOUNTS for number in one.numbers}.get,
    by_address={address: one for one in ACCOUNTS for address in one.addresses}.get,
    insurer={CAISSE: INSURER}.get,
    issuer=ISSUER,
)
CLAIM = Claimed(header_from=PONT, mail_from=PONT, number=PONT_NUMBER, is_report=False, trusted=False)


def judged(**changes: Any) -> Admitted | Rejected:
    return admit(replace(CLAIM, **changes), REGISTER)


def refused(**changes: Any) -> bool:
    return isinstance(judged(**changes), Rejected)


def test_h6_a_practitioner_is_known_by_its_number_and_its_address() -> None:
    assert judged() == Admitted(Origin.PS, practitioner_id=1)
    assert judged(header_from="Pont@Boite.Example", mail_from="PONT@boite.example") == judged()
    assert judged(header_from=PARC, mail_from=PARC, number=SECOND) == Admitted(Origin.PS, practitioner_id=2)


def test_h6_a_number_that_nobody_has_or_a_closed_account_is_refused() -> None:
    assert refused(number="999000111")
    assert refused(header_from=CLOSED, mail_from=CLOSED, number=CLOSED_NUMBER)
    assert refused(header_from=NOBODY, mail_from=NOBODY, number=CLOSED_NUMBER)


def test_h6_the_address_of_another_account_is_refused_even_from_a_known_client() -> None:
    for trusted in (False, True):
        assert refused(header_from=PARC, mail_from=PARC, trusted=trusted)
        assert refused(header_from=PARC, mail_from=PONT, trusted=trusted)
        assert refused(mail_from=PARC, trusted=trusted)


def test_h6_a_known_number_from_an_unknown_address_is_quarantined_unless_the_client_is_known() -> None:
    assert judged(header_from=NOBODY, mail_from=NOBODY) == Admitted(
        Origin.PS, practitioner_id=1, quarantine="expediteur-inconnu"
    )
    assert judged(header_from=NOBODY, mail_from=NOBODY, trusted=True) == Admitted(Origin.PS, practitioner_id=1)
    assert judged(mail_from=NOBODY) == Admitted(Origin.PS, practitioner_id=1)


def test_without_a_number_the_address_alone_must_be_known() -> None:
    """O3: what is no claim is looked at when it comes from a practitioner, and refused from anybody else."""
    assert judged(number=None) == Admitted(Origin.PS, practitioner_id=1)
    assert refused(number=None, header_from=NOBODY, mail_from=NOBODY)
    assert refused(number=None, header_from=CLOSED, mail_from=CLOSED)
    assert refused(number=None, header_from=NOBODY, mail_from=NOBODY, trusted=True)


def test_h6_returns_are_accepted_only_from_insurers_addresses() -> None:
    assert judged(header_from=CAISSE.upper(), mail_from=CAISSE) == Admitted(Origin.INSURER, insurer_id=7)
    assert judged(header_from=CAISSE, mail_from=NOBODY) == Admitted(Origin.INSURER, insurer_id=7)
    assert refused(header_from=CAISSE, mail_from=PONT), "a practitioner does not write as an insurer"
    assert refused(header_from=ISSUER, mail_from=PARC)


def test_o1_the_issuer_is_known_by_its_address_when_there_is_one() -> None:
    issued = replace(CLAIM, header_from=ISSUER, mail_from=ISSUER, number=None)
    assert admit(issued, REGISTER) == Admitted(Origin.ISSUER)
    assert isinstance(admit(issued, replace(REGISTER, issuer="")), Rejected)
    assert isinstance(admit(replace(issued, header_from=""), replace(REGISTER, issuer="")), Rejected)


@pytest.mark.parametrize("institution", [CAISSE, ISSUER])
def test_h6_an_institution_writes_only_from_its_networks_or_an_authenticated_door(institution: str) -> None:
    elsewhere: dict[str, Any] = {"header_from": institution, "mail_from": institution, "institutional": False}
    assert refused(**elsewhere)
    assert isinstance(judged(**elsewhere, trusted=True), Admitted)
    assert isinstance(judged(**{**elsewhere, "institutional": True}), Admitted)
    assert refused(**{**elsewhere, "institutional": True, "mail_from": PONT})


def test_h6_the_networks_of_insurers_are_nothing_to_practitioners() -> None:
    assert judged(institutional=False) == judged()


def test_h7_without_a_sender_only_a_delivery_notice_is_taken_whoever_it_claims_to_be() -> None:
    for header_from in (PONT, CAISSE, ISSUER, NOBODY):
        assert judged(mail_from="", header_from=header_from, is_report=True) == Admitted(Origin.REPORT)
        assert refused(mail_from="", header_from=header_from)
    assert judged(is_report=True) == Admitted(Origin.PS, practitioner_id=1), "its form alone makes no notice"


@given(
    header_from=st.sampled_from([PONT, PARC, CLOSED, CAISSE, ISSUER, NOBODY, ""]),
    mail_from=st.sampled_from([PONT, PARC, CLOSED, CAISSE, ISSUER, NOBODY, ""]),
    number=st.sampled_from([PONT_NUMBER, PARC_NUMBER, SECOND, CLOSED_NUMBER, "999000111", None]),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_h6_whatever_is_claimed_nobody_is_taken_for_another(
    header_from: str, mail_from: str, number: str | None, flags: tuple[bool, bool, bool]
) -> None:
    """An account is admitted for its own number and never beside another account's address; a refusal is one plain
    ASCII line."""
    is_report, trusted, institutional = flags
    verdict = judged(
        header_from=header_from,
        mail_from=mail_from,
        number=number,
        is_report=is_report,
        trusted=trusted,
        institutional=institutional,
    )
    if isinstance(verdict, Rejected):
        assert verdict.sentence.isascii()
        assert verdict.sentence.isprintable()
        return
    if verdict.practitioner_id is None:
        return
    (owner,) = (one for one in ACCOUNTS if one.id == verdict.practitioner_id)
    assert not owner.closed
    assert number is None or number in owner.numbers
    for address in (header_from, mail_from):
        writer = REGISTER.by_address(address)
        assert writer is None or writer is owner
    assert verdict.quarantine or trusted or header_from in owner.addresses
