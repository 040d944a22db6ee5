"""The rig of re-sent lots with a hosted mailbox for its practitioner, a colleague, a provider that fails on demand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from oct.bootstrap import connector
from oct.domain.model import Practitioner, ReturnMode
from oct.pop.mailboxes import Maildrop
from oct.settings import load
from oct.simulators.mail import Letter
from oct.steps.hosting import divert, move_out, restore
from oct.steps.mailbox import HostedMailboxes
from oct.steps.redelivery import Redelivered, redeliver
from oct.store import consignments, events, mailboxes, payloads, practitioners, returns
from oct.store.consignments import Consignment
from oct.store.events import Event
from oct.store.mailboxes import MailboxCounts
from oct.store.returns import Return
from tests.claims import PS, Batch, Claim
from tests.steps.bench import Bench, send_all
from tests.steps.resending_rig import ADDRESS, Rig, rig

LEASE = 60_000
COLLEAGUE, COLLEAGUE_ADDRESS = "015432109", "parc@boite.example"


class HostingRig(Rig):
    """What an operator does of mailboxes, and what a practitioner finds in its own."""

    home: Path

    def account(self, number: str = PS) -> Practitioner:
        """A practitioner as it is now."""
        with self.workshop.store.read() as conn:
            found = practitioners.by_number(conn, number)
        assert found is not None
        return found

    def choose(self, mode: ReturnMode, number: str = PS) -> None:
        """The practitioner's choice of where its returns go."""
        with self.workshop.store.begin() as conn:
            practitioners.set_fields(conn, self.account(number).id, return_mode=mode)

    def leave(self) -> int:
        """The practitioner takes its returns in its own mailbox again, and what that gives rise to."""
        with self.workshop.store.begin() as conn:
            practitioners.set_fields(conn, self.account().id, return_mode=ReturnMode.SMTP)
            moved = move_out(conn, self.account().id, self.clock())
        self.work()
        return moved

    def divert(self, *numbers: str) -> int:
        """The operator's word."""
        return divert(self.workshop, [self.account(number) for number in numbers or (PS,)], "essai")

    def restore(self, *numbers: str) -> int:
        """The operator's word, and what it gives rise to."""
        done = restore(self.workshop, [self.account(number) for number in numbers or (PS,)], "essai")
        self.work()
        return done

    def claims(self, rank: int = 1) -> Batch:
        """Lots of one claim; the receipt is the first thing for the practitioner."""
        batch = Batch((Claim(rank),), rank)
        self.submit(batch)
        return batch

    def returned(self, rank: int = 1) -> Return:
        """A lot that went out and was acknowledged."""
        self.acknowledge(self.claims(rank))
        return self.returns()[-1]

    def returns(self, number: str = PS) -> list[Return]:
        """The returns of a practitioner."""
        with self.workshop.store.read() as conn:
            return returns.of_practitioner(conn, self.account(number).id, 0)

    def redeliver(self, *chosen: Return, address: str | None = None) -> Redelivered:
        """The operator's word, and what it gives rise to."""
        done = redeliver(self.workshop, chosen, "essai", address)
        self.work()
        return done

    def claim(self, owner: str) -> list[Consignment]:
        """What a worker takes to send."""
        with self.workshop.store.begin() as conn:
            return consignments.claim_any(conn, owner, self.clock(), LEASE, 10)

    def send(self, claimed: list[Consignment], owner: str) -> None:
        """What it does with it."""
        asyncio.run(send_all(self.workshop, claimed, owner, connector(load(self.home / "oct.toml", {}).settings)))

    def hosted(self) -> HostedMailboxes:
        """The mailboxes as their door uses them."""
        workshop = self.workshop
        return HostedMailboxes(workshop.store, workshop.vault, self.clock, os.urandom, f"pop-{os.urandom(4).hex()}-")

    def read(self, number: str = PS, *, delete: bool = False) -> list[bytes]:
        """What a POP program finds, reads to the end, and deletes if it is so set."""
        door, account = self.hosted(), self.account(number)
        maildrop = door.open(account.id)
        assert maildrop is not None
        found = [door.fetch(item) for item in maildrop.items]
        ids = [item.id for item in maildrop.items]
        door.fetched(maildrop, ids)
        assert door.close(maildrop, ids if delete else [])
        return found

    def read_only(self) -> list[bytes]:
        """What the mailbox shows, looked at by nobody."""
        with self.workshop.store.read() as conn:
            shown = mailboxes.listing(conn, self.account().id)
            return [payloads.get(conn, self.workshop.vault, item.payload_id) for item in shown]

    def opened(self, door: HostedMailboxes) -> Maildrop:
        """A reader who is at it."""
        maildrop = door.open(self.account().id)
        assert maildrop is not None
        return maildrop

    def uids(self, number: str = PS) -> list[str]:
        """The UIDL of what a mailbox shows."""
        with self.workshop.store.read() as conn:
            return [item.uid for item in mailboxes.listing(conn, self.account(number).id)]

    def counts(self, number: str = PS) -> MailboxCounts:
        """What a mailbox holds."""
        with self.workshop.store.read() as conn:
            return mailboxes.counts(conn, self.account(number).id)

    def story(self, message_id: int) -> list[Event]:
        """The events of a message."""
        with self.workshop.store.read() as conn:
            return events.of_message(conn, message_id)

    def consignment(self, one: Return) -> Consignment:
        """The sending that carries a return."""
        with self.workshop.store.read() as conn:
            found = consignments.by_id(conn, one.consignment_id or 0)
        assert found is not None
        return found

    @property
    def letters(self) -> list[Letter]:
        """What reached the practitioner's own mailbox."""
        return self.outside.of(ADDRESS)


@contextmanager
def hosting_rig(home: Path, database_url: str, **rules: Any) -> Iterator[HostingRig]:
    """The rig, some of its rules changed; its provider fails as `made.outside.temper` says."""
    with rig(home, database_url) as pieces:
        workshop = replace(pieces.workshop, rules=replace(pieces.workshop.rules, **rules))
        made = HostingRig(Bench(workshop, pieces.hands, pieces.outside), pieces.clock)
        made.home = home
        yield made
