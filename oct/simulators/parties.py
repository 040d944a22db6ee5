"""Who takes part in simulated traffic: practitioners, the network they can write to, invented insured persons.

Values only, as the official tables and the 000 header spell them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caisse:
    """An AMO as the official table spells it: what an invoice names, and what routing makes of it (L3)."""

    regime: str
    caisse: str
    centre: str
    organism: str
    computer_centre: str
    type: str = "CT"

    @property
    def recipient_number(self) -> str:
        """14 characters of the 000 header: 6 zeros, régime, computer centre, organism."""
        return f"000000{self.regime}{self.computer_centre}{self.organism}"


@dataclass(frozen=True, slots=True)
class Amc:
    """A complementary insurer: its number (10 digits), routing code and host."""

    number: str
    route: str
    host: str


@dataclass(frozen=True, slots=True)
class Sender:
    """A practitioner as its files name it: 9 digits, two letters of the ART table, name. Type CP: an establishment."""

    number: str
    type: str
    name: str

    @property
    def establishment(self) -> bool:
        """Whether it writes the CP variant."""
        return self.type == "CP"

    @property
    def header_number(self) -> str:
        """14 digits of the 000 header and of the Subject."""
        return self.number.rjust(14, "0")


@dataclass(frozen=True, slots=True)
class Network:
    """Who can be written to: the concentrator's number (14 digits), caisses, complementary insurers."""

    concentrator: str
    caisses: tuple[Caisse, ...]
    amcs: tuple[Amc, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """An invented insured person."""

    nir: str
    key: str
