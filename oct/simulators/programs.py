"""The simulators as programs: an insurer that answers by itself, a practitioner that sends and reads its mailbox.

Each runs until `stop` is set; `stop_on_signals` gives an event that SIGTERM and SIGINT set. What happens is told line
by line to `report`, in French, identifiers only.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from oct.simulators.answers import Answers
from oct.simulators.envelopes import EnvelopeError
from oct.simulators.insurer import Insurer
from oct.simulators.ledger import Arrival
from oct.simulators.practitioner import Mailbox, PractitionerSoftware
from oct.simulators.sending import Reply
from oct.simulators.traffic import Claims

_TURN = 0.2
"""Seconds between two looks at `stop`."""

Report = Callable[[str], None]


class Answer(StrEnum):
    """What an insurer answers by itself."""

    ARL = "arl"
    RSP = "rsp"


@dataclass(frozen=True, slots=True)
class Sending:
    """What a practitioner sends by itself: `files` single files, one each `every` seconds."""

    files: int
    every: float


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM or SIGINT sets. To be called on the main thread."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def run_insurer(
    insurer: Insurer, answers: Answers, kinds: frozenset[Answer], stop: threading.Event, report: Report
) -> None:
    """Serves until `stop`; each file that arrives meanwhile is answered with an ARL, an RSP, both or nothing.

    A message that does not open is reported and left; one with faults gets a negative ARL.
    """
    with insurer:
        report(f"assureur à l'écoute sur {insurer.address[0]}:{insurer.address[1]}")
        seen = len(insurer.arrivals)
        while not stop.is_set():
            if insurer.wait_for(seen + 1, _TURN):
                _answer(insurer, answers, kinds, insurer.arrivals[seen], report)
                seen += 1


def run_practitioner(
    software: PractitionerSoftware,
    claims: Claims,
    mailbox: Mailbox,
    sending: Sending,
    stop: threading.Event,
    report: Report,
) -> None:
    """Sends, then keeps the mailbox open until `stop`, telling what arrives in it."""
    with mailbox:
        report(f"boîte à l'écoute sur {mailbox.address[0]}:{mailbox.address[1]}")
        seen = 0
        for _ in range(sending.files):
            file = claims.single_file(software.sender)
            report(f"fichier {file.file_id} : {_told(software.submit(file))}")
            if stop.wait(sending.every):
                return
        while not stop.is_set():
            if mailbox.wait_for(seen + 1, _TURN):
                letter = mailbox.letters[seen]
                report(f"reçu {letter.description} de {letter.mail_from} : {letter.subject}")
                seen += 1


def _answer(insurer: Insurer, answers: Answers, kinds: frozenset[Answer], arrival: Arrival, report: Report) -> None:
    try:
        opened = insurer.open(arrival)
    except EnvelopeError as error:
        report(f"message {arrival.number} pour {arrival.rcpt_to} : indéchiffrable ({error})")
        return
    name = f"fichier {opened.file.file_id} pour {arrival.rcpt_to}"
    report(f"{name} : {len(opened.file.lots)} lots")
    if opened.file.faults:
        report(f"{name} : ARL négatif, {_told(answers.acknowledge_file(opened, code='9999'))}")
        return
    replies: Mapping[Answer, Callable[[], Reply]] = {
        Answer.ARL: lambda: answers.acknowledge(opened),
        Answer.RSP: lambda: answers.settle([opened]),
    }
    for kind, reply in replies.items():
        if kind in kinds:
            report(f"{name} : {kind.value.upper()} {_told(reply())}")


def _told(reply: Reply) -> str:
    return f"{reply.code} {reply.text}"
