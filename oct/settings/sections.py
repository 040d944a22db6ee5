"""The tree of settings: one class for each table of `oct.toml`, one field for each key, with its default.

Durations are milliseconds and sizes bytes once read. What each key means to an operator stands in `config/oct.toml`,
and a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass as checked_dataclass

from oct.domain.conventions import Conventions
from oct.settings.values import (
    Address,
    Broker,
    Domain,
    Duration,
    Durations,
    HostPort,
    Listeners,
    Names,
    Networks,
    OctNumber,
    OptionalAddress,
    Relay,
    Size,
    WebAddress,
    separated,
)


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OctSection(Section):
    """Who the concentrator is."""

    number: OctNumber = "000000000"
    address: Address = "oct@concentrateur.example"
    name: Annotated[str, Field(min_length=1, max_length=60)] = "Concentrateur OCT"
    hostname: str = "localhost"


class DoorSection(Section):
    """Where a door listens, and its TLS."""

    listen: Listeners = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate et tls_key vont ensemble")
        return self


class SmtpSection(DoorSection):
    """The door where practitioners and insurers hand in their messages."""

    listen: Listeners = ("127.0.0.1:2525",)
    max_message: Size = 48 << 20
    max_recipients: Annotated[int, Field(ge=1)] = 10
    max_connections: Annotated[int, Field(ge=1)] = 2000
    max_connections_per_address: Annotated[int, Field(ge=1)] = 50
    max_memory: Size = 256 << 20
    insurer_networks: Networks = ()
    idle: Duration = 300_000
    data: Duration = 600_000


class PopSection(DoorSection):
    """The door of the hosted mailboxes. Without a certificate of its own it has that of the SMTP door."""

    clear_networks: Networks = ()
    max_connections: Annotated[int, Field(ge=1)] = 1000
    max_connections_per_address: Annotated[int, Field(ge=1)] = 20
    idle: Duration = 600_000

    @model_validator(mode="after")
    def _idle_is_long(self) -> Self:
        if self.idle < 600_000:
            raise ValueError("idle : 10m au moins (RFC 1939)")
        return self


class WebSection(DoorSection):
    """The console and the HTTP API. Without a certificate of its own it has that of the SMTP door."""

    hosts: Names = ()
    proxies: Networks = ()
    probes: Networks = ()
    idle: Duration = 30 * 60_000
    session: Duration = 12 * 3_600_000
    bound: bool = True
    max_request: Size = 1 << 20

    @model_validator(mode="after")
    def _a_session_outlasts_its_idleness(self) -> Self:
        if self.session < self.idle:
            raise ValueError("session doit atteindre idle")
        return self


class DeliverySection(Section):
    """How messages leave."""

    relay: Relay = ""
    routes: Mapping[Domain, HostPort] = {}
    tls: Literal["none", "opportunistic", "required"] = "opportunistic"
    retry: Durations = (60_000, 300_000, 900_000, 3_600_000, 14_400_000)
    expire: Duration = 5 * 86_400_000
    timeout: Duration = 60_000


class StoreSection(Section):
    """The database."""

    url: str = "sqlite:///oct.db"
    pool_size: Annotated[int, Field(ge=1, le=100)] = 10
    min_free: Size = 512 << 20


class KeysSection(Section):
    """Own keys: `directory` holds the pairs that decipher, `master` the keys that protect payloads at rest,
    `pseudonyms` those that hide patients."""

    directory: Path = Path("keys")
    passphrase: Annotated[str, Field(repr=False)] = ""
    master: Path = Path("keys/master")
    pseudonyms: Path = Path("keys/pseudonymes")


class JournalSection(Section):
    """The proof of the trace: `keys` sign its heads, `heads` is the file they are published in, `logbook` that of what
    was accepted and handed over (T5); some also leave by mail
    and are stamped by an authority (RFC 3161)."""

    keys: Path = Path("keys/journal")
    heads: Path = Path("tetes.jsonl")
    logbook: Path = Path("registre.jsonl")
    mail: OptionalAddress = ""
    mail_every: Duration = 3_600_000
    timestamp_url: WebAddress = ""
    timestamp_every: Duration = 3_600_000


class RetentionSection(Section):
    """How long things are kept (T3): payloads after the last word on them, `unanswered` when there is none; who read
    what; the journal."""

    payloads: Duration = 90 * 86_400_000
    unanswered: Duration = 730 * 86_400_000
    access: Duration = 365 * 86_400_000
    journal: Duration = 3653 * 86_400_000

    @model_validator(mode="after")
    def _nothing_goes_too_early(self) -> Self:
        if self.unanswered < self.payloads:
            raise ValueError("unanswered ne peut pas être plus court que payloads")
        if self.access < 31 * 86_400_000 or self.journal < 366 * 86_400_000:
            raise ValueError("access : 31d au moins ; journal : 366d au moins")
        return self


class CertificatesSection(Section):
    """What a certificate must show before anything is encrypted to it (H8)."""

    revocation: Literal["off", "soft", "hard"] = "soft"
    grace: Duration = 7 * 86_400_000


class WatchSection(Section):
    """How long an insurer's answer is awaited (D1): until the practitioner is told, until people take over."""

    silence: Duration = 48 * 3_600_000
    manual: Duration = 96 * 3_600_000

    @model_validator(mode="after")
    def _manual_comes_later(self) -> Self:
        if self.manual <= self.silence:
            raise ValueError("manual doit dépasser silence")
        return self


