"""Envelopes that openssl does not make: rare shapes that must open, and hostile ones that must be refused cheaply."""

from __future__ import annotations

import os
import tracemalloc

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oct.crypto.ber import oid
from oct.crypto.cms_reader import MOST_RECIPIENTS, open_enveloped
from oct.crypto.cms_writer import seal
from oct.crypto.keystore import KeyRing, OwnKey
from oct.errors import FormatError, OpeningError

CONTENT = b"000" + b"FSE".ljust(125) * 3
KEY = bytes(range(32))
NONCE = bytes(12)
ATTRIBUTES = b"0\x10\x06\x03\x2a\x03\x04\x31\x09\x04\x07attribu"
VERSION = b"\x02\x01\x00"
DATA = b"\x06\x09" + oid("1.2.840.113549.1.7.1")
PKCS1 = b"\x06\x09" + oid("1.2.840.113549.1.1.1")


def tlv(tag: int, *parts: bytes) -> bytes:
    """One DER element."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def algorithm(dotted: str, *parameters: bytes) -> bytes:
    return tlv(0x30, tlv(0x06, oid(dotted)), *parameters)


def recipient(own: OwnKey, key: bytes, *, tag: int = 0x80) -> bytes:
    """KeyTransRecipientInfo by subject key identifier, PKCS#1 v1.5."""
    encrypted = own.private_key.public_key().encrypt(key, padding.PKCS1v15())
    return tlv(0x30, VERSION, tlv(tag, identifier(own)), tlv(0x30, PKCS1), tlv(0x04, encrypted))


def identifier(own: OwnKey) -> bytes:
    return own.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def gcm_envelope(
    recipients: bytes,
    *,
    pieces: bytes = b"",
    attributes: bytes = b"",
    tag_length: int = 16,
    cipher: str = "2.16.840.1.101.3.4.1.46",
) -> bytes:
    """AuthEnvelopedData whose content is in `pieces`, by default nested ones."""
    covered = tlv(0x31, attributes) if attributes else b""
    sealed = AESGCM(KEY).encrypt(NONCE, CONTENT, covered)
    text, tag = sealed[:-16], sealed[-16:][:tag_length]
    pieces = pieces or tlv(0x04, text[:7]) + tlv(0x24, tlv(0x04, text[7:50]), tlv(0x04, text[50:]))
    content = tlv(0x30, DATA, algorithm(cipher, tlv(0x30, tlv(0x04, NONCE))), tlv(0xA0, pieces))
    after = tlv(0xA1, attributes) if attributes else b""
    body = tlv(0x30, VERSION, tlv(0x31, recipients), content, after, tlv(0x04, tag))
    return tlv(0x30, tlv(0x06, oid("1.2.840.113549.1.9.16.1.23")), tlv(0xA0, body))


def cause_of(blob: bytes, ring: KeyRing) -> BaseException | None:
    with pytest.raises(OpeningError) as refused:
        open_enveloped(blob, ring)
    return refused.value.__cause__


def test_m3_authenticated_attributes_are_part_of_what_the_tag_covers(ring: KeyRing, own: OwnKey) -> None:
    blob = gcm_envelope(recipient(own, KEY), attributes=ATTRIBUTES)
    assert open_enveloped(blob, ring).content == CONTENT
    assert cause_of(blob.replace(b"attribu", b"attribX"), ring) is not None


@pytest.mark.parametrize("length", [12, 13, 16])
def test_m3_tags_of_the_lengths_of_the_rfc_are_read(ring: KeyRing, own: OwnKey, length: int) -> None:
    assert open_enveloped(gcm_envelope(recipient(own, KEY), tag_length=length), ring).content == CONTENT


@pytest.mark.parametrize("length", [0, 1, 4, 11])
def test_h3_a_short_tag_cannot_be_forged(ring: KeyRing, own: OwnKey, length: int) -> None:
    assert isinstance(cause_of(gcm_envelope(recipient(own, KEY), tag_length=length), ring), FormatError)


def test_m3_an_oaep_label_is_honoured(ring: KeyRing, own: OwnKey) -> None:
    scheme = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), b"essai")
    encrypted = own.private_key.public_key().encrypt(KEY, scheme)
    label = algorithm("1.2.840.113549.1.1.9", tlv(0x04, b"essai"))
    oaep = algorithm("1.2.840.113549.1.1.7", tlv(0x30, tlv(0xA2, label)))
    info = tlv(0x30, VERSION, tlv(0x80, identifier(own)), oaep, tlv(0x04, encrypted))
    assert open_enveloped(gcm_envelope(info), ring).content == CONTENT


