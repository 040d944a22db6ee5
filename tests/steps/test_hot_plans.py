"""What the steps ask of the database costs the same whatever is kept: no table that grows is read whole, on SQLite and
on PostgreSQL.

The steps do some days' work, and everything that they send to the database is caught; each statement is then explained,
so that a new one is judged without being named here. PostgreSQL is made to take an index wherever there is one, for in
tables of a few rows it prefers none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from oct.domain.model import ReturnMode
from oct.steps.alerts.door import door_alerts, refusals_of_the_day
from oct.steps.alerts.trace import upkeep_alerts
from oct.steps.gather import gather
from oct.steps.journal.logbook import Logbook
from oct.steps.journal.seal import Sealer
from oct.steps.keeping.purge import Limits, purge
from oct.steps.release import release
from oct.steps.sweep import sweep
from oct.store.tables import metadata
from oct.trace.heads import load_signer
from oct.web.metrics import exposition
from tests.claims import Batch, Claim, enriched
from tests.steps.grouping_rig import WINDOW
from tests.steps.hosting_rig import HostingRig, hosting_rig
from tests.steps.resending_rig import ADDRESS, LOIRE, Rig, file_of, mail, rig

GROWS = {
    "messages", "files", "consignments", "lots", "invoices", "returns", "return_lots", "holds", "payloads", "events",
    "event_details", "event_leaves", "tree_heads", "tree_tiles", "mailbox_items", "sequences",
}  # fmt: skip
PARTIAL = {
    "ix_messages_due", "ix_messages_kept", "ix_messages_refused", "ix_messages_undecipherable",
    "ix_consignments_due", "ix_consignments_recipient", "ix_consignments_leased", "ix_consignments_gathering",
    "ix_consignments_stalled",
    "ix_holds_open", "ix_lots_unfinished", "ix_events_alerts", "ix_mailbox_items_visible",
}  # fmt: skip
"""They hold only what waits, or what happens rarely: one may be read whole."""
DAY = 86_400_000
LIMITS = Limits(payloads=90 * DAY, unanswered=400 * DAY, access=365 * DAY, journal=3650 * DAY)
ONE, TWO = Batch((Claim(1),), 1), Batch((Claim(2), Claim(3)), 2)
FAR = Batch((Claim(4, ("01", "011", "0000")),), 3, organism="011")
SPLIT = Batch((enriched(8),), 8)
LOST = Batch((Claim(9, ("01", "999", "0000")),), 9, organism="999")


@pytest.fixture
def postgres_url(new_postgres_url: str) -> str:
    return new_postgres_url


@contextmanager
def caught(pieces: Rig) -> Iterator[dict[str, Any]]:
    """All that is sent to the database while the block runs, each statement once with the parameters it first had."""
    sent: dict[str, Any] = {}

    def listen(_conn: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        sent.setdefault(statement, parameters)

    engine = pieces.workshop.store.engine
    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", listen)


def test_no_step_reads_a_table_that_grows(tmp_path: Path, database_url: str) -> None:
    """Receives, processes, sends; answers, silence, failures, hosted mailboxes; seals, sweeps, purges, watches."""
    with hosting_rig(tmp_path, database_url) as pieces, caught(pieces) as sent:
        _claims_and_answers(pieces)
        _what_fails(pieces)
        _what_is_hosted(pieces)
        _what_comes_by_itself(pieces)
        _judge(pieces, sent)


def test_no_grouping_reads_a_table_that_grows(tmp_path: Path, database_url: str) -> None:
    """A15."""
    with rig(tmp_path, database_url, WINDOW) as pieces, caught(pieces) as sent:
        pieces.submit(ONE)
        pieces.submit(TWO)
        pieces.clock.pass_hours(1)
        assert gather(pieces.workshop) == 1
        pieces.work()
        pieces.acknowledge(ONE, TWO)
        _judge(pieces, sent)


def _claims_and_answers(pieces: HostingRig) -> None:
    raw = mail(file_of([ONE, FAR, SPLIT]))
    pieces.take(raw, ADDRESS)
    assert pieces.receive(raw, ADDRESS).text.startswith("2.0.0 Message deja recu")
    pieces.acknowledge(ONE)
    pieces.submit(ONE, TWO)
    pieces.acknowledge(TWO, code="0012")
    pieces.clock.pass_hours(48)
    assert pieces.watch() == 1
    pieces.clock.pass_hours(48)
    assert pieces.watch() == 1


def _what_fails(pieces: HostingRig) -> None:
    pieces.outside.temper.refuse(451, 1, address=LOIRE)
    pieces.submit(Batch((Claim(11),), 11))
    pieces.clock.pass_hours(1)
    pieces.work()
    pieces.outside.temper.refuse(550, 1, address=LOIRE)
    failed = pieces.submit(Batch((Claim(12),), 12))
    (hold,) = pieces.holds(failed)
    release(pieces.workshop, hold.id, "essai")
    pieces.work()
    pieces.submit(LOST)
    pieces.submit(LOST)
    head, blank, body = mail(file_of([ONE])).partition(b"\r\n\r\n")
    pieces.take(head + blank + body[: len(body) // 2], ADDRESS)


def _what_is_hosted(pieces: HostingRig) -> None:
    pieces.choose(ReturnMode.BOITE)
    pieces.returned(21)
    assert pieces.read(delete=True)
    pieces.redeliver(*pieces.returns())
    assert pieces.leave()


def _what_comes_by_itself(pieces: HostingRig) -> None:
    workshop, heads = pieces.workshop, pieces.home / "tetes.jsonl"
    signer = load_signer(pieces.home)
    assert signer is not None
    sealer = Sealer(workshop.store, signer, heads, pieces.clock)
    assert sealer.run() > 0
    sealer.run()
    assert Logbook(workshop.store, pieces.home / "registre.jsonl").run() > 0
    assert gather(workshop) == sweep(workshop) == 0
    assert exposition(workshop)
    with workshop.store.read() as conn:
        refusals_of_the_day(conn, pieces.clock())
    assert list(door_alerts(workshop.store, "", 0, pieces.clock())) == []
    assert list(upkeep_alerts(workshop.store, heads, LIMITS, pieces.clock())) == []
    pieces.clock.pass_hours(24 * 500)
    assert purge(workshop.store, pieces.clock, LIMITS) > 0


def _judge(pieces: Rig, sent: dict[str, Any]) -> None:
    known = list(sent.items())
    with pieces.workshop.store.begin() as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(text("SET LOCAL enable_seqscan = off"))
        found = [(statement, fault) for statement, given in known for fault in _faults(conn, statement, given)]
    assert not found, "\n\n".join(f"{statement}\n-> {fault}" for statement, fault in found)


def _faults(conn: Connection, statement: str, parameters: Any) -> Iterator[str]:
    verb, *_ = statement.split(maxsplit=1)
    if verb not in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
        return
    if verb == "DELETE":
        yield from _references(statement.split()[2])
    given = parameters[0] if isinstance(parameters, list) else parameters
    if conn.dialect.name == "sqlite":
        if verb == "INSERT":
            return  # what it may name is found by key; who names it is explained too, but looked for by a DELETE alone
        for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given):
            words = row.detail.split()
            if words[0] == "SCAN" and words[1] in GROWS and not PARTIAL & set(words):
                yield row.detail
        return
    plan = conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", given).scalar_one()
    yield from _steps((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])


def _references(table: str) -> Iterator[str]:
    """Who names a row that is removed is looked for, in each table that may: without an index, by reading it."""
    for other in metadata.sorted_tables:
        for key in other.foreign_keys:
            indexed = {next(iter(index.columns)).name for index in other.indexes}
            indexed |= {next(iter(other.primary_key.columns)).name}
            if other.name in GROWS and key.column.table.name == table and key.parent.name not in indexed:
                yield f"a reference without an index: {key.parent}"


def _steps(node: dict[str, Any]) -> Iterator[str]:
    table, index = node.get("Relation Name"), node.get("Index Name")
    whole = node["Node Type"] == "Seq Scan" or (index and index not in PARTIAL and "Index Cond" not in node)
    if table in GROWS and whole:
        yield f"{node['Node Type']} on {table} by {index}"
    for inner in node.get("Plans", []):
        yield from _steps(inner)
