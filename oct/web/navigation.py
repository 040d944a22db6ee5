"""The menu of the console, as data: what each entry is called, where it leads, which right it asks for."""

from __future__ import annotations

from dataclasses import dataclass

from oct.domain.rights import Identity, Right


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, for one person on one page."""

    label: str
    path: str
    here: bool


_MENU = (
    ("Accueil", "/", Right.READ_TRACE),
    ("Recherche", "/recherche", Right.READ_TRACE),
    ("Messages", "/messages", Right.READ_TRACE),
    ("Lots", "/lots", Right.READ_TRACE),
    ("Retenues", "/retenues", Right.READ_TRACE),
    ("Retours", "/retours", Right.READ_TRACE),
    ("Praticiens", "/praticiens", Right.READ_TRACE),
    ("Assureurs", "/assureurs", Right.READ_TRACE),
    ("Certificats", "/certificats", Right.READ_TRACE),
    ("Journal", "/journal", Right.READ_TRACE),
    ("Accès", "/acces", Right.ADMINISTER),
    ("Comptes", "/comptes", Right.ADMINISTER),
)


def entries(identity: Identity | None, path: str) -> list[Entry]:
    """What this person may go to; nothing for nobody."""
    if identity is None:
        return []
    return [Entry(label, to, _is_here(to, path)) for label, to, right in _MENU if identity.may(right)]


def _is_here(to: str, path: str) -> bool:
    return path == to or (to != "/" and path.startswith(f"{to}/"))
