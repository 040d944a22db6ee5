"""Bundles of every shape, and what is written on a certificate (H8, H10)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oct.crypto.authority import TestAuthority
from oct.crypto.certificates import addresses_of, fingerprint, is_authority, read_bundle, read_revocation_lists
from oct.crypto.keystore import OwnKey
from oct.errors import FormatError


@pytest.fixture(scope="module")
def pem(own: OwnKey, stranger: OwnKey) -> bytes:
    """Two certificates, with the text that openssl and portals put around them."""
    parts = [pair.certificate.public_bytes(Encoding.PEM) for pair in (own, stranger)]
    return b"subject=CN = oct\n" + b"\nissuer=AC\n".join(parts) + b"fin\n"


@pytest.fixture(scope="module")
def pkcs7(openssl: Callable[..., bytes], pki: Path, pem: bytes) -> bytes:
    """The same two in a PKCS#7 DER."""
    (pki / "bundle.pem").write_bytes(pem)
    return openssl("crl2pkcs7", "-nocrl", "-certfile", "bundle.pem", "-outform", "DER")


def test_a_bundle_of_any_shape_gives_its_certificates_in_order(
    openssl: Callable[..., bytes], own: OwnKey, stranger: OwnKey, pem: bytes, pkcs7: bytes
) -> None:
    both = [own.certificate, stranger.certificate]
    assert read_bundle(pem) == both
    assert read_bundle(pem.replace(b"\n", b"\r\n")) == both
    assert read_bundle(pkcs7) == both
    assert read_bundle(openssl("pkcs7", "-inform", "DER", "-outform", "PEM", stdin=pkcs7)) == both
    assert read_bundle(own.certificate.public_bytes(Encoding.DER)) == both[:1]


def test_a_bundle_in_ber_is_read(own: OwnKey, stranger: OwnKey, pkcs7: bytes) -> None:
    header = 2 + (pkcs7[1] & 0x7F)
    assert read_bundle(b"\x30\x80" + pkcs7[header:] + b"\0\0") == [own.certificate, stranger.certificate]


def test_a_certificate_given_twice_is_read_once(pem: bytes) -> None:
    assert len(read_bundle(pem + pem)) == 2


def test_what_is_not_a_certificate_is_left(pki: Path, own: OwnKey, pem: bytes) -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    assert len(read_bundle((pki / "own.key").read_bytes() + broken + pem)) == 2


@pytest.mark.parametrize("data", [b"", b"bonjour", b"0\x80", b"-----BEGIN CERTIFICATE-----"])
def test_a_file_without_certificate_is_declared(data: bytes) -> None:
    with pytest.raises(FormatError, match="certificat-illisible"):
        read_bundle(data)
    with pytest.raises(FormatError, match="liste-de-revocation-illisible"):
        read_revocation_lists(data)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.filterwarnings("ignore:Attribute's length")
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_h10_mutated_certificates_are_read_to_the_last_field_or_declared(
    own: OwnKey, pkcs7: bytes, data: st.DataObject
) -> None:
    blob = bytearray(data.draw(st.sampled_from([own.certificate.public_bytes(Encoding.DER), pkcs7])))
    for _ in range(data.draw(st.integers(1, 6))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    try:
        certificates = read_bundle(bytes(blob))
    except FormatError:
        return
    for certificate in certificates:
        assert len(fingerprint(certificate)) == 64
        assert isinstance(is_authority(certificate), bool)
        assert all(address == address.lower() for address in addresses_of(certificate))


def named(own: OwnKey, now: datetime, subject: x509.Name, *alternative: x509.GeneralName) -> x509.Certificate:
    """A certificate of that subject and those alternative names."""
    builder = x509.CertificateBuilder(subject, subject, own.private_key.public_key(), 1, now, now + timedelta(1))
    if alternative:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    return builder.sign(own.private_key, hashes.SHA256())


def test_the_addresses_are_the_alternative_names_in_lower_case(own: OwnKey, now: datetime) -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "autre@caisse.example")])
    certificate = named(
        own,
        now,
        subject,
        x509.RFC822Name("01422@422.01.RSS.fr"),
        x509.DNSName("caisse.example"),
        x509.RFC822Name("b@c.fr"),
    )
    assert addresses_of(certificate) == ("01422@422.01.rss.fr", "b@c.fr")


def test_without_alternative_name_the_subject_tells_the_address(own: OwnKey, now: datetime) -> None:
    email = x509.NameAttribute(NameOID.EMAIL_ADDRESS, "A@caisse.example")
    common = x509.NameAttribute(NameOID.COMMON_NAME, "b@caisse.example")
    assert addresses_of(named(own, now, x509.Name([common, email]))) == ("a@caisse.example",)
    assert addresses_of(named(own, now, x509.Name([common]))) == ("b@caisse.example",)
    plain = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Caisse d'essai")])
    assert addresses_of(named(own, now, plain)) == ()


def test_an_authority_is_told_from_a_mailbox(authority: TestAuthority, own: OwnKey) -> None:
    assert all(is_authority(certificate) for certificate in authority.certificates)
    assert not is_authority(own.certificate)


def test_the_fingerprint_is_the_one_openssl_prints(openssl: Callable[..., bytes], own: OwnKey) -> None:
    printed = openssl("x509", "-in", "own.pem", "-noout", "-fingerprint", "-sha256").decode()
    assert fingerprint(own.certificate) == printed.partition("=")[2].strip().replace(":", "").lower()
