"""Compression of a file of invoices: recognised by its first bytes, inflated under a cap, made deterministically.

Takes the content of a deciphered message and gives the bare file; the Content-Description is never believed (M2).
The cap holds *while* inflating, so a bomb costs no more memory than the limit (H3). Data that only look compressed
fail with a `FormatError`; data that do not look compressed come back as they are.

What is decided on purpose: a gzip of several members is their concatenation (RFC 1952 §2.2); NUL, CR, LF and spaces
after the stream are padding left by a transport and are ignored; any other trailing byte, a stream cut short or a
failed checksum is a damaged archive. A zlib stream that wants a preset dictionary is not recognised: nobody has it.

ISA-L makes the same format as zlib, in a fifth of its time. What comes from outside is inflated by zlib itself.

Sources: RFC 1950 (zlib), RFC 1952 (gzip), annex 4 §7.1 (`/ZK`).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from enum import StrEnum
from io import BytesIO

from isal import isal_zlib

from oct.errors import FormatError

_GZIP_MAGIC = b"\x1f\x8b"
_ZLIB_FIRST_BYTE = 0x78  # deflate, 32 KiB window: RFC 1950 §2.2
_ZLIB_DICTIONARY_FLAG = 0x20
_ZLIB_HEADER_MODULUS = 31
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_PIECE = 64 * 1024
_CHUNK = 1024 * 1024
_MOST_MEMBERS = 64
_PADDING = b"\0\r\n "
_LEVEL, _MEMORY = 1, 2
"""Of ISA-L: its quick level, in so little memory that it stays in the cache."""


class Compression(StrEnum):
    """How a file is compressed; the values are those of the settings (A5)."""

    NONE = "none"
    GZIP = "gzip"
    ZLIB = "zlib"


def recognise(data: bytes) -> Compression:
    """What the first two bytes say."""
    if data[:2] == _GZIP_MAGIC:
        return Compression.GZIP
    if len(data) >= 2 and data[0] == _ZLIB_FIRST_BYTE:
        header = int.from_bytes(data[:2], "big")
        if header % _ZLIB_HEADER_MODULUS == 0 and not data[1] & _ZLIB_DICTIONARY_FLAG:
            return Compression.ZLIB
    return Compression.NONE


def inflate(data: bytes, limit: int) -> bytes:
    """`data` without its compression, or `data` itself when it has none.

    `limit` is the largest result accepted, in bytes. Peak memory is the input and the result.
    Raises FormatError "archive-trop-grande" or "archive-abimee".
    """
    kind = recognise(data)
    if kind is Compression.NONE:
        return data
    window = _GZIP_WINDOW if kind is Compression.GZIP else zlib.MAX_WBITS
    bare = BytesIO()
    room, at = limit, 0
    for _ in range(_MOST_MEMBERS if kind is Compression.GZIP else 1):
        at, room = _inflate_member(data, at, window, room, bare)
        if data[at : at + 2] != _GZIP_MAGIC:
            break
    if data[at:].strip(_PADDING):
        raise _damaged()
    return bare.getvalue()


def deflate(pieces: Sequence[bytes | memoryview], kind: Compression) -> bytes:
    """The pieces compressed as one, as `kind` says; the same pieces always give the same bytes (gzip carries no date,
    no name)."""
    if kind is Compression.NONE:
        return b"".join(pieces)
    window = _GZIP_WINDOW if kind is Compression.GZIP else zlib.MAX_WBITS
    engine = isal_zlib.compressobj(_LEVEL, zlib.DEFLATED, window, _MEMORY)
    if sum(map(len, pieces)) < _CHUNK:  # a small file that begins with a piece of its own comes out two thirds larger
        pieces = [b"".join(pieces)]
    return b"".join([*map(engine.compress, pieces), engine.flush()])


def _inflate_member(data: bytes, at: int, window: int, room: int, bare: BytesIO) -> tuple[int, int]:
    """Inflate the stream that starts at `at` onto `bare`; gives where it ends and the room left."""
    engine = zlib.decompressobj(window)
    view = memoryview(data)
    while not engine.eof:
        piece = view[at : at + _PIECE]
        try:
            chunk = engine.decompress(piece, min(room + 1, _CHUNK))
        except zlib.error as cause:
            raise _damaged() from cause
        if not piece and not chunk and not engine.eof:
            raise _damaged()
        if len(chunk) > room:
            raise FormatError("archive-trop-grande", "Le fichier décompressé dépasse la taille acceptée.", rule="H3")
        room -= len(chunk)
        bare.write(chunk)
        at += len(piece) - len(engine.unconsumed_tail) - len(engine.unused_data)
    return at, room


def _damaged() -> FormatError:
    return FormatError("archive-abimee", "Le fichier compressé est incomplet ou abîmé.", rule="M2")
