"""Whose return (R2), its splitting (R3), what it says of lots and invoices (R4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oct.domain.journey import LotState
from oct.domain.return_outcomes import (
    FileOutcome,
    InvoiceOutcome,
    LotOutcome,
    LotRejection,
    Outcome,
    PartOutcome,
    Payer,
    Payment,
    Rejection,
    lot_state_after,
    outcomes_of,
    words_of,
)
from oct.domain.return_parts import ORPHAN, OwnerOf, SplitPlan, split_by_practitioner
from oct.domain.returns import (
    CONTRADICTION,
    HEADER_CONTRADICTED,
    MESSAGE_CONTRADICTED,
    NOTHING,
    SEVERAL,
    UNKNOWN_HEADER,
    UNKNOWN_LOT,
    UNKNOWN_SETTLEMENT,
    Ambiguous,
    Candidates,
    Decision,
    Evidence,
    InvoiceRef,
    LotRef,
    Reference,
    SettlementRef,
    decide_recipient,
    references_of,
)
from oct.formats.arl import read_arl
from oct.formats.frame import read_frame
from oct.formats.noemie import Form, NoemieFile, Shape, build_noemie, read_noemie
from oct.simulators.return_files import AnsweredInvoice, AnsweredLot, AnsweredPart, Settlement, rsp
from tests.return_cases import (
    ALPHA,
    BETA,
    IDS,
    LAYOUTS,
    RULES,
    TO_ALPHA,
    TO_CONCENTRATOR,
    golden,
    recipient_of,
    settled,
)

A, B, AB, NOBODY = frozenset({1}), frozenset({2}), frozenset({1, 2}), frozenset[int]()
LOT = LotRef("101", "250301")


def by_settlement(reference: Reference) -> frozenset[int]:
    known = isinstance(reference, SettlementRef) and reference.ps_number in IDS
    return frozenset({IDS[reference.ps_number]}) if known and isinstance(reference, SettlementRef) else frozenset()


def by_lot(**owners: frozenset[int]) -> OwnerOf:
    """Owners of lots by number: L101=A. Invoices and settlements are unknown."""
    return lambda reference: owners.get(f"L{reference.lot_number}", NOBODY) if isinstance(reference, LotRef) else NOBODY


def noemie(*raws: bytes) -> NoemieFile:
    return read_noemie(build_noemie(TO_CONCENTRATOR, raws, Shape(Form.STREAM), LAYOUTS, RULES), LAYOUTS, RULES)


def split(file: NoemieFile, owner_of: OwnerOf) -> dict[int, list[bytes]] | Ambiguous:
    """The entities of each part, read back."""
    plan = split_by_practitioner(file, owner_of, recipient_of, LAYOUTS, RULES)
    if isinstance(plan, Ambiguous):
        return plan
    read = {part.practitioner_id: read_noemie(part.content, LAYOUTS, RULES) for part in plan.parts}
    return {practitioner: [entity.raw for entity in part.entities] for practitioner, part in read.items()}


class TestReferences:
    def test_a_rsp_refers_to_its_settlements_lots_and_invoices(self) -> None:
        found = references_of(read_noemie(golden("rsp-two-blocks"), LAYOUTS, RULES), RULES)
        assert (found.sender_type, found.sender_number, found.header_number) == ("CT", "00000001011011", None)
        assert found.settlements == (SettlementRef(ALPHA), SettlementRef(BETA))
        assert found.lots == (LOT,)
        assert found.invoices[0] == InvoiceRef("000000011", LOT)
        assert len(found.invoices) == 4

    def test_an_arl_refers_to_its_lots_or_to_its_file(self) -> None:
        lots = references_of(read_arl(golden("arl-lots"), LAYOUTS), RULES)
        assert lots.lots == (LotRef("101", "250301", ALPHA, "011"), LotRef("102", "250302", ALPHA, "011"))
        assert lots.header_number == ALPHA
        assert references_of(read_arl(golden("arl-file"), LAYOUTS), RULES).file_id == "000123"

    def test_a_return_whose_content_cannot_be_read_refers_by_its_header_alone(self) -> None:
        found = references_of(read_frame(golden("rsp-one-stream"), LAYOUTS), RULES)
        assert (found.header_number, found.lots, found.invoices) == (ALPHA, (), ())

    def test_an_invoice_whose_lot_is_not_told_is_no_evidence(self) -> None:
        assert references_of(noemie(b"0100100000010@", b"10003000000001@"), RULES).invoices == ()

    def test_an_invoice_belongs_to_the_open_lot_until_its_control_closes_it(self) -> None:
        control = RULES.build("990", 99, closed="02")
        file = noemie(b"0100100000010@", b"08002250301101@", b"10003000000001@", control, b"10003000000002@")
        assert references_of(file, RULES).invoices == (InvoiceRef("000000001", LOT),)

    def test_a_102_tells_the_lot_of_the_100_before_it(self) -> None:
        file = noemie(b"0100100000010@", b"10003000000001@", b"10203000000001      102250302F@")
        assert references_of(file, RULES).invoices == (InvoiceRef("000000001", LotRef("102", "250302")),)


class TestWhoseReturnR2:
    @pytest.mark.parametrize(
        ("found", "evidence"),
        [
            (Candidates(header=A), Evidence.HEADER),
            (Candidates(header=A, lots=(AB, A), answered=AB), Evidence.HEADER),
            (Candidates(header=A, lots=(NOBODY,)), Evidence.HEADER),
            (Candidates(settlements=(A,), lots=(AB, NOBODY)), Evidence.CONTENT),
            (Candidates(lots=(A, A), invoices=(AB, NOBODY)), Evidence.CONTENT),
            (Candidates(lots=(A,), answered=AB), Evidence.CONTENT),
            (Candidates(lots=(AB,), answered=A), Evidence.MESSAGE),
            (Candidates(lots=(A, NOBODY), answered=A), Evidence.MESSAGE),
            (Candidates(lots=(NOBODY,), answered=A), Evidence.MESSAGE),
            (Candidates(answered=A), Evidence.MESSAGE),
        ],
    )
    def test_header_then_content_then_message_answered(self, found: Candidates, evidence: Evidence) -> None:
        assert decide_recipient(found) == Decision(1, evidence)

    @pytest.mark.parametrize(
        ("found", "reason"),
        [
            (Candidates(), NOTHING),
            (Candidates(header=NOBODY, lots=(A,), answered=A), UNKNOWN_HEADER),
            (Candidates(header=A, lots=(B,)), HEADER_CONTRADICTED),
            (Candidates(header=A, settlements=(B,)), HEADER_CONTRADICTED),
            (Candidates(header=A, settlements=(A, NOBODY)), UNKNOWN_SETTLEMENT),
            (Candidates(header=A, answered=B), MESSAGE_CONTRADICTED),
            (Candidates(header=A, lots=(NOBODY,), named=(B,)), HEADER_CONTRADICTED),
            (Candidates(lots=(NOBODY,), named=(A,), answered=B), MESSAGE_CONTRADICTED),
            (Candidates(header=A, lots=(NOBODY,), unsent=True), UNKNOWN_LOT),
            (Candidates(lots=(NOBODY,), answered=A, unsent=True), UNKNOWN_LOT),
            (Candidates(lots=(A, B)), CONTRADICTION),
            (Candidates(settlements=(A,), lots=(B,)), CONTRADICTION),
            (Candidates(settlements=(A, NOBODY), answered=A), UNKNOWN_SETTLEMENT),
            (Candidates(lots=(A, NOBODY)), UNKNOWN_LOT),
            (Candidates(lots=(A, AB)), SEVERAL),
            (Candidates(lots=(A,), answered=B), MESSAGE_CONTRADICTED),
            (Candidates(lots=(AB,), answered=frozenset({3})), MESSAGE_CONTRADICTED),
            (Candidates(answered=AB), SEVERAL),
        ],
    )
    def test_doubt_holds_the_return_and_never_guesses(self, found: Candidates, reason: str) -> None:
        assert decide_recipient(found) == Ambiguous(reason)


class TestSplittingR3:
    @pytest.mark.parametrize("form", list(Form))
    def test_a_return_for_two_is_cut_as_cut_by_hand(self, form: Form) -> None:
        file = read_noemie(golden(f"rsp-two-{form}"), LAYOUTS, RULES)
        plan = split_by_practitioner(file, by_settlement, recipient_of, LAYOUTS, RULES)
        assert isinstance(plan, SplitPlan)
        assert [part.practitioner_id for part in plan.parts] == [1, 2]
        assert [part.content for part in plan.parts] == [golden(f"rsp-two-{form}-{n}") for n in (ALPHA, BETA)]
        assert not any(part.unchanged for part in plan.parts)

    @pytest.mark.parametrize("form", list(Form))
    def test_a_return_for_one_leaves_byte_identical_r1(self, form: Form) -> None:
        file = read_noemie(golden(f"rsp-one-{form}"), LAYOUTS, RULES)
        plan = split_by_practitioner(file, by_settlement, recipient_of, LAYOUTS, RULES)
        assert isinstance(plan, SplitPlan)
        assert [(part.content, part.unchanged) for part in plan.parts] == [(golden(f"rsp-one-{form}"), True)]

    def test_two_numbers_of_one_account_are_one_practitioner(self) -> None:
        file = read_noemie(golden("rsp-two-stream"), LAYOUTS, RULES)
        plan = split_by_practitioner(file, lambda _: A, recipient_of, LAYOUTS, RULES)
        assert isinstance(plan, SplitPlan)
        assert [part.unchanged for part in plan.parts] == [True]

    @pytest.mark.parametrize(
        ("owner_of", "reason"),
        [
            (lambda reference: A if reference == SettlementRef(ALPHA) else NOBODY, UNKNOWN_SETTLEMENT),
            (lambda reference: by_settlement(reference) or A, CONTRADICTION),
            (lambda reference: AB, SEVERAL),
        ],
        ids=["an unknown settlement recipient", "a lot of another", "two possible owners"],
    )
    def test_one_block_in_doubt_holds_the_whole(self, owner_of: OwnerOf, reason: str) -> None:
        file = read_noemie(golden("rsp-two-stream"), LAYOUTS, RULES)
        assert split(file, owner_of) == Ambiguous(reason)

    def test_without_settlements_lots_decide(self) -> None:
        lots = (b"08002250301101@", b"10003000000001@", b"08002250301102@", b"10003000000001@")
        parts = split(noemie(b"0100100000010@", *lots), by_lot(L101=A, L102=B))
        assert parts == {1: [b"0100100000010@", *lots[:2]], 2: [b"0100100000010@", *lots[2:]]}

    def test_without_lots_invoices_decide_by_the_lot_they_name(self) -> None:
        invoices = (b"10203000000001      101250301F@", b"19804@", b"10203000000001      102250301F@", b"29004@")
        parts = split(noemie(b"0100100000010@", *invoices), by_lot(L101=A, L102=B))
        assert parts == {1: [b"0100100000010@", *invoices[:2]], 2: [b"0100100000010@", *invoices[2:]]}

    def test_a_lot_that_several_may_have_sent_is_told_by_its_invoice(self) -> None:
        def owner_of(reference: Reference) -> frozenset[int]:
            return A if isinstance(reference, InvoiceRef) else AB

        assert split(noemie(b"0100100000010@", b"08002250301101@", b"10003000000001@"), owner_of) == {
            1: [b"0100100000010@", b"08002250301101@", b"10003000000001@"]
        }

    def test_headings_before_a_settlement_follow_it_and_shared_ones_follow_each(self) -> None:
        first = [b"07102250301HIS TRANSFER@", b"04002000000101234567@", b"55503UNKNOWN INSIDE@"]
        second = [b"07102250301HER TRANSFER@", b"04002000000209876543@"]
        head = [b"0100100000010@", b"02001000000000000001@"]
        assert split(noemie(*head, *first, *second), by_settlement) == {1: [*head, *first], 2: [*head, *second]}

    def test_a_newer_agent_replaces_the_one_before(self) -> None:
        amc, one, two = b"0100100000010@", b"02001000000000000001@", b"02001000000000000002@"
        alpha, beta = b"04002000000101234567@", b"04002000000209876543@"
        assert split(noemie(amc, one, alpha, two, beta), by_settlement) == {1: [amc, one, alpha], 2: [amc, two, beta]}

    @pytest.mark.parametrize("orphan", [b"55501NOBODY KNOWS@", b"07102250301A TRANSFER@"])
    def test_what_is_neither_shared_nor_in_a_block_holds_a_return_for_two(self, orphan: bytes) -> None:
        lots = (b"08003250301101@", b"08003250301102@")
        between = b"10004000000001@"
        file = noemie(b"0100100000010@", orphan, lots[0], between, lots[1])
        assert split(file, by_lot(L101=A, L102=B)) == Ambiguous(ORPHAN)
        assert isinstance(split(file, by_lot(L101=A, L102=A)), dict)

    @pytest.mark.parametrize("before", [0, 1])
    def test_an_unknown_entity_just_before_a_settlement_holds_a_return_for_two(self, before: int) -> None:
        """R2, R3: a heading of what follows, or a total of what came before? Within a settlement it is clear."""
        alpha, beta = b"04002000000101234567@", b"04002000000209876543@"
        paid = [b"08003250301101@", b"10004000000001@"]
        unnamed = b"55502WHOSE IS IT@"
        head = [b"0100100000010@"]
        doubtful = [unnamed, alpha, *paid, beta, *paid] if before else [alpha, *paid, unnamed, beta, *paid]
        assert split(noemie(*head, *doubtful), by_settlement) == Ambiguous(ORPHAN)
        clear = {1: [*head, alpha, unnamed, *paid], 2: [*head, beta, *paid]}
        assert split(noemie(*head, alpha, unnamed, *paid, beta, *paid), by_settlement) == clear

    def test_nothing_that_belongs_to_anybody_is_no_plan(self) -> None:
        assert split(noemie(b"0100100000010@"), by_settlement) == Ambiguous(NOTHING)


PAID = PartOutcome(Payer.AMO, Payment.PAID, 1000, 1000)
REJECTED = PartOutcome(Payer.AMO, Payment.REJECTED, 1000, 0)
DEFERRED = PartOutcome(Payer.AMO, Payment.DEFERRED, 1000, 0)
UNSTATED = PartOutcome(Payer.AMO, Payment.UNSTATED, 1000, 0)


def said(number: str, *parts: PartOutcome, rejections: tuple[Rejection, ...] = ()) -> InvoiceOutcome:
    return InvoiceOutcome(InvoiceRef(number, LOT), "F", parts, rejections)


def acknowledged(positive: bool) -> LotOutcome:
    return LotOutcome(LOT, positive, "", "")


class TestWhatAReturnSaysR4:
    def test_a_rsp_says_what_became_of_each_part_of_an_invoice(self) -> None:
        invoices = (
            AnsweredInvoice("000000001", AnsweredPart(1600, 1600), AnsweredPart(700, 0, "D")),
            AnsweredInvoice("000000002", AnsweredPart(900, 0, "R"), rejection="0012", label="DROITS FERMES"),
            AnsweredInvoice("000000003", AnsweredPart(0, -500)),
        )
        data = rsp(
            TO_ALPHA, [Settlement(ALPHA, (AnsweredLot("101", "250301", invoices),))], Form.BLOCKS, LAYOUTS, RULES
        )
        assert outcomes_of(read_noemie(data, LAYOUTS, RULES), RULES) == (
            said(
                "000000001",
                PartOutcome(Payer.AMO, Payment.PAID, 1600, 1600),
                PartOutcome(Payer.AMC, Payment.DEFERRED, 700, 0),
            ),
            said(
                "000000002",
                PartOutcome(Payer.AMO, Payment.REJECTED, 900, 0),
                rejections=(Rejection("0012", "DROITS FERMES", "F", "O"),),
            ),
            said("000000003", PartOutcome(Payer.AMO, Payment.PAID, 0, -500)),
        )

    def test_the_older_rejection_is_read_too(self) -> None:
        file = noemie(b"0100100000010@", b"08002250301101@", b"10003000000001@", b"2900401C12       BAD KEY@")
        assert outcomes_of(file, RULES) == (
            replace(said("000000001", rejections=(Rejection("C12", "BAD KEY"),)), kind=""),
        )

    def test_a_rejection_outside_any_invoice_is_the_lot_s(self) -> None:
        file = noemie(b"0100100000010@", b"08002250301101@", b"294030045REFUSED@")
        assert outcomes_of(file, RULES) == (LotRejection(LOT, Rejection("0045", "REFUSED")),)

    def test_an_arl_says_yes_or_no_of_each_lot_or_of_the_file(self) -> None:
        alpha = LotRef("101", "250301", ALPHA, "011")
        refused = LotRef("102", "250302", ALPHA, "011")
        assert outcomes_of(read_arl(golden("arl-lots"), LAYOUTS), RULES) == (
            LotOutcome(alpha, True, "", ""),
            LotOutcome(refused, False, "1070", "LOT DEJA RECU"),
        )
        assert outcomes_of(read_arl(golden("arl-file"), LAYOUTS), RULES) == (FileOutcome("000123", False, "0404"),)

    @pytest.mark.parametrize(
        ("before", "outcomes", "after"),
        [
            (LotState.SENT, [], LotState.SENT),
            (LotState.DELIVERED, [acknowledged(True)], LotState.ACKNOWLEDGED),
            (LotState.DELIVERED, [acknowledged(False)], LotState.REFUSED),
            (LotState.DELIVERED, [FileOutcome("000001", False, "")], LotState.REFUSED),
            (LotState.REFUSED, [acknowledged(False), acknowledged(True)], LotState.ACKNOWLEDGED),
            (LotState.PAID, [acknowledged(True)], LotState.PAID),
            (LotState.ACKNOWLEDGED, [said("1", PAID), said("2", PAID)], LotState.PAID),
            (LotState.DELIVERED, [said("1", PAID), acknowledged(True)], LotState.PAID),
            (LotState.ACKNOWLEDGED, [said("1", PAID), said("2", REJECTED)], LotState.PART_PAID),
            (LotState.ACKNOWLEDGED, [said("1", PAID), said("2", DEFERRED)], LotState.PART_PAID),
            (LotState.PART_PAID, [said("1", PAID), said("2", DEFERRED), said("2", PAID)], LotState.PAID),
            (LotState.ACKNOWLEDGED, [said("1", REJECTED), said("2", REJECTED)], LotState.REJECTED),
            (LotState.ACKNOWLEDGED, [said("1", rejections=(Rejection("1", "X"),))], LotState.REJECTED),
            (LotState.ACKNOWLEDGED, [LotRejection(LOT, Rejection("1", "X"))], LotState.REJECTED),
            (LotState.DELIVERED, [said("1", DEFERRED)], LotState.ACKNOWLEDGED),
            (LotState.DELIVERED, [said("1", UNSTATED)], LotState.ACKNOWLEDGED),
            (LotState.ACKNOWLEDGED, [said("1", replace(UNSTATED, paid=1000))], LotState.PAID),
            (LotState.HELD, [acknowledged(True)], LotState.HELD),
        ],
    )
    def test_outcomes_move_the_state_of_a_lot(self, before: LotState, outcomes: list[Outcome], after: LotState) -> None:
        assert lot_state_after(before, outcomes) is after

    @pytest.mark.parametrize(
        ("part", "after"), [(PAID, LotState.PART_PAID), (REJECTED, LotState.ACKNOWLEDGED)], ids=["paid", "rejected"]
    )
    def test_a_lot_of_which_invoices_wait_is_neither_paid_nor_rejected(
        self, part: PartOutcome, after: LotState
    ) -> None:
        assert lot_state_after(LotState.ACKNOWLEDGED, [said("1", part)], invoice_count=2) is after

    @pytest.mark.parametrize(
        ("earlier", "now", "after"),
        [
            (Payment.PAID, PAID, LotState.PAID),
            (Payment.REJECTED, REJECTED, LotState.REJECTED),
            (Payment.REJECTED, PAID, LotState.PART_PAID),
            (Payment.DEFERRED, REJECTED, LotState.ACKNOWLEDGED),
        ],
    )
    def test_what_earlier_returns_said_of_the_other_invoices_counts(
        self, earlier: Payment, now: PartOutcome, after: LotState
    ) -> None:
        """R4: a lot whose invoices are settled by several RSP."""
        before = {("1", Payer.AMO): earlier}
        assert lot_state_after(LotState.ACKNOWLEDGED, [said("2", now)], 2, before) is after

    def test_the_last_word_on_an_invoice_replaces_what_an_earlier_return_said(self) -> None:
        """R4: rejected, sent again, paid; or paid, then taken back."""
        of_one = ("1", Payer.AMO)
        assert lot_state_after(LotState.REJECTED, [said("1", PAID)], 1, {of_one: Payment.REJECTED}) is LotState.PAID
        paid_twice = {of_one: Payment.PAID, ("2", Payer.AMO): Payment.PAID}
        assert lot_state_after(LotState.PAID, [said("1", REJECTED)], 2, paid_twice) is LotState.PART_PAID

    @pytest.mark.parametrize(
        ("kind", "part", "payer"),
        [("F", "", Payer.AMO), ("D", "", Payer.AMC), ("F", "C", Payer.AMC), ("A", "O", Payer.AMO)],
    )
    def test_a_reason_without_amounts_rejects_the_part_it_names(self, kind: str, part: str, payer: Payer) -> None:
        """R4: entities 290 and 294 alone."""
        outcome = InvoiceOutcome(InvoiceRef("1", LOT), kind, (), (Rejection("1", "X", part=part),))
        assert words_of(outcome) == {payer: Payment.REJECTED}


def test_settled_amounts_of_the_simulator_are_those_read_back() -> None:
    data = rsp(TO_CONCENTRATOR, [settled(ALPHA, 1200, -300)], Form.STREAM, LAYOUTS, RULES)
    file = read_noemie(data, LAYOUTS, RULES)
    assert RULES.signed(file.entities[-1], "sum") == 900
