"""Reading and writing claim files: what is accepted, and the place and sentence of each fault (L7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oct.errors import FormatError
from oct.formats.b2 import read_file, read_lots, write_file
from tests.claims import (
    ALPHA,
    LAYOUTS,
    OTHER_PS,
    PS,
    Act,
    Batch,
    Claim,
    claim_file,
    dre,
    enriched,
    establishment_file,
    put,
    records_of,
)

TWO_LOTS = (Batch((Claim(1), Claim(2, acts=(Act(), Act(1000, 700))))), Batch((dre(3),), 2, OTHER_PS))
FILE = claim_file(*TWO_LOTS)
# 1: 000 · 2: lot 1 · 3-5: invoice 1 · 6-9: invoice 2 · 10: 6 · 11: lot 2 · 12-15: invoice 3 (2, 2M, 4, 5) · 16: 6
# 17: 999


def altered(number: int, position: int, text: str, data: bytes = FILE) -> bytes:
    """The file with other bytes at a position of a record, both counted from 1."""
    return put(data, (number - 1) * 128 + position, text)


def less(number: int, data: bytes = FILE) -> bytes:
    """The file without one record, its 999 counting what is left."""
    kept = records_of(data)
    del kept[number - 1]
    kept[-1] = put(kept[-1], 56, f"{len(kept):08d}")
    return b"".join(kept)


def test_a_file_gives_its_header_its_lots_and_their_bytes() -> None:
    file = read_file(FILE, LAYOUTS)
    assert (file.sender_type, file.sender_number) == ("TP", f"{PS:0>14}")
    assert (file.recipient_type, file.recipient_number) == ("OT", "00000552100554")
    assert (file.application, file.file_id, file.norm) == ("TO", "F00001", "IF")
    assert (file.record_count, file.invoice_count, file.establishment) == (17, 3, False)
    assert [file.content(lot) for lot in file.lots] == [batch.content() for batch in TWO_LOTS]
    assert [(lot.rank, lot.record_count) for lot in file.lots] == [(0, 9), (1, 6)]


def test_a_lot_says_whose_it_is_and_what_it_adds_up_to() -> None:
    first, second = read_file(FILE, LAYOUTS).lots
    assert (first.ps_number, first.organism, first.number, first.created_on) == (PS, "422", "001", "261120")
    assert (first.norm_code, first.marking, first.kind) == ("IF", "R", "F")
    assert (first.billed, first.amo, first.amc) == (6000, 4200, 0)
    assert (second.ps_number, second.number, second.amc) == (OTHER_PS, "002", 750)


def test_an_invoice_says_where_it_goes_and_what_it_asks() -> None:
    data = claim_file(Batch((enriched(8, ps_split="F", caisse=("02", "475", "0123")),)))
    file = read_file(data, LAYOUTS)
    (invoice,) = file.lots[0].invoices
    assert (invoice.number, invoice.kind, invoice.contract) == ("000000008", "F", "99")
    assert (invoice.regime, invoice.caisse, invoice.centre) == ("02", "475", "0123")
    assert (invoice.settlement, invoice.ps_split, invoice.amc_number) == ("05", "F", ALPHA)
    assert (invoice.billed, invoice.amo, invoice.amc, invoice.patient) == (3500, 2450, 1050, 1050)
    assert file.content(invoice) == b"".join(enriched(8, ps_split="F", caisse=("02", "475", "0123")).records(PS))


@pytest.mark.parametrize("counts_all", [False, True])
def test_both_conventions_of_the_type_2_counter_are_read_and_told_apart(counts_all: bool) -> None:
    """A12."""
    (lot,) = read_file(claim_file(Batch((enriched(1), Claim(2, others="SB")), counts_all=counts_all)), LAYOUTS).lots
    assert lot.counts_complements is counts_all


def test_records_of_an_invoice_may_differ_in_what_is_not_their_identity() -> None:
    """A baby's NIR key, a blank: only the PS and the invoice number tie the records together."""
    assert read_file(altered(4, 25, "99"), LAYOUTS).invoice_count == 3


def test_amounts_left_blank_are_zero() -> None:
    data = altered(15, 82, "        ", altered(16, 43, "         "))
    assert read_file(data, LAYOUTS).lots[1].amc == 0


def test_a_nul_is_read_as_a_space_and_stays_in_the_bytes() -> None:
    """L1: PostgreSQL keeps no NUL in a text, and would refuse the message each time it is tried."""
    data = put(put(FILE, 128 + 17, "\0" * 3), 2 * 128 + 51, "42\0").replace(b"F00001", b"F0001\0")
    file = read_file(data, LAYOUTS)
    assert (file.file_id, file.lots[0].organism, file.lots[0].invoices[0].caisse) == ("F0001", "", "42")
    assert file.content(file.lots[0]) == data[128 : 128 + len(TWO_LOTS[0].content())]