class ReemissionSection(Section):
    """Lots that were received before (D2)."""

    policy: Literal["reconnaitre", "tout-transmettre"] = "reconnaitre"


class GroupingSection(Section):
    """Files built here for one insurer from several messages (A15)."""

    window: Duration = 0


class ClearSection(Section):
    """Attachments that are not encrypted."""

    accept: bool = False


class QuarantineSection(Section):
    """How much of what looks like a return and is refused at the door is kept in 24 hours (H6)."""

    per_day: Annotated[int, Field(ge=0)] = 200
    bytes_per_day: Size = 128 << 20
    total_per_day: Annotated[int, Field(ge=0)] = 1000
    total_bytes_per_day: Size = 1 << 30


class DloiSection(Section):
    """The card opposition list."""

    issuer: OptionalAddress = ""


class OpeningSection(Section):
    """Limits while a message is opened (H3)."""

    max_file: Size = 64 << 20
    tries: Annotated[int, Field(ge=1, le=10)] = 3
    undecipherable: Annotated[int, Field(ge=1)] = 10


class WorkerSection(Section):
    """Who opens and who sends, in a program that does."""

    processes: Annotated[int, Field(ge=1, le=32)] = 2
    senders: Annotated[int, Field(ge=1, le=64)] = 16
    batch: Annotated[int, Field(ge=1, le=500)] = 20
    lease: Duration = 120_000
    sweep: Duration = 5_000


class QueueSection(Section):
    """The broker that hands identifiers of messages to workers, in production."""

    url: Broker = ""
    time_limit: Duration = 90_000
    visibility: Duration = 600_000


class FormatsSection(Section):
    """Other data files than the ones that come with the program."""

    layouts: Path | None = None
    profiles: Path | None = None
    noemie: Path | None = None
    professions: Path | None = None
    regimes: Path | None = None


@checked_dataclass(config=ConfigDict(extra="forbid"), frozen=True)
class ConventionsSection(Conventions):
    """What the public record leaves open (assumptions A1 to A16), as the domain knows it."""


_CONVENTION_LISTS = frozenset(field.name for field in fields(Conventions) if isinstance(field.default, tuple))


def _lists_separated(table: object) -> object:
    if not isinstance(table, Mapping):
        return table
    return {key: separated(value) if key in _CONVENTION_LISTS else value for key, value in table.items()}


class Settings(Section):
    """The whole tree."""

    oct: OctSection = OctSection()
    smtp: SmtpSection = SmtpSection()
    pop: PopSection = PopSection()
    web: WebSection = WebSection()
    delivery: DeliverySection = DeliverySection()
    store: StoreSection = StoreSection()
    keys: KeysSection = KeysSection()
    journal: JournalSection = JournalSection()
    retention: RetentionSection = RetentionSection()
    certificates: CertificatesSection = CertificatesSection()
    clear: ClearSection = ClearSection()
    watch: WatchSection = WatchSection()
    reemission: ReemissionSection = ReemissionSection()
    grouping: GroupingSection = GroupingSection()
    dloi: DloiSection = DloiSection()
    quarantine: QuarantineSection = QuarantineSection()
    opening: OpeningSection = OpeningSection()
    worker: WorkerSection = WorkerSection()
    queue: QueueSection = QueueSection()
    formats: FormatsSection = FormatsSection()
    conventions: Annotated[ConventionsSection, BeforeValidator(_lists_separated)] = ConventionsSection()

    @model_validator(mode="after")
    def _work_ends_before_it_is_given_again(self) -> Self:
        """A task is stopped before its lease ends, and comes again only after that."""
        if self.queue.url and not self.queue.time_limit < self.worker.lease < self.queue.visibility:
            raise ValueError("il faut [queue] time_limit < [worker] lease < [queue] visibility")
        return self
