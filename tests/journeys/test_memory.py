"""What a large file costs in memory, by a quarter of the largest; `endurance` has that, in three shapes (H3)."""

from __future__ import annotations

from oct.simulators.invoices import Kind
from oct.simulators.practitioner import Wrapping
from tests.journeys.conftest import Launch
from tests.journeys.practice import AGEN, BOURG, REIMS
from tests.journeys.weighing import weigh

FILE_BYTES = 7_500_000
PEAK_BYTES = 130_000_000
"""What 250 MB for 30 MB come to: some 90 MB of the program's own, and the rest by the size of the file."""


def test_no_process_needs_130_mb_for_a_file_of_7_mb(launch: Launch) -> None:
    """The file of contract 99, of which most is made."""
    with launch() as world:
        assert weigh(world, Kind.ENRICHED, Wrapping(), (AGEN, BOURG, REIMS), FILE_BYTES) < PEAK_BYTES
