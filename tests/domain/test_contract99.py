"""Contract type 99 (C1-C7): what the AMO receives, byte by byte, and what the AMC does."""

from __future__ import annotations

from typing import Any

import pytest

from oct.domain.contents import content_of
from oct.domain.conventions import Conventions, Type2Count, check_conventions
from oct.domain.model import LotKind
from oct.domain.plan import Parcel, Plan, SplitContext
from oct.domain.splitting import plan_file
from oct.errors import ConfigurationError
from oct.formats.b2 import B2File, read_file
from tests.claims import (
    ACCOUNT,
    ALPHA,
    BETA,
    CT_422,
    LAYOUTS,
    NOBODY,
    PS,
    Act,
    Batch,
    Claim,
    claim_file,
    context,
    differing,
    dre,
    enriched,
    outgoing,
    put,
    records_of,
)

BOTH_CONVENTIONS = pytest.mark.parametrize("counts_all", [False, True])


def plan_of(data: bytes, rules: SplitContext | None = None) -> tuple[B2File, Plan]:
    file = read_file(data, LAYOUTS)
    return file, plan_file(file, ACCOUNT, rules or context())


def planned(*batches: Batch, **conventions: Any) -> Plan:
    return plan_of(claim_file(*batches), context(**conventions))[1]


def content(kind: LotKind, *batches: Batch, **conventions: Any) -> list[bytes]:
    """Records of the first lot of a kind that leaves."""
    rules = context(**conventions)
    file, plan = plan_of(claim_file(*batches), rules)
    lot = next(lot for parcel in plan.parcels for lot in parcel.lots if lot.kind is kind)
    return records_of(bytes(content_of(file, lot, rules)))


def codes(plan: Plan) -> list[tuple[str, str, str, str]]:
    """Number of each refused lot, and why."""
    return [
        (refused.lot.number, refused.reason.code, refused.reason.rule, str(refused.reason.place))
        for refused in plan.refused
    ]


@BOTH_CONVENTIONS
def test_the_amo_lot_differs_only_by_the_split_mark_the_dropped_records_and_their_count(counts_all: bool) -> None:
    """C1, C4, A6, A12: every byte that differs is listed here."""
    batch = Batch((Claim(1, amc=ALPHA, tiers_payant="X"), enriched(2, others="SB"), enriched(3)), counts_all=counts_all)
    before, after = batch.records(), content(LotKind.FSE, batch)
    dropped = [
        rank for rank, one in enumerate(before) if one[35:36] in b"MP" and one[26:35] in (b"000000002", b"000000003")
    ]
    assert len(dropped) == 4
    kept = [one for rank, one in enumerate(before) if rank not in dropped]
    assert len(after) == len(kept)
    changed = {
        (one[:1].decode(), one[26:35].decode() if one[:1] == b"5" else "", position)
        for one, other in zip(kept, after, strict=True)
        for position in differing(one, other)
    }
    totals = {("5", "000000002", 90), ("5", "000000003", 90)}
    assert changed == totals | ({("6", "", 20), ("6", "", 21)} if counts_all else set())
    assert after[-1][17:21] == (b"0007" if counts_all else b"0003")
    assert {one[89:90] for one in after if one[:1] == b"5" and one[26:35] != b"000000001"} == {b"A"}


@BOTH_CONVENTIONS
def test_the_amc_lot_holds_the_99_invoices_alone_with_totals_that_are_sums_of_their_lines(counts_all: bool) -> None:
    """C5."""
    batch = Batch((Claim(1), enriched(2), enriched(3, others="S"), Claim(4)), counts_all=counts_all)
    plan = planned(batch)
    made = content(LotKind.AMC, batch)
    assert [one[:1] + (one[35:36] if one[:1] == b"2" else b" ") for one in made] == [
        b"1 ", b"2 ", b"2M", b"2P", b"4 ", b"4 ", b"5 ", b"2 ", b"2S", b"2M", b"2P", b"4 ", b"4 ", b"5 ", b"6 ",
    ]  # fmt: skip
    totals = [one for one in made if one[:1] == b"5"]
    assert [(one[57:65], one[65:73], one[81:89]) for one in totals] == [(b"00003500", b"00002450", b"00001050")] * 2
    assert made[-1][10:54] == b"002" + b"0004" + (b"0007" if counts_all else b"0002") + b"002" + (
        b"000007000" + b"000004900" + b"000002100" + b"501"
    )
    assert [invoice.number for invoice in plan.parcels[1].lots[0].derived.invoices] == [  # type: ignore[union-attr]
        "000000002",
        "000000003",
    ]


