"""Invariants of return files: any bytes give a value or the declared error (H10); splitting conserves (R1, R3)."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from oct.domain.return_outcomes import outcomes_of
from oct.domain.return_parts import SplitPlan, split_by_practitioner
from oct.domain.returns import InvoiceRef, Reference, SettlementRef, references_of
from oct.errors import FormatError
from oct.formats.arl import read_arl
from oct.formats.dloi import read_increment, read_request
from oct.formats.entities import ControlCount, Entities
from oct.formats.frame import write_header, write_trailer
from oct.formats.noemie import Form, NoemieFile, build_noemie, read_noemie, write_noemie
from oct.simulators.return_files import FORMS, AnsweredInvoice, AnsweredLot, AnsweredPart, Settlement, rsp
from tests.return_cases import LAYOUTS, RULES, TO_CONCENTRATOR, golden

HEADER = write_header(TO_CONCENTRATOR, LAYOUTS)
TRAILER = write_trailer(TO_CONCENTRATOR, LAYOUTS, records=0, lots=0)

NUMBERS = {practitioner: f"{practitioner}".zfill(9) for practitioner in range(1, 6)}

amounts = st.integers(-99_999_999, 99_999_999)
states = st.sampled_from(["P", "R", "D", " "])
parts = st.none() | st.builds(lambda paid, state: AnsweredPart(abs(paid), paid, state), amounts, states)
digits = st.text("0123456789", min_size=9, max_size=9)
invoices = st.builds(AnsweredInvoice, digits, parts, parts, st.sampled_from(["", "0012"]), st.just("REJET"))
lots = st.builds(
    AnsweredLot, st.sampled_from(["101", "102"]), st.just("250301"), st.lists(invoices, max_size=3).map(tuple)
)
settlements = st.builds(Settlement, st.sampled_from(list(NUMBERS.values())), st.lists(lots, max_size=2).map(tuple))
forms = st.sampled_from(Form)
conventions = st.sampled_from([how for how in ControlCount if how is not ControlCount.UNSET])

chunks = st.binary(max_size=60) | st.sampled_from(
    [
        b"01001",
        b"04002",
        b"08003250301101",
        b"10004000000001",
        b"19805",
        b"99099",
        b"9909902",
        b"@",
        b" ",
        b"1",
        b"0" * 17,
    ]
)
bodies = st.lists(chunks, max_size=30).map(b"".join)


def value_or_declared_error(data: bytes) -> None:
    """Nothing but FormatError may come out of a reader; what is read can be written, looked up and told."""
    for read_dloi in (read_increment, read_request):
        with suppress(FormatError):
            read_dloi(data, LAYOUTS)
    with suppress(FormatError):
        acknowledgement = read_arl(data, LAYOUTS)
        assert references_of(acknowledgement, RULES).lots or acknowledgement.file
        assert outcomes_of(acknowledgement, RULES)
    with suppress(FormatError):
        file = read_noemie(data, LAYOUTS, RULES)
        assert write_noemie(file) == data
        references_of(file, RULES)
        outcomes_of(file, RULES)


@given(st.binary(max_size=600) | bodies.map(lambda body: HEADER + body + TRAILER))
def test_any_bytes_give_a_value_or_the_declared_error_h10(data: bytes) -> None:
    value_or_declared_error(data)


@given(
    st.sampled_from(["rsp-two-stream", "rsp-two-blocks", "arl-lots", "arl-file"]),
    st.integers(0, 2000),
    st.integers(0, 4),
    st.binary(max_size=4),
)
def test_any_damage_to_a_good_return_gives_a_value_or_the_declared_error_h10(
    name: str, at: int, cut: int, put: bytes
) -> None:
    data = golden(name)
    value_or_declared_error(data[:at] + put + data[at + cut :])


@given(st.lists(settlements, max_size=4), forms)
def test_a_return_read_then_written_has_the_same_bytes(answers: list[Settlement], form: Form) -> None:
    data = rsp(TO_CONCENTRATOR, answers, form, LAYOUTS, RULES)
    assert write_noemie(read_noemie(data, LAYOUTS, RULES)) == data


def by_settlement(reference: Reference) -> frozenset[int]:
    return frozenset({int(reference.ps_number)}) if isinstance(reference, SettlementRef) else frozenset()


def counting(how: ControlCount) -> Entities:
    return replace(RULES, conventions=replace(RULES.conventions, control_counter=(how,)))


def contents(file: NoemieFile) -> list[bytes]:
    """The entities that are one practitioner's: neither controls nor the AMC at the head."""
    return [entity.raw for entity in file.entities if entity.code not in {"990", "010"}]


