"""The judgement of a journey under traffic: every message that was answered 250 against all that arrived outside."""

from __future__ import annotations

import re
from collections import Counter

from tests.journeys import slicing
from tests.journeys.outside import Outside, sha256, text_of
from tests.journeys.practice import ADDRESS
from tests.journeys.traffic import Traffic

_ART = re.compile(r"^Numéro de suivi : (\S+)$", re.MULTILINE)


def everything_arrived_once(outside: Outside, traffic: Traffic, since: int = 0) -> None:
    """The ledger of the 250 against what the insurers deciphered and what the mailboxes got after the first `since`
    arrivals. AssertionError for whatever is missing, too much, or changed."""
    opened = outside.opened(since)
    by_message = {one.letter.message["Message-ID"]: sha256(one.arrival.raw) for one in opened}
    assert all(by_message[one.letter.message["Message-ID"]] == sha256(one.arrival.raw) for one in opened)
    distinct = {one.arrival.raw: one for one in opened}.values()
    arrived = Counter(sha256(b"".join(lot)) for one in distinct for lot in slicing.lots(one.file.data))
    assert arrived == Counter(lot.sha256 for one in traffic.accepted for lot in one.lots)
    traces = [trace_of(one.reply.text) for one in traffic.accepted]
    arts = {ADDRESS[sender]: Counter(arts_of(outside, ADDRESS[sender], since)) for sender in traffic.senders}
    assert len(set(traces)) == len(traces)
    for one, trace in zip(traffic.accepted, traces, strict=True):
        assert arts[one.address][trace] == 1
    assert sum(sum(counted.values()) for counted in arts.values()) == len(traces)


def arts_of(outside: Outside, address: str, since: int = 0) -> list[str]:
    """The trace numbers of the ART in a mailbox after the first `since` arrivals; an identical repeat is one."""
    distinct = {letter.raw: letter for letter in outside.letters(address, since)}.values()
    found = [_ART.search(text_of(letter)) for letter in distinct]
    return [match[1] for match in found if match is not None]


def trace_of(reply: str) -> str:
    """The trace number of a 250."""
    return reply.rpartition("suivi ")[2]
