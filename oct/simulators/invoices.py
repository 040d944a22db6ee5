"""Writes the records of one simulated invoice: 2, its complements 2M and 2P, 4, 5 (group 1321; `config/layouts.toml`).

An establishment (norm CP) writes the invoice number at 30-38 of each, over the place of a complement's mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from oct.formats.layouts import Layouts
from oct.simulators.parties import Amc, Caisse, Person, Sender


class Kind(StrEnum):
    """What an invoice is: an FSE, a DRE split at the source, or an enriched FSE of contract type 99."""

    FSE = "FSE"
    DRE = "DRE"
    ENRICHED = "99"


@dataclass(frozen=True, slots=True)
class InvoiceRecords:
    """Writes the records of one invoice: what they share is given once. `today` is AAMMJJ."""

    layouts: Layouts
    sender: Sender
    number: str
    person: Person
    today: str

    def _record(self, layout: str, **values: str | int) -> bytes:
        record = self.layouts[layout].build(
            ps_number=self.sender.number,
            insured_nir=self.person.nir,
            insured_nir_key=self.person.key,
            **values,
        )
        placed = "cp_invoice_header" if self.sender.establishment else "invoice_header"
        return self.layouts[placed].patch(record, invoice_number=self.number)

    def header(self, caisse: Caisse, kind: Kind, amc: Amc | None, settlement: str, ps_split: str) -> bytes:
        """Record 2. An `amc` also names the member and its complementary insurer."""
        return self._record(
            "invoice_header",
            operation=1,
            invoiced_on=self.today,
            ps_split=ps_split,
            invoice_kind="D" if kind is Kind.DRE else "F",
            regime=caisse.regime,
            caisse=caisse.caisse,
            centre=caisse.centre,
            entitlement_proof=1,
            prescriber=self.sender.number,
            prescribed_on=self.today,
            insurance=10,
            exemption="0",
            birth_date="700101",
            birth_rank=1,
            member_number="ADH00042" if amc is not None else "",
            settlement=settlement,
            contract_type="99" if kind is Kind.ENRICHED else "00",
            amc_number=amc.number if amc is not None else "",
        )

    def complementary(self, amc: Amc) -> bytes:
        """Record 2M: the complementary insurer."""
        return self._record(
            "invoice_amc",
            amc_edi_number=amc.number,
            amc_route=amc.route,
            amc_host=amc.host,
            amc_member_id=42,
            amc_domain="RSS.FR",
            amc_application="98",
        )

    def convention(self) -> bytes:
        """Record 2P: tiers payant on the complementary part is asked (A7)."""
        return self._record(
            "invoice_convention", settlement_operator="OPERATEUR1", convention="TIERS PAYANT COMPLEMENTAIRE"
        )

    def line(self, act: str, billed: int, amo: int, amc: int) -> bytes:
        """Record 4: an act, amounts in centimes."""
        return self._record(
            "invoice_line",
            executant=self.sender.number,
            done_on=self.today,
            act_code=act,
            quantity=1,
            coefficient=100,
            unit_price=billed,
            base=billed,
            rate=70,
            amo_amount=amo,
            spent_amount=billed,
            amc_amount=amc,
        )

    def total(self, lines: int, billed: int, amo: int, amc: int, seal: str) -> bytes:
        """Record 5, with its seal."""
        return self._record(
            "invoice_total",
            line_count=lines,
            billed_total=billed,
            amo_total=amo,
            patient_total=billed - amo,
            amc_total=amc,
            certification=seal,
        )
