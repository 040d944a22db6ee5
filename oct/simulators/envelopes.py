"""CMS envelopes of the simulated world: sealed and opened by `cryptography`, or by the openssl command as a judge.

Neither way shares code with the concentrator's reader and writer. `cryptography` knows AES-128 and AES-256 in CBC;
the openssl command knows every cipher of rule M3. Compression is undone by the first bytes, as rule M2 has it.

What cannot be opened raises `EnvelopeError`.
"""

from __future__ import annotations

import gzip
import subprocess
import tempfile
import zlib
from email import message_from_bytes
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from oct.crypto.keystore import OwnKey, private_pem

_BUILDER: dict[str, type[algorithms.AES128] | type[algorithms.AES256]] = {
    "aes-128-cbc": algorithms.AES128,
    "aes-256-cbc": algorithms.AES256,
}
_LAYERS = 4


class EnvelopeError(Exception):
    """A message that its addressee cannot open."""


class Judge(StrEnum):
    """Who opens or seals: the Python library, or the openssl command."""

    CRYPTOGRAPHY = "cryptography"
    OPENSSL = "openssl"


class Compression(StrEnum):
    """How a file is compressed before it is sealed."""

    NONE = "none"
    GZIP = "gzip"
    ZLIB = "zlib"
    CMS = "cms"


def compress(content: bytes, how: Compression) -> bytes:
    """The file in its compressed form; CMS is a CompressedData of RFC 3274."""
    match how:
        case Compression.NONE:
            return content
        case Compression.GZIP:
            return gzip.compress(content, mtime=0)
        case Compression.ZLIB:
            return zlib.compress(content)
        case Compression.CMS:
            return _compressed_data(zlib.compress(content))


def seal(
    content: bytes, certificate: x509.Certificate, cipher: str = "aes-256-cbc", by: Judge = Judge.CRYPTOGRAPHY
) -> bytes:
    """A DER envelope of `content`. `cipher` is a name of the openssl command, `aes-256-cbc` for example."""
    if by is Judge.OPENSSL:
        with tempfile.NamedTemporaryFile(suffix=".pem") as recipient:
            recipient.write(certificate.public_bytes(Encoding.PEM))
            recipient.flush()
            return _openssl(content, "-encrypt", "-outform", "DER", f"-{cipher}", recipient.name)
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(content).add_recipient(certificate)
    builder = builder.set_content_encryption_algorithm(_BUILDER[cipher])
    return builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def unseal(blob: bytes, key: OwnKey, judge: Judge = Judge.CRYPTOGRAPHY) -> bytes:
    """The content of a DER envelope sealed to `key`, still compressed. EnvelopeError when it does not open."""
    if judge is Judge.OPENSSL:
        with tempfile.TemporaryDirectory() as directory:
            private, public = Path(directory, "key.pem"), Path(directory, "certificate.pem")
            private.write_bytes(private_pem(key.private_key))
            public.write_bytes(key.certificate.public_bytes(Encoding.PEM))
            return _openssl(blob, "-decrypt", "-inform", "DER", "-inkey", str(private), "-recip", str(public))
    try:
        return pkcs7.pkcs7_decrypt_der(blob, key.certificate, key.private_key, [])
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise EnvelopeError(f"cryptography: {type(error).__name__}") from error


def unwrap(content: bytes) -> bytes:
    """The file inside: compression and MIME entities taken off, in whatever order they were put on (M2, A4)."""
    for _ in range(_LAYERS):
        if content.startswith(b"000"):
            return content
        try:
            content = _unwrapped_once(content)
        except (zlib.error, OSError, EOFError) as error:
            raise EnvelopeError("compression abîmée") from error
    return content


def _unwrapped_once(content: bytes) -> bytes:
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content)
    if content.startswith(b"\x78"):
        return zlib.decompress(content)
    payload = message_from_bytes(content).get_payload(decode=True)
    return payload if isinstance(payload, bytes) else content


def _openssl(content: bytes, *arguments: str) -> bytes:
    done = subprocess.run(["openssl", "cms", "-binary", *arguments], input=content, capture_output=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise EnvelopeError(f"openssl : code {done.returncode}")
    return done.stdout


def _compressed_data(stream: bytes) -> bytes:
    """ContentInfo of CompressedData around a zlib stream, DER."""
    inner = _der(0x30, _ID_DATA + _der(0xA0, _der(0x04, stream)))
    return _der(0x30, _ID_COMPRESSED + _der(0xA0, _der(0x30, _VERSION_0 + _der(0x30, _ID_ZLIB) + inner)))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


_ID_DATA = bytes.fromhex("06092a864886f70d010701")
_ID_COMPRESSED = bytes.fromhex("060b2a864886f70d0109100109")
_ID_ZLIB = bytes.fromhex("060b2a864886f70d0109100308")
_VERSION_0 = bytes.fromhex("020100")
