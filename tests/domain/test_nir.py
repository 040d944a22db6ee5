"""A14: the key of a NIR is checked to warn, and the warning can be switched off."""

from __future__ import annotations

import pytest

from oct.domain.nir import _contradicts, invoices_with_wrong_key
from oct.formats.b2 import read_file
from tests.claims import LAYOUTS, Batch, Claim, claim_file, establishment_file


@pytest.mark.parametrize(
    ("nir", "key", "wrong"),
    [
        (b"1851025505107", b"92", False),
        (b"1851025505107", b"91", True),
        (b"285052A999001", b"00", True),
        (b"             ", b"  ", False),
        (b"1851025505107", b"  ", False),
    ],
)
def test_a_key_goes_with_its_nir(nir: bytes, key: bytes, wrong: bool) -> None:
    assert _contradicts(nir, key) is wrong


@pytest.mark.parametrize(("letters", "digits"), [(b"2A", b"19"), (b"2B", b"18")])
def test_corsican_departments_count_as_digits(letters: bytes, digits: bytes) -> None:
    key = b"%02d" % (97 - int(b"28505" + digits + b"999001") % 97)
    assert not _contradicts(b"28505" + letters + b"999001", key)


def test_only_files_whose_nir_have_a_known_place_are_warned_of() -> None:
    """The establishments' variant is opaque there."""
    assert invoices_with_wrong_key(read_file(claim_file(Batch((Claim(7),))), LAYOUTS), LAYOUTS) == ["000000007"]
    assert invoices_with_wrong_key(read_file(establishment_file(), LAYOUTS), LAYOUTS) == []
