"""The content of a deciphered message without its compression, whatever its shape (M2).

CMS CompressedData is opened here because it is ASN.1; gzip and zlib are left to `oct.formats.compression`.
Fails with `FormatError` "archive-abimee" or "archive-trop-grande". Source: RFC 3274.
"""

from __future__ import annotations

from oct.crypto.ber import INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, BerCursor, context, oid
from oct.errors import FormatError
from oct.formats.compression import Compression, inflate, recognise

_COMPRESSED_DATA = oid("1.2.840.113549.1.9.16.1.9")
_ZLIB = oid("1.2.840.113549.1.9.16.3.8")
_LONGEST_HEADER = 24


def unwrap(content: bytes, limit: int) -> bytes:
    """`content` inflated when it is gzip, zlib or CMS CompressedData, else as it is; `limit` in bytes."""
    if is_compressed_data(content):
        return open_compressed(content, limit)
    return inflate(content, limit)


def is_compressed_data(content: bytes) -> bool:
    """Whether this is the beginning of a CMS CompressedData. A B2 file begins with 0x30 too: hence the identifier."""
    return content[:1] == bytes([SEQUENCE]) and _COMPRESSED_DATA in content[:_LONGEST_HEADER]


def open_compressed(blob: bytes, limit: int) -> bytes:
    """The content of a CMS CompressedData (DER or BER), at most `limit` bytes.

    Raises FormatError "archive-trop-grande" or "archive-abimee".
    """
    try:
        stream = _zlib_stream(blob)
    except FormatError as cause:
        raise _damaged() from cause
    if recognise(stream) is not Compression.ZLIB:
        raise _damaged()
    return inflate(stream, limit)


def _zlib_stream(blob: bytes) -> bytes:
    cursor = BerCursor(blob)
    cursor.enter(SEQUENCE)
    if cursor.primitive(OBJECT_IDENTIFIER) != _COMPRESSED_DATA:
        raise _damaged()
    cursor.enter(context(0))
    cursor.enter(SEQUENCE)
    cursor.primitive(INTEGER)
    algorithm = cursor.enter(SEQUENCE)
    if cursor.primitive(OBJECT_IDENTIFIER) != _ZLIB:
        raise _damaged()
    cursor.leave(algorithm)
    cursor.enter(SEQUENCE)
    cursor.primitive(OBJECT_IDENTIFIER)
    cursor.enter(context(0))
    return b"".join(cursor.octets(OCTET_STRING))


def _damaged() -> FormatError:
    return FormatError("archive-abimee", "Le contenu compressé (CMS) est incomplet ou abîmé.", rule="M2")
