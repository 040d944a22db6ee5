"""The stage of the demonstration: sends a message through the real door and watches what becomes of it from outside.

What must happen is waited for at the simulated insurers, which decrypt and recount what they receive, and in the
practitioners' mailboxes. What did not happen is a sentence in `Act.faults`, and the demonstration fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from oct.demo.world import World, address_of, mailbox_of
from oct.simulators.insurer import Opened
from oct.simulators.mail import Letter
from oct.simulators.parties import Amc, Caisse, Sender
from oct.simulators.practitioner import Wrapping
from oct.simulators.sending import Reply
from oct.simulators.traffic import ClaimFile, Lot

_TRACE = re.compile(r"[0-9A-Z]{6}-[0-9A-Z]{8}")


@dataclass(slots=True)
class Act:
    """A message and what became of it."""

    title: str
    sender: Sender
    trace: str = ""
    faults: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Stage:
    """The world and what was sent in it so far."""

    world: World
    acts: list[Act] = field(default_factory=list)
    answered: set[tuple[str, str]] = field(default_factory=set)
    """Insurer's address and file id of what was answered."""

    def submit(self, title: str, sender: Sender, file: ClaimFile, wrapping: Wrapping | None = None) -> Act:
        """Sends a file as a practitioner's software does."""
        return self.send(title, sender, self.world.software(sender).message(file, wrapping))

    def send(self, title: str, sender: Sender, message: bytes) -> Act:
        """Sends a message; its trace number stands in the 250."""
        act = Act(title, sender)
        self.acts.append(act)
        reply = self.world.software(sender).send(message)
        found = _TRACE.search(reply.text)
        if reply.code != 250 or found is None:
            act.faults.append(f"réponse {reply.code} au lieu de 250")
        else:
            act.trace = found[0]
        return act

    def expect(self, act: Act, what: str, happened: Callable[[], bool]) -> None:
        """Waits for something and notes when it did not happen."""
        if not act.faults and not self.world.until(happened):
            act.faults.append(what)

    def expect_lots(self, act: Act, expected: Mapping[Caisse | Amc, Sequence[Lot]]) -> None:
        """Each insurer has these lots, byte for byte and in order (L1, L2)."""
        for party, lots in expected.items():
            wanted = [lot.sha256 for lot in lots]
            self.expect(act, f"les lots attendus ne sont pas arrivés à {address_of(party)}", self._has(party, wanted))

    def _has(self, party: Caisse | Amc, wanted: list[str]) -> Callable[[], bool]:
        return lambda: _contains(self.world.insurer.lots().get(address_of(party), []), wanted)

    def expect_art(self, act: Act, *words: str) -> None:
        """One ART, in the registered mailbox, that quotes the trace number and says these words."""
        self.expect(act, "pas d'ART", lambda: len(self.arts(act)) > 0)
        for letter in self.arts(act)[:1]:
            text = " ".join(letter.content.decode("latin-1").split())
            act.faults += [f"l'ART ne dit pas « {word} »" for word in words if word not in text]
        if len(self.arts(act)) > 1:
            act.faults.append("plus d'un ART")

    def arts(self, act: Act) -> list[Letter]:
        """The receipts of a message, told by its trace number and their title."""
        return [
            letter
            for letter in self.world.mailbox.arts
            if letter.rcpt_to == mailbox_of(act.sender)
            and act.trace.encode() in letter.content
            and "accusé de réception".encode("latin-1") in letter.content
        ]

    def received(self, party: Caisse | Amc) -> tuple[Opened, ...]:
        """What an insurer holds."""
        return self.world.insurer.opened(address_of(party))

    def texts(self, act: Act, words: str) -> list[Letter]:
        """What the practitioner was told of a message, later or at once, that says these words."""
        return [
            letter
            for letter in self.world.mailbox.arts
            if letter.rcpt_to == mailbox_of(act.sender)
            and act.trace.encode() in letter.content
            and words in " ".join(letter.content.decode("latin-1").split())
        ]

    def holding(self, party: Caisse | Amc, lot: Lot) -> list[Opened]:
        """The files of an insurer that hold a lot."""
        return [one for one in self.received(party) if any(held.sha256 == lot.sha256 for held in one.file.lots)]

    def answer(
        self, act: Act, lot: Lot, party: Caisse | Amc, say: Callable[[Opened], Reply], application: bytes
    ) -> None:
        """The insurer answers a lot that it received; the answer must reach the practitioner (R1)."""
        self.expect_lots(act, {party: [lot]})
        self.expect_art(act, "TRAITÉ.")
        before = len(self.returned(act.sender))
        for opened in self.holding(party, lot)[:1]:
            self.answered.add(_file(opened))
            if not say(opened).accepted:
                act.faults.append("le concentrateur a refusé le retour")
        self.expect_returned(act, before)
        for content in self.returned(act.sender)[before:]:
            if content[47:49] != application:
                act.faults.append("ce n'est pas le retour attendu")

    def acknowledge_rest(self) -> None:
        """Every insurer acknowledges what it received and has not answered yet."""
        for opened in self.world.insurer.opened():
            if _file(opened) not in self.answered:
                self.answered.add(_file(opened))
                self.world.answers.acknowledge(opened)

    def expect_returned(self, act: Act, before: int) -> None:
        """The practitioner has more returns than `before`."""
        self.expect(act, "le retour n'est pas arrivé", lambda: len(self.returned(act.sender)) > before)

    def has_invoices(self, party: Caisse | Amc, numbers: set[str]) -> bool:
        """Whether an insurer holds a file of exactly these invoices, whose counters and totals are right."""
        return any(
            {invoice.number for lot in one.file.lots for invoice in lot.invoices} == numbers and not one.file.faults
            for one in self.received(party)
        )

    def returned(self, sender: Sender) -> list[bytes]:
        """The return files in a practitioner's mailbox."""
        return [letter.content for letter in self.world.mailbox.returns if letter.rcpt_to == mailbox_of(sender)]


def _file(opened: Opened) -> tuple[str, str]:
    return opened.arrival.rcpt_to, opened.file.file_id


def _contains(arrived: list[str], wanted: list[str]) -> bool:
    """Whether the wanted lots stand one after the other in what arrived."""
    return any(arrived[first : first + len(wanted)] == wanted for first in range(len(arrived)))
