"""Times of what the console asks, on a database that `fill.py` filled: `browse.py URL`.

Each question is asked ten times, for other identifiers each time, in a transaction of its own; printed are the median
and the slowest, in milliseconds, against the goal for search (200 ms at ten million events).
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from random import Random

from sqlalchemy import Connection, func, select

from oct.domain.journey import LotState
from oct.steps.journal.evidence import consistency, inclusion
from oct.store import overview
from oct.store.browse import listings, log
from oct.store.browse.search import search
from oct.store.engine import Store, open_store
from oct.store.story import tell
from oct.store.tables import event_leaves, lots, messages, tree_heads

GOAL_MS = 200
ROUNDS = 10
Question = Callable[[Connection, int], object]


def questions(seqs: int, claims: int, most_lots: int, now: int) -> dict[str, Question]:
    """What is asked, of the row of a random rank."""
    day = overview.DAY_MS
    return {
        "recherche : suivi": lambda conn, rank: search(conn, f"AAAAAA-{rank % claims:08d}"),
        "recherche : compostage": lambda conn, rank: search(conn, f"{2026112300000000000 + rank % most_lots}"),
        "recherche : Message-ID": lambda conn, rank: search(conn, f"<{rank % claims}@x.test>"),
        "recherche : fichier": lambda conn, rank: search(conn, f"{rank % 20 + 1:06d}"),
        "recherche : lot seul (001…)": lambda conn, rank: search(conn, f"{rank % 50 + 1:03d}"),
        "recherche : PS/lot": lambda conn, rank: search(conn, f"99{rank % 20000:07d}/{rank % 50 + 1:03d}"),
        "recherche : facture seule": lambda conn, rank: search(conn, f"{rank % 250 + 1}"),
        "recherche : PS/facture": lambda conn, rank: search(conn, f"99{rank % 20000:07d}/{rank % 250 + 1}"),
        "recherche : numéro de PS": lambda conn, rank: search(conn, f"99{rank % 20000:07d}"),
        "recherche : adresse": lambda conn, rank: search(conn, f"ps{rank % 20000}@x.test"),
        "recherche : rien": lambda conn, rank: search(conn, f"{rank:019d}"),
        "liste : messages, premiers": lambda conn, _: listings.messages_page(conn),
        "liste : messages, loin": lambda conn, rank: listings.messages_page(conn, str(rank % claims + 100)),
        "liste : messages jusqu'à": lambda conn, rank: listings.messages_page(conn, until=now - rank % 300 * day),
        "liste : lots d'un PS": lambda conn, rank: listings.lots_page(conn, practitioner_id=rank % 20000 + 1),
        "liste : lots d'un assureur": lambda conn, rank: listings.lots_page(conn, insurer_id=rank % 500 + 1),
        "liste : lots sans réponse": lambda conn, _: listings.lots_page(conn, state=LotState.UNANSWERED),
        "liste : lots payés, loin": lambda conn, rank: listings.lots_page(
            conn, f"{now - rank % 300 * day}.1", state=LotState.PAID
        ),
        "liste : envois": lambda conn, _: listings.consignments_page(conn),
        "liste : retours d'un PS": lambda conn, rank: listings.returns_page(conn, practitioner_id=rank % 20000 + 1),
        "liste : retenues": lambda conn, _: listings.holds_page(conn),
        "liste : journal": lambda conn, rank: log.sealed_page(conn, str(rank % seqs + 100)),
        "liste : accès": lambda conn, _: log.readings_page(conn),
        "histoire d'un message": lambda conn, rank: tell(conn, rank % claims + 1),
        "preuve d'inclusion": lambda conn, rank: inclusion(conn, rank % seqs),
        "preuve de cohérence": lambda conn, rank: consistency(conn, _a_head(conn, rank % seqs)),
        "accueil : décomptes": lambda conn, _: overview.overview(conn, now),
        "accueil : par assureur": lambda conn, _: overview.unfinished_by_insurer(conn),
        "accueil : refus": lambda conn, _: overview.refusing(conn),
        "accueil : 24 heures": lambda conn, _: overview.arrivals(conn, now - day, overview.HOUR_MS),
        "accueil : 14 jours": lambda conn, _: overview.arrivals(conn, now - 14 * day, day),
    }


def _a_head(conn: Connection, size: int) -> int:
    found = conn.execute(select(func.max(tree_heads.c.size)).where(tree_heads.c.size <= size + 1000)).scalar_one()
    return int(found)


def main(store: Store) -> None:
    """Asks everything, prints a line each."""
    with store.read() as conn:
        counts = [conn.execute(select(func.max(key))).scalar_one() for key in
                  (event_leaves.c.seq, messages.c.id, lots.c.id, messages.c.received_at)]  # fmt: skip
    seqs, known, most_lots, now = map(int, counts)
    print(f"{seqs + 1} événements, {known} messages, {most_lots} lots ({store.dialect})")
    chance, slow = Random(1), []
    for name, ask in questions(seqs, most_lots // 2, most_lots, now).items():
        taken = []
        for _ in range(ROUNDS):
            rank = chance.randrange(seqs)
            began = time.perf_counter()
            with store.read() as conn:
                ask(conn, rank)
            taken.append(1000 * (time.perf_counter() - began))
        print(f"{name:<30} {statistics.median(taken):8.1f} ms {max(taken):8.1f} ms", flush=True)
        slow += [name] if statistics.median(taken) > GOAL_MS else []
    print(f"Au-delà de {GOAL_MS} ms : {', '.join(slow) or 'rien'}.")


if __name__ == "__main__":
    opened = open_store(sys.argv[1])
    main(opened)
    opened.close()
