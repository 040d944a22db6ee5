"""Re-sent lots from the door to the insurer (D2, D3), on both databases, with a clock that is moved."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from oct.domain.journey import LotState, MessageState
from oct.errors import RuleError
from oct.steps.process import process
from oct.steps.release import release
from oct.store import holds, insurers, messages, payloads
from oct.store.engine import open_store
from oct.store.tables import consignments
from tests.claims import ALPHA, Batch, Claim, dre, enriched
from tests.steps.resending_rig import ADDRESS, BOURG, HOUR, LOIRE, MUTUELLE, TO_LOIRE, Rig, file_of, mail, rig

ONE = Batch((Claim(1),), 1)
TWO = Batch((Claim(2), Claim(3)), 2)
FAR = Batch((Claim(4, ("01", "011", "0000")),), 3, organism="011")
SPLIT = Batch((enriched(8),), 8)
LOST = Batch((Claim(9, ("01", "999", "0000")),), 9, organism="999")
FORWARD = '[reemission]\npolicy = "tout-transmettre"\n'


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Rig]:
    with rig(tmp_path, database_url) as made:
        yield made


def contents(*batches: Batch) -> list[bytes]:
    return [batch.content() for batch in batches]


def test_a_lot_already_accepted_is_not_forwarded_and_its_arl_goes_out_again(pieces: Rig) -> None:
    """D2: the stored ARL, byte for byte; the ART says when it was accepted."""
    first = pieces.submit(ONE, TWO)
    pieces.clock.pass_hours(5)
    pieces.acknowledge(ONE, TWO)
    pieces.clock.pass_hours(1)
    again = pieces.submit(ONE, TWO)
    assert pieces.arrived() == contents(ONE, TWO)
    assert pieces.states(first) == [LotState.ACKNOWLEDGED] * 2
    assert pieces.states(again) == [LotState.DUPLICATE] * 2
    assert [lot.first_lot_id for lot in pieces.rows(again)] == [lot.id for lot in pieces.rows(first)]
    assert [letter.raw for letter in pieces.arls] == [pieces.arls[0].raw] * 2
    assert f"suivi {first.trace}" in pieces.texts[-1]
    assert "Déjà accepté par SAINT ETIENNE le 21/11/2026 à" in pieces.texts[-1]
    assert "Son accusé (ARL) vous est renvoyé." in pieces.texts[-1]
    assert [event.outcome for event in pieces.events(again, "reemission")] == ["deja-accepte"]


def test_a_lot_delivered_a_short_while_ago_is_not_forwarded(pieces: Rig) -> None:
    """D2: one millisecond before the delay ends."""
    first = pieces.submit(ONE)
    pieces.clock.now += pieces.workshop.rules.silence - 1
    again = pieces.submit(ONE)
    assert pieces.arrived() == contents(ONE)
    assert pieces.states(again) == [LotState.DUPLICATE]
    assert f"suivi {first.trace}) : réponse attendue." in pieces.texts[-1]
    assert pieces.arls == []


def test_a_lot_long_unanswered_is_forwarded_again_and_one_answer_serves_both_sendings(pieces: Rig) -> None:
    """D2, R4."""
    first = pieces.submit(ONE)
    pieces.clock.pass_hours(48)
    second = pieces.submit(ONE)
    third = pieces.submit(ONE)
    assert pieces.arrived() == contents(ONE, ONE)
    assert "resté sans réponse : renvoyé." in pieces.texts[-2]
    assert pieces.states(third) == [LotState.DUPLICATE]
    pieces.acknowledge(ONE)
    assert pieces.states(first) + pieces.states(second) == [LotState.ACKNOWLEDGED] * 2
    pieces.clock.pass_hours(200)
    pieces.submit(ONE)
    assert pieces.arrived() == contents(ONE, ONE)


def test_a_lot_that_the_insurer_refused_is_treated_as_new(pieces: Rig) -> None:
    """D2."""
    pieces.submit(ONE)
    pieces.acknowledge(ONE, code="0012")
    again = pieces.submit(ONE)
    assert pieces.arrived() == contents(ONE, ONE)
    assert pieces.states(again) == [LotState.DELIVERED]
    assert "refusé par l'assureur : traité comme un nouveau lot." in pieces.texts[-1]
    assert [lot.first_lot_id for lot in pieces.rows(again)] == [None]


def test_a_file_that_mixes_old_and_new_lots_is_sorted_lot_by_lot(pieces: Rig) -> None:
    """D2."""
    pieces.submit(ONE)
    pieces.acknowledge(ONE)
    again = pieces.submit(TWO, ONE, FAR)
    assert pieces.arrived() == contents(ONE, TWO)
    assert pieces.arrived(BOURG) == contents(FAR)
    assert pieces.states(again) == [LotState.DELIVERED, LotState.DUPLICATE, LotState.DELIVERED]


def test_a_file_split_at_the_source_goes_whole_or_not_at_all(pieces: Rig) -> None:
    """D2, S1."""
    pieces.submit(ONE, recipient=TO_LOIRE)
    pieces.acknowledge(ONE)
    mixed = pieces.submit(ONE, TWO, recipient=TO_LOIRE)
    assert pieces.arrived() == contents(ONE, ONE, TWO)
    assert "Transmis à nouveau avec son fichier." in pieces.texts[-1]
    assert [lot.first_lot_id is not None for lot in pieces.rows(mixed)] == [True, False]
    pieces.submit(TWO, ONE, recipient=TO_LOIRE)
    assert len(pieces.arrived()) == 3


def test_the_same_identity_with_other_bytes_is_forwarded_and_flagged(pieces: Rig) -> None:
    """D3."""
    other = replace(ONE, claims=(Claim(1, patient=12),))
    first = pieces.submit(ONE)
    again = pieces.submit(other)
    assert pieces.arrived() == contents(ONE, other)
    assert "Le lot 001 pour SAINT ETIENNE a déjà été reçu avec un autre contenu" in pieces.texts[-1]
    assert f"suivi {first.trace}" in pieces.texts[-1]
    assert [event.outcome for event in pieces.events(again, "reemission")] == ["different"]


def test_the_amc_flow_of_a_re_sent_contract_99_lot_is_not_derived_twice(pieces: Rig) -> None:
    """D2, S3: what leaves differs from what was received, and is recognised; each destination by itself."""
    pieces.submit(SPLIT)
    assert (len(pieces.arrived()), len(pieces.arrived(MUTUELLE))) == (1, 1)
    pieces.submit(SPLIT)
    assert (len(pieces.arrived()), len(pieces.arrived(MUTUELLE))) == (1, 1)
    assert "- flux AMC tiré du lot 008" in pieces.texts[-1]
    pieces.acknowledge(SPLIT)
    pieces.clock.pass_hours(48)
    again = pieces.submit(SPLIT)
    assert (len(pieces.arrived()), len(pieces.arrived(MUTUELLE))) == (1, 2)
    assert sorted(pieces.states(again)) == [LotState.DELIVERED, LotState.DUPLICATE]


def test_a_held_lot_gives_way_to_its_re_sending_and_never_goes_twice(pieces: Rig) -> None:
    """D2: the older hold is closed in the same transaction."""
    first = pieces.submit(LOST)
    (held,) = pieces.holds(first)
    again = pieces.submit(LOST)
    assert pieces.states(first) == [LotState.DUPLICATE]
    assert [lot.first_lot_id for lot in pieces.rows(first)] == [lot.id for lot in pieces.rows(again)]
    with pieces.workshop.store.read() as conn:
        closed = holds.by_id(conn, held.id)
    assert closed is not None
    assert closed.decision == "remplace"
    assert [event.outcome for event in pieces.events(first, "decision")] == ["remplace"]
    (waiting,) = pieces.holds(again)
    with pieces.workshop.store.begin() as conn:
        known = {one.recipient_number: one.id for one in insurers.list_all(conn)}
        insurers.map_caisse(conn, "01", "999", "0000", "CAISSE", known["00000001999999"])
    third = pieces.submit(LOST)
    assert pieces.states(third) == [LotState.DELIVERED]
    assert pieces.holds(again) == []
    with pytest.raises(RuleError, match="retenue-inconnue"):
        release(pieces.workshop, waiting.id, "operateur")
    assert pieces.arrived("01999@999.01.rss.fr") == contents(LOST)


def test_a_sending_that_failed_for_good_is_done_again_once(pieces: Rig) -> None:
    """D2: the earlier one failed, so it is processed; the failed one can no longer be released."""
    first = pieces.receive(mail(file_of([ONE])), ADDRESS)
    assert first.code == 250
    while pieces.hands.runner._process_some():
        pass
    with pieces.workshop.store.begin() as conn:
        (failed,) = conn.execute(
            select(consignments.c.id, consignments.c.message_id).where(consignments.c.kind == "facture")
        ).all()
        conn.execute(consignments.update().where(consignments.c.id == failed.id).values(state="failed", due_at=None))
        holds.open_hold(
            conn,
            holds.NewHold(
                pieces.clock(), holds.HoldSubject.CONSIGNMENT, failed.message_id, "remise-impossible", "Essai.",
                consignment_id=failed.id,
            ),
        )  # fmt: skip
    pieces.submit(ONE)
    assert pieces.arrived() == contents(ONE)
    with pieces.workshop.store.read() as conn:
        assert holds.list_open(conn) == []


def test_recognition_outlives_payloads_and_restarts(pieces: Rig, database_url: str) -> None:
    """D2: digests stay; without the ARL's content, the ART alone says it."""
    pieces.submit(ONE, SPLIT)
    pieces.acknowledge(ONE, SPLIT)
    with pieces.workshop.store.begin() as conn:
        for payload_id in conn.execute(select(consignments.c.payload_id)).scalars().all():
            payloads.destroy(conn, payload_id, pieces.clock())
    restarted = pieces.restarted(open_store(database_url))
    before = len(restarted.outside.of(LOIRE)), len(restarted.arls)
    again = restarted.submit(ONE, SPLIT)
    assert (len(restarted.outside.of(LOIRE)), len(restarted.arls)) == before
    assert restarted.states(again) == [LotState.DUPLICATE] * 3
    assert "Déjà accepté par SAINT ETIENNE" in restarted.texts[-1]
    assert "vous est renvoyé" not in restarted.texts[-1]
    restarted.workshop.store.close()


