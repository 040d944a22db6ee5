"""The whole way into a message, and what it says of one that it cannot open (M2, H4)."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oct.crypto.authority import TestAuthority
from oct.crypto.cms_writer import seal
from oct.crypto.keystore import KeyRing, OwnKey
from oct.envelope.opening import Opener
from oct.errors import FormatError, OpeningError
from oct.formats.mime_headers import MessageLimits
from oct.formats.mime_writer import wrap_entity, write_facture

_NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
_FILE = b"000TP00000421234567".ljust(128) + b"999".ljust(128)
_AUTHORITY = TestAuthority.create(_NOW)
_OWN: OwnKey = _AUTHORITY.issue("oct@concentrateur.example")
_STRANGER: OwnKey = _AUTHORITY.issue("autre@ailleurs.example")
_OPENER = Opener(KeyRing((_OWN,)), MessageLimits(), 1 << 20)


def _message(body: bytes, description: str = "FACTURE/SV/ZK") -> bytes:
    return write_facture(
        sender="ps@boite.example",
        recipient="oct@concentrateur.example",
        subject="SV140700/00000421234567/2026112008000200002/00007",
        description=description,
        message_id="<1@boite.example>",
        date=_NOW,
        cms=body,
        filename="factures.b2",
    )


@pytest.mark.parametrize(
    "plaintext",
    [
        pytest.param(_FILE, id="bare"),
        pytest.param(gzip.compress(_FILE), id="compressed"),
        pytest.param(wrap_entity(_FILE, "factures.b2"), id="entity"),
        pytest.param(wrap_entity(gzip.compress(_FILE), "factures.b2"), id="entity of compressed"),
        pytest.param(gzip.compress(wrap_entity(_FILE, "factures.b2")), id="compressed entity"),
    ],
)
def test_the_file_comes_out_whatever_encloses_it(plaintext: bytes) -> None:
    opened = _OPENER.open(_message(seal(plaintext, _OWN.certificate)), accept_clear=False)
    assert (opened.file, opened.serial) == (_FILE, _OWN.certificate.serial_number)


def test_an_attachment_in_clear_is_refused_unless_the_operator_accepts_it() -> None:
    raw = _message(_FILE, "FACTURE/SV")
    with pytest.raises(FormatError) as refused:
        _OPENER.open(raw, accept_clear=False)
    assert refused.value.code == "non-chiffre"
    assert _OPENER.open(raw, accept_clear=True).file == _FILE


def test_a_description_that_announces_encryption_is_believed_but_for_what_is_plainly_a_file() -> None:
    with pytest.raises(OpeningError):
        _OPENER.open(_message(b"rien de lisible", "FACTURE/SV/K"), accept_clear=True)
    with pytest.raises(FormatError, match="non-chiffre"):
        _OPENER.open(_message(_FILE, "FACTURE/SV/K"), accept_clear=False)


def test_h4_all_that_is_undecipherable_says_the_same() -> None:
    whole = seal(gzip.compress(_FILE), _OWN.certificate)
    bodies = [
        seal(_FILE, _STRANGER.certificate),
        whole[: len(whole) // 2],
        whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:],
        seal(bytes(range(256)) * 4, _OWN.certificate),
        seal(b"\x1f\x8b" + bytes(60), _OWN.certificate),
        b"ce n'est pas du CMS",
    ]
    said = set()
    for body in bodies:
        with pytest.raises(OpeningError) as refused:
            _OPENER.open(_message(body), accept_clear=False)
        said.add((refused.value.code, refused.value.describe()))
    assert len(said) == 1


def test_what_is_deciphered_but_no_claim_file_is_handed_on_for_its_own_error() -> None:
    text = "Bonjour, voici mes factures du mois.".encode("latin-1")
    assert _OPENER.open(_message(seal(text, _OWN.certificate)), accept_clear=False).file == text


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_h10_any_change_of_a_message_gives_a_file_or_a_declared_error(data: st.DataObject) -> None:
    raw = bytearray(_message(seal(gzip.compress(_FILE), _OWN.certificate)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        opened = _OPENER.open(bytes(raw), accept_clear=False)
    except (FormatError, OpeningError):
        return
    assert isinstance(opened.file, bytes)
