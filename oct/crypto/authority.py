"""A small three-level authority for trials: `oct init --test`, the simulators and the tests.

Root, then an intermediate for invoicing, then the certificates of mailboxes, like the real one. It protects nothing:
its keys live where the trial lives. All dates count from the instant that is handed in.

Source: annex 4 (three levels); RFC 5280.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from oct.crypto.keystore import OwnKey, encipherment_only, new_private_key

_ROOT_LIFE = timedelta(days=3650)
_ISSUING_LIFE = timedelta(days=1825)
_MAILBOX_LIFE = timedelta(days=730)


@dataclass(frozen=True, slots=True)
class TestAuthority:
    """The root and the intermediate that issues; `begins` (aware) is when everything it issues becomes valid."""

    __test__: ClassVar[bool] = False  # not a class of tests, whatever pytest thinks of its name

    root: OwnKey
    issuing: OwnKey
    begins: datetime

    @classmethod
    def create(cls, begins: datetime) -> TestAuthority:
        """New keys and certificates of both authorities."""
        root_key, issuing_key = new_private_key(), new_private_key()
        root_name, issuing_name = _name("AC RACINE ESSAI"), _name("AC FACTURATION ESSAI")
        root = _authority(root_name, root_key, _ROOT_LIFE, begins, root_name, root_key)
        issuing = _authority(issuing_name, issuing_key, _ISSUING_LIFE, begins, root_name, root_key)
        return cls(OwnKey("racine", root_key, root), OwnKey("facturation", issuing_key, issuing), begins)

    @property
    def certificates(self) -> tuple[x509.Certificate, x509.Certificate]:
        """What a `TrustStore` is given: the intermediate and the root."""
        return self.issuing.certificate, self.root.certificate

    def issue(self, address: str) -> OwnKey:
        """A new pair for a mailbox, named by its address."""
        key = new_private_key()
        return OwnKey(address, key, self.certify(address, key.public_key()))

    def certify(
        self,
        address: str,
        key: rsa.RSAPublicKey,
        *,
        begins: datetime | None = None,
        lasting: timedelta = _MAILBOX_LIFE,
    ) -> x509.Certificate:
        """A certificate for a mailbox whose key exists, valid for `lasting` from `begins` (the authority's own)."""
        return (
            _builder(_name(address), key, begins or self.begins, lasting, self.issuing.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(encipherment_only(), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(address)]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.issuing.private_key.public_key()),
                critical=False,
            )
            .sign(self.issuing.private_key, hashes.SHA256())
        )


def _authority(
    name: x509.Name,
    key: rsa.RSAPrivateKey,
    lasting: timedelta,
    begins: datetime,
    issuer: x509.Name,
    issuer_key: rsa.RSAPrivateKey,
) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(name, key.public_key(), begins, lasting, issuer)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, key: rsa.RSAPublicKey, begins: datetime, lasting: timedelta, issuer: x509.Name
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + lasting)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "essai"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
