"""L1, L2: whatever comes in, what leaves, waits and is refused is exactly that, byte for byte."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from oct.domain.contents import content_of
from oct.domain.contract99 import split_invoices
from oct.domain.model import LotKind
from oct.domain.plan import Plan, Planned
from oct.domain.splitting import plan_file, plan_lots
from oct.formats.b2 import read_file, read_lots
from tests.claims import (
    ACCOUNT,
    ALPHA,
    BETA,
    CAISSE_OF,
    CT_422,
    LAYOUTS,
    NOBODY,
    OCT_NUMBER,
    ORGANISM_OF,
    OTHER_PS,
    PS,
    STRANGER,
    Act,
    Batch,
    Claim,
    claim_file,
    context,
    outgoing,
    records_of,
)

UNKNOWN = ("01", "999", "0000")
amc_numbers = st.sampled_from([ALPHA, ALPHA, BETA, NOBODY, ""])
acts = st.lists(
    st.integers(0, 5000).flatmap(
        lambda spent: st.integers(0, spent).flatmap(
            lambda amo: st.builds(Act, st.just(spent), st.just(amo), st.integers(0, spent - amo))
        )
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def claims(draw: st.DrawFn, kind: str, caisse: tuple[str, str, str]) -> Claim:
    """An invoice, ordinary or contract 99, most of them right."""
    split = kind == "F" and draw(st.booleans())
    return Claim(
        draw(st.integers(1, 60)),
        draw(st.sampled_from([caisse] * 9 + [UNKNOWN, ("02", "475", "0000")])),
        kind=kind,
        contract="99" if split else "00",
        settlement=draw(st.sampled_from(["00", "05", "05", "05", "15"])) if split else "00",
        ps_split=draw(st.sampled_from("     E")),
        amc=draw(amc_numbers) if split else (ALPHA if kind == "D" else draw(st.sampled_from(["", ALPHA]))),
        amc_in_header=draw(st.sampled_from(["", BETA])) if split else "",
        tiers_payant=draw(st.sampled_from([None, "", "OPERATEUR1"])),
        acts=draw(acts),
        others=draw(st.sampled_from(["", "", "S", "CB"])),
    )


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """A lot: FSE for one of three caisses or DRE, of one of three PS."""
    insurer = draw(st.sampled_from([1, 1, 2, 3]))
    kind = draw(st.sampled_from("FFD"))
    return Batch(
        draw(st.lists(claims(kind, CAISSE_OF[insurer]), min_size=1, max_size=4)),
        draw(st.integers(0, 999)),
        draw(st.sampled_from([PS, PS, OTHER_PS, STRANGER])),
        draw(st.sampled_from([ORGANISM_OF[insurer]] * 6 + ["777"])),
        draw(st.booleans()),
    )


files = st.lists(batches(), min_size=1, max_size=6)
recipients = st.sampled_from(
    [("OT", OCT_NUMBER), ("OT", OCT_NUMBER), CT_422, ("OC", "0000" + ALPHA), ("CT", "00000001777777")]
)


def placed(plan: Plan) -> list[Planned]:
    """All lots that leave or wait."""
    leaving = [lot for parcel in plan.parcels for lot in parcel.lots]
    return leaving + [lot for waiting in plan.waiting for lot in waiting.lots]


def received_lots(plan: Plan) -> list[Planned]:
    """The received lots that leave or wait, without the AMC flow."""
    return [lot for lot in placed(plan) if lot.derived is None]


@settings(max_examples=60)
@given(files, recipients)
def test_what_leaves_waits_and_is_refused_is_what_came_in(lots: list[Batch], recipient: tuple[str, str]) -> None:
    """L1."""
    file = read_file(claim_file(*lots, recipient=recipient), LAYOUTS)
    plan = plan_file(file, ACCOUNT, context())
    found = {planned.source.rank: planned for planned in received_lots(plan)}
    refused = [one.lot.rank for one in plan.refused]
    assert sorted([*(lot.source.rank for lot in received_lots(plan)), *refused]) == list(range(len(lots)))
    for rank, planned in found.items():
        content = bytes(content_of(file, planned, context()))
        if planned.altered:
            kept = iter(records_of(lots[rank].content()))
            unchanged = [one for one in records_of(content) if one[:1] not in (b"5", b"6")]
            assert all(one in kept for one in unchanged), "a subsequence of what came in"
        else:
            assert content == lots[rank].content()


@settings(max_examples=30)
@given(files, recipients)
def test_order_is_kept_within_a_destination(lots: list[Batch], recipient: tuple[str, str]) -> None:
    """L2."""
    plan = plan_file(read_file(claim_file(*lots, recipient=recipient), LAYOUTS), ACCOUNT, context())
    for parcel in plan.parcels:
        ranks = [lot.source.rank for lot in parcel.lots]
        assert ranks == sorted(set(ranks))


@settings(max_examples=30)
@given(files, recipients)
def test_every_file_that_leaves_is_well_formed_and_holds_its_lots(
    lots: list[Batch], recipient: tuple[str, str]
) -> None:
    """L5, C4, C5."""
    rules = context()
    file = read_file(claim_file(*lots, recipient=recipient), LAYOUTS)
    for parcel in plan_file(file, ACCOUNT, rules).parcels:
        leaving = outgoing(file, parcel, rules)
        again = read_file(leaving.content, LAYOUTS)
        assert leaving.content[128:-128] == b"".join(content_of(file, lot, rules) for lot in parcel.lots)
        assert again.invoice_count == leaving.invoice_count
        if parcel.whole is not None:
            assert leaving.content == file.data


@settings(max_examples=50)
@given(files)
def test_amo_and_amc_parts_come_from_one_invoice_and_never_exceed_what_was_billed(lots: list[Batch]) -> None:
    """C5, C7: each 99 invoice that leaves has one AMC part, somewhere, or is named as having none."""
    file = read_file(claim_file(*lots), LAYOUTS)
    plan = plan_file(file, ACCOUNT, context())
    leaving = {
        invoice.start: invoice
        for parcel in plan.parcels
        for planned in parcel.lots
        if planned.kind is LotKind.FSE
        for invoice in split_invoices(planned.source)
    }
    flow = [lot for lot in placed(plan) if lot.derived is not None]
    asked = [invoice for lot in flow if lot.derived is not None for invoice in lot.derived.invoices]
    assert len({invoice.start for invoice in asked}) == len(asked)
    assert {invoice.start for invoice in asked} <= set(leaving)
    assert len(asked) + len(plan.without_amc_part) == len(leaving)
    for invoice in asked:
        received = leaving[invoice.start]
        assert 0 < invoice.amc <= received.billed - received.amo
    for lot in flow:
        content = bytes(content_of(file, lot, context()))
        (again,) = read_lots(content, LAYOUTS, establishment=False)
        lines = [int(one[121:128]) for one in records_of(content) if one[:1] == b"4"]
        assert again.amc == sum(lines) == sum(invoice.amc for invoice in again.invoices)


@settings(max_examples=20)
@given(files)
def test_a_file_split_at_the_source_comes_out_byte_identical(lots: list[Batch]) -> None:
    """S1, S5: whatever its ordinary lots say."""
    plain = [replace(one, ps=PS, claims=[replace(claim, contract="00") for claim in one.claims]) for one in lots]
    data = claim_file(*plain, recipient=CT_422)
    file = read_file(data, LAYOUTS)
    (parcel,) = plan_file(file, ACCOUNT, context()).parcels
    assert outgoing(file, parcel, context()).content == data


@settings(max_examples=20)
@given(files)
def test_lots_released_from_a_hold_are_conserved_too(lots: list[Batch]) -> None:
    """L1, L6."""
    file = read_file(claim_file(*lots), LAYOUTS)
    plan = plan_lots(file, context())
    ranks = [lot.source.rank for lot in received_lots(plan)] + [one.lot.rank for one in plan.refused]
    assert sorted(ranks) == list(range(len(lots)))
