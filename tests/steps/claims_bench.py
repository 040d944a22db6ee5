"""The bench with the caisses that lead to its insurers, so that golden claims find their way."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oct.store import insurers
from tests.steps.bench import CLAIMS, Bench, bench


@contextmanager
def claims_bench(home: Path, database_url: str, *, certified: bool = True) -> Iterator[Bench]:
    """A concentrator in pieces that routes the golden claims of AMO."""
    with bench(home, database_url, certified=certified) as made:
        with (CLAIMS / "orgdest.csv").open(encoding="latin-1", newline="") as table:
            rows = list(csv.reader(table, delimiter=";"))[1:]
        with made.workshop.store.begin() as conn:
            known = {(one.regime, one.organism, one.centre): one.id for one in insurers.list_all(conn)}
            for regime, caisse, centre, label, _, organism, computer_centre, *_ in rows:
                insurers.map_caisse(conn, regime, caisse, centre, label, known[regime, organism, computer_centre])
        yield made