def test_the_amc_lot_is_the_concentrator_s_own() -> None:
    """C5: its number and date, blank seals, DRE marks; the rest of each record as received."""
    batch = Batch((enriched(1),))
    before, after = batch.records(), content(LotKind.AMC, batch)
    assert [differing(one, other) for one, other in zip(before, after, strict=True)] == [
        [20, 77, 81],  # lot number 501, created on 261121, no security level
        [47, 115],  # D, settlement 25 for 05
        [],
        [],
        [],
        [],
        [90, *range(97, 129)],  # split mark, seal
        [52, 56, *range(97, 129)],
    ]
    assert after[1][114:116] == b"25"
    assert after[-2][96:].strip() == after[-1][96:].strip() == b""


@BOTH_CONVENTIONS
def test_both_flows_are_well_formed_files(counts_all: bool) -> None:
    """C4, C5: read again as the insurer will."""
    rules = context()
    data = claim_file(
        Batch((enriched(1), Claim(2), enriched(3, amc=BETA, amc_in_header=BETA)), counts_all=counts_all),
        Batch((enriched(4, others="SC"),), 2, counts_all=counts_all),
    )
    file, plan = plan_of(data, rules)
    files = [outgoing(file, parcel, rules) for parcel in plan.parcels]
    again = [read_file(one.content, LAYOUTS) for one in files]
    assert [(one.recipient_type, one.recipient_number, one.application) for one in again] == [
        ("CT", "00000001422422", "TR"), ("OC", "00000099999991", "TA"), ("OC", "00000088888882", "TA"),
    ]  # fmt: skip
    assert [[len(lot.invoices) for lot in one.lots] for one in again] == [[3, 1], [1, 1], [1]]
    assert [one.invoice_count for one in files] == [4, 2, 1]


def test_several_amc_in_one_lot_get_a_lot_each_in_order_of_appearance() -> None:
    """C5."""
    beta = {"amc": BETA, "amc_in_header": BETA}
    plan = planned(Batch((enriched(1, **beta), enriched(2), enriched(3, **beta))))
    derived = [lot.derived for parcel in plan.parcels for lot in parcel.lots if lot.derived is not None]
    assert [(made.amc_number, [one.number for one in made.invoices]) for made in derived] == [
        (BETA, ["000000001", "000000003"]),
        (ALPHA, ["000000002"]),
    ]


def test_an_amc_named_in_the_header_alone_serves_too_and_joins_its_own() -> None:
    plan = planned(Batch((enriched(1), enriched(2, amc="", amc_in_header=ALPHA.lstrip("0")))))
    assert [len(parcel.lots) for parcel in plan.parcels] == [1, 1]
    assert plan.parcels[1].lots[0].invoice_count == 2


@pytest.mark.parametrize(
    ("changes", "settlement"),
    [
        ({}, b"25"),
        ({"settlement": "00"}, b"25"),
        ({"tiers_payant": None}, b"00"),
        ({"tiers_payant": ""}, b"00"),
        ({"tiers_payant": "0000000000"}, b"00"),
        ({"tiers_payant": " " * 10 + "CONVENTION"}, b"25"),
    ],
)
def test_tiers_payant_on_the_amc_part_is_asked_by_1321_fields_4_and_5_alone(
    changes: dict[str, Any], settlement: bytes
) -> None:
    """C2, A7."""
    assert content(LotKind.AMC, Batch((enriched(1, **changes),)))[1][114:116] == settlement


def test_when_no_line_asks_anything_the_patient_s_part_is_spread_over_them() -> None:
    """A16: each line up to what the AMO leaves of it, so that totals stay sums of lines."""
    acts = (Act(2500, 1750), Act(1000, 1000), Act(1000, 700))
    made = content(LotKind.AMC, Batch((enriched(1, acts=acts, patient=900),)))
    assert [one[121:] for one in made if one[:1] == b"4"] == [b"0000750", b"0000000", b"0000150"]
    assert (made[-2][81:89], made[-1][42:51]) == (b"00000900", b"000000900")


def test_an_invoice_without_complementary_part_has_no_amc_flow_and_its_amo_flow_leaves() -> None:
    plan = planned(Batch((enriched(1, acts=(Act(2500, 2500),)), enriched(2))))
    assert plan.without_amc_part == ("000000001",)
    assert [parcel.lots[0].invoice_count for parcel in plan.parcels] == [2, 1]
    alone = planned(Batch((enriched(1, acts=(Act(2500, 2500),)),)))
    assert [parcel.lots[0].kind for parcel in alone.parcels] == [LotKind.FSE]


def test_complements_of_an_act_are_kept_and_bear_no_amount() -> None:
    data = claim_file(Batch((enriched(1, acts=(Act(2500, 1750, 750), Act(0, 0, 0, complement="C"))),)))
    _, plan = plan_of(put(data, 128 * 6 + 106, "ANYTHING AT ALL"))
    (lot,) = [lot for parcel in plan.parcels for lot in parcel.lots if lot.derived is not None]
    assert lot.derived is not None
    assert (lot.derived.invoices[0].lines, lot.derived.invoices[0].amc) == (2, 750)


