"""Opening what the openssl command made, whole or damaged: M2, M3, H4, H10."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oct.crypto.cms_reader import LARGEST_BLOB, open_enveloped
from oct.crypto.cms_writer import seal
from oct.crypto.keystore import KeyRing, OwnKey
from oct.errors import FormatError, OpeningError

CONTENT = b"000" + b"FSE\r\n\n\r\0".ljust(125) * 90
CIPHERS = [
    "-aes128",
    "-aes192",
    "-aes256",
    "-des3",
    "-aes-128-gcm",
    "-aes-192-gcm",
    "-aes-256-gcm",
]
SHAPES = [
    ["-outform", "DER"],
    ["-outform", "DER", "-stream"],
    ["-outform", "PEM"],
    ["-outform", "PEM", "-stream"],
]
OAEP = ["-keyopt", "rsa_padding_mode:oaep"]
PADDINGS = [
    [],
    OAEP,
    [*OAEP, "-keyopt", "rsa_oaep_md:sha256"],
    [*OAEP, "-keyopt", "rsa_oaep_md:sha256", "-keyopt", "rsa_mgf1_md:sha1"],
    [*OAEP, "-keyopt", "rsa_oaep_md:sha512", "-keyopt", "rsa_mgf1_md:sha384"],
]

SENTENCE = (
    "Le message ne peut pas être déchiffré : vérifiez que votre logiciel utilise le certificat actuel du "
    "concentrateur, puis renvoyez le fichier. [règle M3]"
)


def assert_refused(blob: bytes, ring: KeyRing) -> None:
    """H4: one code and one sentence, whatever the cause."""
    with pytest.raises(OpeningError) as refused:
        open_enveloped(blob, ring)
    assert refused.value.code == "indechiffrable"
    assert refused.value.describe() == SENTENCE


def outcome_of(blob: bytes, ring: KeyRing) -> bytes | str:
    """The content, or the sentence of the declared error."""
    try:
        return open_enveloped(blob, ring).content
    except OpeningError as error:
        return error.describe()


@pytest.fixture(scope="module")
def der(openssl: Callable[..., bytes]) -> bytes:
    """AES-256-CBC for `own`, DER."""
    return openssl("cms", "-encrypt", "-binary", "-outform", "DER", "-aes256", "own.pem", stdin=CONTENT)


@pytest.fixture(scope="module")
def ber(openssl: Callable[..., bytes]) -> bytes:
    """AES-128-GCM for `own`, BER with indefinite lengths and a content in several pieces."""
    arguments = ("-outform", "DER", "-stream", "-aes-128-gcm", "own.pem")
    return openssl("cms", "-encrypt", "-binary", *arguments, stdin=CONTENT * 8)


@pytest.mark.parametrize("shape", SHAPES, ids=" ".join)
@pytest.mark.parametrize("cipher", CIPHERS)
def test_m3_every_cipher_in_every_encoding_opens_to_the_same_bytes(
    openssl: Callable[..., bytes], ring: KeyRing, own: OwnKey, cipher: str, shape: list[str]
) -> None:
    blob = openssl("cms", "-encrypt", "-binary", *shape, cipher, "own.pem", stdin=CONTENT)
    opened = open_enveloped(blob, ring)
    assert opened.content == CONTENT
    assert opened.serial == own.certificate.serial_number


@pytest.mark.parametrize("padding", PADDINGS, ids=lambda options: " ".join(options[1::2]) or "pkcs1")
@pytest.mark.parametrize("identifier", [[], ["-keyid"]], ids=["issuer-serial", "keyid"])
def test_m3_every_padding_and_recipient_identifier_opens(
    openssl: Callable[..., bytes], ring: KeyRing, padding: list[str], identifier: list[str]
) -> None:
    arguments = ["-outform", "DER", "-aes256", *identifier, "-recip", "own.pem", *padding]
    blob = openssl("cms", "-encrypt", "-binary", *arguments, stdin=CONTENT)
    assert open_enveloped(blob, ring).content == CONTENT


def test_m3_smime_and_its_default_cipher_opens(openssl: Callable[..., bytes], ring: KeyRing) -> None:
    blob = openssl("smime", "-encrypt", "-binary", "-outform", "DER", "own.pem", stdin=CONTENT)
    assert open_enveloped(blob, ring).content == CONTENT


def test_m3_an_older_key_still_reads(openssl: Callable[..., bytes], ring: KeyRing, older: OwnKey) -> None:
    blob = openssl("cms", "-encrypt", "-binary", "-outform", "DER", "older.pem", stdin=CONTENT)
    opened = open_enveloped(blob, ring)
    assert opened.content == CONTENT
    assert opened.serial == older.certificate.serial_number


@pytest.mark.parametrize("stream", [[], ["-stream"]], ids=["der", "ber"])
def test_m3_ours_is_found_among_several_recipients(
    openssl: Callable[..., bytes], ring: KeyRing, stream: list[str]
) -> None:
    arguments = ["-outform", "DER", *stream, "-recip", "stranger.pem", "-keyid", "-recip", "own.pem"]
    blob = openssl("cms", "-encrypt", "-binary", *arguments, stdin=CONTENT)
    assert open_enveloped(blob, ring).content == CONTENT


def test_m3_a_recipient_of_another_kind_is_passed_over(openssl: Callable[..., bytes], ring: KeyRing) -> None:
    arguments = ["-outform", "DER", "-aes128", "-pwri_password", "essai", "-recip", "own.pem"]
    blob = openssl("cms", "-encrypt", "-binary", *arguments, stdin=CONTENT)
    assert open_enveloped(blob, ring).content == CONTENT


def test_m2_text_before_a_pem_and_line_ends_after_a_der_do_no_harm(
    openssl: Callable[..., bytes], ring: KeyRing, der: bytes
) -> None:
    pem = openssl("cms", "-cmsout", "-inform", "DER", "-outform", "PEM", stdin=der)
    assert open_enveloped(b"\r\n" + pem.replace(b"\n", b"\r\n"), ring).content == CONTENT
    assert open_enveloped(der + b"\r\n", ring).content == CONTENT


def test_an_empty_content_opens(openssl: Callable[..., bytes], ring: KeyRing, own: OwnKey) -> None:
    assert open_enveloped(seal(b"", own.certificate), ring).content == b""


def test_h4_every_failure_has_the_same_sentence(
    openssl: Callable[..., bytes], ring: KeyRing, der: bytes, ber: bytes
) -> None:
    elsewhere = openssl("cms", "-encrypt", "-binary", "-outform", "DER", "stranger.pem", stdin=CONTENT)
    signed = openssl("cms", "-sign", "-outform", "DER", "-signer", "own.pem", "-inkey", "own.key", stdin=CONTENT)
    other_cipher = openssl("cms", "-encrypt", "-binary", "-outform", "DER", "-camellia128", "own.pem", stdin=CONTENT)
    altered = bytearray(ber)
    altered[-400] ^= 1
    for blob in (b"", b"000" * 40, elsewhere, signed, other_cipher, der[:-1], der[:40], bytes(altered)):
        assert_refused(blob, ring)
    assert_refused(b"-----BEGIN CMS-----\nMII", ring)
    assert_refused(b"-----BEGIN CMS-----\nM\n-----END CMS-----\n", ring)


def test_h4_the_operator_log_can_tell_another_recipient(openssl: Callable[..., bytes], ring: KeyRing) -> None:
    blob = openssl("cms", "-encrypt", "-binary", "-outform", "DER", "stranger.pem", stdin=CONTENT)
    with pytest.raises(OpeningError) as refused:
        open_enveloped(blob, ring)
    assert isinstance(refused.value.__cause__, FormatError)
    assert refused.value.__cause__.code == "cms-autre-destinataire"


def test_h3_a_blob_beyond_the_cap_is_not_even_walked(ring: KeyRing) -> None:
    assert_refused(bytes(LARGEST_BLOB + 1), ring)


def test_a_large_content_costs_two_copies_of_it(ring: KeyRing, own: OwnKey) -> None:
    content = os.urandom(8 << 20)
    blob = seal(content, own.certificate)
    tracemalloc.start()
    try:
        assert open_enveloped(blob, ring).content == content
        assert tracemalloc.get_traced_memory()[1] < 2.1 * len(content)
    finally:
        tracemalloc.stop()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_h10_a_mutated_envelope_gives_a_value_or_the_declared_error(
    ring: KeyRing, der: bytes, ber: bytes, data: st.DataObject
) -> None:
    original = data.draw(st.sampled_from([der[:900], der, ber]))
    blob = bytearray(original[: data.draw(st.integers(0, len(original)))] if data.draw(st.booleans()) else original)
    for _ in range(data.draw(st.integers(1, 4)) if blob else 0):
        # most of the structure stands in the first bytes and the last
        at = data.draw(st.one_of(st.integers(0, min(500, len(blob)) - 1), st.integers(0, len(blob) - 1)))
        blob[at] = data.draw(st.integers(0, 255))
    outcome = outcome_of(bytes(blob), ring)
    assert isinstance(outcome, bytes) or outcome == SENTENCE


@given(st.binary(max_size=200), st.sampled_from([b"", b"0\x80", b"0\x82\x01\x00\x06\x09", b"-----BEGIN CMS-----\n"]))
def test_h10_any_bytes_give_the_declared_error(rest: bytes, start: bytes) -> None:
    assert_refused(start + rest, KeyRing(()))
