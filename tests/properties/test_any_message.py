"""Any bytes give a message or the declared error; what is written is read again (H10, H1, H5)."""

import email
import string
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from oct.errors import FormatError
from oct.formats.mime_headers import MessageLimits, cut_headers, read_headers
from oct.formats.mime_reader import attachment_of, inner_file, read_message
from oct.formats.mime_writer import wrap_entity, write_facture, write_return
from oct.formats.profiles import Profiles
from oct.formats.subject import FactureSubject, read_subject

LIMITS = MessageLimits(header_bytes=2000, header_count=20, parameters=5, parts=6)
AT = datetime(2026, 11, 20, 8, 0, 2, tzinfo=UTC)

PIECES = [
    b"From: a@b.example",
    b"From: ",
    b"Subject: =?utf-8?B?w6k=?=",
    b"Content-Type: multipart/mixed; boundary=b",
    b'Content-Type: application/pkcs7-mime; name="',
    b"Content-Type: Application/EDI-consent",
    b"Content-Type: message/rfc822",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
    b"Content-Description: FACTURE/SV",
    b"\r\n",
    b"\r\n",
    b"\r\n",
    b"\n",
    b"\n\n",
    b"--b",
    b"--b--",
    b" ",
    b"=",
    b'"',
    b"AAAA",
    b"000",
    b"0\x80\r\n",
    b"\r",
    b"\x00",
]
HEADER_LINES = st.lists(
    st.text("Ab: \t\x7f\x80\x85\xa0\xe9-", max_size=9).map(lambda line: line.strip(" \t")).filter(bool), max_size=6
)
message_like = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=3)), max_size=40).map(b"".join)
headed = message_like.map(lambda rest: b"From: a@b.example\r\n" + rest)


def line_by_line(lines: list[str]) -> dict[str, tuple[str, ...]] | str:
    """The fields of a header block, or the code of its refusal, as its rules say them one line at a time."""
    fields: dict[str, tuple[str, ...]] = {}
    if any("\x7f" in line for line in lines):
        return "entete-caractere"
    for line in lines:
        name, colon, value = line.replace("\t", " ").partition(":")
        name = name.rstrip(" ").lower()
        if not (colon and name and name.isascii()) or " " in name:
            return "entete-illisible"
        fields[name] = (*fields.get(name, ()), value.strip(" "))
    return fields


@given(HEADER_LINES)
def test_a_header_block_reads_as_its_lines_do_one_by_one(lines: list[str]) -> None:
    raw = "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")
    try:
        read: object = cut_headers(raw, 0, len(raw), LIMITS)[0]
    except FormatError as error:
        read = error.code
    assert read == line_by_line(lines)


@given(st.one_of(st.binary(max_size=300), message_like, headed))
def test_any_bytes_are_a_message_or_the_declared_error(raw: bytes) -> None:
    """H10."""
    try:
        message = read_message(raw, LIMITS)
    except FormatError:
        return
    assert read_headers(raw, LIMITS) == message.headers
    try:
        found = attachment_of(message)
    except FormatError:
        return
    assert found.body
    assert "/" not in found.filename


@given(st.one_of(st.binary(max_size=300), message_like))
def test_any_bytes_hold_a_file_or_give_the_declared_error(content: bytes) -> None:
    """H10."""
    try:
        found = inner_file(content, LIMITS)
    except FormatError:
        return
    assert len(found) <= len(content)


@given(st.text())
def test_any_text_is_a_subject_or_the_declared_error(text: str) -> None:
    """H10."""
    try:
        read = read_subject(text)
    except FormatError:
        return
    assert read_subject(read.write()) == read


def digits(width: int) -> st.SearchStrategy[str]:
    return st.text(string.digits, min_size=width, max_size=width)


@given(st.builds(FactureSubject, digits(6), digits(14), digits(19), st.integers(0, 99_999)))
def test_a_subject_is_read_as_it_was_written(subject: FactureSubject) -> None:
    assert read_subject(subject.write()) == subject


@given(st.text())
def test_any_description_has_a_profile_or_none(description: str) -> None:
    profiles = Profiles.from_toml(
        '[messages.a]\nkind = "ARL"\npatterns = ["*/*"]\n[third_part.K]\nencrypted = true\ncompressed = false'
    )
    found = profiles.match(description)
    assert found is None or "/" in description


@given(st.binary(min_size=1).filter(bytes.strip), st.integers(1, 3000))
def test_a_file_comes_back_from_the_message_that_carries_it(content: bytes, times: int) -> None:
    content = (content * times)[:5000]
    raw = write_facture(
        sender="a@b.example",
        recipient="c@d.example",
        subject="x",
        description="FACTURE/SV/K",
        message_id="<1@b.example>",
        date=AT,
        cms=content,
        filename="f.p7m",
    )
    assert attachment_of(read_message(raw, MessageLimits())).body == content
    assert inner_file(wrap_entity(content, "f.b2"), MessageLimits()) == content
    assert max(map(len, raw.split(b"\r\n"))) <= 76


nasty = st.one_of(st.text(max_size=40), st.text(st.sampled_from('a@.<>\r\n\0: é=?;"/,\t\u2028'), max_size=20))


@given(nasty, nasty, nasty, nasty, nasty)
def test_no_value_adds_a_header_or_a_line(
    sender: str, subject: str, description: str, kind: str, message_id: str
) -> None:
    """H5: refused, or exactly the headers that were meant, as another library reads them."""
    values = {
        "sender": sender,
        "subject": subject,
        "description": description,
        "content_type": kind,
        "message_id": message_id,
    }
    usual = {
        "sender": "a@b.example",
        "subject": "x",
        "description": "ARL/SV",
        "content_type": "text/plain",
        "message_id": "<1@b.example>",
    }
    for name, value in values.items():
        given_values = {**usual, name: value}
        try:
            raw = write_return(recipient="c@d.example", date=AT, body=b"x", **given_values)
        except FormatError:
            continue
        assert raw.isascii()
        assert max(map(len, raw.split(b"\r\n"))) <= 998
        assert b"\n" not in raw.replace(b"\r\n", b"")
        assert b"\r" not in raw.replace(b"\r\n", b"")
        message = email.message_from_bytes(raw)
        assert set(message.keys()) <= {
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
            "Content-Description",
        }
        assert len(message.keys()) == len(set(message.keys()))
        assert message.get_payload(decode=True) == b"x"