@pytest.mark.parametrize("settlement", ["15", "25", "10", "  ", "0X"])
def test_a_99_invoice_with_another_settlement_than_00_or_05_refuses_its_lot_and_not_the_others(settlement: str) -> None:
    """C2."""
    plan = planned(Batch((Claim(1), enriched(2, settlement=settlement))), Batch((enriched(3),), 2))
    assert codes(plan) == [("001", "99-reglement", "C2", "enregistrement 6, position 115")]
    assert [lot.source.number for parcel in plan.parcels for lot in parcel.lots] == ["002", "002"]


def test_an_invoice_that_the_ps_split_itself_refuses_its_lot() -> None:
    """C3."""
    plan = planned(Batch((enriched(1, ps_split="E"),)))
    assert codes(plan) == [("001", "99-eclatement-ps", "C3", "enregistrement 3, position 46")]
    assert plan.parcels == ()


@pytest.mark.parametrize("dre_first", [False, True])
def test_a_dre_for_the_same_invoice_of_the_same_ps_refuses_both_lots(dre_first: bool) -> None:
    """C3."""
    lots = [Batch((Claim(1), enriched(7))), Batch((dre(6), dre(7)), 2), Batch((dre(8),), 3)]
    plan = planned(*(lots[::-1] if dre_first else lots))
    assert sorted(one[:3] for one in codes(plan)) == [("001", "99-et-dre", "C3"), ("002", "99-et-dre", "C3")]
    assert [lot.source.number for parcel in plan.parcels for lot in parcel.lots] == ["003"]
    assert all("000000007" in refused.reason.sentence for refused in plan.refused)


def test_a_dre_for_the_same_number_of_another_ps_or_an_ordinary_invoice_is_no_breach() -> None:
    """C3."""
    assert planned(Batch((enriched(7),)), Batch((dre(7),), 2, ps="421234575")).refused == ()
    assert planned(Batch((Claim(7),)), Batch((dre(7),), 2)).refused == ()


def test_a_dre_with_contract_99_is_refused() -> None:
    """C3: who splits by itself does not let the concentrator split."""
    plan = planned(Batch((dre(1, contract="99"),)))
    assert codes(plan) == [("001", "99-dans-dre", "C3", "enregistrement 3, position 117")]


@pytest.mark.parametrize(
    "changes",
    [
        {"acts": (Act(2500, 1750, 751),)},
        {"acts": (Act(2500, 2500, 0), Act(0, 0, 1))},
        {"acts": (Act(2500, 1750),), "patient": 751},
        {"acts": (), "patient": 1},
    ],
)
def test_parts_that_exceed_what_was_billed_refuse_the_lot(changes: dict[str, Any]) -> None:
    """C5."""
    assert [one[1:3] for one in codes(planned(Batch((enriched(1, **changes),))))] == [("99-montants", "C5")]


@pytest.mark.parametrize(("position", "text"), [(122, "0001051"), (122, "00X0000"), (113, "0009999"), (106, "0002500")])
def test_lines_that_contradict_their_total_refuse_the_lot(position: int, text: str) -> None:
    """C5: the totals of record 5 agree with 6, but the lines do not with 5."""
    data = claim_file(Batch((enriched(1),)))
    _, plan = plan_of(put(data, 128 * 5 + position, text))
    assert [one[1:3] for one in codes(plan)] == [("99-montants", "C5")]
    assert not plan.parcels
    assert not plan.waiting


@pytest.mark.parametrize(
    ("changes", "named"), [({"amc": NOBODY}, NOBODY), ({"amc": "", "amc_in_header": ""}, "Aucune AMC")]
)
def test_without_a_usable_amc_its_part_waits_and_the_amo_flow_goes_on(changes: dict[str, Any], named: str) -> None:
    """C7."""
    plan = planned(Batch((enriched(1, **changes), enriched(2))))
    assert [(parcel.insurer.id, parcel.lots[0].kind) for parcel in plan.parcels] == [
        (1, LotKind.FSE),
        (11, LotKind.AMC),
    ]
    (waiting,) = plan.waiting
    assert (waiting.reason.code, [lot.kind for lot in waiting.lots]) == ("amc-inconnue", [LotKind.AMC])
    assert named in waiting.reason.sentence


