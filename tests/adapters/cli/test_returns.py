"""`oct returns` and `oct held route --ps`: returns found, sent again, given to a practitioner (R6, R2, K2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection

from oct.bootstrap import open_workshop
from oct.settings import load
from oct.simulators.mail import Envelope, Shape, compose
from oct.steps.workshop import Workshop
from oct.store import consignments, holds, insurers, lots, mailboxes, messages, payloads, practitioners, returns
from oct.store.consignments import NewConsignment
from oct.store.holds import HoldSubject, NewHold
from oct.store.returns import NewReturn
from oct.store.tables import payloads as payload_table
from tests.adapters.cli.desk import Office
from tests.adapters.store.arrivals import add_amo, add_lot, digest, new_message

NUMBER, ADDRESS = "421234567", "pont@boite.example"
DAY_21, DAY_22 = 1_795_216_500_000, 1_795_302_900_000
"""21 and 22 November 2026, 0:15 in Paris."""
CONTENT = b"illisible".ljust(128)


@contextmanager
def inside(office: Office) -> Iterator[tuple[Workshop, Connection]]:
    """The installation's own workshop and a transaction on its database."""
    workshop = open_workshop(load(office.folder / "oct.toml", {}).settings)
    with workshop.store.begin() as conn:
        yield workshop, conn
    workshop.store.close()


@pytest.fixture
def kept(office: Office) -> Office:
    """Two returns of one practitioner, of two days, delivered to its own mailbox."""
    office("ps", "add", NUMBER, "--type", "ER", "--name", "X", "--address", ADDRESS)
    with inside(office) as (workshop, conn):
        owner = practitioners.list_all(conn)[0].id
        insurer = add_amo(conn)
        for number, at in ((1, DAY_21), (2, DAY_22)):
            arrived = new_message(number, origin="assureur", insurer_id=insurer, received_at=at, due_at=None)
            message_id = messages.insert(conn, arrived, payloads.seal(workshop.vault, b"x")).id
            (sent,) = consignments.insert_many(conn, [consignment(conn, workshop, message_id, owner, at)])
            assert [one.id for one in consignments.claim_any(conn, "w", at, 1, 1)] == [sent]
            consignments.mark_delivered(conn, sent, "w", "250 OK", at)
            returns.insert_return(conn, new_return(message_id, insurer, owner, sent, at))
    return office


def consignment(conn: Connection, workshop: Workshop, message_id: int, owner: int, at: int) -> NewConsignment:
    payload_id = payloads.put(conn, workshop.vault, b"bytes", at)
    return NewConsignment(
        message_id, "retour", ADDRESS, f"<r{message_id}@oct.test>", payload_id, 5, digest("bytes"), at, at,
        practitioner_id=owner,
    )  # fmt: skip


def new_return(message_id: int, insurer: int, owner: int | None, sent: int | None, at: int) -> NewReturn:
    state = "remis" if sent is not None else "retenu"
    return NewReturn(message_id, "ARL", insurer, owner, sent, "", "header", digest("bytes"), 5, at, state)


def ids(office: Office, *line: str) -> list[int]:
    return [row["id"] for row in office("returns", "list", *line, "--json").json]


def test_r6_returns_are_found_by_practitioner_day_and_address(kept: Office) -> None:
    """A day begins at midnight in Paris, however it is written."""
    assert ids(kept, "--since", "2026-11-21") == ids(kept, "--ps", NUMBER, "--since", "21/11/2026") == [1, 2]
    assert ids(kept, "--since", "22/11/2026") == [2]
    assert ids(kept, "--since", "2026-11-21", "--to", ADDRESS.upper()) == [1, 2]
    assert ids(kept, "--since", "2026-11-21", "--to", "autre@boite.example") == []
    assert kept("returns", "list", "--since", "2026-11-23").out == "Aucun retour.\n"
    (first, _) = kept("returns", "list", "--since", "2026-11-21", "--json").json
    assert (first["ps"], first["etat"], first["adresse"]) == (NUMBER, "remis", ADDRESS)
    for wrong in (["--since", "hier"], ["--since", "31/02/2026"], ["--ps", "12"], ["--to", "x"]):
        assert kept("returns", "list", *wrong).code == 2
    assert kept("returns", "list", "--ps", "999000111").code == 1


