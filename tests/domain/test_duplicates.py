"""What a lot is beside its earlier sendings (D2, D3), and the plan without what need not leave again."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.domain.conservation import check_conservation
from oct.domain.duplicates import NEW, Identity, Judgement, Policy, Sending, Verdict, judge
from oct.domain.journey import LotState
from oct.domain.plan import Known, Plan
from oct.domain.recognition import Past, Reemission, identity_of, recognise
from oct.domain.resending_notes import Instants, different, note
from oct.domain.splitting import plan_file
from oct.errors import ConservationError
from oct.formats.b2 import B2File, read_file
from tests.claims import ACCOUNT, CT_422, LAYOUTS, OCT_NUMBER, Batch, Claim, claim_file, context, dre, enriched

DAY = 86_400_000
NOW = 1_000 * DAY
OT = ("OT", OCT_NUMBER)
DIGEST, OTHER = hashlib.sha256(b"lot").digest(), hashlib.sha256(b"autre").digest()
FIRST = Sending(7, None, 1, DIGEST, LotState.DELIVERED, NOW - 3 * DAY, "AAAAAA-00000001", delivered_at=NOW - 3 * DAY)
RULES = Reemission(Policy.RECOGNISE, NOW, 2 * DAY)


def verdict(*earlier: Sending, insurer: int | None = 1, replaceable: tuple[int, ...] = ()) -> Judgement:
    return judge(DIGEST, insurer, earlier, replaceable=replaceable, now=NOW, silence=2 * DAY)


def sending(state: LotState, **changes: Any) -> Sending:
    return replace(FIRST, state=state, **changes)


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        ([], Verdict.NEW),
        ([sending(LotState.DUPLICATE)], Verdict.NEW),
        ([sending(LotState.ACKNOWLEDGED)], Verdict.ACKNOWLEDGED),
        ([sending(LotState.PAID)], Verdict.ACKNOWLEDGED),
        ([sending(LotState.PART_PAID)], Verdict.ACKNOWLEDGED),
        ([sending(LotState.SENT, delivered_at=None)], Verdict.WAITING),
        ([sending(LotState.DELIVERED, delivered_at=NOW - 2 * DAY + 1)], Verdict.WAITING),
        ([sending(LotState.DELIVERED, delivered_at=NOW - 2 * DAY)], Verdict.OVERDUE),
        ([sending(LotState.UNANSWERED)], Verdict.OVERDUE),
        ([sending(LotState.MANUAL)], Verdict.OVERDUE),
        ([sending(LotState.REFUSED)], Verdict.RETRY),
        ([sending(LotState.REJECTED)], Verdict.RETRY),
        ([sending(LotState.REFUSED_HERE, insurer_id=None)], Verdict.RETRY),
        ([sending(LotState.SENT, failed=True)], Verdict.RETRY),
        ([sending(LotState.REFUSED), sending(LotState.SENT, delivered_at=None)], Verdict.WAITING),
        ([sending(LotState.ACKNOWLEDGED), sending(LotState.REFUSED)], Verdict.ACKNOWLEDGED),
        ([sending(LotState.DELIVERED, digest=OTHER)], Verdict.DIFFERENT),
        ([sending(LotState.DELIVERED, digest=OTHER, insurer_id=2)], Verdict.NEW),
        ([sending(LotState.ACKNOWLEDGED, insurer_id=2)], Verdict.NEW),
        ([sending(LotState.ACKNOWLEDGED), sending(LotState.DELIVERED, digest=OTHER)], Verdict.ACKNOWLEDGED),
    ],
)
def test_the_verdict_follows_from_the_earlier_sendings(earlier: list[Sending], expected: Verdict) -> None:
    """D2, D3."""
    assert verdict(*earlier).verdict is expected


def test_a_held_lot_is_treated_as_new_when_its_whole_hold_can_be_replaced() -> None:
    """D2: else it waits where it is, so that it never goes twice."""
    held = sending(LotState.HELD, hold_id=3, delivered_at=None)
    assert verdict(held, replaceable=(3,)) == Judgement(Verdict.RETRY, held, (held,))
    assert verdict(held).verdict is Verdict.WAITING


def test_a_destination_that_is_not_known_excludes_nothing() -> None:
    """L6."""
    assert verdict(sending(LotState.ACKNOWLEDGED), insurer=None).verdict is Verdict.ACKNOWLEDGED
    assert verdict(sending(LotState.DELIVERED, digest=OTHER), insurer=None).verdict is Verdict.NEW


def test_what_repeats_a_lot_refers_to_its_first_sending() -> None:
    """D1: silence is counted from there."""
    assert verdict(sending(LotState.DELIVERED, lot_id=9, first_lot_id=7)).first_lot_id == 7
    assert verdict(FIRST, sending(LotState.DELIVERED, lot_id=9, first_lot_id=7)).first_lot_id == 7
    assert verdict(sending(LotState.REFUSED)).first_lot_id is None
    assert verdict().first_lot_id is None


states = st.sampled_from([state for state in LotState if state is not LotState.RECEIVED])
sendings = st.builds(
    Sending,
    lot_id=st.integers(1, 9),
    first_lot_id=st.none() | st.integers(1, 9),
    insurer_id=st.sampled_from([None, 1, 2]),
    digest=st.sampled_from([DIGEST, OTHER]),
    state=states,
    received_at=st.integers(0, NOW),
    trace=st.just("AAAAAA-00000001"),
    delivered_at=st.none() | st.integers(NOW - 4 * DAY, NOW),
    acknowledged_at=st.none() | st.integers(0, NOW),
    failed=st.booleans(),
    hold_id=st.none() | st.integers(1, 2),
)


@given(st.lists(sendings, max_size=5), st.sampled_from([None, 1]), st.sets(st.integers(1, 2)))
def test_a_lot_stays_back_only_for_the_same_bytes_accepted_or_awaited(
    earlier: list[Sending], insurer: int | None, replaceable: set[int]
) -> None:
    """D2: nothing is ever kept back on the word of another lot, of a refusal, or of a duplicate."""
    judged = judge(DIGEST, insurer, earlier, replaceable=replaceable, now=NOW, silence=2 * DAY)
    if judged.known:
        assert judged.first is not None
        assert judged.first.digest == DIGEST
        assert insurer is None or judged.first.insurer_id in {None, insurer}
        refused = {LotState.REFUSED, LotState.REJECTED, LotState.REFUSED_HERE, LotState.DUPLICATE}
        assert judged.first.state not in refused or judged.first.hold_id is not None
    else:
        accepted = {LotState.ACKNOWLEDGED, LotState.PAID, LotState.PART_PAID}
        same = [one for one in earlier if one.digest == DIGEST and one.insurer_id in {insurer, None}]
        assert not [one for one in same if one.state in accepted]


def planned(*batches: Batch, recipient: tuple[str, str] = OT) -> tuple[B2File, Plan]:
    file = read_file(claim_file(*batches, recipient=recipient), LAYOUTS)
    return file, plan_file(file, ACCOUNT, context())


def past_of(plan: Plan, state: LotState, *numbers: str, **changes: Any) -> Past:
    """These lots were sent before to where the plan sends them."""
    by_identity, by_digest = dict[Identity, list[Sending]](), dict[bytes, list[Sending]]()
    for parcel in plan.parcels:
        for lot in parcel.lots:
            if lot.source.number in numbers:
                one = sending(state, digest=lot.digest, insurer_id=parcel.insurer.id, **changes)
                by_identity.setdefault(identity_of(lot), [one])
                if lot.derived is not None:
                    by_digest[lot.digest] = [one]
    return Past(by_identity, by_digest)


BATCHES = (Batch((Claim(1),), 1), Batch((enriched(2),), 2), Batch((dre(3),), 3), Batch((Claim(4),), 4))


def test_known_lots_leave_the_plan_and_nothing_is_lost() -> None:
    """D2, L1, C5."""
    file, plan = planned(*BATCHES)
    sorted_out = recognise(plan, past_of(plan, LotState.ACKNOWLEDGED, "001", "002"), RULES)
    check_conservation(file, sorted_out)
    assert [(one.lot.source.number, one.lot.kind) for one in sorted_out.known] == [
        ("001", "FSE"), ("002", "FSE"), ("002", "AMC"),
    ]  # fmt: skip
    assert [[lot.source.number for lot in parcel.lots] for parcel in sorted_out.parcels] == [["004"], ["003"]]


@pytest.mark.parametrize("recipient", [CT_422, OT])
def test_a_file_split_at_the_source_is_never_taken_apart(recipient: tuple[str, str]) -> None:
    """S1, D2."""
    file, plan = planned(BATCHES[0], BATCHES[3], recipient=recipient)
    partly = recognise(plan, past_of(plan, LotState.ACKNOWLEDGED, "001"), RULES)
    assert len(partly.known) == (0 if recipient == CT_422 else 1)
    wholly = recognise(plan, past_of(plan, LotState.ACKNOWLEDGED, "001", "004"), RULES)
    assert (len(wholly.known), wholly.parcels) == (2, ())
    check_conservation(file, partly)
    check_conservation(file, wholly)


def test_forward_everything_judges_and_forwards() -> None:
    """D2: the setting."""
    _, plan = planned(*BATCHES)
    past = past_of(plan, LotState.ACKNOWLEDGED, "001")
    forwarded = recognise(plan, past, replace(RULES, policy=Policy.FORWARD))
    assert forwarded.known == ()
    assert forwarded.parcels[0].lots[0].history.verdict is Verdict.ACKNOWLEDGED


def test_a_lot_set_aside_without_reason_is_caught() -> None:
    """L1."""
    file, plan = planned(*BATCHES)
    stolen = plan.parcels[0].lots[0]
    tampered = replace(
        plan,
        parcels=(plan.parcels[0]._replace(lots=plan.parcels[0].lots[1:]), *plan.parcels[1:]),
        known=(Known(stolen, plan.parcels[0].insurer),),
    )
    with pytest.raises(ConservationError):
        check_conservation(file, tampered)


def test_the_amc_flow_is_known_by_what_it_was_made_of() -> None:
    """D2, C5: another number each time, the same digest; another lot or another AMC, another digest."""
    _, once = planned(*BATCHES)
    _, twice = planned(BATCHES[0], BATCHES[1])
    _, other = planned(BATCHES[0], Batch((enriched(2, tiers_payant=None),), 2))
    digests = [
        [lot.digest for parcel in plan.parcels for lot in parcel.lots if lot.derived] for plan in (once, twice, other)
    ]
    assert digests[0] == digests[1] != digests[2]


AT = Instants(datetime(2026, 11, 18, 9, 30), datetime(2026, 11, 18, 9, 31), datetime(2026, 11, 19, 10, 2))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("history", "leaves", "expected"),
    [
        (NEW, True, ""),
        (verdict(sending(LotState.ACKNOWLEDGED)), False,
         "Déjà accepté par CAISSE le 19/11/2026 à 10:02 (envoi du 18/11/2026 à 09:30, suivi AAAAAA-00000001). "
         "Son accusé (ARL) vous est renvoyé."),
        (verdict(sending(LotState.ACKNOWLEDGED)), True,
         "Déjà accepté par CAISSE le 19/11/2026 à 10:02 (envoi du 18/11/2026 à 09:30, suivi AAAAAA-00000001). "
         "Transmis à nouveau avec son fichier."),
        (verdict(FIRST), True,
         "Remis une première fois le 18/11/2026 à 09:31 (envoi du 18/11/2026 à 09:30, suivi AAAAAA-00000001), "
         "resté sans réponse : renvoyé."),
        (verdict(sending(LotState.REFUSED)), True,
         "Déjà reçu (envoi du 18/11/2026 à 09:30, suivi AAAAAA-00000001) mais refusé par l'assureur : "
         "traité comme un nouveau lot."),
        (verdict(sending(LotState.SENT, failed=True)), True,
         "Déjà reçu (envoi du 18/11/2026 à 09:30, suivi AAAAAA-00000001) mais non remis : "
         "traité comme un nouveau lot."),
        (verdict(sending(LotState.HELD, hold_id=3), replaceable=(3,)), True,
         "Remplace l'envoi qui était en attente (envoi du 18/11/2026 à 09:30, suivi AAAAAA-00000001)."),
    ],
)  # fmt: skip
def test_the_art_says_what_happened_and_when(history: Judgement, leaves: bool, expected: str) -> None:
    """D2, T1: sentences a secretary reads."""
    assert note(history, AT, "CAISSE", leaves=leaves, arl=True) == expected


def test_a_lot_of_other_bytes_is_told_to_be_checked() -> None:
    """D3."""
    text = different("001", verdict(sending(LotState.DELIVERED, digest=OTHER)), AT, "CAISSE")
    assert text.startswith("Le lot 001 pour CAISSE a déjà été reçu avec un autre contenu (envoi du 18/11/2026")
