"""The simulated world of these tests: three caisses of two régimes, two AMC, keys of a trial authority."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from oct.crypto.authority import TestAuthority
from oct.crypto.keystore import OwnKey
from oct.formats.layouts import Layouts
from oct.simulators.parties import Amc, Caisse, Network, Sender
from oct.simulators.traffic import Claims

NOW = 1_795_158_000_000
BOURG, AGEN = "01011@011.01.rss.fr", "02471@471.02.rss.fr"

Draw = Callable[..., Claims]


@pytest.fixture(scope="session")
def layouts() -> Layouts:
    return Layouts.from_toml(Path("config/layouts.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def network() -> Network:
    caisses = (
        Caisse("01", "011", "0000", "011", "016"),
        Caisse("01", "422", "0000", "422", "016"),
        Caisse("02", "475", "0000", "471", "470", "MA"),
    )
    return Network("00000552100554", caisses, (Amc("0099999991", "MA", "349"), Amc("0088888882", "MB", "512")))


@pytest.fixture
def sender() -> Sender:
    return Sender("421234567", "ER", "CABINET MEDICAL DU PONT")


@pytest.fixture(scope="session")
def draw(layouts: Layouts, network: Network) -> Draw:
    """Claims of a seed; the second argument chooses the convention of A12."""

    def drawn(seed: int, *, count_complements: bool = False) -> Claims:
        return Claims(layouts, random.Random(seed), network, date(2026, 11, 20), count_complements=count_complements)

    return drawn


@pytest.fixture(scope="session")
def keys() -> dict[str, OwnKey]:
    """Pairs of two insurers and of the concentrator, by address."""
    authority = TestAuthority.create(datetime(2026, 1, 1, tzinfo=UTC))
    return {address: authority.issue(address) for address in (BOURG, AGEN, "oct@concentrateur.example")}


@pytest.fixture
def clock() -> Callable[[], int]:
    return lambda: NOW
