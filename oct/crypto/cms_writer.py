"""CMS envelopes, written: a file encrypted to the certificate of its addressee.

Takes bytes and certificates already judged by `oct.crypto.certificates`; gives a DER EnvelopedData, RSA PKCS#1 v1.5,
recipients named by issuer and serial: what every insurer's software reads. The content is taken as binary, byte for
byte: changed line ends would break sealed lots (L1).

The structure around what the library encrypts is written here: all of it but four values is the same for every message
to an addressee, so it is kept ready, and the library's own builder costs as much as the RSA operation itself.

Fails with `CertificateError("cle-non-rsa")`. Source: RFC 5652 §6, RFC 3565 (AES in CMS), annex 4 §7.1.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from oct.crypto.ber import INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, context, oid
from oct.crypto.remembered import Remembered
from oct.errors import CertificateError


class ContentCipher(StrEnum):
    """The ciphers that may be written; the values are those of the settings. 3DES is read, never written (M3)."""

    AES_128_CBC = "aes-128-cbc"
    AES_256_CBC = "aes-256-cbc"


_BLOCK = 16
_PKCS1 = PKCS1v15()
_ADDRESSEES: Remembered[tuple[RSAPublicKey, bytes]] = Remembered()


def seal(
    content: bytes,
    recipients: x509.Certificate | Sequence[x509.Certificate],
    cipher: ContentCipher = ContentCipher.AES_256_CBC,
) -> bytes:
    """`content` as a DER EnvelopedData that each of `recipients` (at least one) can open."""
    key, nonce = os.urandom(_CIPHERS[cipher][1]), os.urandom(_BLOCK)
    certificates = [recipients] if isinstance(recipients, x509.Certificate) else recipients
    known = b"".join(sorted([_recipient(certificate, key) for certificate in certificates]))
    encryptor = Cipher(AES(key), CBC(nonce)).encryptor()
    filling = _BLOCK - len(content) % _BLOCK
    encrypted = (encryptor.update(content), encryptor.update(bytes([filling]) * filling), encryptor.finalize())
    opening, algorithm, last = _frame(cipher, len(known), len(content) + filling)
    return b"".join((opening, known, algorithm, nonce, last, *encrypted))


@lru_cache(maxsize=1024)
def _frame(cipher: ContentCipher, known: int, encrypted: int) -> tuple[bytes, bytes, bytes]:
    """What stands before the recipients, between them and the nonce, and before the encrypted content, when those have
    so many octets. Small files have few lengths, all multiples of a block."""
    last = _opening(context(0, constructed=False), b"", encrypted)
    rest = _BLOCK + len(last) + encrypted
    algorithm = _opening(SEQUENCE, _DATA + _CIPHERS[cipher][0], rest)
    rest += known + len(algorithm)
    data = _opening(SEQUENCE, _VERSION + _opening(SET, b"", known), rest)
    return _opening(SEQUENCE, _ENVELOPED_DATA + _opening(context(0), data, rest), rest), algorithm, last


def _recipient(certificate: x509.Certificate, key: bytes) -> bytes:
    """KeyTransRecipientInfo (RFC 5652 §6.2.1)."""
    known = _ADDRESSEES.get(certificate)
    if known is None:
        known = _addressee(certificate)
        _ADDRESSEES.keep(certificate, known)
    public_key, before = known
    return before + public_key.encrypt(key, _PKCS1)


def _addressee(certificate: x509.Certificate) -> tuple[RSAPublicKey, bytes]:
    """The key of an addressee, and all that stands before the encrypted content key, whose length is the key's."""
    public_key = certificate.public_key()
    if not isinstance(public_key, RSAPublicKey):
        raise CertificateError("cle-non-rsa", "Le certificat du destinataire n'a pas de clé RSA.", rule="H8")
    number, length = certificate.serial_number, (public_key.key_size + 7) // 8
    serial = _element(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
    name = _element(SEQUENCE, certificate.issuer.public_bytes(), serial)
    whole = _element(SEQUENCE, _VERSION, name, _RSA_PKCS1, _element(OCTET_STRING, bytes(length)))
    return public_key, whole[:-length]


def _element(tag: int, *contents: bytes) -> bytes:
    """An element of DER."""
    return _opening(tag, b"".join(contents), 0)


def _opening(tag: int, head: bytes, rest: int) -> bytes:
    """An element that begins with `head` and has `rest` more octets."""
    length = len(head) + rest
    if length < 0x80:
        return bytes((tag, length)) + head
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + head


_VERSION = _element(INTEGER, b"\0")
_DATA = _element(OBJECT_IDENTIFIER, oid("1.2.840.113549.1.7.1"))
_ENVELOPED_DATA = _element(OBJECT_IDENTIFIER, oid("1.2.840.113549.1.7.3"))
_RSA_PKCS1 = _element(SEQUENCE, _element(OBJECT_IDENTIFIER, oid("1.2.840.113549.1.1.1")), _element(NULL))


def _algorithm(dotted: str) -> bytes:
    """AlgorithmIdentifier of a cipher, up to the nonce that ends it."""
    return _element(SEQUENCE, _element(OBJECT_IDENTIFIER, oid(dotted)), _element(OCTET_STRING, bytes(_BLOCK)))[:-_BLOCK]


_CIPHERS = {
    ContentCipher.AES_128_CBC: (_algorithm("2.16.840.1.101.3.4.1.2"), 16),
    ContentCipher.AES_256_CBC: (_algorithm("2.16.840.1.101.3.4.1.42"), 32),
}
"""The algorithm of each cipher, and the length of its key in octets."""
