"""Any bytes give a file or the declared error, and never another one (H10); what is read loses nothing (L1)."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from oct.errors import FormatError
from oct.formats.b2 import B2File, read_file, read_lots, write_file
from tests.claims import LAYOUTS, OTHER_PS, Batch, Claim, claim_file, dre, enriched, establishment_file, records_of

FILES = (
    claim_file(Batch((Claim(1), enriched(2))), Batch((dre(3),), 2, OTHER_PS)),
    claim_file(Batch((Claim(1, others="SC"), Claim(2)), counts_all=True)),
    establishment_file(),
)


def read_or_refuse(data: bytes) -> B2File | None:
    """What reading gives; None when it is refused as declared, which is always with a sentence and a rule."""
    try:
        return read_file(data, LAYOUTS)
    except FormatError as error:
        refusal = error
    assert refusal.rule == "L7"
    assert refusal.describe()
    return None


@given(st.binary(max_size=2000))
@example(b"000")
@example(b"000" + b" " * 125 + b"999" + b" " * 125)
def test_any_bytes_are_a_file_or_a_declared_error(data: bytes) -> None:
    read_or_refuse(data)


@given(st.lists(st.tuples(st.sampled_from(b"0123456789 "), st.binary(min_size=127, max_size=127)), max_size=12))
def test_any_records_are_a_file_or_a_declared_error(records: list[tuple[int, bytes]]) -> None:
    body = b"".join(bytes([kind]) + rest for kind, rest in records)
    read_or_refuse(b"000" + b" " * 125 + body + b"999" + b" " * 125)
    with suppress(FormatError):
        read_lots(body, LAYOUTS, establishment=False)


@given(st.sampled_from(FILES), st.data())
def test_a_flipped_bit_gives_a_file_or_a_declared_error(data: bytes, draw: st.DataObject) -> None:
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 3))):
        changed[draw.draw(st.integers(0, len(data) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    read_or_refuse(bytes(changed))


@given(st.sampled_from(FILES), st.integers(0, 3000))
def test_a_cut_file_is_refused(data: bytes, length: int) -> None:
    file = read_or_refuse(data[:length])
    assert (file is not None) == (length >= len(data))


@given(st.sampled_from(FILES), st.randoms(use_true_random=False))
def test_shuffled_records_are_a_file_or_a_declared_error(data: bytes, chance: object) -> None:
    records = records_of(data)
    chance.shuffle(records)  # type: ignore[attr-defined]
    read_or_refuse(b"".join(records))
    read_or_refuse(b"".join([data[:128], *records, data[-128:]]))


claims = st.builds(
    Claim,
    number=st.integers(0, 999_999_999),
    amc=st.sampled_from(["", "0099999991"]),
    tiers_payant=st.sampled_from([None, "", "OPERATEUR1"]),
    others=st.sampled_from(["", "S", "SPBC"]),
)
batches = st.builds(
    Batch,
    claims=st.lists(claims, min_size=1, max_size=4),
    number=st.integers(0, 999),
    ps=st.sampled_from(["421234567", "2A0000014"]),
    counts_all=st.booleans(),
)


@given(st.lists(batches, min_size=1, max_size=5))
def test_any_well_formed_file_is_read_and_its_lots_cover_it(lots: list[Batch]) -> None:
    data = claim_file(*lots)
    file = read_file(data, LAYOUTS)
    assert [file.content(lot) for lot in file.lots] == [lot.content() for lot in lots]
    for lot in file.lots:
        inside = b"".join(map(file.content, lot.invoices))
        assert data[lot.start + 128 : lot.stop - 128] == inside
    assert write_file(data[:128], map(file.content, file.lots), LAYOUTS, trailer=data[-128:]) == data


@given(st.lists(batches, min_size=1, max_size=3))
def test_bare_lots_read_as_they_do_in_their_file(lots: list[Batch]) -> None:
    whole = read_file(claim_file(*lots), LAYOUTS).lots
    bare = read_lots(b"".join(lot.content() for lot in lots), LAYOUTS, establishment=False)
    assert [(lot.ps_number, lot.number, lot.billed, lot.start + 128) for lot in bare] == [
        (lot.ps_number, lot.number, lot.billed, lot.start) for lot in whole
    ]