def test_in_a_per_caisse_file_the_ps_s_own_header_and_trailer_stay() -> None:
    """C4: only the counters of the 999 change."""
    rules = context()
    data = claim_file(Batch((Claim(1),)), Batch((enriched(2),), 2), recipient=CT_422)
    file, plan = plan_of(data, rules)
    parcels: tuple[Parcel, ...] = plan.parcels
    to_amo = outgoing(file, parcels[0], rules)
    assert (to_amo.file_id, to_amo.sender_number, to_amo.invoice_count) == ("F00001", f"{PS:0>14}", 2)
    assert to_amo.content[:128] == data[:128]
    assert to_amo.content[128 : 128 * 6] == data[128 : 128 * 6]
    assert differing(data[-128:], to_amo.content[-128:]) == [63]
    assert read_file(to_amo.content, LAYOUTS).record_count == read_file(data, LAYOUTS).record_count - 2
    to_amc = read_file(outgoing(file, parcels[1], rules).content, LAYOUTS)
    assert (to_amc.sender_type, to_amc.file_id, to_amc.application) == ("OT", "C00001", "TA")


def test_the_split_mark_is_a_setting() -> None:
    """A6."""
    assert content(LotKind.FSE, Batch((enriched(1),)), split_mark="Z")[-2][89:90] == b"Z"


def test_the_records_dropped_for_the_amo_are_a_setting() -> None:
    """A6."""
    kept = content(LotKind.FSE, Batch((enriched(1, others="S"),)), amo_drops=("S", "P"))
    assert [one[35:36] for one in kept if one[:1] == b"2"] == [b" ", b"M"]


def test_the_fields_emptied_for_the_amo_are_a_setting() -> None:
    """A6: by default contract, AMC, member and seals stay; each can be emptied, in 99 invoices only."""
    blanks = (
        "invoice_header.contract_type", "invoice_header.amc_number", "invoice_header.member_number",
        "invoice_total.certification", "lot_trailer.certification",
    )  # fmt: skip
    batch = Batch((enriched(1), Claim(2)))
    usual, emptied = (content(LotKind.FSE, batch, amo_blanks=names) for names in ((), blanks))
    assert [bool(differing(one, other)) for one, other in zip(usual, emptied, strict=True)] == [
        False, True, False, False, True, False, False, False, True,
    ]  # fmt: skip
    assert emptied[1][104:112] == b" " * 8
    assert (emptied[1][116:118], emptied[1][118:]) == (b"00", b" " * 10)


def test_the_fields_that_ask_for_tiers_payant_are_a_setting() -> None:
    """A7."""
    batch = Batch((enriched(1, tiers_payant="OPERATEUR1"),))
    assert content(LotKind.AMC, batch, tiers_payant=("invoice_convention.convention",))[1][114:116] == b"00"
    assert content(LotKind.AMC, batch, tiers_payant=("invoice_amc.amc_route",))[1][114:116] == b"25"
    assert content(LotKind.AMC, batch, tiers_payant=("invoice_header.insurance",))[1][114:116] == b"25"


@BOTH_CONVENTIONS
@pytest.mark.parametrize(
    ("told", "fse", "flow"), [(Type2Count.PLAIN, b"0001", b"0001"), (Type2Count.ALL, b"0002", b"0004")]
)
def test_what_the_type_2_counter_counts_is_a_setting(
    counts_all: bool, told: Type2Count, fse: bytes, flow: bytes
) -> None:
    """A12."""
    batch = Batch((enriched(1, others="S"),), counts_all=counts_all)
    assert content(LotKind.FSE, batch, type2_count=told)[-1][17:21] == fse
    assert content(LotKind.AMC, batch, type2_count=told)[-1][17:21] == flow


def test_the_amount_asked_when_lines_ask_nothing_is_a_setting() -> None:
    """A16."""
    batch = Batch((enriched(1, acts=(Act(2500, 1750),)),))
    assert len(planned(batch).parcels) == 2
    nothing = planned(batch, amc_fallback="")
    assert (len(nothing.parcels), nothing.without_amc_part) == (1, ("000000001",))


def test_the_marks_written_in_the_amc_flow_follow_the_setting() -> None:
    """A1."""
    made = content(LotKind.AMC, Batch((enriched(1),)), dre_mark="C")
    assert (made[1][46:47], made[-1][55:56]) == (b"C", b"C")


@pytest.mark.parametrize(
    "wrong",
    [
        {"dre_mark": ""},
        {"dre_mark": "DD"},
        {"split_mark": "AB"},
        {"amo_drops": ("",)},
        {"amo_drops": ("MP",)},
        {"amo_blanks": ("invoice_header.nothing",)},
        {"amo_blanks": ("invoice_line.amc_amount",)},
        {"amo_blanks": ("contract_type",)},
        {"tiers_payant": ("invoice_total.patient_total",)},
        {"amo_application": "TRX"},
        {"amc_application": ""},
        {"amc_type": "OCC"},
        {"amc_fallback": "nothing"},
    ],
)
def test_a_convention_that_cannot_hold_is_refused_at_start_by_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        check_conventions(Conventions(**wrong), LAYOUTS)


def test_the_default_conventions_hold() -> None:
    check_conventions(Conventions(), LAYOUTS)
