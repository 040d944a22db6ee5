"""What the tests of return files share: the configuration as shipped, the golden files, invented insurers' answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from oct.formats.entities import Entities
from oct.formats.frame import FrameFields
from oct.formats.layouts import Layouts
from oct.simulators.return_files import AnsweredInvoice, AnsweredLot, AnsweredPart, Settlement

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "vectors" / "returns"
RULES_TEXT = (ROOT / "config" / "noemie.toml").read_text()
LAYOUTS = Layouts.from_toml((ROOT / "config" / "layouts.toml").read_text())
RULES = Entities.from_toml(RULES_TEXT)

ALPHA, BETA = "101234567", "209876543"
NUMBERS = {1: ALPHA, 2: BETA}
IDS = {number: practitioner for practitioner, number in NUMBERS.items()}

TO_CONCENTRATOR = FrameFields(
    sender_type="CT",
    sender_number="00000001011011",
    recipient_type="OT",
    recipient_number="00000123456789",
    application="RN",
    file_id="000042",
    created_on="250310",
    norm="580",
    currency="U",
)
TO_ALPHA = replace(TO_CONCENTRATOR, recipient_type="TP", recipient_number=ALPHA.zfill(14))


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.bin").read_bytes()


def settled(ps_number: str, *cents: int) -> Settlement:
    """One lot with one paid invoice for each amount."""
    invoices = tuple(
        AnsweredInvoice(f"{rank:09d}", AnsweredPart(abs(paid), paid)) for rank, paid in enumerate(cents, start=1)
    )
    return Settlement(ps_number, (AnsweredLot("101", "250301", invoices),))


def recipient_of(practitioner_id: int) -> tuple[str, str]:
    return "TP", NUMBERS[practitioner_id]
