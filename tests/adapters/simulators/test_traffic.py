"""Simulated claims count right: recounted here by plain slicing of the norm's positions, without the layout engine."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.formats.layouts import Layouts
from oct.simulators.faults import FAULTS, STRANGER
from oct.simulators.invoices import Kind
from oct.simulators.parties import Network, Sender
from oct.simulators.received import read_received
from oct.simulators.traffic import ClaimFile, Claims
from tests.adapters.simulators.conftest import Draw

PS = Sender("421234567", "ER", "CABINET MEDICAL DU PONT")
CLINIC = Sender("750780000", "CP", "CLINIQUE DES LILAS")


def records(data: bytes) -> list[bytes]:
    return [data[start : start + 128] for start in range(0, len(data), 128)]


def lots(data: bytes) -> list[list[bytes]]:
    found: list[list[bytes]] = []
    for record in records(data)[1:-1]:
        if record[:1] == b"1":
            found.append([])
        found[-1].append(record)
    return found


def invoices(lot: list[bytes]) -> list[list[bytes]]:
    found: list[list[bytes]] = []
    for record in lot[1:-1]:
        if not found or found[-1][-1][:1] == b"5":
            found.append([])
        found[-1].append(record)
    return found


def total(rows: list[bytes], first: int, last: int) -> int:
    return sum(int(row[first - 1 : last]) for row in rows)


def recount(file: ClaimFile, *, complements: bool) -> None:
    found = records(file.data)
    assert {len(record) for record in found} == {128}
    assert found[0][:3] == b"000"
    assert found[-1][:3] == b"999"
    assert int(found[-1][55:63]) == len(found)
    assert int(found[-1][82:85]) == len(lots(file.data)) == len(file.lots)
    assert (found[0][3:19], found[0][25:41], found[0][47:55]) == (found[-1][3:19], found[-1][25:41], found[-1][47:55])
    for lot in lots(file.data):
        fives = [record for record in lot if record[:1] == b"5"]
        fours = [record for record in lot if record[:1] == b"4"]
        twos = [record for record in lot if record[:1] == b"2"]
        end = lot[-1]
        assert int(end[10:13]) == int(end[21:24]) == len(fives)
        assert int(end[13:17]) == len(fours)
        assert int(end[17:21]) == (len(twos) if complements else len(fives))
        assert int(end[24:33]) == total(fives, 58, 65)
        assert int(end[33:42]) == total(fives, 66, 73)
        assert int(end[42:51]) == total(fives, 82, 89)
        assert end[51:54] == lot[0][19:22]
        for invoice in invoices(lot):
            check_invoice(invoice)


def check_invoice(invoice: list[bytes]) -> None:
    acts, end = [record for record in invoice if record[:1] == b"4"], invoice[-1]
    assert int(end[38:41]) == len(acts)
    assert int(end[57:65]) == total(acts, 113, 119)
    assert int(end[65:73]) == total(acts, 106, 112)
    assert int(end[81:89]) == total(acts, 122, 128)
    assert int(end[73:81]) == int(end[57:65]) - int(end[65:73])
    assert len({record[1:26] for record in invoice}) == 1
    assert all(character in b"0123456789ABCDEF" for character in end[96:128])


@given(seed=st.integers(0, 2**32), complements=st.booleans(), sender=st.sampled_from([PS, CLINIC]))
def test_the_counters_of_every_way_are_right_in_both_conventions(
    draw: Draw, seed: int, complements: bool, sender: Sender
) -> None:
    """S1, S2, S3, A12."""
    claims = draw(seed, count_complements=complements)
    recount(claims.single_file(sender), complements=complements)
    recount(claims.caisse_file(PS, enriched=True, lots=2), complements=complements)
    recount(claims.amc_file(PS), complements=complements)


def test_the_numbers_of_lots_invoices_and_acts_can_be_fixed(draw: Draw) -> None:
    file = draw(1).single_file(PS, lots=7, invoices=3, acts=2)
    assert [len(invoices(lot)) for lot in lots(file.data)] == [3] * 7
    assert sum(record[:1] == b"4" for record in records(file.data)) == 42


def test_a_seed_gives_the_same_bytes(draw: Draw) -> None:
    assert draw(5).single_file(PS).data == draw(5).single_file(PS).data != draw(6).single_file(PS).data


def test_the_three_ways_are_addressed_as_the_annex_says(draw: Draw, network: Network) -> None:
    """4.1, 4.2, A11."""
    claims = draw(2)
    caisse, amc = network.caisses[2], network.amcs[0]
    assert claims.single_file(PS).data[25:49] == b"OT00000552100554000000TO"
    assert claims.caisse_file(PS, caisse).data[25:49] == b"MA00000002470471000000TR"
    assert claims.amc_file(PS, amc).data[25:49] == b"OC00000099999991000000TA"
    assert claims.single_file(CLINIC).data[3:5] == b"TE"


def test_an_establishment_writes_its_invoice_number_at_30(draw: Draw) -> None:
    body = records(draw(3).single_file(CLINIC, lots=1, invoices=1).data)[2:-2]
    assert {record[29:38] for record in body} == {b"100000001"}


def test_an_invented_person_was_born_nowhere_and_has_a_good_key(draw: Draw) -> None:
    people = {draw(4).person()} | {draw(seed).person() for seed in range(50)}
    assert all(person.nir[5:10] == "99999" for person in people)
    assert all((int(person.nir) + int(person.key)) % 97 == 0 for person in people)


def test_a_lot_of_dre_names_its_amc_in_every_invoice(draw: Draw, network: Network) -> None:
    lot = draw(8).dre_lot(PS, network.amcs[1], invoices=3)
    assert [record[36:46] for record in records(lot.data) if record[35:36] == b"M"] == [b"0088888882"] * 3
    assert {record[46:47] for record in records(lot.data) if record[:1] == b"2" and record[35:36] == b" "} == {b"D"}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_damages_only_what_it_names(draw: Draw, layouts: Layouts, name: str) -> None:
    """L7: faults of the grammar are seen by an insurer; those of the rules are well-formed files."""
    file = FAULTS[name](draw(9), PS)
    expected = {
        "truncated": ("ce n'est pas un fichier B2",),
        "missing_999": ("ce n'est pas un fichier B2",),
        "bad_record_count": ("file_trailer.record_count",),
        "bad_lot_count": ("file_trailer.lot_count",),
        "bad_invoice_count": ("lot_trailer.invoice_count",),
        "trailer_contradicts_header": ("lot_trailer.lot_number",),
    }
    faults = read_received(file.data, layouts).faults
    if name == "records_out_of_order":
        assert faults
    else:
        assert faults == expected.get(name, ())


def test_a_truncated_file_is_cut_inside_a_record(draw: Draw) -> None:
    assert len(FAULTS["truncated"](draw(1), PS).data) % 128


def test_a_file_without_999_is_otherwise_whole(draw: Draw) -> None:
    data = FAULTS["missing_999"](draw(1), PS).data
    assert (len(data) % 128, data[-128:-127]) == (0, b"6")


def test_records_out_of_order_put_the_total_before_an_act(draw: Draw) -> None:
    kinds = b"".join(record[:1] for record in lots(FAULTS["records_out_of_order"](draw(1), PS).data)[0])
    assert b"54" in kinds


def test_a_mixed_lot_names_two_regimes_and_its_neighbour_one(draw: Draw) -> None:
    """L3."""
    first, second = lots(FAULTS["mixed_regimes"](draw(1), PS).data)
    assert len({invoice[0][48:50] for invoice in invoices(first)}) == 2
    assert len({invoice[0][48:50] for invoice in invoices(second)}) == 1


def test_an_unknown_caisse_is_in_no_directory(draw: Draw, network: Network) -> None:
    """L6."""
    first, second = lots(FAULTS["unknown_caisse"](draw(1), PS).data)
    known = {caisse.caisse.encode() for caisse in network.caisses}
    assert first[1][50:53] not in known
    assert second[1][50:53] in known


def test_contract_99_asks_settlement_15(draw: Draw) -> None:
    """C2: in the second invoice of the first lot only."""
    first, _ = lots(FAULTS["contract99_settlement15"](draw(1), PS).data)
    assert [invoice[0][114:118] for invoice in invoices(first)] == [b"0000", b"1599"]


def test_contract_99_says_that_the_ps_split(draw: Draw) -> None:
    """C3."""
    first, _ = lots(FAULTS["contract99_split_by_ps"](draw(1), PS).data)
    assert [(invoice[0][45:46], invoice[0][116:118]) for invoice in invoices(first)] == [(b" ", b"00"), (b"E", b"99")]


def test_contract_99_comes_with_a_dre_of_the_same_invoice(draw: Draw) -> None:
    """C3."""
    first, second, _ = lots(FAULTS["contract99_with_dre"](draw(1), PS).data)
    assert first[1][11:35] == second[1][11:35]
    assert (first[1][46:47], first[1][116:118], second[1][46:47]) == (b"F", b"99", b"D")


def test_a_foreign_lot_bears_another_number(draw: Draw) -> None:
    """L8."""
    first, second = lots(FAULTS["foreign_lot"](draw(1), PS).data)
    assert first[0][1:10] == STRANGER.number.encode()
    assert second[0][1:10] == PS.number.encode()


def test_lot_numbers_are_a_sequence_for_each_organism_that_starts_again_after_999(
    layouts: Layouts, network: Network, draw: Draw
) -> None:
    claims: Claims = draw(1)
    caisse = network.caisses[0]
    numbers = [claims.fse_lot(PS, caisse, invoices=1, acts=1).number for _ in range(1000)]
    assert (numbers[0], numbers[998], numbers[999]) == (1, 999, 1)
    assert claims.fse_lot(PS, network.caisses[1]).number == 1


def test_an_enriched_lot_holds_ordinary_invoices_too(draw: Draw, network: Network) -> None:
    """C1."""
    kinds = {
        invoice.kind for seed in range(9) for invoice in draw(seed).fse_lot(PS, enriched=True, invoices=4).invoices
    }
    assert kinds == {Kind.FSE, Kind.ENRICHED}


def test_claims_are_dated_by_the_day_that_is_handed_in(layouts: Layouts, network: Network, draw: Draw) -> None:
    assert date(2026, 11, 20).strftime("%y%m%d").encode() == draw(1).single_file(PS).data[55:61]
