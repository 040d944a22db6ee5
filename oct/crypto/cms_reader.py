"""CMS envelopes, read: from the bytes of an encrypted attachment to its content.

Takes an EnvelopedData or AuthEnvelopedData (DER, BER or PEM) and the concentrator's keys; gives the content and the
serial number of the certificate it was encrypted to. Reads RSA PKCS#1 v1.5 and OAEP; AES-CBC and AES-GCM of 128, 192
and 256 bits; 3DES-CBC, which is never written (M3).

How it fails: always `OpeningError("indechiffrable")` with one sentence (H4). The cause hangs on `__cause__` for the
log of the operator and must never reach a peer. When the RSA operation fails, a random key goes on in its place, so
that neither the answer nor its time tells a bad padding from a bad content (RFC 3218 §2.3.2). AES-CBC has no
integrity: an altered message may open to altered content, and only the counts of the B2 file can show it.

Hostile input (H3): the blob is capped before the walk, recipients are counted and not kept, one RSA operation at
most; the peak is the blob and its content.

Sources: RFC 5652 §6 (EnvelopedData), RFC 5083 and 5084 (AuthEnvelopedData, AES-GCM), RFC 8017 §A.2.1 (OAEP).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from io import BytesIO

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, GCM
from cryptography.hazmat.primitives.padding import PKCS7

from oct.crypto.ber import (
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    BerCursor,
    context,
    oid,
)
from oct.crypto.keystore import KeyRing, OwnKey
from oct.crypto.pem import BEGIN, blocks
from oct.errors import FormatError, OpeningError

LARGEST_BLOB = 128 * 1024 * 1024
MOST_RECIPIENTS = 1000

_ENVELOPED_DATA = oid("1.2.840.113549.1.7.3")
_AUTH_ENVELOPED_DATA = oid("1.2.840.113549.1.9.16.1.23")
_RSA_PKCS1 = oid("1.2.840.113549.1.1.1")
_RSA_OAEP = oid("1.2.840.113549.1.1.7")
_MGF1 = oid("1.2.840.113549.1.1.8")
_P_SPECIFIED = oid("1.2.840.113549.1.1.9")

_HASHES: dict[bytes, type[hashes.HashAlgorithm]] = {
    oid("1.3.14.3.2.26"): hashes.SHA1,
    oid("2.16.840.1.101.3.4.2.1"): hashes.SHA256,
    oid("2.16.840.1.101.3.4.2.2"): hashes.SHA384,
    oid("2.16.840.1.101.3.4.2.3"): hashes.SHA512,
}


class _Kind(Enum):
    AES_CBC = "aes-cbc"
    AES_GCM = "aes-gcm"
    DES3_CBC = "3des-cbc"


# object identifier → how to decipher, and the length of the key in octets
_CIPHERS = {
    oid("2.16.840.1.101.3.4.1.2"): (_Kind.AES_CBC, 16),
    oid("2.16.840.1.101.3.4.1.22"): (_Kind.AES_CBC, 24),
    oid("2.16.840.1.101.3.4.1.42"): (_Kind.AES_CBC, 32),
    oid("2.16.840.1.101.3.4.1.6"): (_Kind.AES_GCM, 16),
    oid("2.16.840.1.101.3.4.1.26"): (_Kind.AES_GCM, 24),
    oid("2.16.840.1.101.3.4.1.46"): (_Kind.AES_GCM, 32),
    oid("1.2.840.113549.3.7"): (_Kind.DES3_CBC, 24),
}
_GCM_TAG_LENGTHS = range(12, 17)  # RFC 5084 §3.2
_DES_BLOCK, _AES_BLOCK = 8, 16
_CHUNK = 1 << 20
"""Octets that are deciphered at a time."""


@dataclass(frozen=True, slots=True)
class OpenedEnvelope:
    """What was inside, and the serial number of our certificate that it was encrypted to."""

    content: bytes
    serial: int


@dataclass(frozen=True, slots=True)
class _Recipient:
    """The recipient that is us: our pair, the padding, the content key as it came."""

    own: OwnKey
    padding: padding.AsymmetricPadding
    encrypted_key: bytes


@dataclass(frozen=True, slots=True)
class _Sealed:
    """The content as it came. `tag` is empty in EnvelopedData; `attributes` is what the tag covers besides."""

    kind: _Kind
    key_length: int
    nonce: bytes
    pieces: list[memoryview]
    tag: bytes = b""
    attributes: bytes = b""


def open_enveloped(blob: bytes, keys: KeyRing) -> OpenedEnvelope:
    """Decipher a CMS envelope with whichever of `keys` it is addressed to.

    Raises OpeningError "indechiffrable" whatever is wrong, always with the same sentence.
    """
    try:
        recipient, sealed = _parse(_without_armour(blob), keys)
        content = _decipher(sealed, _content_key(recipient, sealed.key_length))
    except (FormatError, ValueError, InvalidTag, UnsupportedAlgorithm) as cause:
        raise undecipherable() from cause
    return OpenedEnvelope(content, recipient.own.certificate.serial_number)


def undecipherable() -> OpeningError:
    """The one answer to everything that cannot be deciphered, whatever is wrong (H4)."""
    return OpeningError(
        "indechiffrable",
        "Le message ne peut pas être déchiffré : vérifiez que votre logiciel utilise le certificat actuel du "
        "concentrateur, puis renvoyez le fichier.",
        rule="M3",
    )


def _without_armour(blob: bytes) -> bytes:
    """The DER or BER of a PEM text, or the blob itself."""
    if len(blob) > LARGEST_BLOB:
        raise FormatError("cms-trop-grand", "Le message chiffré dépasse la taille acceptée.", rule="H3")
    if BEGIN not in blob[:64]:
        return blob
    _, decoded = next(blocks(blob), ("", b""))
    return decoded


def _parse(blob: bytes, keys: KeyRing) -> tuple[_Recipient, _Sealed]:
    cursor = BerCursor(blob)
    cursor.enter(SEQUENCE)
    content_type = cursor.primitive(OBJECT_IDENTIFIER)
    if content_type not in (_ENVELOPED_DATA, _AUTH_ENVELOPED_DATA):
        raise _refused("cms-type")
    cursor.enter(context(0))
    cursor.enter(SEQUENCE)
    cursor.primitive(INTEGER)
    if cursor.peek() == context(0):  # originatorInfo
        cursor.skip()
    recipient = _own_recipient(cursor, keys)
    return recipient, _sealed_content(cursor, authenticated=content_type == _AUTH_ENVELOPED_DATA)


def _own_recipient(cursor: BerCursor, keys: KeyRing) -> _Recipient:
    """The first recipient that is one of our keys; all are counted, none is kept."""
    mine: _Recipient | None = None
    count = 0
    end = cursor.enter(SET)
    while not cursor.ends(end):
        count += 1
        if count > MOST_RECIPIENTS:
            raise _refused("cms-destinataires")
        if mine is None and cursor.peek() == SEQUENCE:
            mine = _recipient(cursor, keys)
        else:
            cursor.skip()
    cursor.leave(end)
    if mine is None:
        raise _refused("cms-autre-destinataire")
    return mine


def _recipient(cursor: BerCursor, keys: KeyRing) -> _Recipient | None:
    """KeyTransRecipientInfo (RFC 5652 §6.2.1), when it is addressed to one of `keys`."""
    end = cursor.enter(SEQUENCE)
    cursor.primitive(INTEGER)
    if cursor.peek() == SEQUENCE:
        identifier_end = cursor.enter(SEQUENCE)
        own = keys.by_issuer(cursor.element(), cursor.integer())
        cursor.leave(identifier_end)
    else:
        own = keys.by_identifier(b"".join(cursor.octets(context(0, constructed=False))))
    found = None
    if own is not None:
        found = _Recipient(own, _key_padding(cursor), b"".join(cursor.octets(OCTET_STRING)))
    cursor.leave(end)
    return found


def _key_padding(cursor: BerCursor) -> padding.AsymmetricPadding:
    """keyEncryptionAlgorithm: PKCS#1 v1.5, or OAEP with its parameters."""
    end = cursor.enter(SEQUENCE)
    algorithm = cursor.primitive(OBJECT_IDENTIFIER)
    found: padding.AsymmetricPadding
    if algorithm == _RSA_PKCS1:
        found = padding.PKCS1v15()
    elif algorithm == _RSA_OAEP:
        found = _oaep(cursor, end)
    else:
        raise _refused("cms-algorithme")
    cursor.leave(end)
    return found


