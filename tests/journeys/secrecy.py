"""T4: patients put into messages, and the search for them in whatever a concentrator left anywhere.

All NIR begin alike and so do all names, with beginnings that are nothing else's: what is searched for are these, in
clear, in UTF-16, in hexadecimal and in base64 at each of its three alignments.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

from oct.crypto.atrest import SealedPayload, Vault
from oct.errors import OctError
from oct.simulators.envelopes import Judge, seal
from oct.store.engine import Store
from oct.store.tables import payloads
from tests.claims import Batch, Claim, claim_file
from tests.journeys.practice import OWN, PONT, practice

_NIR, _NAME = "185057899", "QZWDUPONT"
"""Beginnings of 9 characters."""


def messages(count: int) -> Iterable[tuple[str, bytes]]:
    """Messages of one practitioner, each with a patient of its own: split and sent, held for an unknown caisse, or
    refused for a file that is cut; and their sender."""
    who = practice(PONT, 1)
    for rank in range(count):
        caisse = ("01", "999", "0000") if rank % 5 == 4 else ("01", "422", "0000")
        claim = Claim(rank + 1, caisse=caisse, nir=f"{_NIR}{rank:04}", others="S")
        file = claim_file(Batch((claim,), rank % 999 + 1))
        assert b"X" * 60 in file
        file = file.replace(b"X" * 60, f"{_NAME}{rank:04} JEANNE".ljust(60).encode("ascii"))
        if rank % 5 == 3:
            file = file[:-50]
        content = seal(file, OWN["oct"].certificate, by=Judge.CRYPTOGRAPHY)
        yield who.address, who.message(content, compostage=f"{2026112108000000000 + rank}")


def patterns() -> dict[str, bytes]:
    """What to search for, by how it is written."""
    found: dict[str, bytes] = {}
    for word in (_NIR, _NAME):
        raw = word.encode()
        found |= {f"{word} clear": raw, f"{word} utf-16": word.encode("utf-16-le"), f"{word} hex": raw.hex().encode()}
        found[f"{word} HEX"] = raw.hex().upper().encode()
        for shift in range(3):
            whole = base64.b64encode(bytes(shift) + raw)
            found[f"{word} base64+{shift}"] = whole[4 if shift else 0 : (shift + len(raw)) // 3 * 4]
    return found


def leaks(content: bytes) -> list[str]:
    """How patients stand in some bytes."""
    return [how for how, pattern in patterns().items() if pattern in content]


def leaks_below(folder: Path) -> list[str]:
    """Files below a folder where patients stand, and how."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [f"{path.relative_to(folder)}: {how}" for path in files for how in leaks(path.read_bytes())]


def readable_without_keys(store: Store) -> int:
    """How many payloads open under keys that somebody else made, of the same names."""
    with store.read() as conn:
        rows = conn.execute(payloads.select().where(payloads.c.wrapped_key.is_not(None))).all()
    assert rows
    stranger = Vault({row.master_key: bytes(32) for row in rows}, rows[0].master_key)
    return sum(_opens(stranger, SealedPayload(row.master_key, row.wrapped_key, row.content)) for row in rows)


def _opens(vault: Vault, sealed: SealedPayload) -> bool:
    try:
        vault.open(sealed)
    except OctError:
        return False
    return True
