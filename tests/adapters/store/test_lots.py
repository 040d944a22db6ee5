"""Lots, invoices, files and holds."""

from __future__ import annotations

from oct.domain.duplicates import Identity
from oct.store import files, holds, lots, sendings
from oct.store.engine import Store
from oct.store.files import NewFile
from oct.store.holds import HoldSubject, NewHold
from oct.store.lots import InvoiceAnswer
from tests.adapters.store.arrivals import (
    NOW,
    add_amo,
    add_lot,
    add_practitioner,
    arrive,
    consign,
    digest,
    new_invoice,
    new_lot,
)


def test_lots_keep_their_order_and_their_invoices(store: Store) -> None:
    """L2."""
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        new = [
            (new_lot(message_id, f"{rank:03d}", rank=rank), [new_invoice(f"00000{rank}00{i}") for i in range(rank)])
            for rank in (1, 2, 3)
        ]
        ids = lots.insert_many(conn, new)
        assert lots.insert_many(conn, []) == []
        kept = lots.of_message(conn, message_id)
        assert [(one.id, one.rank, one.number) for one in kept] == [
            (lot_id, rank, f"{rank:03d}") for rank, lot_id in enumerate(ids, start=1)
        ]
        assert [one.number for one in lots.invoices_of(conn, ids[1])] == ["000002000", "000002001"]


def test_a_lot_is_found_by_its_identity_its_invoices_and_the_file_it_left_in(store: Store) -> None:
    """D2, R2: every sending of it, the oldest first; never by a compostage (M5)."""
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        consignment_id = consign(conn, message_id, 1)
        first = add_lot(conn, message_id, "001", "000000001", consignment_id=consignment_id)
        again = add_lot(conn, message_id, "001", "000000001")
        other = add_lot(conn, message_id, "001", "000000001", organism="999", ps_number="995555555")
        assert [one.id for one in lots.by_identity(conn, "991234567", "001", "260921")] == [first, again]
        assert lots.by_identity(conn, "991234567", "001", "260921", "999") == []
        assert [one.id for one in lots.by_invoice(conn, "000000001")] == [first, again, other]
        assert lots.by_invoice(conn, "000000001", "995555555") == []
        assert [one.id for one in lots.by_invoice(conn, "000000001", "991234567")] == [first, again, other]
        assert [one.id for one in lots.by_file_id(conn, "F00001")] == [first]
        assert [one.id for one in lots.of_consignment(conn, consignment_id)] == [first]


def test_what_stands_of_many_identities_is_told_for_each_account(store: Store) -> None:
    """D2: a day may be any text; the AMC flow has numbers of its own; a message may have no lot to look for."""
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        account, other = add_practitioner(conn), add_practitioner(conn, "995555555", "autre@exemple.test")
        first = add_lot(conn, message_id, "001", practitioner_id=account)
        odd = add_lot(conn, message_id, "002", practitioner_id=account, lot_date='é"\\,}')
        add_lot(conn, message_id, "001", practitioner_id=account, kind="AMC")
        again = add_lot(conn, message_id, "001", practitioner_id=other, state="retenu")
        plain, strange = Identity("991234567", "001", "260921"), Identity("991234567", "002", 'é"\\,}')
        wanted = {account: [plain, strange, Identity("991234567", "002", "260921")], other: [plain]}
        assert sendings.standing(conn, wanted) == {
            (account, plain): {(first, "route")},
            (account, strange): {(odd, "route")},
            (other, plain): {(again, "retenu")},
        }
        assert sendings.standing(conn, {account: []}) == {}


def test_states_move_for_lots_for_a_consignment_and_for_invoices(store: Store) -> None:
    """R4."""
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        consignment_id = consign(conn, message_id, 1)
        carried = [add_lot(conn, message_id, n, "000000001", consignment_id=consignment_id) for n in ("001", "002")]
        alone = add_lot(conn, message_id, "003")
        assert lots.move_with_consignments(conn, {consignment_id: NOW + 5}, "remis") == 2
        lots.set_state(conn, [alone], "refuse", "L3", NOW + 6)
        answers = [InvoiceAnswer(carried[0], "000000001", amo_state="P"), InvoiceAnswer(carried[1], "404")]
        lots.set_invoice_states(conn, answers)
        lots.set_invoice_states(conn, [InvoiceAnswer(carried[0], "000000001", amc_state="R")])
        states = [(one.state, one.code, one.state_at) for one in lots.of_message(conn, message_id)]
        paid = [(one.amo_state, one.amc_state) for lot_id in carried for one in lots.invoices_of(conn, lot_id)]
        assert [one.id for one in lots.unchanged_since(conn, "remis", NOW + 6, limit=1)] == [carried[0]]
        assert lots.unchanged_since(conn, "remis", NOW + 5, limit=9) == []
    assert states == [("remis", "", NOW + 5), ("remis", "", NOW + 5), ("refuse", "L3", NOW + 6)]
    assert paid == [("P", "R"), ("", "")]


def test_a_hold_waits_for_a_person_and_closes_once(store: Store) -> None:
    """L6: what it holds then leaves; releasing it twice does nothing the second time."""
    with store.begin() as conn:
        message_id, amo = arrive(conn, 1), add_amo(conn)
        new = NewHold(NOW, HoldSubject.LOT, message_id, "destination-inconnue", "Caisse inconnue.")
        first = holds.open_hold(conn, new)
        second = holds.open_hold(conn, NewHold(NOW, HoldSubject.RETURN, message_id, "ps-inconnu", "PS inconnu."))
        lot_id = add_lot(conn, message_id, "001", hold_id=first)
        assert [one.id for one in holds.list_open(conn)] == [first, second]
        assert [one.id for one in holds.list_open(conn, after=first)] == [second]
        assert [one.id for one in holds.list_open(conn, limit=1)] == [first]
        assert [one.id for one in holds.list_open(conn, subject=HoldSubject.RETURN)] == [second]
        assert [one.id for one in holds.list_open(conn, code="destination-inconnue")] == [first]
        assert [one.id for one in lots.of_hold(conn, first)] == [lot_id]
        assert holds.close(conn, first, "libere", NOW + 1)
        assert not holds.close(conn, first, "refuse", NOW + 2)
        consignment_id = consign(conn, message_id, 1)
        lots.assign(conn, [lot_id], amo, consignment_id)
        assert [one.id for one in holds.list_open(conn)] == [second]
        closed = holds.by_id(conn, first)
        released = lots.of_consignment(conn, consignment_id)[0]
        assert holds.by_id(conn, 404) is None
    assert closed is not None
    assert (closed.decision, closed.closed_at) == ("libere", NOW + 1)
    assert (released.insurer_id, released.hold_id) == (amo, None)


def test_the_files_of_a_message_are_kept_in_order(store: Store) -> None:
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        new = [
            NewFile(
                message_id,
                "source",
                f"00000{n}",
                "00000991234567",
                "CT",
                "00000001999422",
                "TO",
                "",
                9,
                1,
                2,
                digest("f"),
            )
            for n in (2, 1)
        ]
        ids = files.insert_many(conn, new)
        assert files.insert_many(conn, []) == []
        assert [(one.id, one.file_id) for one in files.of_message(conn, message_id)] == [
            (ids[0], "000002"),
            (ids[1], "000001"),
        ]
