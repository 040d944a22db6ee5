"""Fills a database with invented traffic by bulk copy: ten million events over a million lots, a year of a large
concentrator, to measure on (`browse.py` does).

`fill.py URL [EVENTS]`: an empty SQLite file or PostgreSQL database, which is migrated first. Rows go in by COPY on
PostgreSQL and by `executemany` on SQLite, those of the largest tables are made there (`_Series`); secondary indexes
come afterwards. Leaves are the hashes of their numbers, not of the events', so the log does not verify; its proofs cost
what they cost, and the program goes on from its end. One lot in a hundred waits for something; when the past is to be
`settled`, for a person alone, so that a program started on it finds nothing to do. Payloads are destroyed.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, text

from oct.store.engine import open_store
from oct.store.schema import upgrade
from oct.store.tables import metadata, tree_state
from oct.trace.merkle import TILE, tile_roots
from oct.trace.verify import Tree

END = 1_791_536_000_000
DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS
KEPT_MS = 90 * DAY_MS
ACCOUNTS, INSURERS = 20_000, 500
EVENTS_A_LOT, INVOICES_A_LOT = 10, 5
_BATCH = 50_000
_HEAD_TILES = 4
"""How many whole tiles grow between two heads."""
_OPEN = ("delivered", "delivered", "delivered", "delivered", "sent", "unanswered", "unanswered", "manual", "held")
_LEFT = ("manual", "held")
_KINDS = ("recu", "traite", "scelle", "remise", "retour")
_DATA = json.dumps({"reponse": "250 2.0.0 Ok: queued", "sha256": "ab" * 32, "taille": 4321}, sort_keys=True)

_SERIES = (
    "WITH RECURSIVE series(n) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM series WHERE n + 1 < :count)"
)

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """What there was: so many lots in the year before `end` (ms)."""

    lots: int
    end: int
    settled: bool

    @property
    def start(self) -> int:
        return self.end - YEAR_MS

    @property
    def claims(self) -> int:
        """Messages of practitioners: two lots each, and an answer for two in three."""
        return self.lots // 2

    @property
    def answers(self) -> int:
        return self.claims // 2

    @property
    def step(self) -> int:
        return YEAR_MS // self.claims

    def at(self, message: int) -> int:
        """When a message came, by its rank: claims, then answers."""
        return self.start + (message if message < self.claims else 2 * (message - self.claims)) * self.step


def fill(url: str, count: int, *, end: int = END, settled: bool = False) -> None:
    """Migrates the database and fills it with about `count` events, the last at `end` (ms)."""
    upgrade(url)
    store = open_store(url)
    past = Past(count // EVENTS_A_LOT, end, settled)
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
        conn.execute(delete(tree_state))
        for name, columns, rows in _tables(past):
            began = time.monotonic()
            table = metadata.tables[name]
            copied = _make(conn, table, rows) if isinstance(rows, _Series) else _copy(conn, table, columns, rows)
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


@dataclass(frozen=True, slots=True)
class _Series:
    """Rows of the ranks below `count`: an SQL expression a column, in terms of `n`, for both databases."""

    count: int
    columns: dict[str, str]


def _make(conn: Connection, table: Table, rows: _Series) -> int:
    names, made = ", ".join(rows.columns), ", ".join(rows.columns.values())
    leaf = "sha256(int8send(n))"
    if conn.dialect.name == "sqlite":
        leaf = "leaf(n)"
        conn.connection.create_function("leaf", 1, _leaf, deterministic=True)
    chosen = made.replace("LEAF", leaf)
    statement = f"{_SERIES} INSERT INTO {table.name} ({names}) SELECT {chosen} FROM series"  # noqa: S608 - ours
    conn.execute(text(statement), {"count": rows.count})
    if conn.dialect.name == "postgresql" and "id" in rows.columns:
        _number(conn, table)
    return rows.count


def _number(conn: Connection, table: Table) -> None:
    """What comes next is numbered after what is there."""
    conn.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), func.max(table.c.id))))


def _copy(conn: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
    names, copied = ", ".join(columns), 0
    if conn.dialect.name == "postgresql":
        cursor = conn.connection.cursor()
        with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        if "id" in columns:
            _number(conn, table)
        return cursor.rowcount
    statement = insert(table).compile(dialect=conn.dialect, column_keys=columns).string
    remaining = iter(rows)
    while some := list(islice(remaining, _BATCH)):
        conn.exec_driver_sql(statement, some)
        copied += len(some)
    return copied


def _tables(past: Past) -> Iterator[tuple[str, Sequence[str], Iterable[Row] | _Series]]:
    """Everything in order of time."""
    lots, claims, answers = past.lots, past.claims, past.answers
    yield ("payloads", ("id", "master_key", "size", "sha256", "created_at", "destroyed_at"),
           [(1, "essai", 5, bytes(32), past.start, past.start)])  # fmt: skip
    yield from _register(past.start)
    yield ("messages", ("id", "trace", "fingerprint", "received_at", "origin", "peer", "mail_from", "header_from",
            "subject", "message_id", "compostage", "practitioner_id", "insurer_id", "size", "sha256", "payload_id",
            "state", "ended_at", "purged_at"),
           _messages(past))  # fmt: skip
    yield ("files", ("id", "message_id", "shape", "file_id", "sender_number", "recipient_type", "recipient_number",
            "application", "norm", "record_count", "lot_count", "invoice_count", "sha256"),
           ((rank + 1, rank + 1, "unique", f"{rank // ACCOUNTS + 1:06d}", "00000552100554", "OT", "00000552100554",
             "TO", "CP00", 40, 2, 2 * INVOICES_A_LOT, bytes(32)) for rank in range(claims)))  # fmt: skip
    yield ("consignments", ("id", "message_id", "kind", "insurer_id", "practitioner_id", "recipient", "message_uid",
            "compostage", "file_id", "payload_id", "size", "sha256", "created_at", "state", "delivered_at", "reply",
            "due_at", "attempts"),
           _consignments(past))  # fmt: skip
    yield ("holds", ("id", "opened_at", "subject", "message_id", "code", "sentence", "closed_at", "decision"),
           _holds(past))  # fmt: skip
    yield ("lots", ("id", "message_id", "file_id", "rank", "kind", "ps_number", "practitioner_id", "organism", "number",
            "lot_date", "sha256", "received_sha256", "size", "invoice_count", "billed", "amo", "amc", "insurer_id",
            "consignment_id", "state", "code", "state_at"),
           _lots(past))  # fmt: skip
    yield "invoices", (), _invoices(lots)
    yield ("returns", ("id", "message_id", "kind", "insurer_id", "practitioner_id", "consignment_id", "sha256", "size",
            "received_at", "state"),
           ((rank + 1, claims + rank + 1, "RSP", rank % INSURERS + 1, rank % ACCOUNTS + 1, lots + claims + rank + 1,
             bytes(32), 900, past.at(claims + rank), "remis") for rank in range(answers)))  # fmt: skip
    yield ("return_lots", ("return_id", "lot_id", "outcome"),
           ((rank // 2 + 1, rank + 1, "paid") for rank in range(2 * answers)))  # fmt: skip
    yield from _log(lots * EVENTS_A_LOT, past)


def _register(start: int) -> Iterator[tuple[str, Sequence[str], Iterable[Row]]]:
    yield ("practitioners", ("id", "number", "type", "name", "address", "created_at"),
           ((rank + 1, _ps(rank), "IF", "Cabinet inventé", f"ps{rank}@x.test", start)
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


def _messages(past: Past) -> Iterator[Row]:
    for rank in range(past.claims + past.answers):
        is_claim, at = rank < past.claims, past.at(rank)
        yield (
            rank + 1, f"AAAAAA-{rank:08d}", _leaf(rank), at, "ps" if is_claim else "assureur", "192.0.2.1",
            "ps@x.test", "ps@x.test", "SV140700", f"<{rank}@x.test>", f"{2026112200000000000 + rank}",
            rank % ACCOUNTS + 1 if is_claim else None, None if is_claim else rank % INSURERS + 1, 4321, bytes(32), 1,
            "processed", at + 900, at + KEPT_MS if at + KEPT_MS < past.end else None,
        )  # fmt: skip


def _consignments(past: Past) -> Iterator[Row]:
    """One for each lot, one ART a claim, one for each answer; some of the last wait."""
    lots, claims = past.lots, past.claims
    for rank in range(lots + claims + past.answers):
        if rank < lots:
            kind, message, insurer, account = "facture", rank // 2, rank % INSURERS + 1, None
            recipient = f"caisse{rank % INSURERS}@x.test"
        else:
            message = rank - lots
            kind = "art" if message < claims else "retour"
            insurer, account, recipient = None, message % ACCOUNTS + 1, f"ps{message % ACCOUNTS}@x.test"
        at = past.at(message)
        waits = rank % 1000 == 0 and not past.settled
        yield (
            rank + 1, message + 1, kind, insurer, account, recipient, f"<s{rank}@oct.test>",
            f"{2026112300000000000 + rank}", _base36(rank) if kind == "facture" else "", 1, 5000, bytes(32), at,
            "waiting" if waits else "delivered", None if waits else at + 1000,
            "451 4.3.2 plus tard" if waits else "250 2.0.0 Ok", at + 5000 if waits else None, 3 if waits else 1,
        )  # fmt: skip


def _holds(past: Past) -> Iterator[Row]:
    """One message in fifty was held, and one of these in fifty is still."""
    for rank in range(past.claims // 50):
        at, is_open = past.at(rank * 50), rank % 50 == 0
        yield (
            rank + 1, at, "lot", rank * 50 + 1, "caisse-inconnue", "Caisse inconnue.",
            None if is_open else at + 1, "" if is_open else "libere",
        )  # fmt: skip


def _base36(rank: int) -> str:
    digits = []
    for _ in range(6):
        rank, digit = divmod(rank, 36)
        digits.append("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit])
    return "".join(reversed(digits))


def _lots(past: Past) -> Iterator[Row]:
    waiting = _LEFT if past.settled else _OPEN
    for rank in range(past.lots):
        message = rank // 2
        account, turn = message % ACCOUNTS, message // ACCOUNTS * 2 + rank % 2
        at = past.at(message)
        state = waiting[rank // 100 % len(waiting)] if rank % 100 == 0 else "paid" if rank % 10 else "rejected"
        digest = rank.to_bytes(32)
        yield (
            rank + 1, message + 1, message + 1, rank % 2 + 1, "FSE", _ps(account), account + 1,
            f"{rank % INSURERS:03d}", f"{turn % 999 + 1:03d}", time.strftime("%y%m%d", time.gmtime(at / 1000)), digest,
            digest, 640, INVOICES_A_LOT, 12_500, 8_750, 3_750, rank % INSURERS + 1, rank + 1, state, "", at + 2000,
        )  # fmt: skip


def _invoices(lots: int) -> _Series:
    account = f"(n / {2 * INVOICES_A_LOT} % {ACCOUNTS})"
    turn = f"(n / {2 * INVOICES_A_LOT * ACCOUNTS} * 2 + n / {INVOICES_A_LOT} % 2)"
    return _Series(
        lots * INVOICES_A_LOT,
        {
            "id": "n + 1",
            "lot_id": f"n / {INVOICES_A_LOT} + 1",
            "number": f"substr(CAST(1000000000 + {turn} * {INVOICES_A_LOT} + n % {INVOICES_A_LOT} + 1 AS VARCHAR), 2)",
            "ps_number": f"CAST(990000000 + {account} AS VARCHAR)",
            "billed": "2500",
            "amo": "1750",
            "amc": "750",
            "amo_state": "'P'",
            "pseudonym": "substr(LEAF, 1, 16)",
        },
    )


def _log(count: int, past: Past) -> Iterator[tuple[str, Sequence[str], Iterable[Row] | _Series]]:
    kinds = " ".join(f"WHEN {rank} THEN '{kind}'" for rank, kind in enumerate(_KINDS))
    told = {
        "id": "n + 1",
        "at": f"{past.start} + n * {YEAR_MS // count}",
        "kind": f"CASE WHEN n % 100 = 0 THEN 'consulte' ELSE CASE n % 5 {kinds} END END",
        "outcome": "'fait'",
        "message_id": f"n * {past.claims + past.answers} / {count} + 1",
        "actor": "''",
        "data": f"'{_DATA}'".replace(":", "\\:"),
    }
    yield "events", (), _Series(count, told)
    yield "event_leaves", (), _Series(count, {"seq": "n", "event_id": "n + 1", "leaf": "LEAF"})
    _, tiles = tile_roots(_leaf(rank) for rank in range(count))
    yield "tree_tiles", ("tile", "root"), enumerate(tiles)
    heads, tree = _grown(tiles, count)
    rows = ((size, past.start + size * (YEAR_MS // count), root, "essai", bytes(64)) for size, root in heads)
    yield "tree_heads", ("size", "at", "root", "key", "signature"), rows
    yield "tree_state", ("id", "size", "peaks"), [(1, count, b"".join(tree.peaks))]
    yield "sequences", ("name", "value"), [("journal:registre", count)]  # the file outside knows of all of them


def _grown(tiles: Sequence[bytes], count: int) -> tuple[list[tuple[int, bytes]], Tree]:
    """Sizes and roots of the heads, the last one of all leaves, and the tree: over whole tiles, then leaf by leaf."""
    heads, upper = [], Tree()
    for tile in tiles:
        upper.add(tile)
        if upper.size % _HEAD_TILES == 0:
            heads.append((upper.size * TILE, upper.root()))
    tree = Tree(upper.size * TILE, upper.peaks)
    for rank in range(tree.size, count):
        tree.add(_leaf(rank))
    if not heads or heads[-1][0] < count:
        heads.append((count, tree.root()))
    return heads, tree


def _leaf(rank: int) -> bytes:
    return hashlib.sha256(rank.to_bytes(8)).digest()


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000)
