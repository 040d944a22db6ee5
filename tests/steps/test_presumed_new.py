"""Lots are presumed new until they are written (D2): what comes of it is what comes of reading first what is known."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from oct.domain.model import Practitioner
from oct.domain.plan import Plan
from oct.steps.claims import settling
from oct.steps.claims.recognition import Recognised, recognise_plan
from oct.steps.workshop import Workshop
from oct.store import messages
from oct.store.messages import Message
from tests.claims import ALPHA, NOBODY, Batch, Claim, dre, enriched
from tests.steps.resending_rig import ADDRESS, BOURG, LOIRE, MUTUELLE, TO_LOIRE, Rig, file_of, mail, rig

ONE, TWO = Batch((Claim(1),), 1), Batch((Claim(2), Claim(3)), 2)
PLAIN = tuple(Batch((Claim(number),), number) for number in range(30, 38))
LOTS = (
    TWO,
    Batch((Claim(4, ("01", "011", "0000")),), 3, organism="011"),
    Batch((dre(5, ALPHA),), 5),
    Batch((enriched(8),), 8),
    Batch((enriched(9, amc=NOBODY, amc_in_header=NOBODY),), 9),
    Batch((Claim(19, ("01", "999", "0000")),), 19, organism="999"),
)


class Side(Rig):
    """A concentrator, and the messages it took."""

    def __init__(self, made: Rig) -> None:
        super().__init__(made, made.clock)
        self.taken: list[Message] = []

    def take_together(self, raws: Sequence[bytes]) -> None:
        """Receives messages, then works: they are claimed together."""
        traces = [self.receive(raw, ADDRESS).text.rpartition(" ")[2] for raw in raws]
        self.work()
        with self.workshop.store.read() as conn:
            self.taken += [message for trace in traces if (message := messages.by_trace(conn, trace)) is not None]

    def story(self) -> list[object]:
        """What became of each lot and what was told of it, in words that two concentrators share."""
        rows = [
            row for message in self.taken for row in sorted(self.rows(message), key=lambda one: (one.rank, one.kind))
        ]
        place = {row.id: rank for rank, row in enumerate(rows)}
        lots = [(row.kind, row.state, row.code, row.insurer_id, place.get(row.first_lot_id or 0)) for row in rows]
        told = "\n".join(sorted(self.texts))
        for rank, message in enumerate(self.taken):
            told = told.replace(message.trace, f"suivi-{rank}")
        letters = [sorted(self.arrived(address)) for address in (LOIRE, BOURG)]
        return [lots, sorted(told.splitlines()), letters, len(self.outside.of(MUTUELLE)), len(self.arls)]


def knowing(workshop: Workshop, practitioner: Practitioner, plan: Plan, **_presumed: bool) -> Recognised:
    """Reads first what is known of the lots, whatever is presumed of them."""
    return recognise_plan(workshop, practitioner, plan, presumed_new=False)


def drawn_files(drawn: random.Random) -> list[bytes]:
    """Files of one to three lots, most of them split by us; some lots have other bytes than before."""
    files = []
    for _ in range(drawn.randrange(1, 6)):
        if drawn.random() < 0.25:
            files.append(mail(file_of(drawn.sample((ONE, TWO), drawn.randrange(1, 3)), TO_LOIRE)))
        else:
            some = drawn.sample((ONE, *LOTS, *PLAIN), drawn.randrange(1, 4))
            if drawn.random() < 0.3:
                some[0] = replace(some[0], claims=(replace(some[0].claims[0], patient=12), *some[0].claims[1:]))
            files.append(mail(file_of(some)))
    return files


def test_it_comes_to_the_same_as_knowing_first(tmp_path: Path, sqlite_template: Path) -> None:
    """D2, D3: the same lots leave, wait and stay back, and the practitioner reads the same."""
    drawn = random.Random(2)  # with sendings that overtake one another
    with ExitStack() as stack:
        sides = []
        for name in ("presuming", "knowing"):
            home = tmp_path / name
            home.mkdir()
            url = f"sqlite:///{shutil.copy(sqlite_template, home / 'oct.db')}"
            sides.append(Side(stack.enter_context(rig(home, url))))
        presuming, knowing_first = sides
        for _ in range(7):
            files, hours, code = drawn_files(drawn), drawn.choice((0, 1, 48)), drawn.choice(("", "0012"))
            presuming.take_together(files)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(settling, "recognise_plan", knowing)
                knowing_first.take_together(files)
            answered = drawn.choice((ONE, *LOTS[:1], LOTS[3]))
            for side in sides:
                side.clock.pass_hours(hours)
                if hours == 1:
                    side.acknowledge(answered, code=code)
        assert presuming.story() == knowing_first.story()
        assert "duplicate" in str(presuming.story())
