"""Whose return it is (R2): what a return refers to, and the decision once the store has looked it up.

`references_of` gives what to look up; the caller finds the practitioners that each reference allows and hands them
back as `Candidates`; `decide_recipient` names one practitioner or says in French why the return waits for a person.
A return in the wrong practitioner's mailbox is the worst failure there is: every piece of evidence found must allow
the one that is chosen, and what a number could mean by chance is not evidence. Pure; fails with nothing of its own.

What the caller looks up, and where:
- header and settlements: the practitioner of that number (any of its numbers);
- lots: the practitioners who had a lot of that number and date (and PS number and organism, when given) sent to
  *this insurer*; several may have, since a lot number is a sequence per destination;
- invoices: the same with the invoice's number inside that lot. An invoice whose lot is not told is no evidence.

Source: flows R1-R3; annex 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from oct.formats.arl import Arl
from oct.formats.entities import Entities, Entity, Role
from oct.formats.frame import ReturnFrame, ps_number
from oct.formats.noemie import NoemieFile
from oct.formats.noemie_counts import reaches_of, starts_invoice


@dataclass(frozen=True, slots=True)
class SettlementRef:
    """A settlement recipient: its PS number, 9 digits."""

    ps_number: str


@dataclass(frozen=True, slots=True)
class LotRef:
    """A lot, by its number (3 digits) and date (AAMMJJ); an ARL also tells its PS number and organism."""

    lot_number: str
    lot_date: str
    ps_number: str | None = None
    organism: str | None = None


@dataclass(frozen=True, slots=True)
class InvoiceRef:
    """An invoice, by its number (9 digits) and its lot; None when the return does not tell the lot."""

    invoice_number: str
    lot: LotRef | None


Reference = SettlementRef | LotRef | InvoiceRef


@dataclass(frozen=True, slots=True)
class Scope:
    """An entity and where it stands; `opens_invoice` when it is the first of its invoice."""

    rank: int
    entity: Entity
    role: Role
    lot: LotRef | None
    invoice: InvoiceRef | None
    opens_invoice: bool


@dataclass(frozen=True, slots=True)
class References:
    """All that a return refers to, each once, in order of appearance.

    `header_number` is the PS number of the header, when its recipient is a practitioner. `file_id` is the file of ours
    that an ARL of a whole file answers. The sender's type and number say among which sendings to look.
    """

    sender_type: str
    sender_number: str
    header_number: str | None
    settlements: tuple[SettlementRef, ...] = ()
    lots: tuple[LotRef, ...] = ()
    invoices: tuple[InvoiceRef, ...] = ()
    file_id: str | None = None


class Evidence(StrEnum):
    """What decided, in the order of R2."""

    HEADER = "header"
    CONTENT = "content"
    MESSAGE = "message"
    OPERATOR = "operateur"
    """Nothing did: a person named the practitioner."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The practitioners that each reference allows, by their ids; an empty set is a reference that nobody here knows.

    `header` is None when the header names no practitioner. A whole file's ARL is looked up as one of the `lots`.
    `answered` are the practitioners of the messages that the return answers (In-Reply-To, References, Subject).
    `named` are those whose number an ARL gives with a lot that is not known here: no proof, but nobody else may have
    it. `unsent`: an ARL speaks of a lot or of a file that never left from here, though all that leaves is known.
    """

    header: frozenset[int] | None = None
    settlements: tuple[frozenset[int], ...] = ()
    lots: tuple[frozenset[int], ...] = ()
    invoices: tuple[frozenset[int], ...] = ()
    named: tuple[frozenset[int], ...] = ()
    answered: frozenset[int] = frozenset()
    unsent: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The one practitioner whose return it is."""

    practitioner_id: int
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Nobody for certain: the return is held, and `reason` says why to the operator."""

    reason: str


UNKNOWN_HEADER = "L'entête nomme un professionnel de santé inconnu ici."
UNKNOWN_SETTLEMENT = "Un destinataire de règlement nommé dans le retour est inconnu ici."
UNKNOWN_LOT = "Un lot cité dans le retour n'a pas été transmis par ce concentrateur."
CONTRADICTION = (
    "Les lots, factures ou destinataires de règlement cités appartiennent à plusieurs professionnels de santé."
)
HEADER_CONTRADICTED = "L'entête nomme un professionnel de santé, le contenu en concerne un autre."
MESSAGE_CONTRADICTED = "Le message auquel ce retour répond est celui d'un autre professionnel de santé."
SEVERAL = "Plusieurs professionnels de santé peuvent être concernés par ce retour."
NOTHING = "Rien dans ce retour ne dit à quel professionnel de santé il est destiné."


def references_of(parsed: NoemieFile | Arl | ReturnFrame, rules: Entities) -> References:
    """What to look up for a return; of one whose content could not be read (a bare frame), the header alone."""
    frame = parsed if isinstance(parsed, ReturnFrame) else parsed.frame
    settlements: dict[SettlementRef, None] = {}
    lots: dict[LotRef, None] = {}
    invoices: dict[InvoiceRef, None] = {}
    file_id = None
    if isinstance(parsed, Arl):
        lots = {LotRef(lot.lot_number, lot.lot_date, lot.ps_number, lot.organism): None for lot in parsed.lots}
        file_id = parsed.file.file_id if parsed.file else None
    elif isinstance(parsed, NoemieFile):
        for _, reference in references_in(parsed.entities, rules):
            if isinstance(reference, SettlementRef):
                settlements[reference] = None
            elif isinstance(reference, LotRef):
                lots[reference] = None
            elif reference.lot is not None:
                invoices[reference] = None
    return References(
        frame.sender_type,
        frame.sender_number,
        frame.recipient_ps_number,
        tuple(settlements),
        tuple(lots),
        tuple(invoices),
        file_id,
    )


def scopes_in(entities: Sequence[Entity], rules: Entities) -> Iterator[Scope]:
    """Each entity but the controls, with the lot and the invoice that are open there.

    A lot or an invoice is closed by the next one, by an entity of a level above, and by the control of its level or of
    one above; an invoice also by a new lot or settlement.
    """
    closing = {reach.rank: reach.level for reach in reaches_of(entities, rules)}
    lot: LotRef | None = None
    invoice: InvoiceRef | None = None
    lot_level = invoice_level = 0
    for rank, entity in enumerate(entities):
        closed_from = closing.get(rank, entity.level + 1)
        lot = lot if lot_level < closed_from else None
        invoice = invoice if invoice_level < closed_from else None
        if rank in closing:
            continue
        role, opens = rules.role(entity), starts_invoice(entities, rank, rules)
        if role is Role.LOT:
            lot, lot_level, invoice = _lot(entity, rules), entity.level, None
        elif role is Role.SETTLEMENT:
            invoice = None
        elif opens:
            invoice, invoice_level = _invoice(entities, rank, lot, rules), entity.level
        yield Scope(rank, entity, role, lot, invoice, opens)


def references_in(entities: Sequence[Entity], rules: Entities) -> Iterator[tuple[int, Reference]]:
    """Each reference with the rank of the entity that makes it, in order."""
    for scope in scopes_in(entities, rules):
        if scope.role is Role.SETTLEMENT:
            number = ps_number(rules.text(scope.entity, "number"))
            if number is not None:
                yield scope.rank, SettlementRef(number)
        elif scope.role is Role.LOT and scope.lot is not None:
            yield scope.rank, scope.lot
        elif scope.opens_invoice and scope.invoice is not None:
            if scope.invoice.lot is not None and scope.invoice.lot != scope.lot:
                yield scope.rank, scope.invoice.lot
            yield scope.rank, scope.invoice


def decide_recipient(candidates: Candidates) -> Decision | Ambiguous:
    """The practitioner of a return by the order of R2, or why it is held. Never a guess.

    An unknown settlement recipient is somebody else, whoever the header names. A known one answers for all that is
    settled to it; where none is told, every lot must be known as one and the same practitioner's, and a lot that was
    never sent from here, or that several may have sent, leaves the decision to the message that is answered. An ARL
    of a lot that was never sent is nobody's: neither its header nor what it answers makes it true.
    """
    content = (*candidates.settlements, *candidates.lots, *candidates.invoices, *candidates.named)
    allowed = common(content)
    if candidates.header is not None:
        chosen = _by_header(candidates, candidates.header, allowed)
    elif not all(candidates.settlements):
        return Ambiguous(UNKNOWN_SETTLEMENT)
    elif allowed is not None and not allowed:
        return Ambiguous(CONTRADICTION)
    elif allowed is not None and _proves(candidates, allowed):
        chosen = Decision(next(iter(allowed)), Evidence.CONTENT)
    else:
        chosen = _by_message(candidates, allowed)
    if isinstance(chosen, Decision) and candidates.answered and chosen.practitioner_id not in candidates.answered:
        return Ambiguous(MESSAGE_CONTRADICTED)
    return Ambiguous(UNKNOWN_LOT) if isinstance(chosen, Decision) and candidates.unsent else chosen


def common(found: Sequence[frozenset[int]]) -> frozenset[int] | None:
    """The practitioners that every known reference allows; None when no reference is known."""
    known = [practitioners for practitioners in found if practitioners]
    return frozenset.intersection(*known) if known else None


def _by_header(candidates: Candidates, header: frozenset[int], allowed: frozenset[int] | None) -> Decision | Ambiguous:
    if len(header) != 1:
        return Ambiguous(SEVERAL if header else UNKNOWN_HEADER)
    if not all(candidates.settlements):
        return Ambiguous(UNKNOWN_SETTLEMENT)
    if allowed is not None and not header <= allowed:
        return Ambiguous(HEADER_CONTRADICTED)
    return Decision(next(iter(header)), Evidence.HEADER)


def _proves(candidates: Candidates, allowed: frozenset[int]) -> bool:
    if len(allowed) != 1:
        return False
    return bool(candidates.settlements) or (bool(candidates.lots) and all(lot == allowed for lot in candidates.lots))


def _by_message(candidates: Candidates, allowed: frozenset[int] | None) -> Decision | Ambiguous:
    answered = candidates.answered if allowed is None else candidates.answered & allowed
    if len(answered) == 1:
        return Decision(next(iter(answered)), Evidence.MESSAGE)
    if candidates.answered and not answered:
        return Ambiguous(MESSAGE_CONTRADICTED)
    if not all(candidates.lots):
        return Ambiguous(UNKNOWN_LOT)
    return Ambiguous(SEVERAL if answered or allowed else NOTHING)


def _lot(entity: Entity, rules: Entities) -> LotRef | None:
    """The lot that an entity 080 or 102 names; None unless both number and date are there."""
    number, date = rules.text(entity, "lot_number"), rules.text(entity, "lot_date")
    return LotRef(number, date) if number.strip("0") and date.strip("0") else None


def _invoice(entities: Sequence[Entity], rank: int, open_lot: LotRef | None, rules: Entities) -> InvoiceRef:
    """The invoice that begins here, in the lot that its 102 names, else in the one that is open."""
    own = _lot(entities[rank], rules)
    twin = rank + 1
    if own is None and twin < len(entities) and rules.role(entities[twin]) is Role.INVOICE:
        own = None if starts_invoice(entities, twin, rules) else _lot(entities[twin], rules)
    return InvoiceRef(rules.text(entities[rank], "invoice_number"), own or open_lot)
