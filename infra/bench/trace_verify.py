"""One million events, sealed, exported and verified, printed in seconds; run by hand with `make bench-trace`.

On SQLite in a temporary folder: 100 practitioners, 50,000 messages, events over a quarter, sealed by the real sealer.
Then the two promises of T1 and T2: the whole log verified within 60 s, in the database and as a bundle by the
stand-alone verifier; all traces of one practitioner exported as one bundle within 60 s. Another number of events may
be given: `trace_verify.py 100000`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, insert

from oct.steps.journal.proof import export, verify_live
from oct.steps.journal.seal import Sealer
from oct.store import practitioners
from oct.store.engine import Store, open_store
from oct.store.log_lines import Selection
from oct.store.rows import insert_rows
from oct.store.schema import upgrade
from oct.store.tables import events, messages, payloads
from oct.trace import verify
from oct.trace.heads import create_key, load_signer
from oct.trace.verify import read_heads, read_public_keys

START = 1_790_000_000_000
QUARTER_MS = 90 * 86_400_000
ACCOUNTS, EVENTS_A_MESSAGE = 100, 20
GOAL_S = 60


def fill(conn: Connection, count: int) -> list[int]:
    """The accounts, after as many events as asked for."""
    accounts = [
        practitioners.add(
            conn, number=f"99{rank:07d}", type="IF", name="Cabinet inventé", address=f"ps{rank}@x.test", now=START
        )
        for rank in range(ACCOUNTS)
    ]
    kept = {"master_key": "essai", "size": 5, "sha256": bytes(32), "created_at": START}
    payload_id = conn.execute(insert(payloads).returning(payloads.c.id), kept).scalar_one()
    many = count // EVENTS_A_MESSAGE + 1
    insert_rows(conn, messages, [_message(number, accounts[number % ACCOUNTS], payload_id) for number in range(many)])
    data = json.dumps({"reponse": "250 2.0.0 Ok: queued", "sha256": "ab" * 32, "taille": 4321}, sort_keys=True)
    step = QUARTER_MS // count
    for first in range(0, count, 50_000):
        rows = [
            {"at": START + rank * step, "kind": "envoi", "outcome": "remis", "actor": "", "data": data,
             "message_id": rank // EVENTS_A_MESSAGE + 1}
            for rank in range(first, min(first + 50_000, count))
        ]  # fmt: skip
        insert_rows(conn, events, rows)
    return accounts


def _message(number: int, account: int, payload_id: int) -> dict[str, object]:
    return {
        "id": number + 1, "trace": f"AAAAAA-{number:08d}", "fingerprint": number.to_bytes(32), "received_at": START,
        "origin": "ps", "peer": "127.0.0.1", "mail_from": "", "header_from": "", "subject": "SV140700",
        "message_id": f"<{number}@x.test>", "compostage": "", "practitioner_id": account, "size": 5,
        "sha256": bytes(32), "payload_id": payload_id, "state": "traite", "code": "", "attempts": 0,
    }  # fmt: skip


def timed(what: str, work: Callable[[], object]) -> None:
    """Prints how long it took, on the clock and in CPU of this process, and what it said."""
    wall = time.monotonic()
    cpu = time.process_time()
    said = work()
    print(f"{what:<40} {time.monotonic() - wall:6.1f} s ({time.process_time() - cpu:.1f} s of CPU): {said}", flush=True)


def main(count: int) -> None:
    with TemporaryDirectory() as folder:
        home = Path(folder)
        url = f"sqlite:///{home / 'oct.db'}"
        upgrade(url)
        store = open_store(url)
        public = create_key(home, "essai")
        signer = load_signer(home)
        assert signer is not None
        with store.begin() as conn:
            account = fill(conn, count)[7]
        heads = home / "tetes.jsonl"
        now = START + QUARTER_MS + 1
        timed(f"sealing {count} events", Sealer(store, signer, heads, lambda: now).run)
        _verify(store, home, public, account, now)
        store.close()


def _verify(store: Store, home: Path, public: Path, account: int, now: int) -> None:
    keys = read_public_keys([public.read_bytes()])
    published = read_heads((home / "tetes.jsonl").read_bytes(), keys)
    now += 1_000_000
    timed(f"database verified (goal {GOAL_S} s)", lambda: verify_live(store, keys, published, now))
    timed("whole log exported", lambda: export(store, home / "tout.zip", None, now))
    timed(f"bundle verified alone (goal {GOAL_S} s)", lambda: _alone(home, "tout.zip", public))
    quarter = Selection(account, START, START + QUARTER_MS)
    timed(f"one practitioner exported (goal {GOAL_S} s)", lambda: export(store, home / "ps.zip", quarter, now))
    timed("that bundle verified alone", lambda: _alone(home, "ps.zip", public))


def _alone(home: Path, bundle: str, public: Path) -> str:
    line = [sys.executable, "-I", verify.__file__, home / bundle, "--key", public, "--heads", home / "tetes.jsonl"]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - our own file


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
