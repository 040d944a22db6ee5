"""The journey of a message as branches of steps: in, opened, each destination, delivered, acknowledged, paid (J1).

Takes the story and the insurers' names, gives what is to be drawn and said; `journey_svg` draws it. Pure. A step has a
tone, which the drawing shows by its border and by its words, never by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from oct.clock import paris
from oct.domain import words
from oct.domain.journey import AWAITING, ConsignmentState, LotState, MessageState
from oct.domain.model import LotKind
from oct.store.consignments import Consignment
from oct.store.lots import Lot
from oct.store.returns import LotAnswer, Progress, Return, ReturnState
from oct.store.story import Story

_REPLY = 60


class Tone(StrEnum):
    """How a step went."""

    PLAIN = "plain"
    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"


_OPENED: Mapping[str, Tone] = {MessageState.PROCESSED: Tone.GOOD, MessageState.REFUSED: Tone.BAD}


@dataclass(frozen=True, slots=True)
class Step:
    """One box: what it is, what there is to say of it, when (ms) if it has happened."""

    title: str
    lines: tuple[str, ...] = ()
    at: int | None = None
    tone: Tone = Tone.PLAIN

    def said(self) -> str:
        """The step in words."""
        when = f"le {spoken(self.at)}" if self.at is not None else ""
        return ", ".join(part for part in (self.title, *self.lines, when) if part)


@dataclass(frozen=True, slots=True)
class Journey:
    """`trunk` is what happened to the message as a whole, `branches` what became of what was in it."""

    trace: str
    trunk: tuple[Step, ...]
    branches: tuple[tuple[Step, ...], ...]

    def said(self) -> str:
        """The journey in words."""
        trunk = " ; ".join(step.said() for step in self.trunk)
        return ". ".join([trunk, *(" ; ".join(step.said() for step in branch) for branch in self.branches)]) + "."


def spoken(at: int) -> str:
    """An instant in legal French time."""
    return f"{paris(at):%d/%m/%Y %H:%M:%S}"


def journey_of(story: Story, insurers: Mapping[int, str]) -> Journey:
    """What is to be drawn of a story; `insurers` are the names by id."""
    return Journey(
        trace=story.message.trace,
        trunk=(_arrival(story, insurers), _opening(story)),
        branches=tuple(tuple(branch) for branch in _branches(story, insurers)),
    )


def _arrival(story: Story, insurers: Mapping[int, str]) -> Step:
    message = story.message
    origin = insurers.get(message.insurer_id or 0) or words.word(words.ORIGIN, message.origin)
    return Step("Reçu", (f"de : {origin}", f"{message.size} octets"), message.received_at)


def _opening(story: Story) -> Step:
    message = story.message
    tone = _OPENED.get(message.state, Tone.WAIT)
    received = [lot for lot in story.lots if lot.kind != LotKind.AMC]
    lines = [words.word(words.MESSAGE, message.state)]
    if story.files:
        lines.append(f"fichier {story.files[0].file_id}, {_count(len(received), 'lot')}")
    elif message.code:
        lines.append(message.code)
    return Step("Ouvert" if message.ended_at is not None else "À ouvrir", tuple(lines), message.ended_at, tone)


def _branches(story: Story, insurers: Mapping[int, str]) -> Iterator[list[Step]]:
    for one in story.consignments:
        if one.state == ConsignmentState.REPLACED:
            continue  # its lots left in another (A15), which is in the story too
        carried = [lot for lot in story.lots if lot.consignment_id == one.id]
        if carried or one.insurer_id is not None:
            name = insurers.get(one.insurer_id or 0, one.recipient)
            first = Step(f"Vers {name}", (_lots_said(carried, one), f"fichier {one.file_id}" if one.file_id else ""))
            yield [first, _delivery(one), *_answers(story, carried)]
        else:
            yield [Step(_kind(one), (one.recipient,)), _delivery(one)]
    yield from _stopped(story)
    yield from _given(story)


def _stopped(story: Story) -> Iterator[list[Step]]:
    """What waits for a person, and lots that did not leave, by what became of them."""
    held = [hold for hold in story.holds if hold.closed_at is None]
    for hold in held:
        waiting = [lot for lot in story.lots if lot.hold_id == hold.id]
        what = _numbers(waiting) if waiting else words.word(words.SUBJECT, hold.subject)
        yield [Step(f"Retenue {hold.id}", (what, hold.sentence), hold.opened_at, Tone.WAIT)]
    kept = {hold.id for hold in held}
    left_out = [lot for lot in story.lots if lot.consignment_id is None and lot.hold_id not in kept]
    for state in dict.fromkeys(lot.state for lot in left_out):
        some = [lot for lot in left_out if lot.state == state]
        codes = ", ".join(sorted({lot.code for lot in some if lot.code}))
        tone = Tone.BAD if state == LotState.REFUSED_HERE else Tone.PLAIN
        yield [Step(words.word(words.LOT, state).capitalize(), (_numbers(some), codes), some[0].state_at, tone)]


def _given(story: Story) -> Iterator[list[Step]]:
    """Returns that this message brought and that went to nobody yet: the others leave in a consignment."""
    for one, _ in story.returns:
        if one.message_id == story.message.id and one.consignment_id is None:
            tone = Tone.BAD if one.state == ReturnState.REFUSED else Tone.WAIT
            yield [Step(f"Retour {one.kind}", (words.word(words.RETURN, one.state),), one.received_at, tone)]


def _delivery(one: Consignment) -> Step:
    if one.state == ConsignmentState.DELIVERED:
        return Step("Remis", (one.reply[:_REPLY],), one.delivered_at, Tone.GOOD)
    if one.state == ConsignmentState.FAILED:
        return Step("Non remis", (one.reply[:_REPLY],), None, Tone.BAD)
    tried = _count(one.attempts, "essai") if one.attempts else ""
    again = f"prochain : {spoken(one.due_at)}" if one.due_at is not None else ""
    return Step(
        words.word(words.CONSIGNMENT, one.state).capitalize(), (tried, one.reply[:_REPLY], again), None, Tone.WAIT
    )


def _answers(story: Story, carried: Sequence[Lot]) -> Iterator[Step]:
    """The last ARL and the last RSP of these lots; what is missing when nothing came."""
    ids = {lot.id for lot in carried}
    for kind in ("ARL", "RSP"):
        told = [
            (one, [answer for answer in answers if answer.lot_id in ids])
            for one, answers in story.returns
            if one.kind == kind
        ]
        given = [(one, answers) for one, answers in told if answers]
        if given:
            yield _answer(story, *given[-1], more=len(given) - 1)
        elif kind == "ARL":
            yield from _silence(carried)


def _answer(story: Story, one: Return, answers: Sequence[LotAnswer], *, more: int) -> Step:
    outcomes = sorted({answer.outcome for answer in answers})
    said = ", ".join(words.word(words.LOT, outcome) for outcome in outcomes)
    progress = story.progress[one.id]
    refused = any(outcome in {LotState.REFUSED, LotState.REJECTED} for outcome in outcomes)
    codes = ", ".join(sorted({answer.code for answer in answers if answer.code}))
    others = f"et {_count(more, 'autre')} avant" if more else ""
    reached = words.word(words.RETURN, progress)
    bad = refused or progress == Progress.FAILED
    return Step(one.kind, (said, codes, others, reached), one.received_at, Tone.BAD if bad else Tone.GOOD)


def _silence(carried: Sequence[Lot]) -> Iterator[Step]:
    waiting = [lot for lot in carried if lot.state in AWAITING and lot.state != LotState.SENT]
    if waiting:
        worst = next((lot for lot in waiting if lot.state == LotState.MANUAL), waiting[0])
        late = worst.state in {LotState.UNANSWERED, LotState.MANUAL}
        said = words.word(words.LOT, worst.state) if late else "attendu"
        yield Step("ARL", (said,), None, Tone.BAD if worst.state == LotState.MANUAL else Tone.WAIT)


def _kind(one: Consignment) -> str:
    return words.word(words.KIND, one.kind).capitalize() if one.kind != "art" else "ART"


def _lots_said(carried: Sequence[Lot], one: Consignment) -> str:
    return _numbers(carried) if carried else _kind(one)


def _numbers(some: Sequence[Lot]) -> str:
    numbers = [lot.number for lot in some]
    named = ", ".join(numbers[:4]) + ("…" if len(numbers) > 4 else "")
    return f"{'lots' if len(numbers) > 1 else 'lot'} {named}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}"
