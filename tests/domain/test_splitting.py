"""The plan of a message (S1-S4, L1-L8) and the check that none escapes (conservation)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from oct.domain.conservation import check_conservation, check_content
from oct.domain.contents import content_of
from oct.domain.model import Directory, LotKind
from oct.domain.plan import Parcel, Plan, Planned, Refused, Shape, Waiting
from oct.domain.splitting import plan_file, plan_lots, shape_of
from oct.errors import ConservationError, Fate, RoutingError, RuleError
from oct.formats.b2 import B2File, read_file, read_lots, write_file
from tests.claims import (
    ACCOUNT,
    ALPHA,
    BETA,
    CAISSE_OF,
    CT_422,
    DIRECTORY,
    INSURERS,
    LAYOUTS,
    OTHER_PS,
    STRANGER,
    Act,
    Batch,
    Claim,
    claim_file,
    context,
    dre,
    enriched,
    lots_in,
    outgoing,
    put,
    without,
)


def plan_of(
    *batches: Batch, recipient: tuple[str, str] | None = None, directory: Directory = DIRECTORY
) -> tuple[B2File, Plan]:
    data = claim_file(*batches) if recipient is None else claim_file(*batches, recipient=recipient)
    file = read_file(data, LAYOUTS)
    return file, plan_file(file, ACCOUNT, context(directory=directory))


def sent(plan: Plan) -> list[tuple[int, list[str]]]:
    """Insurer and received lot numbers of each parcel."""
    return [(parcel.insurer.id, [lot.source.number for lot in parcel.lots]) for parcel in plan.parcels]


def held(plan: Plan) -> list[tuple[str, list[str]]]:
    """Why, and which received lot numbers wait."""
    return [(waiting.reason.code, [lot.source.number for lot in waiting.lots]) for waiting in plan.waiting]


def bytes_of(file: B2File, planned: Planned) -> bytes:
    """The bytes of a lot as it leaves or waits."""
    return bytes(content_of(file, planned, context()))


def with_byte(content: bytes, offset: int) -> bytes:
    """One byte changed."""
    return put(content, offset + 1, "7" if content[offset] != ord("7") else "8")


MIXED = (
    Batch((Claim(1),), 1),
    Batch((Claim(2, CAISSE_OF[3]),), 2, organism="471"),
    Batch((dre(3, BETA),), 3),
    Batch((Claim(4),), 4, OTHER_PS),
    Batch((Claim(5, CAISSE_OF[2]),), 5, organism="011"),
    Batch((dre(6, ALPHA),), 6),
)


def test_the_file_decides_its_shape() -> None:
    """S4."""
    assert shape_of(read_file(claim_file(Batch()), LAYOUTS)) is Shape.UNIQUE
    assert shape_of(read_file(claim_file(Batch(), recipient=CT_422), LAYOUTS)) is Shape.SOURCE


def test_a_single_file_is_split_by_destination_and_each_lot_leaves_byte_identical() -> None:
    """S2, L1, L2, L3, L4."""
    file, plan = plan_of(*MIXED)
    assert sent(plan) == [(1, ["001", "004"]), (3, ["002"]), (12, ["003"]), (2, ["005"]), (11, ["006"])]
    received = {batch.number: batch.content() for batch in MIXED}
    for parcel in plan.parcels:
        assert all(bytes_of(file, lot) == received[int(lot.source.number)] and not lot.altered for lot in parcel.lots)


def test_a_lot_only_routed_is_not_copied() -> None:
    """A plan of a large file would weigh as much as the file."""
    file, plan = plan_of(*MIXED)
    views = [content_of(file, lot, context()) for parcel in plan.parcels for lot in parcel.lots]
    assert all(isinstance(view, memoryview) and view.obj is file.data for view in views)


def test_an_unknown_caisse_holds_its_lot_and_blocks_no_other() -> None:
    """L6."""
    stray = Batch((Claim(1, ("01", "999", "0000")),), 9)
    file, plan = plan_of(stray, *MIXED)
    assert held(plan) == [("caisse-inconnue", ["009"])]
    assert bytes_of(file, plan.waiting[0].lots[0]) == stray.content()
    assert len(plan.parcels) == 5


def test_a_lot_of_mixed_regimes_is_refused_and_the_others_go_on() -> None:
    """L3."""
    _, plan = plan_of(Batch((Claim(1), Claim(2, CAISSE_OF[3])), 9), *MIXED)
    assert [(one.lot.number, one.reason.code, one.reason.fate) for one in plan.refused] == [
        ("009", "destination-ambigue", Fate.REFUSE)
    ]
    assert len(plan.parcels) == 5


def test_a_lot_of_a_stranger_waits_and_the_others_go_on() -> None:
    """L8: also when it breaks another rule."""
    _, plan = plan_of(Batch((Claim(1),), 8, STRANGER), Batch((enriched(2, settlement="15"),), 9, STRANGER), *MIXED)
    assert held(plan) == [("numero-etranger", ["008"]), ("numero-etranger", ["009"])]
    assert (len(plan.parcels), plan.refused) == (5, ())


def test_a_file_split_at_the_source_leaves_whole_byte_for_byte() -> None:
    """S1: whatever its lots say."""
    for recipient, insurer in ((CT_422, 1), (("OC", "00000088888882"), 12)):
        file, plan = plan_of(*MIXED, recipient=recipient)
        (parcel,) = plan.parcels
        assert (parcel.insurer.id, parcel.whole, plan.shape) == (insurer, file.data, Shape.SOURCE)
        leaving = outgoing(file, parcel, context())
        assert leaving.content == file.data
        assert (leaving.file_id, leaving.sender_number, leaving.invoice_count) == ("F00001", file.sender_number, 6)


@pytest.mark.parametrize("batches", [MIXED, (*MIXED, Batch((enriched(9),), 9))], ids=["ordinary", "with contract 99"])
def test_a_source_split_file_for_an_unknown_insurer_waits_whole(batches: tuple[Batch, ...]) -> None:
    """S1, L6."""
    file, plan = plan_of(*batches, recipient=("CT", "00000001777777"))
    (waiting,) = plan.waiting
    assert (waiting.reason.code, waiting.whole) == ("destinataire-inconnu", file.data)
    assert len(waiting.lots) == len(batches)
    assert plan.parcels == ()


def test_a_source_split_file_with_a_stranger_s_lot_waits_whole() -> None:
    """S1, L8: it is forwarded whole or not at all."""
    file, plan = plan_of(Batch(), Batch(number=2, ps=STRANGER), recipient=CT_422)
    assert held(plan) == [("numero-etranger", ["001", "002"])]
    assert plan.waiting[0].whole == file.data


def test_a_source_split_file_with_contract_99_goes_to_its_insurer_lot_by_lot() -> None:
    """S3, C2, L8: strangers wait, refused lots stay, the rest goes under the PS's own header."""
    file, plan = plan_of(
        Batch((Claim(1),), 1),
        Batch((enriched(2),), 2),
        Batch((Claim(3),), 3, STRANGER),
        Batch((enriched(4, settlement="15"),), 4),
        Batch((Claim(5, CAISSE_OF[3]),), 5, organism="471"),
        recipient=CT_422,
    )
    assert sent(plan) == [(1, ["001", "002", "005"]), (11, ["002"])]
    assert held(plan) == [("numero-etranger", ["003"])]
    assert [one.lot.number for one in plan.refused] == ["004"]
    assert [parcel.keeps_header for parcel in plan.parcels] == [True, False]
    content = outgoing(file, plan.parcels[0], context()).content
    assert content[:128] == file.data[:128]
    assert len(read_file(content, LAYOUTS).lots) == 3