def _oaep(cursor: BerCursor, end: int) -> padding.OAEP:
    """RSAES-OAEP-params: three optional fields, SHA-1 and an empty label by default."""
    digest: hashes.HashAlgorithm = hashes.SHA1()  # noqa: S303 - the default of RFC 8017, sound in OAEP
    mask: hashes.HashAlgorithm = hashes.SHA1()  # noqa: S303
    label = b""
    if not cursor.ends(end) and cursor.peek() == SEQUENCE:
        parameters = cursor.enter(SEQUENCE)
        while not cursor.ends(parameters):
            field = cursor.peek()
            explicit = cursor.enter(field)
            if field == context(0):
                digest = _hash(cursor)
            elif field == context(1):
                mask = _mask(cursor)
            elif field == context(2):
                label = _label(cursor)
            else:
                raise _refused("cms-algorithme")
            cursor.leave(explicit)
        cursor.leave(parameters)
    return padding.OAEP(padding.MGF1(mask), digest, label or None)


def _hash(cursor: BerCursor) -> hashes.HashAlgorithm:
    end = cursor.enter(SEQUENCE)
    known = _HASHES.get(cursor.primitive(OBJECT_IDENTIFIER))
    if known is None:
        raise _refused("cms-algorithme")
    cursor.leave(end)
    return known()


