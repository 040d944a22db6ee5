"""Invented rows for the tests of the store."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from oct.crypto.atrest import Vault
from oct.store import consignments, insurers, lots, messages, payloads, practitioners
from oct.store.consignments import NewConsignment
from oct.store.lots import NewInvoice, NewLot
from oct.store.messages import NewMessage

NOW = 1_790_000_000_000
"""An instant of September 2026."""

VAULT = Vault({"essai": bytes(range(32))}, "essai")


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def new_message(number: int, **changes: Any) -> NewMessage:
    return replace(
        NewMessage(
            trace=f"AAAAAA-{number:08d}",
            fingerprint=digest(f"transaction {number}"),
            received_at=NOW + number,
            origin="ps",
            peer="127.0.0.1",
            mail_from="cabinet@exemple.test",
            header_from="cabinet@exemple.test",
            subject="SV140700",
            message_id=f"<{number}@exemple.test>",
            compostage=f"2026092120000{number:06d}",
            practitioner_id=None,
            insurer_id=None,
            size=5,
            sha256=digest("bytes"),
            state="recu",
            due_at=NOW + number,
        ),
        **changes,
    )


def arrive(conn: Connection, number: int, **changes: Any) -> int:
    """Keep an invented message; its id."""
    return messages.insert(conn, new_message(number, **changes), payloads.seal(VAULT, b"bytes")).id


def add_practitioner(conn: Connection, number: str = "991234567", address: str = "cabinet@exemple.test") -> int:
    return practitioners.add(conn, number=number, type="IF", name="Cabinet inventé", address=address, now=NOW)


def add_amo(conn: Connection, organism: str = "422") -> int:
    return insurers.upsert_amo(
        conn,
        regime="01",
        organism=organism,
        centre="999",
        label="Caisse inventée",
        address=f"01{organism}@{organism}.01.rss.test",
        recipient_type="CT",
    )


def new_consignment(message_id: int, payload_id: int, number: int, **changes: Any) -> NewConsignment:
    return NewConsignment(
        message_id=message_id,
        kind="facture",
        recipient="caisse@exemple.test",
        message_uid=f"<sortie{number}@oct.test>",
        payload_id=payload_id,
        size=5,
        sha256=digest("bytes"),
        created_at=NOW + number,
        due_at=NOW + number,
        compostage=f"2026092121000{number:06d}",
        file_id=f"F{number:05d}",
    )._replace(**changes)


def consign(conn: Connection, message_id: int, number: int, **changes: Any) -> int:
    """Write down an invented consignment; its id."""
    payload_id = payloads.put(conn, VAULT, b"bytes", NOW)
    return consignments.insert_many(conn, [new_consignment(message_id, payload_id, number, **changes)])[0]


def new_lot(message_id: int, number: str, **changes: Any) -> NewLot:
    return NewLot(
        message_id=message_id,
        file_id=None,
        rank=1,
        kind="FSE",
        ps_number="991234567",
        practitioner_id=None,
        organism="422",
        number=number,
        lot_date="260921",
        sha256=digest(f"lot {number}"),
        received_sha256=digest(f"lot {number}"),
        size=640,
        invoice_count=2,
        billed=5_000,
        amo=3_500,
        amc=1_500,
        insurer_id=None,
        consignment_id=None,
        hold_id=None,
        state="route",
        code="",
        state_at=NOW,
    )._replace(**changes)


def new_invoice(number: str) -> NewInvoice:
    return NewInvoice(number=number, ps_number="991234567", billed=2_500, amo=1_750, amc=750)


def add_lot(conn: Connection, message_id: int, number: str, *invoices: str, **changes: Any) -> int:
    """Keep an invented lot with its invoices; its id."""
    return lots.insert_many(conn, [(new_lot(message_id, number, **changes), [new_invoice(i) for i in invoices])])[0]
