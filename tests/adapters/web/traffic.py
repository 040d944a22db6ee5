"""Invented traffic for the console: a claim with its lots, what became of them, a return, a log that is sealed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from oct.domain.journey import LotState, MessageState
from oct.steps.journal.seal import Sealer
from oct.store import consignments, events, files, holds, lots, messages, payloads, returns
from oct.store.events import Event
from oct.store.files import NewFile
from oct.store.holds import HoldSubject, NewHold
from oct.store.returns import LotAnswer, NewReturn
from oct.trace.heads import create_key, load_signer
from tests.adapters.store.arrivals import (
    add_amo,
    add_practitioner,
    digest,
    new_consignment,
    new_invoice,
    new_lot,
    new_message,
)  # fmt: skip
from tests.adapters.web.rig import START, Rig

PS, TRACE, ANSWER = "991234567", "AAAAAA-00000001", "AAAAAA-00000002"
CONTENT = b"From: cabinet@exemple.test\r\n\r\nDUPONT INVENTE 1850578006048\r\n"


@dataclass(frozen=True)
class Traffic:
    """Ids of what there is."""

    message: int
    answer: int
    account: int
    insurer: int
    lots: tuple[int, ...]
    sent: int
    art: int
    hold: int
    returned: int
    closed_hold: int


def play(rig: Rig) -> Traffic:
    """A claim of three lots: one paid, one unanswered, one held; the answer to the first; nothing is sealed yet."""
    with rig.workshop.store.begin() as conn:
        account, insurer = add_practitioner(conn, PS), add_amo(conn)
        sealed = payloads.seal(rig.workshop.vault, CONTENT)
        claim = replace(
            new_message(1, practitioner_id=account, due_at=None, state=MessageState.PROCESSED),
            received_at=START - 60_000, size=len(CONTENT),
        )  # fmt: skip
        message = messages.insert(conn, claim, sealed).id
        answer = messages.insert(
            conn,
            replace(new_message(2, origin="assureur", insurer_id=insurer, due_at=None, state=MessageState.PROCESSED),
                    received_at=START - 30_000),
            payloads.seal(rig.workshop.vault, b"retour"),
        ).id  # fmt: skip
        file = files.insert_many(
            conn, [NewFile(message, "unique", "F12345", f"00000{PS}", "OT", "00000552100554", "TO", "CP00",
                           20, 3, 6, digest("f"))]
        )[0]  # fmt: skip
        payload = payloads.insert_many(conn, [sealed], START)[0]
        made = [
            new_consignment(message, payload, 1, insurer_id=insurer),
            new_consignment(message, payload, 2, kind="art", practitioner_id=account, recipient="cabinet@exemple.test",
                            file_id=""),
            new_consignment(answer, payload, 3, kind="retour", practitioner_id=account, insurer_id=None,
                            recipient="cabinet@exemple.test", file_id=""),
        ]  # fmt: skip
        sent, art, letter = consignments.insert_many(conn, made)
        consignments.claim_any(conn, "essai", START, 1, 10)
        for one in (sent, letter):
            assert consignments.mark_delivered(conn, one, "essai", "250 2.0.0 Ok", START - 50_000)
        hold = holds.open_hold(
            conn, NewHold(START - 40_000, HoldSubject.LOT, message, "caisse-inconnue", "Caisse 01 999 inconnue.")
        )
        closed = holds.open_hold(
            conn, NewHold(START - 50_000, HoldSubject.MESSAGE, message, "essai", "Retenue d'essai.")
        )
        holds.close(conn, closed, "libere", START - 45_000)
        common = {"practitioner_id": account, "file_id": file}
        rows = [
            new_lot(message, "001", **common, insurer_id=insurer, consignment_id=sent, state=LotState.PAID),
            new_lot(message, "002", **common, insurer_id=insurer, consignment_id=sent, state=LotState.UNANSWERED),
            new_lot(message, "003", **common, hold_id=hold, state=LotState.HELD, code="caisse-inconnue"),
        ]
        ids = lots.insert_many(
            conn, [(row, [new_invoice(f"{3 * rank + 1:09d}")]) for rank, row in enumerate(rows)]
        )  # fmt: skip
        returned = returns.insert_return(
            conn,
            NewReturn(
                answer, "RSP", insurer, account, letter, "576", "lots", digest("r"), 900, START - 30_000, "remis"
            ),
        )
        returns.link_lots(conn, returned, [LotAnswer(ids[0], LotState.PAID, "", "Payé")])
        events.append(
            conn, [Event(START, "recu", "ps", message_id=message, practitioner_id=account, data={"taille": 5})]
        )
    return Traffic(message, answer, account, insurer, tuple(ids), sent, art, hold, returned, closed)


def seal(rig: Rig, home: Path) -> None:
    """Puts all there is under a signed head."""
    home.mkdir(exist_ok=True)
    create_key(home, "journal")
    signer = load_signer(home)
    assert signer is not None
    Sealer(rig.workshop.store, signer, home / "tetes.jsonl", rig.clock).run()
