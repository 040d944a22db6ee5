"""Practitioners, insurers, caisses and certificates: who is who, and how the caches learn of a change."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from oct.domain.model import InsurerKind, ReturnMode
from oct.errors import RuleError
from oct.store import certificates, insurers, practitioners
from oct.store.certificates import CertificateRole, NewCertificate
from oct.store.counters import directory_version
from oct.store.engine import Store
from tests.adapters.store.arrivals import NOW, add_amo, add_practitioner


def new_certificate(number: int, **changes: object) -> NewCertificate:
    fields: dict[str, object] = {
        "fingerprint": f"{number:064x}",
        "role": CertificateRole.ENTITY,
        "address": "Caisse@Exemple.test",
        "der": bytes([number]),
        "serial": str(number),
        "subject": "CN=Caisse inventée",
        "not_before": NOW + number,
        "not_after": NOW + 100 - number,
    }
    return NewCertificate(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_practitioner_is_found_by_any_of_its_numbers_and_addresses(store: Store) -> None:
    """L8, H6: a group practice has several numbers and writes from several addresses, in any case."""
    with store.begin() as conn:
        first = add_practitioner(conn, address="Cabinet@Exemple.test")
        add_practitioner(conn, "995555555", "autre@exemple.test")
        practitioners.add_number(conn, first, "997654321")
        practitioners.add_number(conn, first, "997654321")
        practitioners.add_address(conn, first, "SECOND@exemple.test")
    with store.read() as conn:
        found = practitioners.by_id(conn, first)
        assert found is not None
        assert found.numbers == {"991234567", "997654321"}
        assert found.addresses == {"cabinet@exemple.test", "second@exemple.test"}
        assert (found.address, found.return_mode, found.closed) == ("cabinet@exemple.test", ReturnMode.SMTP, False)
        assert practitioners.by_number(conn, "997654321") == found
        assert practitioners.by_address(conn, "Second@Exemple.test") == found
        assert practitioners.by_number(conn, "990000000") is None
        assert practitioners.by_address(conn, "nobody@exemple.test") is None
        assert [one.number for one in practitioners.list_all(conn)] == ["991234567", "995555555"]
        assert practitioners.list_all(conn)[0] == found


@pytest.mark.parametrize(
    "claim",
    [
        lambda conn, other: add_practitioner(conn, "991234567", "third@exemple.test"),
        lambda conn, other: add_practitioner(conn, "993333333", "CABINET@exemple.test"),
        lambda conn, other: practitioners.add_number(conn, other, "991234567"),
        lambda conn, other: practitioners.add_address(conn, other, "cabinet@exemple.test"),
        lambda conn, other: practitioners.set_fields(conn, other, address="cabinet@exemple.test"),
        lambda conn, other: practitioners.set_mailbox(conn, other, "991234567", "hash"),
    ],
)
def test_a_number_address_or_login_of_one_account_is_refused_to_another(
    store: Store, claim: Callable[[Connection, int], object]
) -> None:
    """A return in the wrong practitioner's mailbox is the worst failure there is."""
    with store.begin() as conn:
        practitioners.set_mailbox(conn, add_practitioner(conn), "991234567", "hash")
        other = add_practitioner(conn, "995555555", "autre@exemple.test")
    with pytest.raises(RuleError, match="appartient déjà"), store.begin() as conn:
        claim(conn, other)
    with store.read() as conn:
        kept = practitioners.by_number(conn, "995555555")
        assert kept is not None
        assert (kept.address, kept.numbers) == ("autre@exemple.test", frozenset({"995555555"}))


def test_fields_change_one_by_one_and_an_account_closes(store: Store) -> None:
    with store.begin() as conn:
        one = add_practitioner(conn)
        practitioners.set_fields(conn, one, name="Autre nom", return_mode=ReturnMode.BOITE)
        practitioners.set_fields(conn, one, address="Nouveau@exemple.test")
        practitioners.set_fields(conn, one)
        assert practitioners.remove_address(conn, one, "Cabinet@exemple.test")
        assert not practitioners.remove_address(conn, one, "cabinet@exemple.test")
        practitioners.set_mailbox(conn, one, "991234567", "hash")
        practitioners.close(conn, one, NOW)
        kept = practitioners.by_id(conn, one)
        box = practitioners.mailbox(conn, "991234567")
        assert practitioners.mailbox(conn, "nobody") is None
    assert kept is not None
    assert (kept.name, kept.type, kept.return_mode, kept.closed) == ("Autre nom", "IF", ReturnMode.BOITE, True)
    assert (kept.address, kept.addresses) == ("nouveau@exemple.test", frozenset({"nouveau@exemple.test"}))
    assert box == practitioners.Mailbox(one, "991234567", "hash", closed=True)


