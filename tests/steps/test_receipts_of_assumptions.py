"""The assumptions that an ART shows are settings: A13 the width of the number, A14 the warning of NIR keys."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from oct.crypto.cms_writer import seal
from oct.formats.mime_writer import write_facture
from tests.steps.bench import CLAIMS, OCT, PKI, Bench, bench

PONT = "pont@boite.example"


@pytest.mark.parametrize(
    ("settings", "subject", "warned"),
    [
        pytest.param("", "ART/00000421234567/", True, id="as they come"),
        pytest.param(
            "[conventions]\nart_number_width = 12\nwarns_of_nir_keys = false", "ART/000421234567/", False, id="set"
        ),
    ],
)
def test_a13_a14_follow_the_settings(
    tmp_path: Path, sqlite_url: str, settings: str, subject: str, warned: bool
) -> None:
    with bench(tmp_path, sqlite_url, settings) as pieces:
        pieces.take(_with_wrong_key(), PONT)
        (art,) = pieces.outside.of(PONT)
    text = art.content.decode("latin-1")
    assert art.subject.startswith(subject)
    assert ("clé du NIR" in text) is warned
    assert _nir().decode() not in text


def _nir() -> bytes:
    file = (CLAIMS / "messages" / "01-single-file.b2").read_bytes()
    return file[256 + 11 : 256 + 24]


def _with_wrong_key() -> bytes:
    file = bytearray((CLAIMS / "messages" / "01-single-file.b2").read_bytes())
    assert file[256:257] == b"2"
    file[256 + 24 : 256 + 26] = b"%02d" % ((int(file[256 + 24 : 256 + 26]) + 1) % 97 + 1)
    certificate = x509.load_pem_x509_certificate((PKI / "oct.pem").read_bytes())
    return write_facture(
        sender=PONT,
        recipient=OCT,
        subject="SV140700/00000421234567/2026112008000200099/00007",
        description="FACTURE/SV/K",
        message_id="<cle@boite.example>",
        date=datetime(2026, 11, 20, 8, tzinfo=UTC),
        cms=seal(bytes(file), certificate),
        filename="factures.b2",
    )


def test_l8_the_art_names_the_number_that_the_message_names(tmp_path: Path, sqlite_url: str) -> None:
    with bench(tmp_path, sqlite_url) as pieces:
        group: Bench = pieces
        group.take((CLAIMS / "messages" / "34-group-practice.eml").read_bytes(), "parc@boite.example")
        (art, *_) = group.outside.of("parc@boite.example")
    named = art.subject.split("/")[1][-9:]
    assert f"PS : {named}" in art.content.decode("latin-1")
