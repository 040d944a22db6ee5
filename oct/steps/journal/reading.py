"""Writes down who looked at what, and why (J3): one event a look, before anything is shown.

Whoever cannot write it shows nothing: StoreError goes to the caller. What is written are identifiers of ours, as J4
wants it; a text that somebody searched for is repeated only where it led somewhere, for what leads nowhere may be an
NIR or a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from oct.crypto.pseudonyms import Pseudonyms
from oct.domain.identifiers import nir_in
from oct.store import events
from oct.store.browse.search import Found
from oct.store.engine import Store
from oct.store.events import READING, Event


class Look(StrEnum):
    """In what way somebody looked."""

    PAGE = "page"
    SEARCH = "recherche"
    EXPORT = "export"
    PAYLOAD = "contenu"
    COMMAND = "commande"
    CALL = "appel"
    """By the HTTP API."""
    VAIN = "vain"
    """At what is not there, or cannot be."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was looked at: the rows it is about, the page or command, and whatever else tells it."""

    how: Look
    message_id: int | None = None
    consignment_id: int | None = None
    return_id: int | None = None
    practitioner_id: int | None = None
    insurer_id: int | None = None
    data: Mapping[str, object] = field(default_factory=dict)


def note_look(store: Store, looked: Looked, *, actor: str, now: int) -> None:
    """Adds the event, in a transaction of its own."""
    event = Event(
        at=now,
        kind=READING,
        outcome=looked.how,
        message_id=looked.message_id,
        consignment_id=looked.consignment_id,
        return_id=looked.return_id,
        practitioner_id=looked.practitioner_id,
        insurer_id=looked.insurer_id,
        actor=actor,
        data=looked.data,
    )
    with store.begin() as conn:
        events.append(conn, [event])


def search_told(text: str, found: Found, pseudonyms: Pseudonyms) -> dict[str, object]:
    """What an event may say of a search: an NIR as its pseudonym, what led nowhere by its length and its shape."""
    if found.count:
        return {"cherche": text.strip(), "trouve": found.count}
    nir = nir_in(text)
    if nir is not None:
        return {"patient": pseudonyms.of(nir).hex(), "trouve": 0}
    return {"signes": len(text), "sens": [meaning.kind for meaning in found.meanings], "trouve": 0}
