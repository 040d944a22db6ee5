"""What the console asks is answered by indexes on both databases: no table that grows is read whole, nothing is sorted
that a page does not show (search and pages within 200 ms at ten million events)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, text

from oct.domain.journey import LotState
from oct.steps.journal.evidence import inclusion
from oct.store import overview, returns
from oct.store.browse import listings, log
from oct.store.browse.search import search
from oct.store.engine import Store
from oct.store.returns import LotAnswer
from oct.store.story import tell
from tests.adapters.store.arrivals import NOW, add_amo, add_lot, add_practitioner, arrive, consign
from tests.adapters.store.test_plans import statements
from tests.adapters.store.test_returns_and_events import new_return

GROWS = {
    "messages", "files", "consignments", "lots", "invoices", "returns", "return_lots", "events", "event_leaves",
    "holds", "payloads", "tree_heads",
}  # fmt: skip
PARTIAL = {
    "ix_messages_due", "ix_consignments_due", "ix_consignments_recipient", "ix_consignments_leased", "ix_holds_open",
    "ix_lots_unfinished", "ix_events_readings",
}  # fmt: skip
"""They hold only what waits, or what is asked for."""
IDENTIFIERS = [
    "AAAAAA-00000001", "AAAAAA00000001", "<1@exemple.test>", "cabinet@exemple.test", "2026092120000000001", "001",
    "991234567/001/260921", "991234567/001", "991234567/1", "000000001", "991234567", "F00001", "01422999",
    "01/422/999", "0099999991",
]  # fmt: skip
PAGES: dict[str, Callable[[Connection, str], Any]] = {
    "messages": listings.messages_page,
    "messages of an account": lambda conn, at: listings.messages_page(conn, at, practitioner_id=1),
    "messages until": lambda conn, at: listings.messages_page(conn, at, until=NOW),
    "lots": listings.lots_page,
    "lots of an account": lambda conn, at: listings.lots_page(conn, at, practitioner_id=1),
    "lots for an insurer": lambda conn, at: listings.lots_page(conn, at, insurer_id=1),
    "invoices": lambda conn, at: listings.invoices_page(conn, 1, at),
    "consignments": listings.consignments_page,
    "consignments for an insurer": lambda conn, at: listings.consignments_page(conn, at, insurer_id=1),
    "consignments for an account": lambda conn, at: listings.consignments_page(conn, at, practitioner_id=1),
    "returns": listings.returns_page,
    "returns of an account": lambda conn, at: listings.returns_page(conn, at, practitioner_id=1),
    "open holds": listings.holds_page,
    "closed holds": lambda conn, at: listings.holds_page(conn, at, closed=True),
    "accounts": listings.accounts_page,
    "insurers": listings.insurers_page,
    "log": log.sealed_page,
    "readings": log.readings_page,
    "heads": log.heads_page,
}


@pytest.fixture
def postgres_url(new_postgres_url: str) -> str:
    return new_postgres_url


@pytest.fixture
def conn(store: Store) -> Iterator[Connection]:
    """A few rows, and a planner that takes an index wherever there is one for it."""
    with store.begin() as opened:
        add_practitioner(opened)
        add_amo(opened)
        arrive(opened, 1)
        if store.dialect == "postgresql":
            for kind in ("enable_seqscan", "enable_sort", "enable_mergejoin", "enable_hashjoin"):
                opened.execute(text(f"SET LOCAL {kind} = off"))
        yield opened


def test_no_page_reads_or_sorts_more_than_it_shows(conn: Connection) -> None:
    for name, page in PAGES.items():
        for cursor in ("", "7"):
            _check(conn, name, partial(_turn, page, cursor), walks=True)
    for cursor in ("", f"{NOW}.7"):
        _check(conn, "lots in a state", partial(listings.lots_page, cursor=cursor, state=LotState.MANUAL))


def _turn(page: Callable[[Connection, str], object], cursor: str, conn: Connection) -> object:
    return page(conn, cursor)


def test_no_search_reads_a_whole_table(conn: Connection) -> None:
    for identifier in IDENTIFIERS:
        _check(conn, identifier, partial(search, text=identifier))


def test_a_patient_is_found_by_the_index_of_pseudonyms(conn: Connection) -> None:
    """J4: the few claims of one patient are sorted."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("SET LOCAL enable_sort = on"))
    _check(conn, "patient", lambda opened: search(opened, "ab" * 16), sorts=True)


def test_a_story_is_read_by_its_ids(conn: Connection) -> None:
    """Its lots, what carries them, what answers them."""
    sent = consign(conn, 1, 1)
    lot_id = add_lot(conn, 1, "001", "000000001", consignment_id=sent)
    returned = returns.insert_return(conn, new_return(1, 1))
    returns.link_lots(conn, returned, [LotAnswer(lot_id, "paid")])
    if conn.dialect.name == "postgresql":
        conn.execute(text("SET LOCAL enable_sort = on"))  # a message's own rows are few
    _check(conn, "story", lambda opened: tell(opened, 1), sorts=True)


def test_the_board_counts_only_what_waits_and_the_last_day(conn: Connection) -> None:
    _check(conn, "overview", lambda opened: overview.overview(opened, NOW), sorts=True)
    _check(conn, "by insurer", overview.unfinished_by_insurer, sorts=True)
    _check(conn, "refusing", overview.refusing, sorts=True)
    _check(conn, "arrivals", lambda opened: overview.arrivals(opened, NOW, overview.HOUR_MS), sorts=True)
    _check(conn, "waiting to be sealed", log.waiting)
    _check(conn, "inclusion", lambda opened: inclusion(opened, 0), walks=True)


def _check(
    conn: Connection, name: str, query: Callable[[Connection], object], *, walks: bool = False, sorts: bool = False
) -> None:
    """`walks`: an index may be walked without a condition, for a page is its beginning. `sorts`: groups are sorted."""
    sent = statements(conn, query)
    assert sent, name
    for statement, parameters in sent:
        faults = "\n".join(_faults(conn, statement, parameters, walks=walks, sorts=sorts))
        assert not faults, f"{name}: {statement}\n{faults}"


def _faults(conn: Connection, statement: str, parameters: Any, *, walks: bool, sorts: bool) -> Iterator[str]:
    if conn.dialect.name == "sqlite":
        for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
            words = row.detail.split()
            scan = words[0] == "SCAN" and words[1] in GROWS and not PARTIAL & set(words) and not walks
            if scan or ("ORDER BY" in row.detail and "TEMP B-TREE" in row.detail and not sorts):
                yield row.detail
        return
    plan = conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    yield from _steps((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"], walks=walks, sorts=sorts)


def _steps(node: dict[str, Any], *, walks: bool, sorts: bool) -> Iterator[str]:
    kind, index = node["Node Type"], node.get("Index Name")
    grows = node.get("Relation Name") in GROWS
    walked = index and index not in PARTIAL and "Index Cond" not in node and not walks
    if grows and (kind == "Seq Scan" or walked or (kind == "Index Scan" and index in PARTIAL and "Filter" in node)):
        yield f"{kind} on {node['Relation Name']} by {index}"
    if kind == "Sort" and not sorts:
        yield f"{kind} by {node['Sort Key']}"
    for inner in node.get("Plans", []):
        yield from _steps(inner, walks=walks, sorts=sorts)
