"""What a simulated insurer answers: ARL and RSP about files that it opened, sent back by SMTP to who wrote to it.

A return is addressed, in its 000 header, to the practitioner when all that it speaks of is one practitioner's, else
to the sender of the file; `to_sender` forces the latter. It goes by mail to the From of the message that it answers,
under the same Subject, with In-Reply-To. With a certificate it goes sealed, else in clear.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography import x509

from oct.clock import Clock, paris
from oct.formats.arl import ArlFile, ArlLot
from oct.formats.entities import Entities
from oct.formats.frame import AMC_TYPES, FrameFields
from oct.formats.layouts import Layouts
from oct.formats.noemie import Form
from oct.simulators.envelopes import Compression, compress, seal
from oct.simulators.insurer import Opened
from oct.simulators.mail import Envelope, Shape, compose
from oct.simulators.received import ReceivedFile, ReceivedInvoice, ReceivedLot
from oct.simulators.return_files import AnsweredInvoice, AnsweredLot, AnsweredPart, Settlement, arl, rsp
from oct.simulators.sending import Reply, deliver


class Answers:
    """Answers by way of `door` (host, port). `certificate` is the concentrator's, to seal what goes back."""

    def __init__(
        self,
        door: tuple[str, int],
        *,
        layouts: Layouts,
        entities: Entities,
        clock: Clock,
        certificate: x509.Certificate | None = None,
    ) -> None:
        self._door = door
        self._layouts = layouts
        self._entities = entities
        self._clock = clock
        self._certificate = certificate
        self._sent = 0

    def acknowledge(self, opened: Opened, *, code: str = "", label: str = "", to_sender: bool = False) -> Reply:
        """An ARL of all the lots of a file: positive, or negative with the `code` (4 characters) of the refusal."""
        return self.acknowledge_lots(opened, opened.file.lots, code=code, label=label, to_sender=to_sender)

    def acknowledge_lots(
        self,
        opened: Opened,
        lots: Sequence[ReceivedLot],
        *,
        code: str = "",
        label: str = "",
        to_sender: bool = False,
    ) -> Reply:
        """An ARL of some lots of a file."""
        said = [
            ArlLot(lot.ps_number, lot.organism, lot.number, lot.created_on, positive=not code, code=code, label=label)
            for lot in lots
        ]
        fields = self._fields(opened.file, None if to_sender else _only(lot.ps_number for lot in lots), "AR")
        return self.send_back(opened, "ARL/SV", arl(fields, said, self._layouts))

    def acknowledge_file(self, opened: Opened, *, code: str = "") -> Reply:
        """An ARL of the file as a whole, to its sender."""
        said = ArlFile(opened.file.file_id, positive=not code, code=code)
        return self.send_back(opened, "ARL/SV", arl(self._fields(opened.file, None, "AR"), said, self._layouts))

    def settle(
        self,
        opened: Sequence[Opened],
        *,
        rejection: str = "",
        norm: str = "580",
        form: Form = Form.STREAM,
        to_sender: bool = False,
    ) -> Reply:
        """One RSP of all the invoices of these files, paid in full, or rejected with a code; it answers the first."""
        first = opened[0]
        by_ps: dict[str, list[AnsweredLot]] = {}
        for one in opened:
            complementary = one.file.recipient_type in AMC_TYPES
            for lot in one.file.lots:
                invoices = tuple(_answered(invoice, complementary, rejection) for invoice in lot.invoices)
                by_ps.setdefault(lot.ps_number, []).append(AnsweredLot(lot.number, lot.created_on, invoices))
        fields = self._fields(first.file, None if to_sender else _only(by_ps), "RS", norm)
        settlements = [Settlement(ps_number, tuple(lots)) for ps_number, lots in by_ps.items()]
        return self.send_back(first, "RSP/SV", rsp(fields, settlements, form, self._layouts, self._entities))

    def send_back(self, opened: Opened, description: str, data: bytes) -> Reply:
        """Any file, to who sent what was opened."""
        original = opened.letter.message
        if self._certificate is not None:
            data = seal(compress(data, Compression.GZIP), self._certificate)
            description += "/ZK"
        insurer, concentrator = opened.arrival.rcpt_to, str(original["From"])
        envelope = Envelope(
            sender=insurer,
            recipient=concentrator,
            subject=opened.letter.subject,
            sent_at=self._clock(),
            message_id=f"<{self._clock()}.{self._sent}.{insurer}>",
            description=description,
            name="retour.b2",
            answers=str(original["Message-ID"]),
        )
        return deliver(self._door, insurer, concentrator, compose(envelope, Shape.EDI, data))

    def _fields(self, file: ReceivedFile, ps_number: str | None, application: str, norm: str = "") -> FrameFields:
        self._sent += 1
        return FrameFields(
            sender_type=file.recipient_type,
            sender_number=file.recipient_number,
            recipient_type="TP" if ps_number else file.sender_type,
            recipient_number=ps_number.rjust(14, "0") if ps_number else file.sender_number,
            application=application,
            file_id=f"R{self._sent:05d}",
            created_on=f"{paris(self._clock()):%y%m%d}",
            norm=norm,
            currency="U",
            flow="R",
        )


def _only(ps_numbers: Iterable[str]) -> str | None:
    """The one practitioner, when there is only one."""
    distinct = set(ps_numbers)
    return distinct.pop() if len(distinct) == 1 else None


def _answered(invoice: ReceivedInvoice, complementary: bool, rejection: str) -> AnsweredInvoice:
    asked = invoice.amc if complementary else invoice.amo
    part = AnsweredPart(asked, 0 if rejection else asked, "R" if rejection else "P")
    return AnsweredInvoice(
        invoice.number,
        amo=None if complementary else part,
        amc=part if complementary else None,
        rejection=rejection,
        label="REJET SIMULE" if rejection else "",
    )