def test_everything_is_forwarded_when_the_policy_says_so(tmp_path: Path, database_url: str) -> None:
    """D2: the setting."""
    with rig(tmp_path, database_url, FORWARD) as pieces:
        pieces.submit(ONE)
        pieces.acknowledge(ONE)
        again = pieces.submit(ONE)
        assert pieces.arrived() == contents(ONE, ONE)
        assert len(pieces.arls) == 1
        assert pieces.states(again) == [LotState.DELIVERED]


def test_two_sendings_claimed_together_see_each_other(pieces: Rig) -> None:
    """D2: not D4, their compostages differ."""
    for raw in (mail(file_of([ONE])), mail(file_of([ONE, TWO])), mail(file_of([TWO]))):
        assert pieces.receive(raw, ADDRESS).code == 250
    pieces.work()
    assert pieces.arrived() == contents(ONE, TWO)


def test_of_sendings_claimed_together_the_later_one_is_recognised(pieces: Rig) -> None:
    """D2, D3: the earlier one holds an old lot too, so it is settled twice; the later one waits for it."""
    other = replace(ONE, claims=(Claim(1, patient=12),))
    pieces.submit(TWO)
    for batches in ([TWO, ONE], [other]):
        assert pieces.receive(mail(file_of(batches)), ADDRESS).code == 250
    pieces.work()
    assert pieces.arrived() == contents(TWO, ONE, other)
    assert ["avec un autre contenu" in text for text in pieces.texts[-2:]] == [False, True]