def _mask(cursor: BerCursor) -> hashes.HashAlgorithm:
    end = cursor.enter(SEQUENCE)
    if cursor.primitive(OBJECT_IDENTIFIER) != _MGF1:
        raise _refused("cms-algorithme")
    digest = _hash(cursor)
    cursor.leave(end)
    return digest


def _label(cursor: BerCursor) -> bytes:
    end = cursor.enter(SEQUENCE)
    if cursor.primitive(OBJECT_IDENTIFIER) != _P_SPECIFIED:
        raise _refused("cms-algorithme")
    label = cursor.primitive(OCTET_STRING)
    cursor.leave(end)
    return label


def _sealed_content(cursor: BerCursor, *, authenticated: bool) -> _Sealed:
    """EncryptedContentInfo, and what stands after it in AuthEnvelopedData (RFC 5083 §2.1)."""
    end = cursor.enter(SEQUENCE)
    cursor.primitive(OBJECT_IDENTIFIER)
    algorithm_end = cursor.enter(SEQUENCE)
    kind, key_length = _CIPHERS.get(cursor.primitive(OBJECT_IDENTIFIER), (None, 0))
    if kind is None or (kind is _Kind.AES_GCM) is not authenticated:
        raise _refused("cms-algorithme")
    nonce = _gcm_nonce(cursor) if authenticated else cursor.primitive(OCTET_STRING)
    cursor.leave(algorithm_end)
    pieces = cursor.octets(context(0, constructed=False))
    cursor.leave(end)
    if not authenticated:
        return _Sealed(kind, key_length, nonce, pieces)
    attributes = b""
    if cursor.peek() == context(1):
        # the tag covers the attributes as a plain SET OF, not under their own tag (RFC 5083 §2.2)
        attributes = bytes([SET]) + cursor.element()[1:]
    return _Sealed(kind, key_length, nonce, pieces, b"".join(cursor.octets(OCTET_STRING)), attributes)


def _gcm_nonce(cursor: BerCursor) -> bytes:
    """GCMParameters; the length of the tag is known by the tag itself."""
    end = cursor.enter(SEQUENCE)
    nonce = cursor.primitive(OCTET_STRING)
    cursor.leave(end)
    return nonce


def _content_key(recipient: _Recipient, length: int) -> bytes:
    """The content key, or a random one of the right length: a bad padding must look like a bad content."""
    stand_in = os.urandom(length)
    try:
        key = recipient.own.private_key.decrypt(recipient.encrypted_key, recipient.padding)
    except ValueError:
        return stand_in
    return key if len(key) == length else stand_in


def _decipher(sealed: _Sealed, key: bytes) -> bytes:
    if sealed.kind is _Kind.AES_GCM:
        return _decipher_gcm(sealed, key)
    if sealed.kind is _Kind.AES_CBC:
        return _decipher_cbc(Cipher(AES(key), CBC(sealed.nonce)).decryptor(), sealed.pieces, _AES_BLOCK)
    return _decipher_cbc(Cipher(TripleDES(key), CBC(sealed.nonce)).decryptor(), sealed.pieces, _DES_BLOCK)


def _decipher_gcm(sealed: _Sealed, key: bytes) -> bytes:
    """Nothing is given before the tag is verified."""
    if len(sealed.tag) not in _GCM_TAG_LENGTHS:
        raise _refused("cms-algorithme")
    mode = GCM(sealed.nonce, sealed.tag, min_tag_length=_GCM_TAG_LENGTHS.start)
    context_ = Cipher(AES(key), mode).decryptor()
    context_.authenticate_additional_data(sealed.attributes)
    return _run(context_, sealed.pieces).getvalue()


def _decipher_cbc(decryptor: CipherContext, pieces: list[memoryview], block: int) -> bytes:
    content = _run(decryptor, pieces)
    last = content.tell() - block
    if last < 0:
        raise _refused("cms-contenu")
    unpadder = PKCS7(block * 8).unpadder()
    tail = unpadder.update(content.getbuffer()[last:]) + unpadder.finalize()
    content.truncate(last + len(tail))
    return content.getvalue()


def _run(decryptor: CipherContext, pieces: list[memoryview]) -> BytesIO:
    """What the pieces decipher to; at its end."""
    content = BytesIO()
    for piece in pieces:
        for at in range(0, len(piece), _CHUNK):
            content.write(decryptor.update(piece[at : at + _CHUNK]))
    content.write(decryptor.finalize())
    return content


def _refused(code: str) -> FormatError:
    """The cause, for the operator's log only: `open_enveloped` hides it behind its one sentence."""
    return FormatError(code, "L'enveloppe CMS ne convient pas.", rule="M3")
