"""The hosted mailbox of a practitioner on the command line: its login, its password, what waits in it (R5, H9).

A password is generated and printed once, or read from the standard input; it never stands on the command line, where
others can see it, and only its hash is kept.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oct.cli.printing import instant
from oct.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oct.store.mailboxes import MailboxCounts
    from oct.store.practitioners import HostedAccount

_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_PASSWORD = re.compile(r"[!-~]{12,128}")
_STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class NewMailbox:
    """A login and its password; `generated` when nobody knows the password yet."""

    login: str
    password: str = field(repr=False)
    generated: bool


def asked_mailbox(login: str | None, password: str | None, *, wanted: bool, default: str) -> NewMailbox | None:
    """The mailbox that a command line asks for; None when it asks for none. `default`: its login unless one is given.

    ConfigurationError for a login or a password that a mail program could not use.
    """
    from oct.crypto.passwords import generate_password

    if login is None and password is None and not wanted:
        return None
    chosen = login or default
    if _LOGIN.fullmatch(chosen) is None:
        raise ConfigurationError("identifiant-incorrect", f"Identifiant « {chosen} » : lettres, chiffres et . _ @ + -.")
    if password is None:
        return NewMailbox(chosen, generate_password(os.urandom), generated=True)
    if password != _STANDARD_INPUT:
        raise ConfigurationError(
            "mot-de-passe-expose", "Le mot de passe se donne sur l'entrée standard : --mailbox-password -"
        )
    given = sys.stdin.readline().rstrip("\r\n")
    if _PASSWORD.fullmatch(given) is None:
        raise ConfigurationError(
            "mot-de-passe-incorrect",
            "Mot de passe : 12 à 128 signes sans accent ni espace attendus sur l'entrée standard.",
        )
    return NewMailbox(chosen, given, generated=False)


def open_mailbox(conn: Connection, practitioner_id: int, opened: NewMailbox | None) -> None:
    """Keeps it, if there is one. RuleError when the login is another's."""
    from oct.crypto.passwords import hash_password
    from oct.store import practitioners

    if opened is not None:
        practitioners.set_mailbox(conn, practitioner_id, opened.login, hash_password(opened.password))


def tell_password(opened: NewMailbox | None) -> None:
    """Says what the practitioner must be told; a generated password this once."""
    if opened is None:
        return
    password = (
        f"mot de passe {opened.password} (montré cette fois seulement)" if opened.generated else "mot de passe donné"
    )
    print(f"Boîte hébergée : identifiant {opened.login}, {password}.")


def login_of(conn: Connection, practitioner_id: int) -> str | None:
    """The login of a practitioner's mailbox; None as long as it has none."""
    from oct.store import practitioners

    accounts = practitioners.hosted_accounts(conn)
    return next((one.login for one in accounts if one.practitioner_id == practitioner_id), None)


def mailbox_fields(hosted: HostedAccount | None, held: MailboxCounts | None) -> dict[str, Any]:
    """What `oct ps list` and `show` tell of it."""
    return {
        "boite": hosted.login if hosted is not None else None,
        "detourne_depuis": instant(hosted.diverted_at) if hosted is not None else None,
        "en_boite": held.visible if held is not None else 0,
        "a_relever": held.unfetched if held is not None else 0,
    }