def test_more_than_999_lots_for_one_destination_take_several_files() -> None:
    """L5."""
    lots = b"".join(lots_in(Batch((Claim(n),), n % 1000) for n in range(1, 2001)))
    frame = read_file(claim_file(Batch()), LAYOUTS)
    file = replace(frame, data=lots, lots=read_lots(lots, LAYOUTS, establishment=False))
    plan = plan_lots(file, context())
    assert [len(parcel.lots) for parcel in plan.parcels] == [999, 999, 2]
    assert b"".join(bytes_of(file, lot) for parcel in plan.parcels for lot in parcel.lots) == lots


def test_a_released_lot_goes_where_the_directory_now_says_or_where_the_operator_does() -> None:
    """L6, K2."""
    lot = Batch((Claim(1), enriched(2)), 7, STRANGER).content()
    file = read_file(write_file(claim_file()[:128], [lot], LAYOUTS), LAYOUTS)
    assert sent(plan_lots(file, context())) == [(1, ["007"]), (11, ["007"])]
    assert sent(plan_lots(file, context(), INSURERS[1])) == [(2, ["007"]), (11, ["007"])]
    assert held(plan_lots(file, context(directory=without(DIRECTORY, 1)))) == [("caisse-inconnue", ["007"])]


def test_a_derived_lot_held_for_want_of_its_amc_leaves_as_it_was_made() -> None:
    """C7: released, it is routed and never split again."""
    file, plan = plan_of(Batch((enriched(1),)), directory=without(DIRECTORY, 11))
    (waiting,) = plan.waiting
    content = bytes_of(file, waiting.lots[0])
    again = read_file(write_file(file.data[:128], [content], LAYOUTS), LAYOUTS)
    released = plan_lots(again, context(), derived=True)
    assert sent(released) == [(11, ["501"])]
    (lot,) = released.parcels[0].lots
    assert (lot.kind, bytes_of(again, lot)) == (LotKind.AMC, content)
    still = plan_lots(again, context(directory=without(DIRECTORY, 11)), derived=True)
    assert held(still) == [("amc-inconnue", ["501"])]
    assert sent(plan_lots(again, context(), INSURERS[4], derived=True)) == [(12, ["501"])]


