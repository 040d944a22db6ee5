"""The concentrator's own RSA keys: every pair in the directory reads, the newest valid certificate is published.

A key is two files, `<name>.key` (PEM, with or without a passphrase) and `<name>.pem` (its certificate). The operator
rolls a key over by adding a pair, and retires one by moving it to `retired/`, which is not read (M3: old keys stay
usable for reading until then). Other `.pem` files of the directory (authorities) are left alone.

Keys are loaded once per process: checking one at load costs some 36 ms. What is wrong with a pair is a
`ConfigurationError` that names the file.

Sources: RFC 5652 §6.2.1 (issuer and serial, key identifier), RFC 2986 (certificate request), annex 4 §7.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from oct.crypto.ber import INTEGER, SEQUENCE, BerCursor, context
from oct.crypto.certificates import extension, read_bundle
from oct.errors import ConfigurationError, FormatError

_KEY_BITS = 2048
_PUBLIC_EXPONENT = 65537


@dataclass(frozen=True, slots=True)
class OwnKey:
    """One pair. `name` is its files' stem."""

    name: str
    private_key: rsa.RSAPrivateKey
    certificate: x509.Certificate


class KeyRing:
    """The keys that can read, found by what a CMS recipient says of them. Immutable: a change is another ring."""

    def __init__(self, keys: tuple[OwnKey, ...]) -> None:
        self.keys = keys
        self._by_issuer = {(_issuer_bytes(key.certificate), key.certificate.serial_number): key for key in keys}
        self._by_identifier = {_key_identifier(key.certificate): key for key in keys}

    @classmethod
    def of(cls, pairs: Iterable[tuple[rsa.RSAPrivateKey, x509.Certificate]]) -> KeyRing:
        """A ring of pairs held in memory, named by their serial in hexadecimal."""
        return cls(tuple(OwnKey(f"{pair[1].serial_number:x}", *pair) for pair in pairs))

    @classmethod
    def load(cls, directory: Path, passphrase: bytes | None = None) -> KeyRing:
        """Every `<name>.key` of `directory` with its `<name>.pem`, in the order of their names.

        A key that still waits for its certificate is left out, unless there is no other.

        Raises ConfigurationError "cles-absentes", "cle-illisible", "certificat-absent", "certificat-illisible" or
        "cle-et-certificat".
        """
        found = sorted(directory.glob("*.key"))
        complete = [path for path in found if path.with_suffix(".pem").exists()]
        keys = tuple(_load_pair(path, passphrase) for path in complete or found)
        if not keys:
            raise ConfigurationError(
                "cles-absentes", f"Aucune clé dans {directory} : créez-en une avec « oct init » ou corrigez [keys]."
            )
        return cls(keys)

    def current(self, at: datetime) -> OwnKey:
        """The pair whose certificate is valid at `at` (aware) and began last: the one to publish.

        Raises ConfigurationError "certificat-propre-perime" when none is valid.
        """
        valid = [
            key
            for key in self.keys
            if key.certificate.not_valid_before_utc <= at <= key.certificate.not_valid_after_utc
        ]
        if not valid:
            raise ConfigurationError(
                "certificat-propre-perime",
                "Aucun certificat du concentrateur n'est valide aujourd'hui : renouvelez-le et ajoutez la paire.",
            )
        return max(valid, key=lambda key: key.certificate.not_valid_before_utc)

    def by_issuer(self, issuer: bytes, serial: int) -> OwnKey | None:
        """The pair whose certificate has this issuer (its DER) and this serial number."""
        return self._by_issuer.get((issuer, serial))

    def by_identifier(self, identifier: bytes) -> OwnKey | None:
        """The pair whose certificate has this subject key identifier."""
        return self._by_identifier.get(identifier)


def generate_key_and_request(address: str, name: str) -> tuple[bytes, bytes]:
    """A new RSA-2048 key and its certificate request, both PEM; the key in clear, to be written 0600.

    `address` is the mailbox the certificate is for (subjectAltName, ASCII), `name` the common name.
    """
    key = new_private_key()
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(address)]), critical=False)
        .add_extension(encipherment_only(), critical=True)
        .sign(key, hashes.SHA256())
    )
    return private_pem(key), request.public_bytes(serialization.Encoding.PEM)


def new_private_key() -> rsa.RSAPrivateKey:
    """A new RSA key of 2048 bits."""
    return rsa.generate_private_key(_PUBLIC_EXPONENT, _KEY_BITS)


def private_pem(key: rsa.RSAPrivateKey) -> bytes:
    """The key in clear, PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def encipherment_only() -> x509.KeyUsage:
    """The key usage of a certificate that claims are encrypted to: keyEncipherment and nothing else."""
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _load_pair(path: Path, passphrase: bytes | None) -> OwnKey:
    key = _load_key(path, passphrase)
    for certificate in _load_certificates(path.with_suffix(".pem")):
        if certificate.public_key() == key.public_key():
            return OwnKey(path.stem, key, certificate)
    raise ConfigurationError(
        "cle-et-certificat", f"La clé {path} et le certificat {path.with_suffix('.pem')} ne vont pas ensemble."
    )


def _load_key(path: Path, passphrase: bytes | None) -> rsa.RSAPrivateKey:
    try:
        pem = path.read_bytes()
        # a passphrase given for a key in clear is an error for the library; keys of both kinds may stand side by side
        key = serialization.load_pem_private_key(pem, passphrase if b"ENCRYPTED" in pem else None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as cause:
        raise ConfigurationError(
            "cle-illisible",
            f"La clé {path} ne peut pas être lue : vérifiez le fichier, ses droits et sa phrase secrète.",
        ) from cause
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigurationError("cle-illisible", f"La clé {path} n'est pas une clé RSA.")
    return key


def _load_certificates(path: Path) -> list[x509.Certificate]:
    """The certificate of a pair, which may come with those of its authorities."""
    try:
        return read_bundle(path.read_bytes())
    except FileNotFoundError as cause:
        raise ConfigurationError(
            "certificat-absent", f"Le certificat {path} manque : déposez celui que l'autorité a délivré pour cette clé."
        ) from cause
    except (OSError, FormatError) as cause:
        raise ConfigurationError("certificat-illisible", f"Le certificat {path} ne peut pas être lu.") from cause


def _issuer_bytes(certificate: x509.Certificate) -> bytes:
    """The issuer exactly as the certificate encodes it: string types and order kept, as a sender copies it."""
    cursor = BerCursor(certificate.tbs_certificate_bytes)
    cursor.enter(SEQUENCE)
    if cursor.peek() == context(0):
        cursor.skip()
    cursor.primitive(INTEGER)
    cursor.skip()
    return cursor.element()


def _key_identifier(certificate: x509.Certificate) -> bytes:
    """The certificate's own identifier, else the SHA-1 of its key (RFC 5280 §4.2.1.2, method 1)."""
    own = extension(certificate, x509.SubjectKeyIdentifier)
    return (own or x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())).digest
