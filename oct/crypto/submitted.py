"""What a file that an operator hands in holds: certificates, revocation lists, private keys, in any shape and order.

Takes the bytes of one file (PEM with any blocks, DER, PKCS#7); gives all that could be read. A file of which nothing
can be read is a `FormatError`, and so is a private key that its passphrase does not open.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from oct.crypto.certificates import read_bundle, read_revocation_lists
from oct.crypto.keystore import private_pem
from oct.crypto.pem import BEGIN
from oct.errors import FormatError

_PRIVATE = b"PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class Submitted:
    """All that a file holds, each in its order."""

    certificates: tuple[x509.Certificate, ...]
    revocation_lists: tuple[x509.CertificateRevocationList, ...]
    private_keys: tuple[rsa.RSAPrivateKey, ...]


def read_submitted(data: bytes, passphrase: bytes | None = None) -> Submitted:
    """Raises FormatError "fichier-sans-certificat" or "cle-illisible"."""
    found = Submitted(_certificates(data), _revocation_lists(data), _private_keys(data, passphrase))
    if not (found.certificates or found.revocation_lists or found.private_keys):
        raise FormatError(
            "fichier-sans-certificat", "Ni certificat, ni liste de révocation, ni clé privée lisible dans ce fichier."
        )
    return found


def key_file(key: rsa.RSAPrivateKey, passphrase: bytes | None) -> bytes:
    """The PEM that a private key is kept as: under the passphrase when there is one."""
    if passphrase is None:
        return private_pem(key)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase),
    )


def _certificates(data: bytes) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(read_bundle(data))
    except FormatError:
        return ()


def _revocation_lists(data: bytes) -> tuple[x509.CertificateRevocationList, ...]:
    try:
        return tuple(read_revocation_lists(data))
    except FormatError:
        return ()


def _private_keys(data: bytes, passphrase: bytes | None) -> tuple[rsa.RSAPrivateKey, ...]:
    blocks = [BEGIN + block for block in data.split(BEGIN)[1:]]
    private = [block for block in blocks if _PRIVATE in block.partition(b"\n")[0]]
    return tuple(_private_key(block, passphrase) for block in private)


def _private_key(pem: bytes, passphrase: bytes | None) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, passphrase if b"ENCRYPTED" in pem else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as cause:
        raise FormatError(
            "cle-illisible", "Une clé privée ne peut pas être lue : vérifiez sa phrase secrète ([keys] passphrase)."
        ) from cause
    if not isinstance(key, rsa.RSAPrivateKey):
        raise FormatError("cle-illisible", "Une clé privée n'est pas une clé RSA.")
    return key
