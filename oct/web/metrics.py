"""The figures that Prometheus scrapes, read from the database at that moment; home of prometheus-client.

Everything is bounded: what is unfinished stands in indexes that hold nothing else, what is finished is counted over
the last day. No label holds an address, a name or a number of anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from oct.clock import utc
from oct.steps.workshop import Workshop
from oct.store import certificates, journal
from oct.store.certificates import CertificateRole
from oct.store.overview import Overview, overview

CONTENT_TYPE = CONTENT_TYPE_LATEST
_DAY_MS = 86_400_000
_BANDS = ((0, "echu"), (7, "7j"), (30, "30j"))
"""Days left, at most, and how a certificate with so few is called."""


def exposition(workshop: Workshop) -> bytes:
    """The figures of this moment, in Prometheus's text format. StoreError when the database is away."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(list(_figures(workshop))))
    return generate_latest(registry)


class _Figures(Collector):
    """Families that are already there."""

    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return self._families


def _figures(workshop: Workshop) -> Iterable[GaugeMetricFamily]:
    now = workshop.clock()
    with workshop.store.read() as conn:
        seen = overview(conn, now)
        head = journal.last_head(conn)
        unproven = journal.unproven_since(conn, head.size if head is not None else 0)
        ends = [
            one.not_after
            for one in certificates.list_all(conn)
            if one.retired_at is None and one.role is CertificateRole.ENTITY
        ]
    yield from _flows(seen, now)
    yield _gauge("oct_unproven_seconds", "Age of the oldest event under no signed head.", _age(unproven, now))
    yield _counts("oct_certificates", "Certificates of others by what is left of them.", "left", _bands(ends, now))
    own = GaugeMetricFamily("oct_own_certificate_days", "Days left of own certificates.", labels=["key"])
    for key in workshop.opener.keys.keys:
        own.add_metric([key.name], (key.certificate.not_valid_after_utc - utc(now)).total_seconds() / 86_400)
    yield own


def _flows(seen: Overview, now: int) -> Iterable[GaugeMetricFamily]:
    yield _counts("oct_messages", "Messages received in the last day, by state.", "state", seen.messages)
    yield _counts("oct_lots", "Lots that wait, and those ended in the last day, by state.", "state", seen.lots)
    yield _counts("oct_consignments", "Sendings that wait, and the last day's, by state.", "state", seen.consignments)
    yield _counts("oct_held", "What waits for a person, by reason.", "code", seen.held)
    yield _gauge("oct_oldest_hold_seconds", "Age of what waits longest for a person.", _age(seen.oldest_hold, now))
    yield _gauge("oct_oldest_due_seconds", "How late the most overdue message is.", _age(seen.oldest_due, now))
    created = min((one.oldest_created_at for one in seen.backlog), default=None)
    yield _gauge("oct_oldest_sending_seconds", "Age of the oldest sending that waits.", _age(created, now))
    yield _gauge("oct_recipients_waiting", "Recipients that something waits for.", len(seen.backlog))
    yield _gauge("oct_deferred", "Sendings that were tried and wait.", seen.deferred)
    yield _gauge("oct_mailboxes_diverted", "Practitioners whose own mailbox fails.", len(seen.diverted))
    yield _gauge("oct_mailboxes_without_password", "Hosted mailboxes nobody can read yet.", len(seen.locked_out))


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, value=value)


def _counts(name: str, help_text: str, label: str, counts: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for key, count in sorted(counts.items()):
        family.add_metric([str(key)], count)
    return family


def _age(since: int | None, now: int) -> float:
    """Seconds; 0 when there is nothing."""
    return 0.0 if since is None else max(0.0, (now - since) / 1000)


def _bands(ends: Iterable[int], now: int) -> dict[str, int]:
    counts = dict.fromkeys((*(name for _, name in _BANDS), "plus"), 0)
    for end in ends:
        left = (end - now) / _DAY_MS
        counts[next((name for most, name in _BANDS if left <= most), "plus")] += 1
    return counts
