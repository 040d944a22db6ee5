"""What leaves: headers of the annex, CRLF, no injection (T2, R1, H1, H5, A4)."""

import email
from datetime import UTC, datetime, timedelta, timezone
from email import policy
from typing import TypedDict, cast

import pytest

from oct.errors import FormatError
from oct.formats.mime_headers import MessageLimits
from oct.formats.mime_reader import attachment_of, inner_file, read_message
from oct.formats.mime_writer import wrap_entity, write_facture, write_return, write_text

LIMITS = MessageLimits()
CMS = b"\x30\x82" + bytes(range(256)) * 30


class Envelope(TypedDict):
    sender: str
    recipient: str
    subject: str
    description: str
    message_id: str
    date: datetime


ENVELOPE = Envelope(
    sender="oct@concentrateur.example",
    recipient="01999@999.01.rss.fr",
    subject="SV140700/00000421234567/2026112008000200002/00007",
    description="FACTURE/SV/ZK",
    message_id="<1.2@concentrateur.example>",
    date=datetime(2026, 11, 2, 8, 0, 2, tzinfo=timezone(timedelta(hours=1))),
)


def with_value(name: str, value: object) -> Envelope:
    return cast(Envelope, {**dict(ENVELOPE), name: value})


def test_a_facture_is_the_flat_consent_of_the_annex() -> None:
    raw = write_facture(**ENVELOPE, cms=b"abc", filename="factures.p7m")
    assert raw == (
        b"From: oct@concentrateur.example\r\n"
        b"To: 01999@999.01.rss.fr\r\n"
        b"Subject: SV140700/00000421234567/2026112008000200002/00007\r\n"
        b"Date: Mon, 02 Nov 2026 08:00:02 +0100\r\n"
        b"Message-ID: <1.2@concentrateur.example>\r\n"
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: Application/EDI-consent; name="factures.p7m"\r\n'
        b"Content-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="factures.p7m"\r\n'
        b"Content-Description: FACTURE/SV/ZK\r\n"
        b"\r\n"
        b"YWJj\r\n"
    )


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 16 * 57 - 1, 16 * 57, 16 * 57 + 1, 7000, 58_368, 120_000])
def test_base64_has_lines_of_76_and_another_library_reads_it(size: int) -> None:
    """H1."""
    content = (CMS * 20)[:size]
    raw = write_facture(**ENVELOPE, cms=content, filename="f.p7m")
    lines = raw.partition(b"\r\n\r\n")[2].split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) == 76 for line in lines[:-1])
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert email.message_from_bytes(raw).get_payload(decode=True) == content


def test_an_art_names_its_file_twice_and_keeps_its_accents() -> None:
    """T2: the parameter and the disposition; ISO-8859-1 inside."""
    art = with_value("description", "ART/IF")
    raw = write_text(**art, text="Reçu : 3 lots\nNœud d’entrée, 12 €\r\n", filename="ART_1.txt")
    message = email.message_from_bytes(raw, policy=policy.default)
    assert message["Content-Description"] == "ART/IF"
    assert message.get_content_type() == "application/edi-consent"
    assert message["Content-Type"].params["name"] == message.get_filename() == "ART_1.txt"
    assert message["Content-Type"].params["charset"] == "iso-8859-1"
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode("latin-1") == "Reçu : 3 lots\r\nNoeud d'entrée, 12 EUR\r\n"


@pytest.mark.parametrize(
    ("content_type", "body", "kept"),
    [
        ('Application/EDI-consent; Name="R.TXT"', b"000", 'Application/EDI-consent; Name="R.TXT"'),
        ("application/pkcs7-mime; name=a.p7m", CMS, "application/pkcs7-mime; name=a.p7m"),
        ("application/pkcs7-mime; name=a.p7m", b"000CT", "Application/EDI-consent"),
        ("multipart/mixed; boundary=b", CMS, "Application/EDI-consent"),
        ('text/plain; name="é"', b"Bonjour", 'text/plain; name="?"'),
    ],
)
def test_a_return_keeps_the_envelope_it_came_in(content_type: str, body: bytes, kept: str) -> None:
    """R1, and the Content-Type names the bytes."""
    raw = write_return(**with_value("description", "ARL/SV"), content_type=content_type, body=body)
    found = attachment_of(read_message(raw, LIMITS))
    assert (found.body, found.description, found.content_type) == (body, "ARL/SV", kept)


def test_a_return_without_subject_or_description_goes_out_without() -> None:
    bare = Envelope(**{**ENVELOPE, "subject": "", "description": ""})
    raw = write_return(**bare, content_type="application/octet-stream", body=CMS)
    assert b"Subject:" not in raw
    assert b"Content-Description:" not in raw


def test_a_subject_outside_ascii_goes_out_encoded() -> None:
    subject = "Accusé de réception nº 12 — très long, " * 3
    raw = write_return(**with_value("subject", subject), content_type="text/plain", body=b"x")
    assert raw.isascii()
    assert email.message_from_bytes(raw, policy=policy.default)["Subject"] == subject
    assert read_message(raw, LIMITS).headers.subject == subject


INJECTIONS = ["a\r\nBcc: x@y", "a\nb", "a\rb", "a\x00b", "é\r\nBcc: x@y", "a\u2028b", "a\ud800", "a" * 1000]


@pytest.mark.parametrize("name", ["sender", "recipient", "subject", "description", "message_id"])
@pytest.mark.parametrize("value", INJECTIONS)
def test_no_value_injects_a_header(name: str, value: str) -> None:
    """H5."""
    with pytest.raises(FormatError, match="entete-refuse"):
        write_facture(**with_value(name, value), cms=CMS, filename="f.p7m")


@pytest.mark.parametrize("value", ["a", "<a@b>", "Nom <a@b>", "a@b,c@d", "a@b c@d", "", "é@b"])
@pytest.mark.parametrize("name", ["sender", "recipient"])
def test_only_a_bare_address_is_an_address(name: str, value: str) -> None:
    with pytest.raises(FormatError, match="entete-refuse"):
        write_facture(**with_value(name, value), cms=CMS, filename="f.p7m")


@pytest.mark.parametrize("value", ['a"; x="b', "../f", "", "é.txt", "f\r\nX: y.txt", ".txt"])
def test_a_file_name_is_a_plain_word(value: str) -> None:
    with pytest.raises(FormatError):
        write_facture(**ENVELOPE, cms=CMS, filename=value)
    with pytest.raises(FormatError):
        write_text(**ENVELOPE, text="", filename=value)
    with pytest.raises(FormatError):
        wrap_entity(CMS, value)


@pytest.mark.parametrize("value", ["", "text", "text/plain\r\nX: y", "text/plain; a=\x00", "a/b; " + "c" * 900])
def test_a_received_content_type_injects_nothing(value: str) -> None:
    """H5."""
    with pytest.raises(FormatError, match="entete-refuse"):
        write_return(**ENVELOPE, content_type=value, body=CMS)


def test_an_art_must_be_a_txt_and_a_date_must_have_its_zone() -> None:
    with pytest.raises(FormatError, match="nom-de-fichier"):
        write_text(**ENVELOPE, text="", filename="a.pdf")
    with pytest.raises(FormatError, match="entete-refuse"):
        write_facture(
            **with_value("date", datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)), cms=CMS, filename="f"
        )


def test_a_wrapped_file_is_found_again() -> None:
    """A4."""
    assert inner_file(wrap_entity(b"000" + bytes(2000), "factures.b2"), LIMITS) == b"000" + bytes(2000)