@pytest.mark.parametrize("length", [0, 1, 16, 24, 31, 33])
def test_h4_a_content_key_of_another_length_looks_like_an_altered_content(
    ring: KeyRing, own: OwnKey, length: int
) -> None:
    altered = gcm_envelope(recipient(own, bytes(32)))
    wrong = gcm_envelope(recipient(own, bytes(length)))
    assert type(cause_of(wrong, ring)) is type(cause_of(altered, ring))


def test_h4_a_bad_padding_looks_like_an_altered_content(ring: KeyRing, own: OwnKey) -> None:
    good = recipient(own, KEY)
    bad = good[:-256] + bytes(1) + os.urandom(255)
    too_long = tlv(0x30, VERSION, tlv(0x80, identifier(own)), tlv(0x30, PKCS1), tlv(0x04, bytes(300)))
    altered = type(cause_of(gcm_envelope(recipient(own, bytes(32))), ring))
    assert type(cause_of(gcm_envelope(bad), ring)) is altered
    assert type(cause_of(gcm_envelope(too_long), ring)) is altered


def test_m3_gcm_outside_its_envelope_is_refused(ring: KeyRing, own: OwnKey) -> None:
    """AES-CBC under AuthEnvelopedData, and the reverse, would escape the verification of the tag."""
    blob = gcm_envelope(recipient(own, KEY), cipher="2.16.840.1.101.3.4.1.42")
    assert isinstance(cause_of(blob, ring), FormatError)
    as_enveloped = seal(CONTENT, own.certificate).replace(
        oid("2.16.840.1.101.3.4.1.42"), oid("2.16.840.1.101.3.4.1.46")
    )
    assert isinstance(cause_of(as_enveloped, ring), FormatError)


@pytest.mark.parametrize("content", [b"", bytes(15), bytes(17)])
def test_h4_a_content_that_is_not_whole_blocks_is_refused(ring: KeyRing, own: OwnKey, content: bytes) -> None:
    cbc = algorithm("2.16.840.1.101.3.4.1.42", tlv(0x04, bytes(16)))
    body = tlv(0x30, VERSION, tlv(0x31, recipient(own, KEY)), tlv(0x30, DATA, cbc, tlv(0x80, content)))
    assert cause_of(tlv(0x30, tlv(0x06, oid("1.2.840.113549.1.7.3")), tlv(0xA0, body)), ring) is not None


def test_h3_recipients_are_capped(ring: KeyRing, own: OwnKey) -> None:
    other = tlv(0x30, VERSION, tlv(0x80, b"inconnu"), tlv(0x30, PKCS1), tlv(0x04, bytes(8)))
    mine = recipient(own, KEY)
    assert open_enveloped(gcm_envelope(other * (MOST_RECIPIENTS - 1) + mine), ring).content == CONTENT
    assert isinstance(cause_of(gcm_envelope(mine + other * MOST_RECIPIENTS), ring), FormatError)


def test_h3_a_million_recipients_are_refused_without_memory(ring: KeyRing) -> None:
    blob = gcm_envelope(tlv(0x30, VERSION, tlv(0x80, b"inconnu"), tlv(0x30, PKCS1), tlv(0x04, bytes(8))) * 1_000_000)
    tracemalloc.start()
    try:
        assert isinstance(cause_of(blob, ring), FormatError)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pieces", [tlv(0x04, b"") * 2_000_000, b"\x24\x80" * 2_000_000], ids=["tiny", "nested"])
def test_h3_a_content_in_millions_of_pieces_is_refused(ring: KeyRing, own: OwnKey, pieces: bytes) -> None:
    blob = gcm_envelope(recipient(own, KEY), pieces=pieces)
    tracemalloc.start()
    try:
        assert isinstance(cause_of(blob, ring), FormatError)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(blob)
    finally:
        tracemalloc.stop()


ENVELOPE_START = b"\x30\x80\x06\x09" + oid("1.2.840.113549.1.7.3") + b"\xa0\x80\x30\x80" + VERSION


@pytest.mark.parametrize(
    "blob",
    [
        b"\x30\x80" * 2_000_000,
        ENVELOPE_START + b"\xa0\x80" * 2_000_000,
        ENVELOPE_START + b"\xa0\x80" + b"\x04\0" * 2_000_000,
        b"\x30\x88" + b"\xff" * 8,
        b"\x30\xff" + b"\xff" * 300,
        b"\x04\x80\0\0",
        b"\x3f\x81\x01\x00",
    ],
    ids=["nested", "nested originator", "endless originator", "huge", "reserved length", "primitive", "high tag"],
)
def test_h3_hostile_structures_are_refused_within_the_budget(ring: KeyRing, blob: bytes) -> None:
    tracemalloc.start()
    try:
        assert isinstance(cause_of(blob, ring), FormatError)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
