"""Every sentence the door can say, in unaccented French.

Only what is built here, or what a callable of `oct.smtp.transaction` answers, leaves the door: a text of aiosmtpd's
own is replaced by ours for the same code, so no exception text, host or user name can reach a peer (P1).
Codes: RFC 5321 section 4.2, RFC 3463 for the enhanced ones.
"""

from __future__ import annotations

import re

from oct.smtp.transaction import Reply

START_DATA = Reply(354, "Envoyez le message, puis une ligne contenant un seul point")
OK = Reply(250, "2.0.0 OK")
GOODBYE = Reply(221, "2.0.0 Au revoir")
START_TLS = Reply(220, "2.0.0 Pret pour TLS")
HELP = Reply(214, "2.0.0 EHLO MAIL RCPT DATA RSET NOOP QUIT STARTTLS AUTH")
TOO_MANY_CONNECTIONS = Reply(421, "4.7.0 Trop de connexions, reessayez plus tard")
TOO_MANY_ERRORS = Reply(421, "4.7.0 Trop d'erreurs, connexion fermee")
TOO_SLOW = Reply(421, "4.4.2 Delai depasse, connexion fermee")
CLOSING = Reply(421, "4.3.2 Service en cours d'arret, reessayez plus tard")
NO_MEMORY = Reply(452, "4.3.1 Trop de messages en cours, reessayez plus tard")
NO_ROOM = Reply(452, "4.3.1 Plus de place disque, reessayez plus tard")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3 Trop de destinataires")
LINE_TOO_LONG = Reply(554, "5.6.0 Ligne trop longue dans le message")
FORBIDDEN_CONTROL = Reply(554, "5.6.0 Le message contient un retour chariot isole ou un octet nul")
UNKNOWN_RECIPIENT = Reply(550, "5.1.1 Destinataire inconnu")
NOT_OFFERED = Reply(502, "5.5.1 Commande non prise en charge")
OUT_OF_SEQUENCE = Reply(503, "5.5.1 Commande hors sequence")
BAD_ARGUMENT = Reply(501, "5.5.4 Syntaxe incorrecte")
TLS_NEEDED = Reply(538, "5.7.11 Authentification refusee sans TLS")

_OF_LIBRARY = {
    reply.code: reply
    for reply in (
        Reply(235, "2.7.0 Authentification reussie"),
        OK,
        Reply(252, "2.5.0 Adresse non verifiee"),
        Reply(500, "5.5.2 Commande incomprise"),
        BAD_ARGUMENT,
        NOT_OFFERED,
        OUT_OF_SEQUENCE,
        Reply(504, "5.5.4 Parametre non pris en charge"),
        Reply(535, "5.7.8 Identifiant ou mot de passe incorrect"),
        Reply(553, "5.1.3 Adresse incorrecte"),
        Reply(555, "5.5.4 Parametre non reconnu"),
    )
}

REFUSALS = frozenset({450, 451, 452, 550, 552, 554})
"""The codes by which a message, a sender or a recipient is not taken; those of syntax and of logins are not here."""

_UNPRINTABLE = re.compile(r"[^ -~]")


def of_library(status: str) -> Reply:
    """Our reply for one of aiosmtpd's; a code that it is not known to use is an internal error.

    Its last word after too many unknown commands is a 502 before it hangs up; RFC 5321 section 3.8 asks for a 421.
    """
    if status.endswith("goodbye."):
        return TOO_MANY_ERRORS
    return _OF_LIBRARY.get(int(status[:3]), internal_error(""))


def internal_error(trace: str) -> Reply:
    """The answer to any surprise: temporary, and nothing in it but the trace number, which may be empty."""
    quote = f", trace {trace}" if trace else ""
    return Reply(451, f"4.3.0 Erreur interne, reessayez plus tard{quote}")


def too_big(message_bytes: int) -> Reply:
    """The refusal of a message above `message_bytes`."""
    size = f"{message_bytes // 1_000_000} Mo" if message_bytes >= 1_000_000 else f"{message_bytes} octets"
    return Reply(552, f"5.3.4 Message trop volumineux : {size} au plus")


def greeting(hostname: str) -> Reply:
    """The first line of a session."""
    return Reply(220, f"{hostname} ESMTP")


def to_wire(reply: Reply) -> bytes:
    """The reply as one line; what is not printable ASCII cannot pass, so no text can add a line of its own (H5)."""
    return b"%d %s\r\n" % (reply.code, _UNPRINTABLE.sub("?", reply.text).encode("ascii"))
