"""What one message costs in CPU beside its bare cryptography, printed as a ratio; run by hand with `make bench`.

A message of 25 invoices for 4 caisses is opened, read, planned and sealed by the same code as the worker's, in one
process, without the database. The floor is what no concentrator can avoid: one RSA private operation, AES over the
message, inflating it, deflating the outgoing files, AES over them and one RSA public operation each. Both are measured
in turn, many times, in CPU seconds of this process: only the ratio of one run counts, machines differ and drift.
A second measure opens, splits and seals one file of 30 MB and prints the peak of memory.
"""

from __future__ import annotations

import random
import resource
import sys
import time
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from statistics import median

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from oct.clock import paris
from oct.crypto.authority import TestAuthority
from oct.crypto.keystore import KeyRing, OwnKey
from oct.demo.world import AIN, DOCTOR, LABELS, LOIRE, MSA, NUMBER, UNLISTED, address_of
from oct.domain.contents import content_of
from oct.domain.model import Directory, Insurer, InsurerKind, Practitioner
from oct.domain.outgoing import outgoing_file
from oct.domain.plan import SplitContext
from oct.domain.splitting import plan_file
from oct.envelope.opening import Opener
from oct.envelope.sealing import seal_file
from oct.formats.b2 import read_file
from oct.formats.layouts import Layouts
from oct.formats.mime_headers import MessageLimits
from oct.settings.data_files import built_in
from oct.simulators.parties import Caisse, Network
from oct.simulators.practitioner import PractitionerSoftware
from oct.simulators.traffic import ClaimFile, Claims

_CAISSES = (LOIRE, AIN, MSA, UNLISTED)
_NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
_ROUNDS = 300
_LEVEL = 6


class Scene:
    """One practitioner, four caisses, their keys, and the whole way of a message without its database."""

    def __init__(self) -> None:
        authority = TestAuthority.create(_NOW)
        self.own: OwnKey = authority.issue("oct@concentrateur.example")
        self.caisse = authority.issue("caisse@assureur.example")
        self.layouts = Layouts.from_toml(built_in("layouts.toml"))
        network = Network(NUMBER.zfill(14), _CAISSES, ())
        self.claims = Claims(self.layouts, random.Random(1), network, date(2026, 11, 20))
        self.opener = Opener(KeyRing((self.own,)), MessageLimits(), 64 << 20)
        insurers = {rank: _insurer(rank, caisse) for rank, caisse in enumerate(_CAISSES)}
        self.context = SplitContext(
            layouts=self.layouts,
            directory=Directory(
                insurers=insurers,
                caisses={(one.regime, one.caisse, one.centre): rank for rank, one in enumerate(_CAISSES)},
            ),
            number_for=lambda _ps, _amc: "001",
            today="261120",
            oct_number=NUMBER.zfill(14),
        )
        numbers = frozenset({DOCTOR.number})
        self.practitioner = Practitioner(1, DOCTOR.number, numbers, "ER", DOCTOR.name, "ps@boite.example", frozenset())

    def message(self, file: ClaimFile) -> bytes:
        software = PractitionerSoftware(
            DOCTOR,
            "ps@boite.example",
            concentrator="oct@concentrateur.example",
            certificate=self.own.certificate,
            door=("127.0.0.1", 0),
            clock=lambda: int(_NOW.timestamp() * 1000),
        )
        return software.message(file)

    def whole_way(self, raw: bytes) -> int:
        """Opens, reads, plans, builds and seals; how many bytes would leave."""
        opened = self.opener.open(raw, accept_clear=False)
        file = read_file(opened.file, self.layouts)
        leaving = 0
        for number, parcel in enumerate(plan_file(file, self.practitioner, self.context).parcels):
            contents = [content_of(file, lot, self.context) for lot in parcel.lots]
            outgoing = outgoing_file(file, parcel, contents, self.context, file_id=f"{number:06d}")
            sealed = seal_file(
                outgoing,
                parcel.insurer,
                self.caisse.certificate,
                sender="oct@concentrateur.example",
                version="140700",
                compostage=f"20261120080000{number:05d}",
                date=paris(int(_NOW.timestamp() * 1000)),
            )
            leaving += len(sealed.content)
        return leaving

    def floor(self, file: ClaimFile) -> Callable[[], None]:
        """The bare cryptography and compression of the same message."""
        public = self.caisse.certificate.public_key()
        wrapped = self.own.private_key.public_key().encrypt(bytes(32), padding.PKCS1v15())
        packed = zlib.compress(file.data, _LEVEL)
        share = file.data[: len(file.data) // len(_CAISSES)]

        def run() -> None:
            self.own.private_key.decrypt(wrapped, padding.PKCS1v15())
            _aes(packed)
            zlib.decompress(packed)
            for _ in _CAISSES:
                _aes(zlib.compress(share, _LEVEL))
                public.encrypt(bytes(32), padding.PKCS1v15())  # type: ignore[union-attr]

        return run


def _insurer(rank: int, caisse: Caisse) -> Insurer:
    return Insurer(
        rank, InsurerKind.AMO, LABELS[caisse], address_of(caisse), caisse.type, caisse.recipient_number,
        caisse.regime, caisse.organism, caisse.computer_centre,
    )  # fmt: skip


def _aes(content: bytes) -> None:
    encryptor = Cipher(algorithms.AES(bytes(32)), modes.CBC(bytes(16))).encryptor()
    encryptor.update(content[: len(content) // 16 * 16])


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def cost(scene: Scene) -> None:
    """Prints CPU per message and the ratio to the floor."""
    lots = [
        scene.claims.fse_lot(DOCTOR, caisse, invoices=count)
        for caisse, count in zip(_CAISSES, (7, 6, 6, 6), strict=True)
    ]
    file = scene.claims.file(DOCTOR, lots)
    raw = scene.message(file)
    floor = scene.floor(file)
    scene.whole_way(raw)
    pairs = [(_cpu(lambda: scene.whole_way(raw)), _cpu(floor)) for _ in range(_ROUNDS)]
    whole, bare = (median(column) * 1e6 for column in zip(*pairs, strict=True))
    ratio = median(one / two for one, two in pairs)
    print(
        f"25 invoices, 4 destinations, {len(file.data)} bytes: {whole:.0f} µs of CPU, bare cryptography {bare:.0f} µs"
    )
    print(f"ratio {ratio:.2f} (goal: below 3)")


def memory(scene: Scene) -> None:
    """Prints the peak of memory of a 30 MB file."""
    lots = [scene.claims.fse_lot(DOCTOR, caisse, invoices=500, acts=3) for caisse in _CAISSES]
    body = b"".join(lot.data for lot in lots)
    again = lots * (30_000_000 // len(body))
    raw = scene.message(scene.claims.file(DOCTOR, again))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    leaving = scene.whole_way(raw)
    seconds = time.process_time() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{len(again)} lots, message of {len(raw) >> 20} MiB, {leaving >> 20} MiB leaving: {seconds:.1f} s of CPU")
    print(f"peak of the whole process {after >> 10} MiB (before: {before >> 10} MiB)")


if __name__ == "__main__":
    stage = Scene()
    if "--memory" in sys.argv:
        memory(stage)
    else:
        cost(stage)