# Tampering: each change of a right plan must be seen.

Change = Callable[[Plan], Plan]


def with_lots(plan: Plan, rank: int, change: Callable[[tuple[Planned, ...]], tuple[Planned, ...]]) -> Plan:
    parcels = list(plan.parcels)
    parcels[rank] = parcels[rank]._replace(lots=change(parcels[rank].lots))
    return replace(plan, parcels=tuple(parcels))


# Parcels of the plan below: 0 caisse 422 (lots 1, 2 with 99, 4), 1 Beta (DRE 3), 2 Alpha (flow of lot 2).
TRIED = (
    Batch((Claim(1),), 1),
    Batch((Claim(2), enriched(3), enriched(4, acts=(Act(2500, 2500),))), 2, counts_all=True),
    Batch((dre(5, BETA),), 3),
    Batch((Claim(6),), 4),
    Batch((Claim(7, ("01", "999", "0000")),), 5),
    Batch((enriched(8, settlement="15"),), 6),
)
UNKNOWN = RoutingError("essai", "Essai.")

TAMPERINGS: dict[str, Change] = {
    "a lot dropped": lambda p: with_lots(p, 0, lambda lots: lots[1:]),
    "a lot twice in a file": lambda p: with_lots(p, 0, lambda lots: (*lots, lots[-1])),
    "a lot in two files": lambda p: with_lots(p, 1, lambda lots: (*lots, p.parcels[0].lots[0])),
    "two lots swapped": lambda p: with_lots(p, 0, lambda lots: (lots[2], lots[1], lots[0])),
    "two files of one insurer swapped": lambda p: replace(
        p,
        parcels=(
            p.parcels[0]._replace(lots=p.parcels[0].lots[1:]),
            p.parcels[0]._replace(lots=p.parcels[0].lots[:1]),
            *p.parcels[1:],
        ),
    ),
    "a file dropped": lambda p: replace(p, parcels=p.parcels[1:]),
    "an empty file": lambda p: replace(p, parcels=(*p.parcels, Parcel(INSURERS[2], ()))),
    "an AMC flow dropped": lambda p: replace(p, parcels=p.parcels[:2]),
    "an AMC flow twice": lambda p: replace(p, parcels=(*p.parcels, p.parcels[2]._replace(insurer=INSURERS[4]))),
    "a held lot dropped": lambda p: replace(p, waiting=()),
    "a held lot sent too": lambda p: with_lots(p, 0, lambda lots: (*lots, p.waiting[0].lots[0])),
    "a refused lot forgotten": lambda p: replace(p, refused=()),
    "a refused lot twice": lambda p: replace(p, refused=p.refused * 2),
    "a lot refused and sent": lambda p: replace(
        p, refused=(*p.refused, Refused(RuleError("essai", "Essai."), p.parcels[0].lots[0].source))
    ),
    "a lot's identity changed": lambda p: with_lots(
        p, 0, lambda lots: (lots[0]._replace(source=lots[0].source._replace(number="999")), *lots[1:])
    ),
    "a 99 lot that leaves as it came": lambda p: with_lots(
        p, 0, lambda lots: (lots[0], lots[1]._replace(altered=False), lots[2])
    ),
    "an ordinary invoice without AMC part": lambda p: replace(p, without_amc_part=(*p.without_amc_part, "000000002")),
    "a 99 invoice without AMC part forgotten": lambda p: replace(p, without_amc_part=()),
    "a source-split file invented": lambda p: replace(
        p, parcels=(p.parcels[0]._replace(whole=claim_file(*TRIED)), *p.parcels[1:])
    ),
}


