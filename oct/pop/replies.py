"""Every answer of one line that the POP door gives, in French without accents, and the response codes that software
reads: [AUTH], [IN-USE], [LOGIN-DELAY], [SYS/TEMP] (RFC 2449 section 8, RFC 3206). None tells more than its words.
"""

from __future__ import annotations

OK = b"+OK\r\n"
GOODBYE = b"+OK Au revoir\r\n"
BEGIN_TLS = b"+OK Negociation TLS\r\n"
NAME_TAKEN = b"+OK Mot de passe ?\r\n"
RESET = b"+OK Aucun message ne sera efface\r\n"
CHALLENGE = b"+ \r\n"
TOO_MANY_CONNECTIONS = b"-ERR [SYS/TEMP] Trop de connexions, reessayez plus tard\r\n"
SURPRISE = b"-ERR [SYS/TEMP] Service momentanement indisponible, reessayez plus tard\r\n"
NOT_REMOVED = b"-ERR [SYS/TEMP] Messages non effaces, reessayez plus tard\r\n"
WRONG_LOGIN = b"-ERR [AUTH] Identifiant ou mot de passe incorrect\r\n"
TLS_NEEDED = b"-ERR [AUTH] Connexion chiffree obligatoire : commande STLS ou port TLS\r\n"
IN_USE = b"-ERR [IN-USE] Boite ouverte par une autre session\r\n"
TOO_SOON = b"-ERR [LOGIN-DELAY] Trop d'essais, reessayez plus tard\r\n"
CANCELLED = b"-ERR Authentification abandonnee\r\n"
UNKNOWN_MECHANISM = b"-ERR Mecanisme inconnu\r\n"
UNKNOWN_COMMAND = b"-ERR Commande inconnue\r\n"
WRONG_MOMENT = b"-ERR Commande impossible maintenant\r\n"
BAD_ARGUMENT = b"-ERR Argument incorrect\r\n"
NO_SUCH_MESSAGE = b"-ERR Aucun message de ce numero\r\n"
TOO_LONG = b"-ERR Ligne trop longue\r\n"


def greeting(hostname: str) -> bytes:
    """The first words. No time stamp: APOP is not offered."""
    return f"+OK {hostname} POP3 pret\r\n".encode("ascii", "replace")


def opened(count: int) -> bytes:
    """A login that succeeded."""
    return f"+OK {count} messages\r\n".encode("ascii")


def status(*numbers: object) -> bytes:
    """STAT, and LIST or UIDL of one message."""
    return f"+OK {' '.join(str(number) for number in numbers)}\r\n".encode("ascii")