def test_the_trailer_may_pad_its_values_otherwise_than_the_header() -> None:
    assert read_file(altered(17, 28, "552100554     "), LAYOUTS).recipient_number == "00000552100554"


FAULTS: list[tuple[str, bytes, str, int | None, int | None]] = [
    ("empty", b"", "fichier-vide", None, None),
    ("not B2", b"%PDF-1.4 " * 50, "pas-b2", 1, 1),
    ("one byte", b"0", "pas-b2", 1, 1),
    ("cut inside a record", FILE[:1000], "longueur", 8, 105),
    ("one byte too many", FILE + b"\n", "longueur", 18, 2),
    ("cut between records", FILE[: 128 * 9], "sans-999", 9, 1),
    ("only 000", FILE[:128], "sans-999", 1, 1),
    ("only 000 and 999", claim_file(), "aucun-lot", 2, 1),
    ("no 1", less(2), "ordre", 2, 1),
    ("no 2", less(3), "ordre", 3, 1),
    ("no 2 before 2M", less(12), "ordre", 12, 36),
    ("no 5", less(5), "ordre", 5, 1),
    ("no 6", less(10), "ordre", 10, 1),
    ("no 6 at the end", less(16), "ordre", 16, 1),
    ("no 4", less(4), "compteur-faux", 4, 39),
    ("no invoice", less(3, less(3, less(3, claim_file(Batch())))), "lot-vide", 3, 1),
    ("a 000 in the middle", altered(6, 1, "000"), "ordre", 6, 1),
    ("a 999 in the middle", altered(6, 1, "999"), "ordre", 6, 1),
    ("an act after the total", altered(5, 1, "4"), "ordre", 6, 1),
    ("another PS in an act", altered(4, 2, STRANGE := "999999999"), "numero-ps", 4, 2),
    ("another PS in an invoice", altered(3, 2, STRANGE), "numero-ps", 3, 2),
    ("another PS in a complement", altered(13, 2, STRANGE), "numero-ps", 13, 2),
    ("another PS in a total", altered(5, 2, STRANGE), "numero-ps", 5, 2),
    ("another invoice number in an act", altered(8, 27, "000000009"), "ordre", 8, 27),
    ("another invoice number in a total", altered(9, 27, "000000009"), "ordre", 9, 27),
    ("an invoice number of letters", altered(3, 27, "ABCDEFGHI"), "zone-non-numerique", 3, 27),
    ("a lot number of letters", altered(2, 20, "ABC"), "en-tete-de-lot", 2, 2),
    ("no PS number", altered(2, 2, " " * 9), "en-tete-de-lot", 2, 2),
    ("acts miscounted by 5", altered(9, 39, "003"), "compteur-faux", 9, 39),
    ("an amount of letters", altered(9, 66, "0000X000"), "zone-non-numerique", 9, 66),
    ("a negative amount", altered(9, 66, "-0002450"), "zone-non-numerique", 9, 66),
    ("invoices miscounted by 6", altered(10, 11, "003"), "compteur-faux", 10, 11),
    ("acts miscounted by 6", altered(10, 14, "0004"), "compteur-faux", 10, 14),
    ("records 2 miscounted by 6", altered(16, 18, "0003"), "compteur-faux", 16, 18),
    ("records 5 miscounted by 6", altered(10, 22, "001"), "compteur-faux", 10, 22),
    ("a counter of letters", altered(10, 14, "000X"), "zone-non-numerique", 10, 14),
    ("a false billed total", altered(10, 25, "000006001"), "total-faux", 10, 25),
    ("a false AMO total", altered(10, 34, "000004201"), "total-faux", 10, 34),
    ("a false AMC total", altered(16, 43, "000000751"), "total-faux", 16, 43),
    ("6 of another PS", altered(10, 2, OTHER_PS), "6-contredit-1", 10, 2),
    ("6 of another lot", altered(10, 52, "009"), "6-contredit-1", 10, 52),
    ("999 of another sender", altered(17, 6, "9"), "999-contredit-000", 17, 6),
    ("999 of another file", altered(17, 50, "F00002"), "999-contredit-000", 17, 50),
    ("999 to another kind", altered(17, 26, "CT"), "999-contredit-000", 17, 26),
    ("records miscounted by 999", altered(17, 56, "00000016"), "compteur-faux", 17, 56),
    ("lots miscounted by 999", altered(17, 83, "003"), "compteur-faux", 17, 83),
    ("a 999 without counters", altered(17, 56, "        "), "zone-non-numerique", 17, 56),
]