def test_r6_returns_are_sent_again_one_by_one_or_all_since_a_day(kept: Office) -> None:
    done = kept("returns", "redeliver", "1", "--to", "autre@boite.example")
    assert done.out.startswith("Retours renvoyés : 1 ;")
    assert kept("returns", "redeliver", "--ps", NUMBER, "--since", "22/11/2026").out.startswith(
        "Retours renvoyés : 1 ;"
    )
    again = kept("returns", "redeliver", "--ps", NUMBER, "--since", "21/11/2026").out
    assert again.startswith("Retours renvoyés : 1 ; déjà en attente d'envoi : 1 ;")
    with kept.database() as conn:
        conn.execute(payload_table.update().values(wrapped_key=None, destroyed_at=DAY_22))
    gone = kept("returns", "redeliver", "1", "2")
    assert (gone.code, gone.out.endswith("leur conservation ayant pris fin : 2.\n")) == (0, True)


def test_what_to_send_again_must_be_said_in_one_way(kept: Office) -> None:
    for wrong in ([], ["1", "--ps", NUMBER, "--since", "21/11/2026"], ["--ps", NUMBER], ["--since", "21/11/2026"]):
        assert kept("returns", "redeliver", *wrong).code == 2, wrong
    assert kept("returns", "redeliver", "99").code == 1
    kept("ps", "add", "015432109", "--type", "IF", "--name", "Y", "--address", "parc@boite.example")
    refused = kept("returns", "redeliver", "1", "--to", "parc@boite.example")
    assert (refused.code, "quelqu'un d'autre" in refused.err) == (1, True)


def test_what_waits_in_a_hosted_mailbox_is_told(kept: Office) -> None:
    with kept.database() as conn:
        (owner,) = practitioners.list_all(conn)
        (sent, *_) = consignments.by_message_uids(conn, ["<r1@oct.test>"])
        mailboxes.deposit(conn, owner.id, sent.payload_id, sent.id, sent.size, DAY_22)
    (row,) = kept("ps", "list", "--json").json
    assert (row["en_boite"], row["a_relever"]) == (1, 1)


def test_r2_a_held_return_is_given_to_the_practitioner_who_is_named(kept: Office) -> None:
    with inside(kept) as (workshop, conn):
        insurer = insurers.list_all(conn)[0]
        envelope = Envelope(insurer.address, "oct@essai.example", "Retour", DAY_22, "<r@a.test>", "ARL/SV", "arl")
        raw = compose(envelope, Shape.CLEAR, CONTENT)
        arrived = new_message(3, origin="assureur", insurer_id=insurer.id, state="held", due_at=None)
        message_id = messages.insert(conn, arrived, payloads.seal(workshop.vault, raw)).id
        return_id = returns.insert_return(conn, new_return(message_id, insurer.id, None, None, DAY_22))
        waiting = payloads.put(conn, workshop.vault, CONTENT, DAY_22)
        held = NewHold(
            DAY_22, HoldSubject.RETURN, message_id, "retour-illisible", "Illisible.",
            return_id=return_id, payload_id=waiting,
        )  # fmt: skip
        hold = str(holds.open_hold(conn, held))
    assert kept("returns", "redeliver", str(return_id)).code == 1
    for wrong in ([], ["--ps", NUMBER, "--to", insurer.address]):
        assert kept("held", "route", hold, *wrong).code == 2
    assert "--ps" in kept("held", "release", hold).err
    assert kept("held", "route", hold, "--ps", "999000111").code == 1
    given = kept("held", "route", hold, "--ps", NUMBER)
    assert (given.code, given.out) == (0, f"Retenue {hold} envoyée au PS {NUMBER}.\n")
    assert kept("held", "route", hold, "--ps", NUMBER).code == 1
    assert kept("held", "list", "--json").json == []
    (row,) = [one for one in kept("returns", "list", "--since", "22/11/2026", "--json").json if one["id"] == return_id]
    assert (row["ps"], row["etat"], row["adresse"]) == (NUMBER, "en attente", ADDRESS)


def test_d1_lots_that_people_must_take_over_are_an_alert_and_silent_ones_a_count(kept: Office) -> None:
    with kept.database() as conn:
        lot = add_lot(conn, 1, "001", state="unanswered")
    status = kept("status")
    assert (status.code, "1 sans réponse" in status.out) == (0, True)
    with kept.database() as conn:
        lots.set_state(conn, [lot], "manual", "", DAY_22)
    status = kept("status")
    assert (status.code, "lots en traitement manuel, sans réponse de l'assureur : 1" in status.out) == (1, True)
    assert kept("status", "--json").json["lots_en_traitement_manuel"] == 1
