"""The claims and look-ups use an index on both databases: none of them reads a whole table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event

from oct.store import (
    alerts,
    certificates,
    consignments,
    delivered,
    events,
    gatherings,
    holds,
    insurers,
    lots,
    messages,
    practitioners,
    returns,
    undecipherable,
)
from oct.store.engine import Store
from oct.store.events import EventRow
from oct.store.returns import InvoiceReference, LotReference
from oct.store.slips import Slip
from oct.store.tables import metadata
from oct.store.undecipherable import Sender
from tests.adapters.store.arrivals import NOW, arrive

TOLD = EventRow(NOW, "remise", "remis", message_id=1)
QUERIES: list[Callable[[Connection], object]] = [
    lambda conn: messages.claim(conn, "w", NOW, 1, 10),
    lambda conn: messages.finish(conn, 1, "w", "traite", "", NOW),
    lambda conn: messages.release_leases(conn, "w"),
    lambda conn: messages.by_trace(conn, "AAAAAA-00000001"),
    lambda conn: messages.counts(conn, NOW),
    lambda conn: messages.oldest_due(conn),
    lambda conn: consignments.claim(conn, "w", NOW, 1, 10),
    lambda conn: consignments.claim_any(conn, "w", NOW, 1, 10),
    lambda conn: consignments.claim_stalled(conn, "w", NOW, 1, 10),
    lambda conn: consignments.hand_back(conn, [(1, "w"), (2, "w")]),
    lambda conn: consignments.mark_delivered(conn, 1, "w", "", NOW),
    lambda conn: delivered.tell(conn, [Slip("w", 1, NOW, "", True), Slip("w", 2, NOW, "", True)], [TOLD]),
    lambda conn: consignments.release_leases(conn, "w"),
    lambda conn: consignments.of_message(conn, 1),
    lambda conn: consignments.backlog(conn),
    lambda conn: gatherings.closed_keys(conn, NOW),
    lambda conn: gatherings.of_key(conn, "a"),
    lambda conn: gatherings.still_waiting(conn, [1, 2]),
    lambda conn: gatherings.send_off(conn, [1, 2], 1),
    lambda conn: gatherings.withhold(conn, 1, 1, "a", NOW),
    lambda conn: gatherings.oldest(conn),
    lambda conn: gatherings.count(conn),
    lambda conn: lots.by_identity(conn, "991234567", "001", "260921"),
    lambda conn: lots.by_invoice(conn, "000000001", "991234567"),
    lambda conn: lots.by_file_id(conn, "F00001"),
    lambda conn: lots.of_message(conn, 1),
    lambda conn: lots.move_with_consignments(conn, {1: NOW, 2: NOW}, "remis"),
    lambda conn: lots.unchanged_since(conn, "remis", NOW, 10),
    lambda conn: lots.set_invoice_states(conn, [lots.InvoiceAnswer(1, "000000001", "P")]),
    lambda conn: holds.list_open(conn),
    lambda conn: returns.of_practitioner(conn, 1, NOW, "a@exemple.test"),
    lambda conn: returns.of_lot(conn, 1),
    lambda conn: returns.practitioners_of_lots(conn, [LotReference(n, "260921") for n in ("001", "002")], [1, 2]),
    lambda conn: returns.practitioners_of_invoices(conn, [InvoiceReference("000000001", "001", "260921")], [1, 2]),
    lambda conn: returns.answered(conn, ["<a@b>", "<c@d>"], ["2026092121000000001"]),
    lambda conn: events.of_message(conn, 1),
    lambda conn: [events.find(conn, each) for each in ("AAAAAA-00000001", "a@b", "001", "F00001", "1/2/3", "1" * 19)],
    lambda conn: practitioners.by_number(conn, "991234567"),
    lambda conn: practitioners.by_address(conn, "cabinet@exemple.test"),
    lambda conn: insurers.by_address(conn, "caisse@exemple.test"),
    lambda conn: certificates.usable_for(conn, "caisse@exemple.test"),
    lambda conn: messages.refused_since(conn, 1),
    lambda conn: undecipherable.counts(conn, 1),
    lambda conn: undecipherable.last_due(conn, Sender(1, None, "")),
    lambda conn: undecipherable.last_due(conn, Sender(None, None, "192.0.2.1")),
    lambda conn: alerts.refusals_since(conn, 1),
    lambda conn: alerts.slowed_since(conn, 1),
]

PARTIAL = {
    "ix_messages_due",
    "ix_consignments_due",
    "ix_consignments_recipient",
    "ix_consignments_leased",
    "ix_consignments_stalled",
    "ix_consignments_gathering",
}
"""They hold only what waits, so reading one whole is what is wanted."""


@pytest.fixture
def postgres_url(new_postgres_url: str) -> str:
    return new_postgres_url


def test_no_hot_query_reads_a_whole_table(store: Store) -> None:
    with store.begin() as conn:
        arrive(conn, 1)
        if store.dialect == "postgresql":
            for number in range(2, 300):  # of one row, any way is the shortest
                arrive(conn, number)
            conn.exec_driver_sql("ANALYZE messages")
            conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for query in QUERIES:
            for statement, parameters in statements(conn, query):
                plan = "\n".join(whole_tables(conn, statement, parameters))
                assert not plan, f"{statement}\n{plan}"


def statements(conn: Connection, query: Callable[[Connection], object]) -> list[tuple[str, Any]]:
    """What a query function sends to the database."""
    sent: list[tuple[str, Any]] = []

    def listen(_conn: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        sent.append((statement, parameters))

    event.listen(conn, "before_cursor_execute", listen)
    query(conn)
    event.remove(conn, "before_cursor_execute", listen)
    return sent


def whole_tables(conn: Connection, statement: str, parameters: Any) -> Iterator[str]:
    """The steps of a plan that read a table from end to end."""
    if isinstance(parameters, list):
        parameters = parameters[0]
    if conn.dialect.name == "sqlite":
        for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
            words = row.detail.split()
            if words[0] == "SCAN" and words[1] in metadata.tables and not PARTIAL & set(words):
                yield row.detail
        return
    plan = conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    yield from _steps((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])


def _steps(node: dict[str, Any]) -> Iterator[str]:
    index = node.get("Index Name")
    if node["Node Type"] == "Seq Scan" or (index and index not in PARTIAL and "Index Cond" not in node):
        yield f"{node['Node Type']} on {node.get('Relation Name')} by {index}"
    for inner in node.get("Plans", []):
        yield from _steps(inner)
