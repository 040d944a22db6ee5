"""The kinds of values that settings take: durations, sizes, addresses, lists; how each is written, read and checked.

A value that cannot be read is a ValueError whose sentence says in French what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field


@dataclass(frozen=True, slots=True)
class Unit:
    """How a measure is written: what each suffix is worth, the smallest first."""

    suffixes: Mapping[str, int]
    example: str

    def read(self, value: object) -> int:
        """The measure in its smallest unit. ValueError says in French what was expected."""
        match = re.fullmatch(r"([0-9]+)\s*([A-Za-z]*)", str(value).strip())
        if match is None or match[2] not in self.suffixes:
            raise ValueError(f"attendu : un nombre et une unité, par exemple {self.example}")
        return int(match[1]) * self.suffixes[match[2]]

    def write(self, value: int) -> str:
        """The shortest writing that `read` gives back."""
        suffix, worth = max(
            (pair for pair in self.suffixes.items() if value % pair[1] == 0), key=lambda pair: pair[1] if value else 0
        )
        return f"{value // worth}{suffix}"


TIME = Unit({"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}, '"48h"')
BYTES = Unit({"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}, '"25MiB"')


def _matching(pattern: str, expected: str) -> AfterValidator:
    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(f"attendu : {expected}")
        return value

    return AfterValidator(check)


def separated(value: object) -> object:
    """A list that was written as one text, with commas, as the environment must."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(value))
    except ValueError:
        raise ValueError("attendu : un réseau, par exemple 192.168.10.0/24") from None


_PLACE = r"\[?[A-Za-z0-9.:_-]*\]?:[0-9]{1,5}"
Duration = Annotated[int, BeforeValidator(TIME.read), TIME]
"""Milliseconds."""
Size = Annotated[int, BeforeValidator(BYTES.read), BYTES]
"""Bytes."""
Durations = Annotated[tuple[Duration, ...], BeforeValidator(separated), TIME]
"""A list; in the environment, separated by commas."""
_ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+"
Address = Annotated[str, _matching(_ADDRESS, "une adresse électronique"), Field(max_length=254)]
OptionalAddress = Annotated[
    str, _matching(f"(?:{_ADDRESS})?", "une adresse électronique, ou rien"), Field(max_length=254)
]
OctNumber = Annotated[str, _matching("[0-9]{9,14}", "9 à 14 chiffres, entre guillemets")]
_PORT = "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_SERVER = rf"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):{_PORT}"
HostPort = Annotated[str, _matching(_SERVER, "hôte:port, par exemple 127.0.0.1:2525 ou [2001:db8::1]:25")]
"""A server to connect to: a host is named, an IPv6 address stands in brackets."""
Domain = Annotated[str, _matching(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", "un domaine en minuscules, par exemple rss.fr")]
Listener = Annotated[
    str, _matching(rf"(?:tls://)?{_PLACE}", "hôte:port ou tls://hôte:port, par exemple 127.0.0.1:2525")
]
"""`tls://`: TLS from the first byte."""
Listeners = Annotated[tuple[Listener, ...], BeforeValidator(separated)]
Name = Annotated[str, _matching(r"\[?[A-Za-z0-9.:-]+\]?", "un nom d'hôte ou une adresse, sans port")]
Names = Annotated[tuple[Name, ...], BeforeValidator(separated)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(separated)]
Broker = Annotated[str, _matching(r"(?:rediss?://.+)?", '"redis://hôte:6379/0", ou rien')]
WebAddress = Annotated[str, _matching(r"(?:https?://[^\s@]+)?", '"http://hôte/chemin", ou rien')]
Relay = Annotated[str, _matching(rf"(?:{_SERVER})?", "hôte:port, ou rien")]
