"""The register in memory follows what the operator changes, and gives only certificates that may be used (H8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from oct.crypto.authority import TestAuthority
from oct.crypto.certificates import fingerprint
from oct.crypto.revocation import RevocationPolicy
from oct.errors import CertificateError
from oct.store import certificates, insurers, practitioners
from oct.store.certificates import CertificateRole, NewCertificate
from oct.store.engine import Store
from oct.store.registry import Registry, Snapshot

_NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
_CAISSE = "01422@422.01.rss.fr"
_AUTHORITY = TestAuthority.create(_NOW - timedelta(days=400))


def _registry() -> Registry:
    return Registry(RevocationPolicy.SOFT, timedelta(0))


def _snapshot(store: Store, registry: Registry) -> Snapshot:
    with store.read() as conn:
        return registry.current(conn)


def _add(store: Store, certificate: x509.Certificate, role: CertificateRole, address: str = "") -> None:
    listed = NewCertificate(
        fingerprint=fingerprint(certificate),
        role=role,
        address=address,
        der=certificate.public_bytes(Encoding.DER),
        serial=f"{certificate.serial_number:x}",
        subject=certificate.subject.rfc4514_string(),
        not_before=int(certificate.not_valid_before_utc.timestamp() * 1000),
        not_after=int(certificate.not_valid_after_utc.timestamp() * 1000),
    )
    with store.begin() as conn:
        certificates.add(conn, listed, 0)


def test_it_is_loaded_once_and_again_after_a_change(store: Store) -> None:
    registry = _registry()
    first = _snapshot(store, registry)
    assert _snapshot(store, registry) is first
    with store.begin() as conn:
        practitioners.add(conn, number="421234567", type="ER", name="CABINET", address="Pont@boite.example", now=0)
        insurers.upsert_amo(
            conn, regime="01", organism="422", centre="016", label="LOIRE", address=_CAISSE, recipient_type="CT"
        )
    second = _snapshot(store, registry)
    assert second.version > first.version
    assert second.by_number["421234567"].id == second.by_address["pont@boite.example"].id
    assert second.insurers_by_address[_CAISSE].label == "LOIRE"


def test_h8_the_newest_certificate_that_is_good_is_given(store: Store) -> None:
    for authority in _AUTHORITY.certificates:
        _add(store, authority, CertificateRole.AUTHORITY)
    key = _AUTHORITY.issue(_CAISSE).private_key.public_key()
    old = _AUTHORITY.certify(_CAISSE, key, begins=_NOW - timedelta(days=300), lasting=timedelta(days=600))
    new = _AUTHORITY.certify(_CAISSE, key, begins=_NOW - timedelta(days=3), lasting=timedelta(days=600))
    coming = _AUTHORITY.certify(_CAISSE, key, begins=_NOW + timedelta(days=3), lasting=timedelta(days=600))
    for certificate in (new, coming, old):
        _add(store, certificate, CertificateRole.ENTITY, _CAISSE)
    snapshot = _snapshot(store, _registry())
    assert snapshot.certificate_for(_CAISSE.upper(), _NOW) == new
    assert snapshot.certificate_for(_CAISSE, _NOW - timedelta(days=30)) == old
    with pytest.raises(CertificateError) as refused:
        snapshot.certificate_for(_CAISSE, _NOW + timedelta(days=2000))
    assert refused.value.code in {"certificat-expire", "autorite-inconnue"}


def test_l6_without_a_certificate_or_its_authority_nothing_is_given(store: Store) -> None:
    registry = _registry()
    with pytest.raises(CertificateError) as absent:
        _snapshot(store, registry).certificate_for(_CAISSE, _NOW)
    _add(store, _AUTHORITY.issue(_CAISSE).certificate, CertificateRole.ENTITY, _CAISSE)
    with pytest.raises(CertificateError) as unknown:
        _snapshot(store, registry).certificate_for(_CAISSE, _NOW)
    assert (absent.value.code, unknown.value.code) == ("certificat-absent", "autorite-inconnue")
