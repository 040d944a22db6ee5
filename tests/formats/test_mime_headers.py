"""Header fields: cut, unfolded, checked, within limits (M1, H1, H3, H5)."""

import pytest

from oct.errors import FormatError
from oct.formats.mime_headers import MessageLimits, decode_text, read_headers

LIMITS = MessageLimits()
FROM = b"From: cabinet@boite.example\r\n"


def refused(raw: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        read_headers(raw, LIMITS)
    return caught.value.code


def test_the_door_reads_headers_without_a_body() -> None:
    headers = read_headers(
        b'from: "Cabinet, du Pont" <cabinet@boite.example>\r\nSUBJECT:\r\n\tSV140700/x\r\nMessage-ID: <1@a>\r\n'
        b"In-Reply-To: <2@b> (x)\r\nReferences: <3@c>\r\n <2@b>\r\nDate: Fri, 20 Nov 2026 08:00:02 +0100\r\n"
        b"Content-Description : FACTURE/SV\r\n\r\n\x00 a body that nobody looks at",
        LIMITS,
    )
    assert headers.sender == "cabinet@boite.example"
    assert headers.subject == "SV140700/x"
    assert (headers.message_id, headers.in_reply_to, headers.references) == ("<1@a>", "<2@b>", ("<3@c>", "<2@b>"))
    assert headers.description == "FACTURE/SV"
    assert headers.date == "Fri, 20 Nov 2026 08:00:02 +0100"


@pytest.mark.parametrize(
    "value",
    [
        b"a@b.example",
        b"<a@b.example>",
        b"Nom <a@b.example>",
        b'"Nom <x@y>, \\"z\\"" <a@b.example>',
        b"a@b.example (Nom)",
        b"a@b.example <a@b.example>",
        b"=?utf-8?Q?Nom?= <a@b.example>",
        "Médecin <a@b.example>".encode(),
    ],
)
def test_a_from_of_the_field_gives_its_address(value: bytes) -> None:
    assert read_headers(b"From: " + value + b"\n\n", LIMITS).sender == "a@b.example"


@pytest.mark.parametrize(
    "value",
    [
        b"a@b, c@d",
        b"a@b, <c@d>",
        b"<a@b> <c@d>",
        b"a b@c",
        b"@c",
        b"a@",
        b"<>",
        b"a@-b",
        b"a@[127.0.0.1]",
        b"g: a@b;",
        b"'; drop table--",
        b"a" * 300 + b"@b",
        "é@b".encode(),
    ],
)
def test_an_odd_from_is_refused(value: bytes) -> None:
    """H5: From is validated by a strict pattern."""
    assert refused(b"From: " + value + b"\r\n\r\n") == "expediteur-illisible"


def test_a_message_without_from_is_refused() -> None:
    assert refused(b"Subject: x\r\n\r\n") == "expediteur-absent"


@pytest.mark.parametrize(
    "twice", [b"From: x@y\r\n", b"FROM : cabinet@boite.example\r\n", b"Subject: a\r\nsubject: a\r\n"]
)
def test_two_from_or_two_subject_are_refused(twice: bytes) -> None:
    """H5."""
    assert refused(FROM + twice + b"\r\n") == "entete-double"


@pytest.mark.parametrize("bad", [b"X: a\rb", b"X: \x00", b"X: \x1b[2J"])
def test_control_characters_are_refused(bad: bytes) -> None:
    """H1."""
    assert refused(FROM + bad + b"\r\n\r\n") == "entete-caractere"


@pytest.mark.parametrize("bad", [b"no colon", b" folded first", b": no name", b"two words: x", b"\xe9: x"])
def test_a_line_that_is_no_header_is_refused(bad: bytes) -> None:
    assert refused(bad + b"\r\n" + FROM + b"\r\n") == "entete-illisible"


def test_a_header_of_half_a_megabyte_is_refused_before_it_is_read() -> None:
    """H3."""
    assert refused(FROM + b"X: " + b"a" * 500_000 + b"\r\n\r\n") == "entetes-trop-longs"


def test_too_many_headers_are_refused() -> None:
    """H3."""
    assert refused(FROM + b"X: a\r\n" * 1000 + b"\r\n") == "entetes-trop-nombreux"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("simple", "simple"),
        ("=?UTF-8?B?w6l0w6k=?=", "été"),
        ("=?iso-8859-1?q?=E9t=E9_vert?= x", "été vert x"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?x-unknown?q?a?=", "=?x-unknown?q?a?="),
        ("=?utf-8?q?=FF?=", "=?utf-8?q?=FF?="),
        ("=?utf-8?q?a=0D=0ABcc:_x?=", "=?utf-8?q?a=0D=0ABcc:_x?="),
        ("=?utf-8?b?a?=", "=?utf-8?b?a?="),
        ("été".encode().decode("latin-1"), "été"),
        ("été", "été"),
        ("\x92", "’"),
        ("\x81", "\x81"),
    ],
)
def test_only_simple_encoded_words_and_raw_bytes_are_decoded(value: str, text: str) -> None:
    assert decode_text(value) == text
