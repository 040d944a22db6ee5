"""The ART: what the practitioner reads about its message, in plain French (annex 7.2, rules T1 and T3).

A `Receipt` is made of what was decided; `compose` turns it into lines of at most 72 characters. It names lots and
invoices by number only: no NIR, no patient, no act (T3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from oct.domain.later_texts import span
from oct.domain.model import LotKind

_WIDTH = 72

_NBSP = "\N{NO-BREAK SPACE}"
"""Keeps an amount on one line while it is wrapped; an ordinary space in the end."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""What a sentence may have brought along."""


class LotLine(NamedTuple):
    """A lot as the receipt shows it: to whom it went, or why not. Amounts in centimes."""

    number: str
    """As received, for the AMC flow too: it is the number that the practitioner knows."""
    date: str
    """AAMMJJ."""
    kind: LotKind
    invoices: int
    amount: int
    """What is asked from that insurer."""
    insurer: str = ""
    reason: str = ""


class Receipt(NamedTuple):
    """Everything an ART says. `at` and `received_at` are legal French time."""

    concentrator: str
    trace: str
    practitioner_number: str
    received_at: datetime
    compostage: str = ""
    file_id: str = ""
    lot_count: int = 0
    invoice_count: int = 0
    billed: int = 0
    sent: tuple[LotLine, ...] = ()
    grouped: tuple[LotLine, ...] = ()
    """They leave in one file with those of other messages, `window` ms after now at the latest (A15)."""
    window: int = 0
    known: tuple[LotLine, ...] = ()
    """Sent before and not sent again (D2)."""
    held: tuple[LotLine, ...] = ()
    refused: tuple[LotLine, ...] = ()
    told: tuple[str, ...] = ()
    """What became of a message that holds no claims (dLOI, SCOR), in sentences."""
    warnings: tuple[str, ...] = ()
    refusal: str = ""
    """Set when nothing of the message goes on: why."""
    retention: str = ""
    """Set when the whole message waits for a person: why."""


def compose(receipt: Receipt) -> str:
    """The text, lines ended by newlines."""
    return "\n".join(_wrapped(_lines(receipt))).replace(_NBSP, " ") + "\n"


def euros(centimes: int) -> str:
    """An amount as the French write it; in letters, for the ART travels in latin-1, which has no euro sign."""
    whole, rest = divmod(abs(centimes), 100)
    grouped = f"{whole:,}".replace(",", _NBSP)
    return f"{'-' if centimes < 0 else ''}{grouped},{rest:02d}{_NBSP}euros"


def _lines(receipt: Receipt) -> Iterator[str]:
    yield f"{receipt.concentrator} - accusé de réception technique (ART)"
    yield ""
    yield f"Numéro de suivi : {receipt.trace}"
    yield f"PS : {receipt.practitioner_number}"
    yield f"Reçu le {receipt.received_at:%d/%m/%Y à %H:%M:%S}"
    if receipt.compostage:
        yield f"Compostage : {receipt.compostage}"
    if receipt.file_id:
        yield (
            f"Fichier {receipt.file_id} : {_count(receipt.lot_count, 'lot')}, "
            f"{_count(receipt.invoice_count, 'facture')}, {euros(receipt.billed)} facturés"
        )
    yield ""
    yield from _verdict(receipt)
    yield from _section("Transmis :", receipt.sent)
    yield from _section(f"Prêt, part groupé avec d'autres envois sous {span(receipt.window)} :", receipt.grouped)
    yield from _section("Déjà transmis auparavant (non renvoyé, rien à refaire) :", receipt.known)
    yield from _section("En attente (rien à refaire, l'opérateur s'en occupe) :", receipt.held)
    yield from _section("Refusé (non transmis, à corriger puis à renvoyer) :", receipt.refused)
    if receipt.warnings:
        yield ""
        yield "À vérifier :"
        yield from (f"- {warning}" for warning in receipt.warnings)
    yield ""
    yield "Pour toute question, donnez le numéro de suivi ci-dessus."


def _verdict(receipt: Receipt) -> Iterator[str]:
    if receipt.refusal:
        yield "REFUSÉ : rien n'a été transmis."
        yield receipt.refusal
    elif receipt.retention:
        yield "EN ATTENTE : rien n'a encore été transmis."
        yield receipt.retention
    else:
        named = (("les lots en attente", receipt.held), ("les lots refusés", receipt.refused))
        others = [name for name, lots in named if lots]
        see = f" : voir {' et '.join(others)} ci-dessous." if others else "."
        yield _outcome(receipt) + see
        yield from receipt.told


def _outcome(receipt: Receipt) -> str:
    if not (receipt.held or receipt.refused):
        return "TRAITÉ"
    if receipt.sent or receipt.grouped or receipt.known:
        return "TRAITÉ EN PARTIE"
    return "RIEN N'A ENCORE ÉTÉ TRANSMIS" if receipt.held else "REFUSÉ, RIEN N'A ÉTÉ TRANSMIS"


def _section(title: str, lots: tuple[LotLine, ...]) -> Iterator[str]:
    if not lots:
        return
    yield ""
    yield title
    for lot in lots:
        label = "flux AMC tiré du lot" if lot.kind is LotKind.AMC else f"lot {lot.kind}"
        day = f"{lot.date[4:6]}/{lot.date[2:4]}/{lot.date[0:2]}" if len(lot.date) == 6 else lot.date
        to = f" vers {lot.insurer}" if lot.insurer else ""
        yield f"- {label} {lot.number} du {day}, {_count(lot.invoices, 'facture')}, {euros(lot.amount)}{to}"
        if lot.reason:
            yield f"  Motif : {lot.reason}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}"


def _wrapped(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        clean = _CONTROLS.sub(" ", line).rstrip(" ")
        if len(clean) <= _WIDTH:
            yield clean
        else:
            yield from _parts(clean)


def _parts(line: str) -> list[str]:
    """A line folded at its spaces; a word that no line could hold is cut. As `textwrap`, which looks at every word."""
    indent = "  " if line.startswith(("- ", "  ")) else ""
    parts, room = list[str](), _WIDTH
    while len(line) > room:
        space = line.rfind(" ", 0, room + 1)
        word = line[space + 1 :].partition(" ")[0]
        part = line[:room] if space < room < len(word) else line[:space].rstrip(" ")
        line = line[len(part) :].lstrip(" ")
        if part:
            parts.append(indent + part if parts else part)
            room = _WIDTH - len(indent)
    return [*parts, indent + line if parts else line]
