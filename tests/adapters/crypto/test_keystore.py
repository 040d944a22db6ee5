"""Own keys: pairs in a directory, look-up, roll-over, faults that name the file (M3, H8)."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from oct.crypto.authority import TestAuthority
from oct.crypto.keystore import KeyRing, OwnKey, generate_key_and_request, private_pem
from oct.crypto.private_files import write_private
from oct.errors import ConfigurationError


def put(directory: Path, name: str, pair: OwnKey) -> None:
    """Write a pair as the operator does."""
    (directory / f"{name}.key").write_bytes(private_pem(pair.private_key))
    (directory / f"{name}.pem").write_bytes(pair.certificate.public_bytes(Encoding.PEM))


def issuer_of(pair: OwnKey) -> bytes:
    return pair.certificate.issuer.public_bytes()


def test_m3_every_pair_of_the_directory_reads_and_retired_ones_do_not(
    tmp_path: Path, own: OwnKey, older: OwnKey, stranger: OwnKey
) -> None:
    put(tmp_path, "2026", own)
    put(tmp_path, "2024", older)
    (tmp_path / "retired").mkdir()
    put(tmp_path / "retired", "2022", stranger)
    (tmp_path / "chaine.pem").write_bytes(stranger.certificate.public_bytes(Encoding.PEM))
    ring = KeyRing.load(tmp_path)
    assert [key.name for key in ring.keys] == ["2024", "2026"]
    found = ring.by_issuer(issuer_of(own), own.certificate.serial_number)
    assert found is not None
    assert found.name == "2026"
    assert ring.by_issuer(issuer_of(stranger), stranger.certificate.serial_number) is None


def test_m3_a_key_is_found_by_its_identifier_even_when_the_certificate_has_none(
    authority: TestAuthority, own: OwnKey, now: datetime
) -> None:
    name = x509.Name([])
    bare = x509.CertificateBuilder(name, name, own.private_key.public_key(), 7, now, now + timedelta(1)).sign(
        own.private_key, hashes.SHA256()
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(own.private_key.public_key()).digest
    for certificate in (bare, own.certificate):
        found = KeyRing.of([(own.private_key, certificate)]).by_identifier(identifier)
        assert found is not None
        assert found.certificate == certificate


def test_h8_own_keys_roll_over_with_overlap(authority: TestAuthority, own: OwnKey, now: datetime) -> None:
    key = own.private_key.public_key()
    year = timedelta(days=365)
    first = authority.certify("oct@concentrateur.example", key, lasting=2 * year)
    second = authority.certify("oct@concentrateur.example", key, begins=now + year, lasting=2 * year)
    ring = KeyRing.of([(own.private_key, second), (own.private_key, first)])
    assert ring.current(now).certificate == first
    assert ring.current(now + 1.5 * year).certificate == second
    assert ring.current(now + 2.5 * year).certificate == second
    with pytest.raises(ConfigurationError, match="certificat-propre-perime"):
        ring.current(now + 3.5 * year)


def test_keys_with_and_without_a_passphrase_stand_side_by_side(tmp_path: Path, own: OwnKey, older: OwnKey) -> None:
    put(tmp_path, "clair", older)
    put(tmp_path, "chiffre", own)
    protected = own.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"phrase"))
    (tmp_path / "chiffre.key").write_bytes(protected)
    assert len(KeyRing.load(tmp_path, b"phrase").keys) == 2
    for passphrase in (None, b"autre"):
        with pytest.raises(ConfigurationError, match=r"cle-illisible.*chiffre\.key"):
            KeyRing.load(tmp_path, passphrase)


def test_a_certificate_may_come_with_its_authorities(tmp_path: Path, authority: TestAuthority, own: OwnKey) -> None:
    put(tmp_path, "oct", own)
    chain = [*authority.certificates, own.certificate]
    (tmp_path / "oct.pem").write_bytes(b"".join(link.public_bytes(Encoding.PEM) for link in chain))
    assert KeyRing.load(tmp_path).keys[0].certificate == own.certificate


def test_a_directory_without_key_is_declared(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cles-absentes"):
        KeyRing.load(tmp_path)


def test_what_is_wrong_with_a_pair_names_its_file(tmp_path: Path, own: OwnKey, older: OwnKey) -> None:
    put(tmp_path, "paire", own)
    key, certificate = tmp_path / "paire.key", tmp_path / "paire.pem"
    elliptic = ec.generate_private_key(ec.SECP256R1())
    faults = [
        (certificate, older.certificate.public_bytes(Encoding.PEM), r"cle-et-certificat.*paire\.key.*paire\.pem"),
        (certificate, b"pas un certificat", r"certificat-illisible.*paire\.pem"),
        (key, b"pas une cle", r"cle-illisible.*paire\.key"),
        (key, elliptic.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), r"cle-illisible.*paire\.key"),
    ]
    for path, content, expected in faults:
        original = path.read_bytes()
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=expected):
            KeyRing.load(tmp_path)
        path.write_bytes(original)
    certificate.unlink()
    with pytest.raises(ConfigurationError, match=r"certificat-absent.*paire\.pem"):
        KeyRing.load(tmp_path)


def test_a_new_key_comes_with_a_request_that_openssl_verifies(openssl: Callable[..., bytes]) -> None:
    key_pem, request_pem = generate_key_and_request("oct@concentrateur.example", "Concentrateur d'essai")
    printed = openssl("req", "-verify", "-noout", "-text", stdin=request_pem)
    assert b"email:oct@concentrateur.example" in printed
    assert b"Key Encipherment" in printed
    request = x509.load_pem_x509_csr(request_pem)
    assert load_pem_private_key(key_pem, None).public_key() == request.public_key()


def test_a_private_file_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "oct.key"
    previous = os.umask(0)
    try:
        write_private(path, b"secret")
    finally:
        os.umask(previous)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigurationError, match="fichier-secret-existant"):
        write_private(path, b"autre")
    assert path.read_bytes() == b"secret"
    with pytest.raises(ConfigurationError, match="fichier-secret"):
        write_private(tmp_path / "absent" / "oct.key", b"secret")


def test_a_key_that_waits_for_its_certificate_does_not_hinder_the_others(tmp_path: Path) -> None:
    waiting, _ = generate_key_and_request("oct@concentrateur.example", "OCT")
    (tmp_path / "attente.key").write_bytes(waiting)
    with pytest.raises(ConfigurationError) as alone:
        KeyRing.load(tmp_path)
    own = TestAuthority.create(datetime(2026, 11, 20, tzinfo=UTC)).issue("oct@concentrateur.example")
    (tmp_path / "oct.key").write_bytes(private_pem(own.private_key))
    (tmp_path / "oct.pem").write_bytes(own.certificate.public_bytes(Encoding.PEM))
    assert (alone.value.code, [key.name for key in KeyRing.load(tmp_path).keys]) == ("certificat-absent", ["oct"])