@pytest.mark.parametrize(
    ("data", "code", "number", "position"), [fault[1:] for fault in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_each_fault_is_refused_with_its_record_and_position(
    data: bytes, code: str, number: int | None, position: int | None
) -> None:
    """L7."""
    with pytest.raises(FormatError) as caught:
        read_file(data, LAYOUTS)
    error = caught.value
    assert error.place is not None
    assert (error.code, error.place.record, error.place.position) == (code, number, position)
    assert error.rule == "L7"
    assert error.sentence[0].isupper()
    assert error.sentence.endswith(".")
    assert "_" not in error.sentence


@pytest.mark.parametrize("number", range(1, 18))
def test_a_file_that_lacks_any_of_its_records_is_refused(number: int) -> None:
    """A missing 2M shows only where type2_count counts the complements (A12)."""
    counting_all = claim_file(*(replace(batch, counts_all=True) for batch in TWO_LOTS))
    with pytest.raises(FormatError):
        read_file(less(number, counting_all), LAYOUTS)


@pytest.mark.parametrize("length", [*range(1, 128), *range(128, len(FILE), 128), len(FILE) - 1])
def test_a_truncated_file_is_refused_wherever_it_is_cut(length: int) -> None:
    with pytest.raises(FormatError):
        read_file(FILE[:length], LAYOUTS)


def test_a_fault_never_quotes_what_the_file_says() -> None:
    """T3: a shifted file may have an NIR anywhere."""
    for position in (2, 20):
        with pytest.raises(FormatError) as caught:
            read_file(altered(2, position, "1 85057"), LAYOUTS)
        assert "85057" not in caught.value.describe()


def test_an_establishment_s_file_is_read_by_its_frames_and_the_rest_is_opaque() -> None:
    file = read_file(establishment_file(), LAYOUTS)
    assert file.establishment
    (lot,) = file.lots
    assert [invoice.number for invoice in lot.invoices] == ["000000007", "000000008", "000000009"]
    assert {invoice.contract for invoice in lot.invoices} == {""}
    assert lot.counts_complements
    assert (lot.billed, lot.amo) == (7500, 5250)
    assert (lot.invoices[0].regime, lot.invoices[0].caisse) == ("01", "422")


@pytest.mark.parametrize("number", [2, 3, 8, 9, 11])
def test_an_establishment_s_file_without_a_frame_is_refused(number: int) -> None:
    with pytest.raises(FormatError):
        read_file(less(number, establishment_file()), LAYOUTS)


def test_positions_come_from_the_layouts_file_not_from_the_code() -> None:
    moved = type(LAYOUTS)({**LAYOUTS.by_name, "invoice_header": LAYOUTS.from_toml(
        MOVED.replace("KIND", "48")
    )["invoice_header"]})  # fmt: skip
    data = altered(3, 48, "D")
    assert read_file(data, LAYOUTS).lots[0].invoices[0].kind == "F"
    assert read_file(data, moved).lots[0].invoices[0].kind == "D"


MOVED = "[invoice_header]\n" + "\n".join(
    f'{name} = {{ at = [{first}, {last}], fmt = "A" }}'
    for name, first, last in (
        ("ps_number", 2, 10), ("invoice_number", 27, 35), ("complement", 36, 36), ("invoice_kind", "KIND", "KIND"),
        ("regime", 49, 50), ("caisse", 51, 53), ("centre", 54, 57), ("contract_type", 117, 118),
        ("settlement", 115, 116), ("ps_split", 46, 46),
    )
)  # fmt: skip


def test_bare_lots_are_read_as_a_hold_keeps_them() -> None:
    data = b"".join(batch.content() for batch in TWO_LOTS)
    lots = read_lots(data, LAYOUTS, establishment=False)
    assert [data[lot.start : lot.stop] for lot in lots] == [batch.content() for batch in TWO_LOTS]


@pytest.mark.parametrize("data", [b"", b"1", FILE, FILE[128:-127], TWO_LOTS[0].content()[:-128]])
def test_bare_lots_that_are_not_whole_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_lots(data, LAYOUTS, establishment=False)


def test_a_file_written_around_lots_keeps_them_and_counts_them() -> None:
    """L5."""
    first, second = (batch.content() for batch in TWO_LOTS)
    written = write_file(FILE[:128], [second, first, second], LAYOUTS)
    assert written[128:-128] == second + first + second
    again = read_file(written, LAYOUTS)
    assert (again.record_count, len(again.lots)) == (23, 3)


def test_a_file_written_under_its_own_trailer_changes_the_counters_alone() -> None:
    first, second = (batch.content() for batch in TWO_LOTS)
    assert write_file(FILE[:128], [first, second], LAYOUTS, trailer=FILE[-128:]) == FILE
    shorter = write_file(FILE[:128], [first], LAYOUTS, trailer=FILE[-128:])
    assert shorter[-128:] == altered(17, 56, "00000011", altered(17, 83, "001"))[-128:]


def test_a_new_trailer_names_the_sending_of_its_header() -> None:
    header = put(put(FILE[:128], 28, "ABC"), 50, " A 1  ")
    assert read_file(write_file(header, [TWO_LOTS[0].content()], LAYOUTS), LAYOUTS).record_count == 11