@given(st.lists(settlements, min_size=1, max_size=6), forms, conventions)
def test_each_part_is_sound_and_holds_exactly_its_practitioner_s_entities_r3(
    answers: list[Settlement], form: Form, how: ControlCount
) -> None:
    rules = counting(how)
    data = rsp(TO_CONCENTRATOR, answers, form, LAYOUTS, rules)
    whole = read_noemie(data, LAYOUTS, rules)
    plan = split_by_practitioner(whole, by_settlement, lambda owner: ("TP", NUMBERS[owner]), LAYOUTS, rules)
    assert isinstance(plan, SplitPlan)
    union: Counter[bytes] = Counter()
    for part in plan.parts:
        read = read_noemie(part.content, LAYOUTS, rules)
        own = [answer for answer in answers if int(answer.ps_number) == part.practitioner_id]
        alone = read_noemie(rsp(TO_CONCENTRATOR, own, form, LAYOUTS, rules), LAYOUTS, rules)
        assert [entity.raw for entity in read.entities] == [entity.raw for entity in alone.entities]
        assert read.form is form
        assert part.unchanged == (part.content == data)
        union.update(contents(read))
        if not part.unchanged:
            assert read.frame.recipient_ps_number == NUMBERS[part.practitioner_id]
            assert references_of(read, rules).settlements == (SettlementRef(NUMBERS[part.practitioner_id]),)
    assert union == Counter(contents(whole))
    assert len(plan.parts) == len({answer.ps_number for answer in answers})


streams = st.lists(
    st.sampled_from(
        [
            b"0100100000010@",
            b"02001000000000000001@",
            b"04002000000000001@",
            b"04002000000000000000001@",
            b"04002000000000000000002@",
            b"07002250301@",
            b"07102250301@",
            b"08002250301101@",
            b"08003250301102@",
            b"08103@",
            b"10003000000001@",
            b"10204000000001      101250301F@",
            b"10204000000002      102250301F@",
            b"1980500001000P00001000P@",
            b"2940500012REJET@",
            b"55502?@",
            b"55504?@",
            b"9909901@",
            b"9909902@",
            b"9909903@",
        ]
    ),
    max_size=25,
)


def by_number(reference: Reference) -> frozenset[int]:
    """Two practitioners: settlement 1 and lot 101, settlement 2 and lot 102."""
    if isinstance(reference, SettlementRef):
        return frozenset({int(reference.ps_number)} & {1, 2})
    lot = reference.lot if isinstance(reference, InvoiceRef) else reference
    return frozenset({int(lot.lot_number) - 100}) if lot is not None else frozenset()


@given(streams, forms)
def test_in_any_order_of_entities_nothing_is_lost_or_crosses_over_r3(raws: list[bytes], form: Form) -> None:
    """A plan, if there is one, shares out every entity; no part holds a reference to anybody else."""
    data = build_noemie(TO_CONCENTRATOR, [b"0100100000010@", *raws], FORMS[form], LAYOUTS, RULES)
    whole = read_noemie(data, LAYOUTS, RULES)
    plan = split_by_practitioner(whole, by_number, lambda owner: ("TP", NUMBERS[owner]), LAYOUTS, RULES)
    if not isinstance(plan, SplitPlan):
        return
    shared: Counter[bytes] = Counter()
    for part in plan.parts:
        read = read_noemie(part.content, LAYOUTS, RULES)
        found = references_of(read, RULES)
        references: list[Reference] = [*found.settlements, *found.lots, *found.invoices]
        for reference in references:
            assert by_number(reference) <= {part.practitioner_id}
        shared |= Counter(entity.raw for entity in read.entities if entity.code != "990")
    whole_content = Counter(entity.raw for entity in whole.entities if entity.code != "990")
    assert set(shared) == set(whole_content)
