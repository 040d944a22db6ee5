"""Certificates and revocation lists as they come: files of every shape, and what is written on a certificate.

Takes the bytes an operator uploads or a directory serves (PEM with any number of blocks, DER, PKCS#7 in PEM or DER)
and gives `x509` values that are readable to the last field, so that nothing fails later on; says whose mailbox a
certificate is for. Whether one may be encrypted to is `oct.crypto.trust`'s question. Fails with `FormatError`.

Sources: RFC 7468 (PEM), RFC 5652 §5.1 (certificates in SignedData), RFC 5280 §4.1 and §4.2.1.6 (rfc822Name).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from oct.crypto.ber import INTEGER, OBJECT_IDENTIFIER, SEQUENCE, BerCursor, context, oid
from oct.crypto.pem import blocks
from oct.errors import FormatError

_SIGNED_DATA = oid("1.2.840.113549.1.7.2")
_ADDRESS = re.compile(r"[^@\s<>\"',;]+@[^@\s<>\"',;]+")
_UNREADABLE = (
    TypeError,
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

Extension = TypeVar("Extension", bound=x509.ExtensionType)


def read_bundle(data: bytes) -> list[x509.Certificate]:
    """Every certificate of a PEM, DER or PKCS#7 file, in its order, each once; what is not a certificate is left.

    Raises FormatError "certificat-illisible" when there is none.
    """
    found: dict[x509.Certificate, None] = {}
    for encoding in _encodings(data):
        for candidate in _members(encoding):
            certificate = _certificate(candidate)
            if certificate is not None:
                found[certificate] = None
    if not found:
        raise FormatError(
            "certificat-illisible", "Ce fichier ne contient aucun certificat lisible (PEM, DER ou PKCS#7).", rule="H8"
        )
    return list(found)


def read_revocation_lists(data: bytes) -> list[x509.CertificateRevocationList]:
    """Every revocation list of a PEM or DER file.

    Raises FormatError "liste-de-revocation-illisible" when there is none.
    """
    found = [crl for crl in map(_revocation_list, _encodings(data)) if crl is not None]
    if not found:
        raise FormatError(
            "liste-de-revocation-illisible", "Ce fichier ne contient aucune liste de révocation lisible.", rule="H8"
        )
    return found


def addresses_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The mailboxes a certificate names, lower case: its alternative names, else its subject's address or name."""
    alternative = extension(certificate, x509.SubjectAlternativeName)
    found = [] if alternative is None else alternative.get_values_for_type(x509.RFC822Name)
    if not found:
        found = _subject_values(certificate, NameOID.EMAIL_ADDRESS)
    if not found:
        found = [name for name in _subject_values(certificate, NameOID.COMMON_NAME) if _ADDRESS.fullmatch(name)]
    return tuple(dict.fromkeys(address.lower() for address in found))


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may issue others: its basicConstraints say CA."""
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER, in lower-case hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def extension(holder: x509.Certificate | x509.CertificateRevocationList, kind: type[Extension]) -> Extension | None:
    """One extension's value, None when the certificate or the list does not have it."""
    try:
        return holder.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _encodings(data: bytes) -> list[bytes]:
    """The PEM blocks decoded, or the data taken as DER."""
    return [decoded for _, decoded in blocks(data)] or [data]


def _members(encoding: bytes) -> list[bytes]:
    """The certificates of a PKCS#7 SignedData, else the encoding itself."""
    try:
        return list(_signed_data_certificates(encoding))
    except FormatError:
        return [encoding]


def _signed_data_certificates(encoding: bytes) -> Iterator[bytes]:
    """Walked here and not by the library, which warns about BER and stops at the first member it dislikes."""
    cursor = BerCursor(encoding)
    cursor.enter(SEQUENCE)
    if cursor.primitive(OBJECT_IDENTIFIER) != _SIGNED_DATA:
        raise FormatError("pkcs7-type", "Ce n'est pas un paquet de certificats PKCS#7.", rule="H8")
    cursor.enter(context(0))
    cursor.enter(SEQUENCE)
    cursor.primitive(INTEGER)
    cursor.skip()  # digestAlgorithms
    cursor.skip()  # encapContentInfo
    end = cursor.enter(context(0))
    while not cursor.ends(end):
        yield cursor.element()


def _certificate(encoding: bytes) -> x509.Certificate | None:
    """A certificate whose every part that we use can be read, with the positive serial that RFC 5280 asks for."""
    try:
        certificate = x509.load_der_x509_certificate(encoding)
        readable = (certificate.extensions, certificate.public_key(), certificate.issuer, certificate.subject)
    except _UNREADABLE:
        return None
    return certificate if all(part is not None for part in readable) and certificate.serial_number > 0 else None


def _revocation_list(encoding: bytes) -> x509.CertificateRevocationList | None:
    try:
        crl = x509.load_der_x509_crl(encoding)
        readable = (crl.extensions, crl.issuer, crl.signature_hash_algorithm)
    except _UNREADABLE:
        return None
    return crl if all(part is not None for part in readable) else None


def _subject_values(certificate: x509.Certificate, kind: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(kind)]