@pytest.mark.parametrize("change", TAMPERINGS.values(), ids=TAMPERINGS)
def test_a_plan_that_was_tampered_with_is_caught(change: Change) -> None:
    """L1, L2."""
    file, plan = plan_of(*TRIED)
    assert sent(plan) == [(1, ["001", "002", "004"]), (12, ["003"]), (11, ["002"])]
    check_conservation(file, plan)
    with pytest.raises(ConservationError) as caught:
        check_conservation(file, change(plan))
    assert caught.value.fate is Fate.HOLD


BYTES: dict[str, tuple[int, int, Callable[[bytes], bytes]]] = {
    "a byte of a routed lot": (0, 0, lambda content: with_byte(content, 200)),
    "a byte of a routed DRE": (1, 0, lambda content: with_byte(content, 300)),
    "a blank more": (0, 0, lambda content: content + b" "),
    "a 99 lot as it came": (0, 1, lambda _: TRIED[1].content()),
    "a 99 lot without one of its acts": (0, 1, lambda content: content[:-384] + content[-256:]),
    "an AMC flow with another's bytes": (2, 0, lambda _: TRIED[0].content()),
}
"""Rank of the parcel and of the lot, and what becomes of its bytes."""


@pytest.mark.parametrize(("rank", "lot", "change"), BYTES.values(), ids=BYTES)
def test_bytes_that_were_tampered_with_are_caught(rank: int, lot: int, change: Callable[[bytes], bytes]) -> None:
    """L1, C4, C5."""
    file, plan = plan_of(*TRIED)
    planned = plan.parcels[rank].lots[lot]
    content = bytes_of(file, planned)
    check_content(file, planned, content, context())
    with pytest.raises(ConservationError):
        check_content(file, planned, change(content), context())


def test_a_routed_lot_said_to_be_altered_may_not_differ_either() -> None:
    """C4: nothing but 99 invoices changes."""
    file, plan = plan_of(*TRIED)
    planned = plan.parcels[0].lots[0]
    with pytest.raises(ConservationError):
        check_content(file, planned._replace(altered=True), with_byte(bytes_of(file, planned), 200), context())


@pytest.mark.parametrize(("rank", "lot"), [(0, 1), (2, 0)], ids=["AMO", "AMC"])
def test_no_byte_of_a_99_lot_can_change_but_where_it_had_to(rank: int, lot: int) -> None:
    """C4, C5: each byte in turn; what the concentrator writes itself is free, but must read as a lot."""
    file, plan = plan_of(*TRIED)
    planned = plan.parcels[rank].lots[lot]
    content = bytes_of(file, planned)
    unseen = set()
    for offset in range(len(content)):
        try:
            check_content(file, planned, with_byte(content, offset), context())
        except ConservationError:
            continue
        unseen.add((content[offset // 128 * 128 : offset // 128 * 128 + 1].decode(), offset % 128 + 1))
    free_for_amo = {("5", 90)}
    free_for_amc = {
        *(("1", position) for position in (*range(72, 78), 81)),
        *(("2", position) for position in (47, 115, 116)),
        *(("5", position) for position in (90, *range(97, 129))),
        *(("6", position) for position in (56, *range(97, 129))),
    }
    assert unseen == (free_for_amo if rank == 0 else free_for_amc)


def test_a_whole_file_that_was_changed_or_shared_is_caught() -> None:
    """S1."""
    file, plan = plan_of(Batch(), Batch(number=2), recipient=CT_422)
    (parcel,) = plan.parcels
    for wrong in (
        parcel._replace(whole=put(file.data, 300, "9")),
        parcel._replace(whole=file.data + b" "),
    ):
        with pytest.raises(ConservationError):
            check_conservation(file, replace(plan, parcels=(wrong,)))
    with pytest.raises(ConservationError):
        check_conservation(
            file,
            replace(
                plan,
                parcels=(parcel._replace(lots=parcel.lots[:1]),),
                waiting=(Waiting(UNKNOWN, parcel.lots[1:]),),
            ),
        )
