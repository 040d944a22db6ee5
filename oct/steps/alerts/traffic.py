"""What of the traffic needs a person, in sentences: `oct status` and the home board say the same (K1)."""

from __future__ import annotations

from collections.abc import Iterator

from oct.clock import paris
from oct.domain.journey import LotState
from oct.store.overview import Overview

_SLOW_MS = 15 * 60_000
"""A message should be processed well before this."""
_NAMED = 10
"""How many practitioners are named one by one."""


def traffic_alerts(seen: Overview, now: int) -> Iterator[str]:
    """Holds, messages that nobody processes, lots for people, mailboxes that fail."""
    yield from (f"{count} en attente de décision : {code}" for code, count in sorted(seen.held.items()))
    if seen.oldest_due is not None and seen.oldest_due < now - _SLOW_MS:
        yield f"des messages attendent d'être traités depuis le {_instant(seen.oldest_due)} : « oct run » ?"
    manual = seen.lots.get(LotState.MANUAL, 0)
    if manual:
        yield f"lots en traitement manuel, sans réponse de l'assureur : {manual}"
    yield from _mailbox_alerts(seen)


def _mailbox_alerts(seen: Overview) -> Iterator[str]:
    """Mailboxes of practitioners that fail, and returns that nobody can read yet (R5)."""
    since = [account.diverted_at for account in seen.diverted if account.diverted_at is not None]
    if since:
        yield (f"boîtes de PS en panne, retours détournés vers la boîte hébergée : {len(since)} depuis le "
               f"{_instant(min(since))} (« oct ps list », « oct returns restore »)")  # fmt: skip
    locked = seen.locked_out
    for account in locked[:_NAMED]:
        yield (f"PS {account.number} : ses retours vont dans sa boîte hébergée, qui n'a pas encore de mot de passe : "
               f"« oct ps set {account.number} --mailbox {account.number} »")  # fmt: skip
    if locked[_NAMED:]:
        yield f"PS sans mot de passe de boîte hébergée, en plus des précédents : {len(locked) - _NAMED}"


def _instant(at: int) -> str:
    return f"{paris(at):%d/%m/%Y %H:%M:%S}"