def test_parallel_sendings_of_the_same_lots_are_forwarded_once(pieces: Rig) -> None:
    """D2: settled at the same moment by several threads, none of which sees the others' lots before it writes."""
    for _ in range(6):
        assert pieces.receive(mail(file_of([ONE, TWO, SPLIT])), ADDRESS).code == 250
    with pieces.workshop.store.begin() as conn:
        claimed = [messages.claim(conn, f"fil-{rank}", pieces.clock(), 60_000, 1) for rank in range(6)]
    start = threading.Barrier(6)

    def bring(rank: int) -> None:
        start.wait()
        process(pieces.workshop, claimed[rank], f"fil-{rank}")

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(bring, range(6)))
    pieces.work()
    assert (len(pieces.arrived()), len(pieces.arrived(MUTUELLE))) == (3, 1)
    assert len(pieces.texts) == 6


def test_a_stranger_s_copy_of_a_lot_learns_nothing(pieces: Rig) -> None:
    """L8, D2: an account is recognised by its own lots alone."""
    pieces.submit(ONE)
    pieces.acknowledge(ONE)
    raw = (
        mail(file_of([ONE]))
        .replace(ADDRESS.encode(), b"gare@boite.example")
        .replace(b"00000421234567/", b"00000512223334/")
    )
    before = len(pieces.outside.of("gare@boite.example"))
    message = pieces.take(raw, "gare@boite.example")
    assert message.state == MessageState.REFUSED
    assert len(pieces.outside.of("gare@boite.example")) == before + 1
    assert pieces.arrived() == contents(ONE)


def test_dre_are_recognised_too(pieces: Rig) -> None:
    """D2: the destination is the mutuelle."""
    batch = Batch((dre(5, ALPHA),), 5)
    pieces.submit(batch)
    pieces.submit(batch)
    assert pieces.arrived(MUTUELLE) == contents(batch)


@pytest.mark.parametrize("seed", range(2))
def test_each_lot_goes_to_its_insurer_exactly_when_the_rule_says(pieces: Rig, seed: int) -> None:
    """D2: any sequence of sendings, answers and hours, against the rule written out a second time."""
    drawn = random.Random(seed)
    batches = [Batch((Claim(number),), number) for number in (1, 2, 3)]
    expected: list[bytes] = []
    delivered: dict[int, int] = {}
    answered: dict[int, bool] = {}
    for _ in range(25):
        match drawn.choice(("send", "send", "send", "time", "answer")):
            case "send":
                chosen = drawn.sample(batches, drawn.randrange(1, 4))
                for batch in chosen:
                    silent = pieces.clock() - delivered.get(batch.number, pieces.clock() - 48 * HOUR) >= 48 * HOUR
                    if not answered.get(batch.number, not silent):
                        expected.append(batch.content())
                        delivered[batch.number] = pieces.clock()
                        answered.pop(batch.number, None)
                pieces.submit(*chosen)
            case "time":
                pieces.clock.pass_hours(drawn.choice((1, 20, 47.9, 48, 60)))
                pieces.watch()
            case _:
                for batch in batches:
                    if batch.number in delivered and batch.number not in answered and drawn.random() < 0.5:
                        answered[batch.number] = drawn.random() < 0.6
                        pieces.acknowledge(batch, code="" if answered[batch.number] else "0012")
    assert pieces.arrived() == expected
    assert len(expected) > 3