def test_the_directory_leads_from_a_caisse_and_from_an_amc_number_to_the_insurer(store: Store) -> None:
    """L3, L4, S1, A11."""
    with store.begin() as conn:
        amo = add_amo(conn)
        amc = insurers.upsert_amc(conn, number="0075000001", label="Mutuelle inventée", address="Amc@exemple.test")
        insurers.map_caisse(conn, "01", "421", "0000", "Caisse", amo)
    with store.read() as conn:
        directory = insurers.load_directory(conn)
        known = insurers.by_id(conn, amo)
        assert known is not None
        assert directory.caisse("01", "421", "0000") == known
        assert directory.addressed("00000001999422") == known
        assert known.recipient_number == "00000001999422"
        complementary = directory.complementary("75000001")
        assert complementary is not None
        assert (complementary.id, complementary.kind) == (amc, InsurerKind.AMC)
        assert (complementary.recipient_type, complementary.recipient_number) == ("OC", "00000075000001")
        assert insurers.by_address(conn, "AMC@exemple.test") == [complementary]
        assert insurers.by_id(conn, 404) is None


def test_importing_the_tables_again_updates_and_keeps_what_the_operator_set(store: Store) -> None:
    with store.begin() as conn:
        amo = add_amo(conn)
        insurers.set_fields(conn, amo, compression="zlib", enabled=False, label="")
        insurers.set_fields(conn, amo)
        assert add_amo(conn) == amo
        other = add_amo(conn, "999")
        insurers.map_caisse(conn, "01", "421", "0000", "Caisse", amo)
        insurers.map_caisse(conn, "01", "421", "0000", "Caisse", other)
        assert dict(insurers.load_directory(conn).caisses) == {("01", "421", "0000"): other}
        kept = insurers.by_id(conn, amo)
    assert kept is not None
    assert (kept.label, kept.compression, kept.enabled) == ("Caisse inventée", "zlib", False)


def test_the_newest_certificate_comes_first_and_a_retired_one_never(store: Store) -> None:
    """H8: two overlap when one is renewed."""
    with store.begin() as conn:
        ids = [certificates.add(conn, new_certificate(number), NOW) for number in (1, 3, 2)]
        certificates.add(conn, new_certificate(9, role=CertificateRole.AUTHORITY, address=""), NOW)
        assert certificates.usable_for(conn, "caisse@exemple.test") == [b"\x03", b"\x02", b"\x01"]
        assert certificates.retire(conn, ids[1], NOW)
        assert not certificates.retire(conn, ids[1], NOW)
        assert certificates.usable_for(conn, "CAISSE@exemple.test") == [b"\x02", b"\x01"]
        assert certificates.add(conn, new_certificate(3), NOW) == ids[1]
        assert len(certificates.usable_for(conn, "caisse@exemple.test")) == 3
        assert certificates.authorities(conn) == [b"\x09"]
        assert [one.serial for one in certificates.list_all(conn)] == ["9", "3", "2", "1"]
        assert certificates.list_all(conn)[0].role is CertificateRole.AUTHORITY


def test_a_newer_revocation_list_takes_the_place_of_the_older(store: Store) -> None:
    with store.begin() as conn:
        certificates.put_revocation_list(conn, "CN=AC", b"old", None, NOW)
        certificates.put_revocation_list(conn, "CN=AC", b"new", NOW + 5, NOW + 1)
        assert certificates.revocation_lists(conn) == [certificates.RevocationList("CN=AC", b"new", NOW + 5, NOW + 1)]


def test_every_change_of_the_directory_moves_its_version(store: Store) -> None:
    """H8: what was held goes within 60 s of a good certificate, so processes must learn of it."""
    with store.begin() as conn:
        assert directory_version(conn) == 0
        one, amo = add_practitioner(conn), add_amo(conn)
    changes: list[Callable[[Connection], object]] = [
        lambda conn: add_practitioner(conn, "995555555", "autre@exemple.test"),
        lambda conn: practitioners.add_number(conn, one, "997654321"),
        lambda conn: practitioners.add_address(conn, one, "second@exemple.test"),
        lambda conn: practitioners.remove_address(conn, one, "second@exemple.test"),
        lambda conn: practitioners.set_fields(conn, one, name="Autre"),
        lambda conn: practitioners.set_mailbox(conn, one, "login", "hash"),
        lambda conn: practitioners.close(conn, one, NOW),
        lambda conn: insurers.upsert_amc(conn, number="1", label="AMC", address="amc@exemple.test"),
        lambda conn: insurers.map_caisse(conn, "01", "421", "0000", "Caisse", amo),
        lambda conn: insurers.set_fields(conn, amo, enabled=False),
        lambda conn: certificates.add(conn, new_certificate(1), NOW),
        lambda conn: certificates.retire(conn, 1, NOW),
        lambda conn: certificates.put_revocation_list(conn, "CN=AC", b"crl", None, NOW),
    ]
    for change in changes:
        with store.begin() as conn:
            before = directory_version(conn)
            change(conn)
            assert directory_version(conn) > before
