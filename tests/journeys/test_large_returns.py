"""A return of 30 MB is taken, kept, traced and held unread, whatever its envelope; memory stays sane (H3)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from oct.clock import system_clock
from oct.formats.frame import FrameFields
from oct.formats.noemie import Form, read_noemie
from oct.simulators.envelopes import seal
from oct.simulators.mail import Envelope, Shape, compose
from oct.simulators.return_files import AnsweredInvoice, AnsweredLot, Settlement, rsp
from oct.steps.returns.reading import LARGEST
from oct.store import messages
from tests.journeys.answering import ENTITIES
from tests.journeys.golden import OCT
from tests.journeys.outside import LAYOUTS
from tests.journeys.practice import BOURG, MAILBOX, OWN, PONT
from tests.journeys.world import World

SIZE = 30_000_000
MOST_MEMORY = 512 << 20
"""Of the process, with both returns behind it; the whole tree has 768 MiB (H3)."""
SETTLED = (Settlement(PONT.number, (AnsweredLot("001", "261121", (AnsweredInvoice("000000001"),)),)),)
FIELDS = FrameFields(
    sender_type="CT",
    sender_number="00000001016011",
    recipient_type="TP",
    recipient_number=PONT.number.zfill(14),
    application="RS",
    file_id="R00900",
    created_on="261121",
    norm="580",
)


def grown(size: int) -> bytes:
    """A return for PONT of about so many bytes: the entities of one, over and over."""
    data = rsp(FIELDS, SETTLED, Form.STREAM, LAYOUTS, ENTITIES)
    *entities, last = [entity.raw for entity in read_noemie(data, LAYOUTS, ENTITIES).entities]
    once, end = b"".join(entities), data.index(last)
    return data[:end] + once * (size // len(once)) + data[end:]


def encrypted(data: bytes) -> bytes:
    """As a whole, to the concentrator, not compressed."""
    return seal(data, OWN["oct"].certificate)


ENVELOPES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "in clear": (bytes, "RSP/SV"),
    "encrypted": (encrypted, "RSP/SV/K"),
}


@pytest.mark.parametrize("how", ENVELOPES)
def test_h3_a_return_of_30_megabytes_is_held_unread(world: World, how: str) -> None:
    wrap, description = ENVELOPES[how]
    sender, before = MAILBOX[BOURG], len(world.outside.arrivals)
    message_id = f"<{system_clock()}@grand.example>"
    envelope = Envelope(sender, OCT, "RSP", system_clock(), message_id, description, "retour.b2")
    raw = compose(envelope, Shape.EDI, wrap(grown(SIZE)))
    assert len(raw) > SIZE
    reply = world.send(sender, raw)
    assert reply.code == 250, reply
    world.settle()
    assert len(world.outside.arrivals) == before
    trace = reply.text.rpartition(" ")[2]
    (hold,) = [one for one in json.loads(world.oct("held", "list", "--json")) if one["suivi"] == trace]
    assert (hold["code"], hold["objet"]) == ("retour-trop-grand", "retour")
    assert hold["motif"] == "Le retour est trop grand pour être lu ici : plus de 8 Mio. [règle H3]"
    story = json.loads(world.oct("trace", "show", trace, "--json"))
    assert [event["quoi"] for event in story["evenements"]] == ["recu", "retenu"]
    with world.store.read() as conn:
        message = messages.by_trace(conn, trace)
        assert message is not None
        assert message.size == len(raw)
    assert peak(world) < MOST_MEMORY


def test_what_is_read_ends_at_a_bound() -> None:
    assert LARGEST == 8 << 20


def peak(world: World) -> int:
    """The most memory that the process had resident, in bytes."""
    status = Path(f"/proc/{world.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    assert found is not None
    return int(found[1]) << 10
