"""Messages down to their one attachment: the shapes of the field, and what is refused (M1, M2, H3, H5)."""

import binascii
from collections.abc import Callable

import pytest

from oct.errors import FormatError
from oct.formats.mime_headers import MessageLimits
from oct.formats.mime_reader import Attachment, Shape, attachment_of, inner_file, read_message

LIMITS = MessageLimits()
CMS = b"\x30\x82\x01\x00" + bytes(range(256))
B2 = (b"000TP" + b" " * 123) + (b"999" + b" " * 125)
TOP = b"From: cabinet@boite.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
B64 = b"Content-Transfer-Encoding: base64\r\n"
DESCRIBED = b"Content-Description: FACTURE/SV/K\r\n"
PKCS7 = b"Content-Type: application/x-pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n"
CONSENT = b'Content-Type: Application/EDI-consent; name="factures.b2"\r\n'
ENCODED = b"".join(binascii.b2a_base64(CMS[at : at + 57]) for at in range(0, len(CMS), 57)).replace(b"\n", b"\r\n")
BARE = b"Content-Type: application/octet-stream\r\n"


def attachment(raw: bytes) -> Attachment:
    return attachment_of(read_message(raw, LIMITS))


def refused(raw: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        attachment(raw)
    return caught.value.code


def mixed(*parts: bytes, top: bytes = b"") -> bytes:
    opening = TOP + top + b'Content-Type: Multipart/Mixed; boundary="=_b1"\r\n\r\nprologue\r\n'
    return opening + b"".join(b"--=_b1\r\n" + part + b"\r\n" for part in parts) + b"--=_b1--\r\n"


NOTE = b"Content-Type: text/plain\r\n\r\nEnvoi du logiciel"
SEALED = PKCS7 + B64 + DESCRIBED + b"\r\n" + ENCODED

SHAPES = {
    "multipart": (mixed(NOTE, SEALED), Shape.MULTIPART),
    "multipart, described above": (mixed(PKCS7 + B64 + b"\r\n" + ENCODED, top=DESCRIBED), Shape.MULTIPART),
    "multipart in multipart": (
        mixed(b"Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n" + SEALED + b"\r\n--i--"),
        Shape.MULTIPART,
    ),
    "multipart never closed": (mixed(SEALED).removesuffix(b"--=_b1--\r\n"), Shape.MULTIPART),
    "signature beside it": (
        mixed(SEALED, b"Content-Type: application/pkcs7-signature; name=s.p7s\r\n" + B64 + b"\r\nAAAA"),
        Shape.MULTIPART,
    ),
    "flat pkcs7": (TOP + DESCRIBED + PKCS7 + B64 + b"\r\n" + ENCODED, Shape.FLAT_PKCS7),
    "flat consent": (TOP + CONSENT + DESCRIBED + B64 + b"\r\n" + ENCODED, Shape.FLAT_CONSENT),
    "consent above, same block": (TOP + CONSENT + DESCRIBED + PKCS7 + B64 + b"\r\n" + ENCODED, Shape.FLAT_PKCS7),
    "consent above, pkcs7 in the body": (
        TOP + CONSENT + DESCRIBED + b"\r\n" + PKCS7 + B64 + b"\r\n" + ENCODED,
        Shape.FLAT_PKCS7,
    ),
    "pkcs7 above, consent in the body": (
        TOP + PKCS7 + B64 + b"\r\n" + CONSENT + DESCRIBED + b"\r\n" + ENCODED,
        Shape.FLAT_CONSENT,
    ),
    "nothing above, all in the body": (TOP + b"\r\n\r\n" + DESCRIBED + SEALED, Shape.FLAT_PKCS7),
    "only the description in the body": (TOP + PKCS7 + B64 + b"\r\n" + DESCRIBED + b"\r\n" + ENCODED, Shape.FLAT_PKCS7),
    "octet stream": (TOP + BARE + DESCRIBED + B64 + b"\r\n" + ENCODED, Shape.FLAT_OTHER),
    "described text": (TOP + b"Content-Type: text/plain\r\n" + DESCRIBED + B64 + b"\r\n" + ENCODED, Shape.FLAT_OTHER),
}


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_of_the_field_gives_its_attachment(name: str, newline: bytes) -> None:
    """M2, M1."""
    raw, shape = SHAPES[name]
    found = attachment(raw.replace(b"\r\n", newline))
    assert (found.body, found.shape) == (CMS, shape)
    assert found.description == "FACTURE/SV/K"


def test_types_and_tokens_are_read_without_case_and_folded() -> None:
    """M1."""
    raw = (
        TOP
        + b"content-TYPE:\r\n APPLICATION/PKCS7-MIME;\r\n\tNAME=x.p7m; a\r\nCONTENT-transfer-ENCODING: Base64 \r\n\r\n"
    )
    assert attachment(raw + ENCODED).filename == "x.p7m"


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        (b"base64", binascii.b2a_base64),
        (
            b"base64",
            lambda body: b" \t" + ENCODED.replace(b"\r\n", b"\n\n\t ") if body == CMS else binascii.b2a_base64(body),
        ),
        (b"quoted-printable", lambda body: binascii.b2a_qp(body, quotetabs=True, istext=False) + b"\r\n"),
        (b"7bit", lambda body: body + b"\r\n"),
        (b"8bit", lambda body: body + b"\n"),
        (b"binary", lambda body: body),
    ],
)
@pytest.mark.parametrize("body", [B2, CMS])
def test_every_transfer_encoding_gives_the_same_bytes(
    body: bytes, encoding: bytes, encode: Callable[[bytes], bytes]
) -> None:
    """M1; the line end that closes an SMTP message is no part of a file of records."""
    raw = TOP + CONSENT + b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + encode(body)
    assert attachment(raw).body == body


