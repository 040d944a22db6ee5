"""Whose a return is, and the whole story from any identifier."""

from __future__ import annotations

import pytest

from oct.store import events, files, returns
from oct.store.engine import Store
from oct.store.events import Event
from oct.store.files import NewFile
from oct.store.returns import InvoiceReference, LotAnswer, LotReference, NewReturn
from tests.adapters.store.arrivals import NOW, add_amo, add_lot, add_practitioner, arrive, consign, digest


def new_return(message_id: int, practitioner_id: int | None, at: int = NOW) -> NewReturn:
    return NewReturn(message_id, "ARL", None, practitioner_id, None, "", "", digest("r"), 256, at, "recu")


def test_references_give_every_practitioner_they_may_mean_and_choose_none(store: Store) -> None:
    """R2: two practitioners with the same lot number and date are both given; the domain holds the return."""
    with store.begin() as conn:
        one, two = add_practitioner(conn), add_practitioner(conn, "995555555", "autre@exemple.test")
        amo = add_amo(conn)
        message_id = arrive(conn, 1)
        other = add_amo(conn, "999")
        add_lot(conn, message_id, "001", "000000001", practitioner_id=one, insurer_id=amo)
        of_two = {"practitioner_id": two, "ps_number": "995555555", "insurer_id": other}
        add_lot(conn, message_id, "001", "000000001", **of_two)
        add_lot(conn, message_id, "002", "000000002", **of_two)
        add_lot(conn, message_id, "003", "000000003", insurer_id=amo)
        references = [
            LotReference("001", "260921"),
            LotReference("001", "260921", "995555555"),
            LotReference("002", "260921"),
            LotReference("002", "260922"),
            LotReference("003", "260921"),
        ]
        both = [amo, other]
        assert returns.practitioners_of_lots(conn, references, both) == [{one, two}, {two}, {two}, set(), set()]
        assert returns.practitioners_of_lots(conn, references[:1], [amo]) == [{one}]
        assert returns.practitioners_of_lots(conn, references[:1], []) == [set()]
        assert returns.practitioners_of_lots(conn, [], both) == []
        wanted = [("000000002", "002"), ("000000001", "001"), ("000000001", "002"), ("404", "001")]
        named = [InvoiceReference(number, lot, "260921") for number, lot in wanted]
        assert returns.practitioners_of_invoices(conn, named, both) == [{two}, {one, two}, set(), set()]
        assert returns.practitioners_of_invoices(conn, named[1:2], [amo]) == [{one}]


def test_an_answer_to_a_sending_leads_to_its_practitioner_and_lots(store: Store) -> None:
    """R2: by Message-ID or compostage, and only of what went to an insurer."""
    with store.begin() as conn:
        one, amo = add_practitioner(conn), add_amo(conn)
        message_id = arrive(conn, 1, practitioner_id=one)
        sent = consign(conn, message_id, 1, insurer_id=amo)
        consign(conn, message_id, 2, kind="art", practitioner_id=one)
        lot_id = add_lot(conn, message_id, "001", practitioner_id=one, consignment_id=sent)
        by_uid = returns.answered(conn, ["<sortie1@oct.test>", "<sortie2@oct.test>", ""], [])
        assert by_uid == returns.answered(conn, [], ["2026092121000000001"])
        assert by_uid == returns.Answered(frozenset({sent}), frozenset({one}), frozenset({lot_id}))
        nothing = returns.Answered(frozenset(), frozenset(), frozenset())
        assert returns.answered(conn, ["<sortie2@oct.test>"], ["", "404"]) == nothing


def test_a_return_is_linked_assigned_and_listed_for_redelivery(store: Store) -> None:
    """R4, R6."""
    with store.begin() as conn:
        one = add_practitioner(conn)
        message_id = arrive(conn, 1)
        lot_id = add_lot(conn, message_id, "001", practitioner_id=one)
        old = returns.insert_return(conn, new_return(message_id, one, NOW - 1_000))
        held = returns.insert_return(conn, new_return(message_id, None))
        returns.link_lots(
            conn,
            held,
            [
                LotAnswer(lot_id, "accepte"),
            ],
        )
        returns.link_lots(conn, old, [LotAnswer(lot_id, "rejete", "1070", "lot déjà reçu")])
        returns.link_lots(conn, old, [])
        consignment_id = consign(conn, message_id, 1, recipient="ps@exemple.test", practitioner_id=one)
        returns.assign(conn, held, one, consignment_id, "lot", "envoye")
        returns.set_state(conn, old, "remis")
        assert [each.id for each in returns.of_practitioner(conn, one, NOW)] == [held]
        assert [each.id for each in returns.of_practitioner(conn, one, 0)] == [old, held]
        assert [each.id for each in returns.of_practitioner(conn, one, 0, "ps@exemple.test")] == [held]
        assert [each.id for each in returns.of_lot(conn, lot_id)] == [old, held]
        assert returns.answers_of(conn, old) == [LotAnswer(lot_id, "rejete", "1070", "lot déjà reçu")]
        kept, state = returns.by_id(conn, held), returns.by_id(conn, old)
        assert returns.by_id(conn, 404) is None
    assert kept is not None
    assert state is not None
    assert (kept.practitioner_id, kept.consignment_id, kept.evidence, kept.state) == (
        one,
        consignment_id,
        "lot",
        "envoye",
    )
    assert state.state == "remis"


def test_the_events_of_a_message_are_read_as_they_were_written(store: Store) -> None:
    """J1."""
    with store.begin() as conn:
        message_id, other = arrive(conn, 1), arrive(conn, 2)
        story = [
            Event(NOW + 2, "reception", "accepte", message_id, data={"taille": 5, "réponse": "250 reçu"}),
            Event(NOW + 1, "ouverture", "fait", message_id, actor="operateur"),
        ]
        events.append(conn, [story[0], Event(NOW, "reception", "accepte", other), story[1]])
        events.append(conn, [])
        assert events.of_message(conn, message_id) == story


@pytest.mark.parametrize(
    "identifier",
    [
        "AAAAAA-00000001",
        " aaaaaaoooooool ",
        "2026092120000000001",
        "2026092121000000001",
        "<1@exemple.test>",
        "1@exemple.test",
        "sortie1@oct.test",
        "F00001",
        "f00001",
        "000777",
        "001",
        "991234567/001/260921",
        "000000001",
    ],
)
def test_any_identifier_leads_to_the_message_and_to_its_answer(store: Store, identifier: str) -> None:
    """J1: the whole story, both directions."""
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        consign(conn, message_id, 1)
        new = NewFile(message_id, "unique", "000777", "0" * 14, "OT", "0" * 14, "TO", "", 9, 1, 2, digest("f"))
        files.insert_many(conn, [new])
        lot_id = add_lot(conn, message_id, "001", "000000001")
        answer = arrive(conn, 7)
        return_id = returns.insert_return(conn, new_return(answer, None))
        returns.link_lots(conn, return_id, [LotAnswer(lot_id, "accepte")])
        stranger = arrive(conn, 8)
        add_lot(conn, stranger, "002", "000000002", ps_number="995555555")
    with store.read() as conn:
        assert events.find(conn, identifier) == [message_id, answer]
        assert events.find(conn, "<7@exemple.test>") == [message_id, answer]


@pytest.mark.parametrize("identifier", ["", "%", "a/b/c/d", "x" * 300, "404", "a@b", "' OR 1=1 --", "000-0"])
def test_what_is_no_identifier_leads_nowhere(store: Store, identifier: str) -> None:
    with store.begin() as conn:
        arrive(conn, 1)
        assert events.find(conn, identifier) == []
