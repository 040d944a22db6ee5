"""What the largest files cost in memory, in the three shapes that differ (H3).

Each case is a program of its own, on SQLite: 30 MB of claims come in by SMTP, are opened, split, sealed and sent on.
Without such a test a copy of the file that a change adds stays unseen until it meets another one.
"""

from __future__ import annotations

import pytest

from oct.simulators.envelopes import Compression
from oct.simulators.invoices import Kind
from oct.simulators.mail import Shape
from oct.simulators.parties import Caisse
from oct.simulators.practitioner import Wrapping
from tests.journeys.conftest import Launch
from tests.journeys.practice import AGEN, BOURG, REIMS
from tests.journeys.weighing import weigh

FILE_BYTES = 30_000_000
PEAK_BYTES = 250_000_000
IN_CLEAR = Wrapping(Shape.CLEAR, Compression.NONE)


@pytest.mark.parametrize(
    ("kind", "wrapping", "caisses"),
    [
        (Kind.FSE, Wrapping(), (AGEN,)),
        (Kind.ENRICHED, Wrapping(), (AGEN, BOURG, REIMS)),
        (Kind.FSE, IN_CLEAR, (AGEN, BOURG)),
    ],
    ids=["ordinary", "contract 99", "in clear, 41 MB on the wire"],
)
def test_no_process_needs_250_mb_for_a_file_of_30_mb(
    launch: Launch, kind: Kind, wrapping: Wrapping, caisses: tuple[Caisse, ...]
) -> None:
    with launch(clear="accept = true") as world:
        assert weigh(world, kind, wrapping, caisses, FILE_BYTES) < PEAK_BYTES
