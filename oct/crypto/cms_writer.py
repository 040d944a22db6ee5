"""CMS envelopes, written: a file encrypted to the certificate of its addressee.

Takes bytes and certificates already judged by `oct.crypto.certificates`; gives a DER EnvelopedData, RSA PKCS#1 v1.5,
recipients named by issuer and serial: what every insurer's software reads. The content is taken as binary: with the
library's default its line ends would change and sealed lots would break (L1).

Fails with `CertificateError("cle-non-rsa")`. Source: RFC 5652 §6, RFC 3565 (AES in CMS), annex 4 §7.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.algorithms import AES128, AES256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7EnvelopeBuilder, PKCS7Options

from oct.errors import CertificateError


class ContentCipher(StrEnum):
    """The ciphers that may be written; the values are those of the settings. 3DES is read, never written (M3)."""

    AES_128_CBC = "aes-128-cbc"
    AES_256_CBC = "aes-256-cbc"


_ALGORITHMS: dict[ContentCipher, type[AES128] | type[AES256]] = {
    ContentCipher.AES_128_CBC: AES128,
    ContentCipher.AES_256_CBC: AES256,
}


def seal(
    content: bytes,
    recipients: x509.Certificate | Sequence[x509.Certificate],
    cipher: ContentCipher = ContentCipher.AES_256_CBC,
) -> bytes:
    """`content` as a DER EnvelopedData that each of `recipients` (at least one) can open."""
    builder = PKCS7EnvelopeBuilder().set_data(content).set_content_encryption_algorithm(_ALGORITHMS[cipher])
    for certificate in [recipients] if isinstance(recipients, x509.Certificate) else recipients:
        if not isinstance(certificate.public_key(), RSAPublicKey):
            raise CertificateError("cle-non-rsa", "Le certificat du destinataire n'a pas de clé RSA.", rule="H8")
        builder = builder.add_recipient(certificate)
    return builder.encrypt(Encoding.DER, [PKCS7Options.Binary])