def test_a_text_in_clear_keeps_its_last_line_end() -> None:
    assert attachment(TOP + CONSENT + b"\r\nBonjour\r\n").body == b"Bonjour\r\n"


@pytest.mark.parametrize("bad", [b"AAA", b"AA==AA==", b"AAAA*AAA", b"====", b"AAAA-----", b"QUJD\x00"])
def test_bad_base64_is_refused(bad: bytes) -> None:
    assert refused(TOP + CONSENT + B64 + b"\r\n" + bad) == "base64-invalide"


def test_an_unknown_transfer_encoding_is_refused() -> None:
    assert refused(TOP + CONSENT + b"Content-Transfer-Encoding: x-uue\r\n\r\nx") == "encodage-inconnu"


def test_two_attachments_are_refused() -> None:
    """Annex 7.1: one file of invoices, one only."""
    assert refused(mixed(SEALED, SEALED)) == "deux-pieces-jointes"
    assert refused(mixed(SEALED, CONSENT + b"\r\n" + B2)) == "deux-pieces-jointes"


@pytest.mark.parametrize(
    "raw", [TOP + b"\r\nBonjour", TOP, mixed(NOTE), mixed(b"Content-Type: image/png; name=logo\r\n\r\nx")]
)
def test_a_message_without_attachment_is_refused(raw: bytes) -> None:
    assert refused(raw) == "aucune-piece-jointe"


@pytest.mark.parametrize("raw", [TOP + CONSENT + b"\r\n\r\n", TOP + CONSENT + B64, mixed(PKCS7 + B64 + b"\r\n")])
def test_an_empty_attachment_is_refused(raw: bytes) -> None:
    assert refused(raw) == "fichier-vide"


def test_file_names_are_data() -> None:
    """H5."""
    raw = (
        TOP
        + PKCS7
        + b'Content-Disposition: attachment; filename="..\\..\\/etc/pa\\"ss;wd\xe9"\r\n'
        + B64
        + b"\r\n"
        + ENCODED
    )
    assert attachment(raw).filename == "pa_ss_wdé"


def nested(levels: int) -> bytes:
    return (
        TOP
        + b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(levels))
        + SEALED
    )


def test_depth_three_is_read_and_four_refused() -> None:
    """H3."""
    assert attachment(nested(3)).body == CMS
    assert refused(nested(4)) == "trop-de-parties"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (nested(500), "trop-de-parties"),
        (mixed(*[NOTE] * 1000), "trop-de-parties"),
        (mixed(b"\r\n" + b"\r\n--=_b1X" * 100_000), "trop-de-parties"),
        (TOP + b"\r\n" + (PKCS7 + b"\r\n") * 1000, "trop-de-parties"),
        (TOP + b"Content-Type: a/b" + b";a=b" * 15_000 + b"\r\n\r\n", "parametres-trop-nombreux"),
        (TOP + b"Content-Type: a/b" + b";a=b" * 32_000 + b"\r\n\r\n", "entetes-trop-longs"),
        (mixed(b"X: " + b"a" * 500_000 + b"\r\n\r\n"), "entetes-trop-longs"),
        (TOP + b"Content-Type: multipart/mixed; boundary=" + b"b" * 71 + b"\r\n\r\n", "separateur-invalide"),
        (TOP + b"Content-Type: multipart/mixed\r\n\r\n", "separateur-invalide"),
    ],
)
def test_bombs_are_refused(raw: bytes, code: str) -> None:
    """H3."""
    assert refused(raw) == code


def test_a_delivery_report_gives_its_status_part() -> None:
    """RFC 3464."""
    raw = mixed(
        NOTE,
        b"Content-Type: message/delivery-status\r\n\r\nAction: failed",
        b"Content-Type: message/rfc822\r\n\r\n" + SEALED,
    )
    message = read_message(raw.replace(b"Multipart/Mixed", b"multipart/report"), LIMITS)
    status = message.part("message/delivery-status")
    assert message.content_type == "multipart/report"
    assert status is not None
    assert bytes(status.body) == b"Action: failed"
    assert message.part("text/html") is None
    with pytest.raises(FormatError, match="aucune-piece-jointe"):
        attachment_of(message)


@pytest.mark.parametrize(
    "content", [B2, CMS, b"\x1f\x8b\x08", b"x\x9c", b"", b"Objet : virement\r\n\r\nBonjour", b"a:\r\nb"]
)
def test_what_is_no_entity_is_the_bare_file(content: bytes) -> None:
    """M2."""
    assert inner_file(content, LIMITS) is content


@pytest.mark.parametrize(
    "entity",
    [
        CONSENT + B64 + b"\r\n" + binascii.b2a_base64(B2),
        b"MIME-Version: 1.0\n" + CONSENT + b"Content-Transfer-Encoding: binary\n\n" + B2 + b"\n",
        b"Content-Type: text/plain\r\n\r\n" + B2,
        mixed(NOTE, CONSENT + B64 + b"\r\n" + binascii.b2a_base64(B2)).removeprefix(TOP),
    ],
)
def test_an_entity_gives_the_file_that_it_holds(entity: bytes) -> None:
    """M2."""
    assert inner_file(entity, LIMITS) == B2


def test_an_entity_without_a_file_is_refused() -> None:
    with pytest.raises(FormatError, match="aucune-piece-jointe"):
        inner_file(mixed(NOTE, NOTE), LIMITS)
    with pytest.raises(FormatError, match="fichier-vide"):
        inner_file(CONSENT + b"\r\n", LIMITS)


def test_no_payload_shows_in_a_representation() -> None:
    message = read_message(TOP + CONSENT + b"\r\n" + B2, LIMITS)
    assert "000TP" not in repr(message) + repr(attachment_of(message))
