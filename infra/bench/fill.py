"""Fills a database with invented traffic by bulk copy: ten million events over a million lots, a year of a large
concentrator, to measure on (`browse.py` does).

`fill.py URL [EVENTS]`: an empty SQLite file or PostgreSQL database, which is migrated first. Rows go in by COPY on
PostgreSQL and by `executemany` on SQLite, secondary indexes are made afterwards. Leaves are the hashes of their
numbers, not of the events', so the log does not verify; its proofs cost what they cost. One lot in a hundred waits for
something.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text

from oct.store.engine import open_store
from oct.store.schema import upgrade
from oct.store.tables import metadata
from oct.trace.merkle import tile_roots
from oct.trace.verify import Tree

START = 1_760_000_000_000
YEAR_MS = 365 * 86_400_000
ACCOUNTS, INSURERS = 20_000, 500
EVENTS_A_LOT, INVOICES_A_LOT = 10, 5
_BATCH = 50_000
_OPEN = ("delivered", "delivered", "delivered", "delivered", "sent", "unanswered", "unanswered", "manual", "held")
_DATA = json.dumps({"reponse": "250 2.0.0 Ok: queued", "sha256": "ab" * 32, "taille": 4321}, sort_keys=True)

Row = tuple[Any, ...]


def fill(url: str, count: int) -> None:
    """Migrates the database and fills it with about `count` events."""
    upgrade(url)
    store = open_store(url)
    lots = count // EVENTS_A_LOT
    with store.begin() as conn:
        indexes = [index for table in metadata.tables.values() for index in table.indexes]
        if store.dialect == "postgresql":
            for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
                conn.execute(text(f"SET LOCAL {limit} = 0"))
            conn.execute(text("SET LOCAL session_replication_role = replica"))  # no look-up for each reference
        else:
            conn.exec_driver_sql("PRAGMA cache_size = -1000000")
        for index in indexes:
            index.drop(conn)
        for name, columns, rows in _tables(lots):
            began = time.monotonic()
            copied = _copy(conn, metadata.tables[name], columns, rows)
            print(f"{name:<24} {copied:>10} lignes {time.monotonic() - began:7.1f} s", flush=True)
        began = time.monotonic()
        for index in indexes:
            index.create(conn)
        print(f"{'index':<24} {len(indexes):>10}        {time.monotonic() - began:7.1f} s", flush=True)
    if store.dialect == "postgresql":  # as it does by itself; SQLite is never asked to
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("SET statement_timeout = 0"))
            conn.execute(text("VACUUM ANALYZE"))
    store.close()


def _copy(conn: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
    names, copied = ", ".join(columns), 0
    if conn.dialect.name == "postgresql":
        cursor = conn.connection.cursor()
        with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:  # type: ignore[attr-defined]
            for row in rows:
                copy.write_row(row)
        if "id" in columns:
            conn.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), func.max(table.c.id))))
        return cursor.rowcount
    statement = insert(table).compile(dialect=conn.dialect, column_keys=columns).string
    remaining = iter(rows)
    while some := list(islice(remaining, _BATCH)):
        conn.exec_driver_sql(statement, some)
        copied += len(some)
    return copied


def _tables(lots: int) -> Iterator[tuple[str, Sequence[str], Iterable[Row]]]:
    """Two lots a message, an answer for two messages in three, everything in order of time."""
    claims = lots // 2
    answers = claims // 2
    step = YEAR_MS // claims
    yield "payloads", ("id", "master_key", "size", "sha256", "created_at"), [(1, "essai", 5, bytes(32), START)]
    yield from _register()
    yield ("messages", ("id", "trace", "fingerprint", "received_at", "origin", "peer", "mail_from", "header_from",
            "subject", "message_id", "compostage", "practitioner_id", "insurer_id", "size", "sha256", "payload_id",
            "state", "ended_at"),
           _messages(claims, answers, step))  # fmt: skip
    yield ("files", ("id", "message_id", "shape", "file_id", "sender_number", "recipient_type", "recipient_number",
            "application", "norm", "record_count", "lot_count", "invoice_count", "sha256"),
           ((rank + 1, rank + 1, "unique", f"{rank // ACCOUNTS + 1:06d}", "00000552100554", "OT", "00000552100554",
             "TO", "CP00", 40, 2, 2 * INVOICES_A_LOT, bytes(32)) for rank in range(claims)))  # fmt: skip
    yield ("consignments", ("id", "message_id", "kind", "insurer_id", "practitioner_id", "recipient", "message_uid",
            "compostage", "file_id", "payload_id", "size", "sha256", "created_at", "state", "delivered_at", "reply",
            "due_at", "attempts"),
           _consignments(lots, claims, answers, step))  # fmt: skip
    yield ("holds", ("id", "opened_at", "subject", "message_id", "code", "sentence", "closed_at", "decision"),
           ((rank + 1, START + rank * 50 * step, "lot", rank * 50 + 1, "caisse-inconnue", "Caisse inconnue.",
             None if rank % 50 == 0 else START + rank * 50 * step + 1, "" if rank % 50 == 0 else "libere")
            for rank in range(claims // 50)))  # fmt: skip
    yield ("lots", ("id", "message_id", "file_id", "rank", "kind", "ps_number", "practitioner_id", "organism", "number",
            "lot_date", "sha256", "received_sha256", "size", "invoice_count", "billed", "amo", "amc", "insurer_id",
            "consignment_id", "state", "code", "state_at"),
           _lots(lots, step))  # fmt: skip
    yield ("invoices", ("id", "lot_id", "number", "ps_number", "billed", "amo", "amc", "amo_state"), _invoices(lots))
    yield ("returns", ("id", "message_id", "kind", "insurer_id", "practitioner_id", "consignment_id", "sha256", "size",
            "received_at", "state"),
           ((rank + 1, claims + rank + 1, "RSP", rank % INSURERS + 1, rank % ACCOUNTS + 1, lots + claims + rank + 1,
             bytes(32), 900, START + rank * 2 * step, "remis") for rank in range(answers)))  # fmt: skip
    yield ("return_lots", ("return_id", "lot_id", "outcome"),
           ((rank // 2 + 1, rank + 1, "paid") for rank in range(2 * answers)))  # fmt: skip
    yield from _log(lots * EVENTS_A_LOT, claims + answers)


def _register() -> Iterator[tuple[str, Sequence[str], Iterable[Row]]]:
    yield ("practitioners", ("id", "number", "type", "name", "address", "created_at"),
           ((rank + 1, _ps(rank), "IF", "Cabinet inventé", f"ps{rank}@x.test", START)
            for rank in range(ACCOUNTS)))  # fmt: skip
    yield ("practitioner_numbers", ("number", "practitioner_id"), ((_ps(rank), rank + 1) for rank in range(ACCOUNTS)))
    yield ("practitioner_addresses", ("address", "practitioner_id"),
           ((f"ps{rank}@x.test", rank + 1) for rank in range(ACCOUNTS)))  # fmt: skip
    yield ("insurers", ("id", "kind", "label", "address", "recipient_type", "recipient_number", "regime", "organism",
            "centre"),
           ((rank + 1, "AMO", f"Caisse {rank}", f"caisse{rank}@x.test", "CT", f"000000010{rank:05d}", "01",
             f"{rank:03d}", "999") for rank in range(INSURERS)))  # fmt: skip


def _ps(rank: int) -> str:
    return f"99{rank:07d}"


def _messages(claims: int, answers: int, step: int) -> Iterator[Row]:
    for rank in range(claims + answers):
        is_claim = rank < claims
        at = START + (rank if is_claim else 2 * (rank - claims)) * step
        yield (
            rank + 1, f"AAAAAA-{rank:08d}", rank.to_bytes(32), at, "ps" if is_claim else "assureur", "192.0.2.1",
            "ps@x.test", "ps@x.test", "SV140700", f"<{rank}@x.test>", f"{2026112200000000000 + rank}",
            rank % ACCOUNTS + 1 if is_claim else None, None if is_claim else rank % INSURERS + 1, 4321, bytes(32), 1,
            "processed", at + 900,
        )  # fmt: skip


def _consignments(lots: int, claims: int, answers: int, step: int) -> Iterator[Row]:
    """One for each lot, one ART a claim, one for each answer; some of the last wait."""
    for rank in range(lots + claims + answers):
        if rank < lots:
            kind, message, insurer, account = "facture", rank // 2, rank % INSURERS + 1, None
            recipient = f"caisse{rank % INSURERS}@x.test"
        else:
            message = rank - lots
            kind = "art" if message < claims else "retour"
            insurer, account, recipient = None, message % ACCOUNTS + 1, f"ps{message % ACCOUNTS}@x.test"
        at = START + (message if message < claims else 2 * (message - claims)) * step
        waits = rank % 1000 == 0
        yield (
            rank + 1, message + 1, kind, insurer, account, recipient, f"<s{rank}@oct.test>",
            f"{2026112300000000000 + rank}", _base36(rank) if kind == "facture" else "", 1, 5000, bytes(32), at,
            "waiting" if waits else "delivered", None if waits else at + 1000,
            "451 4.3.2 plus tard" if waits else "250 2.0.0 Ok", at + 5000 if waits else None, 3 if waits else 1,
        )  # fmt: skip


def _base36(rank: int) -> str:
    digits = []
    for _ in range(6):
        rank, digit = divmod(rank, 36)
        digits.append("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit])
    return "".join(reversed(digits))


def _lots(lots: int, step: int) -> Iterator[Row]:
    for rank in range(lots):
        message = rank // 2
        account, turn = message % ACCOUNTS, message // ACCOUNTS * 2 + rank % 2
        at = START + message * step
        state = _OPEN[rank // 100 % len(_OPEN)] if rank % 100 == 0 else "paid" if rank % 10 else "rejected"
        digest = rank.to_bytes(32)
        yield (
            rank + 1, message + 1, message + 1, rank % 2 + 1, "FSE", _ps(account), account + 1,
            f"{rank % INSURERS:03d}", f"{turn % 999 + 1:03d}", time.strftime("%y%m%d", time.gmtime(at / 1000)), digest,
            digest, 640, INVOICES_A_LOT, 12_500, 8_750, 3_750, rank % INSURERS + 1, rank + 1, state, "", at + 2000,
        )  # fmt: skip


def _invoices(lots: int) -> Iterator[Row]:
    for rank in range(lots * INVOICES_A_LOT):
        lot = rank // INVOICES_A_LOT
        account, turn = lot // 2 % ACCOUNTS, lot // 2 // ACCOUNTS * 2 + lot % 2
        number = turn * INVOICES_A_LOT + rank % INVOICES_A_LOT + 1
        yield (rank + 1, lot + 1, f"{number:09d}", _ps(account), 2500, 1750, 750, "P")


def _log(count: int, messages: int) -> Iterator[tuple[str, Sequence[str], Iterable[Row]]]:
    kinds = ("recu", "traite", "scelle", "remise", "retour", "consulte")
    yield ("events", ("id", "at", "kind", "outcome", "message_id", "actor", "data"),
           ((rank + 1, START + rank * (YEAR_MS // count), kinds[5 if rank % 100 == 0 else rank % 5], "fait",
             rank * messages // count + 1, "", _DATA) for rank in range(count)))  # fmt: skip
    yield "event_leaves", ("seq", "event_id", "leaf"), ((rank, rank + 1, _leaf(rank)) for rank in range(count))
    _, tiles = tile_roots(_leaf(rank) for rank in range(count))
    yield "tree_tiles", ("tile", "root"), enumerate(tiles)
    yield "tree_heads", ("size", "at", "root", "key", "signature"), _heads(count)


def _heads(count: int) -> Iterator[Row]:
    """One a thousand events, and the last."""
    tree = Tree()
    for rank in range(count):
        tree.add(_leaf(rank))
        if tree.size % 1000 == 0 or tree.size == count:
            yield tree.size, START + rank * (YEAR_MS // count), tree.root(), "essai", bytes(64)


def _leaf(rank: int) -> bytes:
    return hashlib.sha256(rank.to_bytes(8)).digest()


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000)
