"""The golden claims of `tests/vectors/claims`, and what their `.json` expect (see the README.md there)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from oct.crypto.keystore import KeyRing, OwnKey

CLAIMS = Path(__file__).parents[1] / "vectors" / "claims"
PKI = CLAIMS / "pki"
OCT = "oct@concentrateur.example"


@dataclass(frozen=True, slots=True)
class Golden:
    """One message: the bytes for DATA, its file in clear, who sends it, what must come of it."""

    name: str
    mail_from: str
    compostage: str
    expect: dict[str, Any]
    eml: bytes
    b2: bytes


@cache
def key_pairs() -> dict[str, OwnKey]:
    """Every golden pair, by the name of its files. OpenSSL checks a key for 50 ms, so they are read once."""
    return {key.name: key for key in KeyRing.load(PKI).keys}


@cache
def golden(name: str) -> Golden:
    """The message of a file name without its ending."""
    stem = CLAIMS / "messages" / name
    facts = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    return Golden(
        name,
        facts["mail_from"],
        facts["compostage"],
        facts["expect"],
        stem.with_suffix(".eml").read_bytes(),
        stem.with_suffix(".b2").read_bytes(),
    )


def names(*keys: str) -> list[str]:
    """The messages whose expectation has one of these keys."""
    stems = sorted(path.stem for path in (CLAIMS / "messages").glob("*.json"))
    return [stem for stem in stems if any(key in golden(stem).expect for key in keys)]
