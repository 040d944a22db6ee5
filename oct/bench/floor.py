"""What one message costs in CPU beside its bare cryptography, without door, database and sending.

The whole way opens, reads, plans and seals it by the same code as a worker's. The floor is what no concentrator can
avoid: one RSA private operation, AES over the message, inflating it, deflating the outgoing files, AES over them and
one RSA public operation each. Both are measured in turn, many times, in CPU seconds of this process: only the ratio of
one run counts, machines differ and drift.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from oct.bench.parties import CAISSES, CONCENTRATOR, NUMBER, SENDERS, address_of, mailbox_of
from oct.bench.traffic import FOUR, Traffic
from oct.clock import paris
from oct.crypto.authority import TestAuthority
from oct.crypto.keystore import KeyRing, OwnKey
from oct.domain.contents import content_of
from oct.domain.model import Directory, Insurer, InsurerKind, Practitioner
from oct.domain.outgoing import outgoing_file
from oct.domain.plan import SplitContext
from oct.domain.splitting import plan_file
from oct.envelope.opening import Opener
from oct.envelope.sealing import pack, seal_packed
from oct.formats.b2 import read_file
from oct.formats.layouts import Layouts
from oct.formats.mime_headers import MessageLimits
from oct.settings.data_files import built_in
from oct.simulators.traffic import ClaimFile

_NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of one message of 25 invoices for 4 insurers, in ms: the whole way, its bare cryptography, and the median of
    their ratios. `octets` is the length of its file."""

    whole_ms: float
    bare_ms: float
    ratio: float
    octets: int


class Scene:
    """One practitioner, its insurers, their keys, and the whole way of a message without its database."""

    def __init__(self) -> None:
        authority = TestAuthority.create(_NOW)
        self.own: OwnKey = authority.issue(CONCENTRATOR)
        self.insurer = authority.issue(address_of(CAISSES[0]))
        self.layouts = Layouts.from_toml(built_in("layouts.toml"))
        self.traffic = Traffic(self.own.certificate)
        self.opener = Opener(KeyRing((self.own,)), MessageLimits(), 64 << 20)
        self.context = SplitContext(
            layouts=self.layouts,
            directory=_directory(),
            number_for=lambda _ps, _amc: "001",
            today="261120",
            oct_number=NUMBER.zfill(14),
        )
        first = SENDERS[0]
        self.practitioner = Practitioner(
            1, first.number, frozenset({first.number}), first.type, first.name, mailbox_of(first), frozenset()
        )

    def whole_way(self, raw: bytes) -> int:
        """Opens, reads, plans, builds and seals; how many bytes would leave."""
        opened = self.opener.open(raw, accept_clear=False)
        file = read_file(opened.file, self.layouts)
        leaving, packed = 0, []
        for number, parcel in enumerate(plan_file(file, self.practitioner, self.context).parcels):
            contents = [content_of(file, lot, self.context) for lot in parcel.lots]
            outgoing = outgoing_file(file, parcel, contents, self.context, file_id=f"{number:06d}")
            packed.append((parcel.insurer, pack(outgoing, parcel.insurer)))
        for number, (insurer, content) in enumerate(packed):
            sealed = seal_packed(
                content,
                insurer,
                self.insurer.certificate,
                sender=CONCENTRATOR,
                version="140700",
                compostage=f"20261120080000{number:05d}",
                date=paris(int(_NOW.timestamp() * 1000)),
            )
            leaving += len(sealed.content)
        return leaving

    def floor(self, file: ClaimFile) -> Callable[[], None]:
        """The bare cryptography and compression of the same message."""
        public = self.insurer.private_key.public_key()
        wrapped = self.own.private_key.public_key().encrypt(bytes(32), padding.PKCS1v15())
        packed = zlib.compress(file.data, _LEVEL)
        share = file.data[: len(file.data) // FOUR.destinations]

        def run() -> None:
            self.own.private_key.decrypt(wrapped, padding.PKCS1v15())
            _aes(packed)
            zlib.decompress(packed)
            for _ in range(FOUR.destinations):
                _aes(zlib.compress(share, _LEVEL))
                public.encrypt(bytes(32), padding.PKCS1v15())

        return run


def cost(rounds: int) -> Cost:
    """Measures one message so many times."""
    scene = Scene()
    file = scene.traffic.file(FOUR)
    raw, floor = scene.traffic.message(file, FOUR), scene.floor(file)
    scene.whole_way(raw)
    pairs = [(_cpu_ms(lambda: scene.whole_way(raw)), _cpu_ms(floor)) for _ in range(rounds)]
    whole, bare = (median(column) for column in zip(*pairs, strict=True))
    return Cost(whole, bare, median(one / two for one, two in pairs), len(file.data))


def _directory() -> Directory:
    insurers = {
        rank: Insurer(
            rank, InsurerKind.AMO, "CAISSE D'ESSAI", address_of(caisse), caisse.type, caisse.recipient_number,
            caisse.regime, caisse.organism, caisse.computer_centre,
        )
        for rank, caisse in enumerate(CAISSES)
    }  # fmt: skip
    return Directory(
        insurers=insurers, caisses={(one.regime, one.caisse, one.centre): rank for rank, one in enumerate(CAISSES)}
    )


def _aes(content: bytes) -> None:
    encryptor = Cipher(algorithms.AES(bytes(32)), modes.CBC(bytes(16))).encryptor()
    encryptor.update(content[: len(content) // 16 * 16])


def _cpu_ms(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000
