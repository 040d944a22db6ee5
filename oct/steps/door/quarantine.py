"""Returns that the door refuses, kept for the operator all the same (H6, R2).

An insurer that writes from an address or a network that nobody registered is told 550, as a forger is; but what looks
like a return, by its headers alone, is kept beside that answer and held with what an operator can do about it. Within
bounds, by network and in all, over the last 24 hours: beyond them only the refusal is left. What is kept here is known
by a fingerprint of its own, so that the same return from a registered address is none the less a new message.

`readmit` is the operator's release: the message is judged again by the register as it is then. RuleError says why it
still cannot be taken, or that it came meanwhile by the right way.
"""

from __future__ import annotations

import hashlib
import re
from ipaddress import ip_address, ip_network

from oct.domain.admission import Refusal, Rejected
from oct.errors import RuleError
from oct.formats.mime_headers import Headers, last, read_headers
from oct.formats.profiles import Kind, Profiles
from oct.steps.door.identity import fingerprint, identify, is_report
from oct.steps.workshop import Workshop
from oct.store import messages, payloads
from oct.store.messages import Message, Readmission
from oct.store.registry import Snapshot

CODE = "retour-inconnu"
"""Why it is held, whatever made it doubtful."""
UNBOUND = "L'adresse From n'est pas enregistrée pour ce numéro de PS."
"""Why what an unknown address sends under a known number waits."""
_DAY_MS = 86_400_000
_FROM_INSURERS = frozenset({Kind.ARL, Kind.RSP, Kind.DLOI, Kind.TEXTE})
_SUBJECT = re.compile(r"\s*(?:re\s*:\s*)?(?:ARL|RSP|NOEMIE|DLOI)\b", re.IGNORECASE)
_CARRIES_A_FILE = re.compile(r"\s*(?:application/|multipart/mixed)", re.IGNORECASE)
_DECIDE = "libérez cette retenue (« oct held release ») ; sinon, refusez-la."
_SENTENCES = {
    Refusal.NETWORK: "Un retour au nom de {sender} est venu de {peer}, qui n'est pas du réseau des assureurs. Pour "
    "l'accepter, ajoutez son réseau à [smtp] insurer_networks, puis " + _DECIDE,
    Refusal.BORROWED_NAME: "Un retour au nom de {sender} est venu de {mail_from}, l'adresse d'un praticien : c'est "
    "sans doute un faux. Vérifiez auprès de l'assureur, ou refusez cette retenue.",
}
_UNKNOWN = (
    "Un retour est venu d'une adresse qui n'est celle d'aucun assureur : {sender}. Pour l'accepter, vérifiez auprès de "
    "l'assureur, enregistrez l'adresse (« oct insurers set ID --address {sender} »), puis " + _DECIDE
)


def looks_like_return(headers: Headers, profiles: Profiles, own_address: str) -> bool:
    """Whether a message says that it is a return: by its description, Subject or form, or what it answers."""
    profile = profiles.match(headers.description)
    if (profile is not None and profile.kind in _FROM_INSURERS) or _SUBJECT.match(headers.subject):
        return True
    ours = f"@{own_address.rpartition('@')[2].lower()}>"
    answers = any(one.lower().endswith(ours) for one in (headers.in_reply_to, *headers.references))
    return is_report(headers) or (answers and bool(_CARRIES_A_FILE.match(last(headers.fields, "content-type"))))


def kept_under(workshop: Workshop, headers: Headers, known_by: bytes, size: int, peer: str) -> bytes | None:
    """The fingerprint to keep a refused message under, which would have been `known_by` had it been taken; None when it
    is no return, is kept already, or is one too many.

    Nothing that waits for its commit is counted yet: the bounds may be passed by as much as one group of messages.
    """
    if not looks_like_return(headers, workshop.profiles, workshop.rules.address):
        return None
    refused_by = hashlib.sha256(b"refuse\0" + known_by).digest()
    with workshop.store.read() as conn:
        if messages.known(conn, [refused_by]):
            return None
        kept = messages.refused_since(conn, workshop.clock() - _DAY_MS)
    bounds, network = workshop.rules.quarantine, _network(peer)
    near = [one for one in kept if _network(one.peer) == network]
    fits = (
        len(kept) < bounds.total_per_day
        and len(near) < bounds.per_day
        and sum(one.size for one in kept) + size <= bounds.total_bytes_per_day
        and sum(one.size for one in near) + size <= bounds.bytes_per_day
    )
    return refused_by if fits else None


def sentence(rejected: Rejected, sender: str, mail_from: str, peer: str) -> str:
    """What the operator reads of it."""
    return _SENTENCES.get(rejected.reason, _UNKNOWN).format(sender=sender, mail_from=mail_from or "<>", peer=peer)


def readmit(workshop: Workshop, message: Message, snapshot: Snapshot) -> Readmission:
    """Judges a kept message again. RuleError when it is still refused, or was received since by the right way."""
    with workshop.store.read() as conn:
        raw = payloads.get(conn, workshop.vault, message.payload_id)
        headers = read_headers(raw, workshop.opener.limits)
        plain = fingerprint(raw, headers)
        known = messages.known(conn, [plain])
    if known:
        _, trace = known[plain]
        raise RuleError("deja-recu", f"Ce retour est arrivé depuis par la bonne voie (suivi {trace}) : refusez-le.")
    verdict = identify(workshop, snapshot, headers, message.mail_from, message.peer, trusted=False)
    if isinstance(verdict, Rejected):
        raise RuleError("toujours-refuse", sentence(verdict, headers.sender, message.mail_from, message.peer))
    if verdict.quarantine:
        raise RuleError("toujours-refuse", UNBOUND)
    return Readmission(verdict.origin, verdict.practitioner_id, verdict.insurer_id, plain)


def _network(peer: str) -> str:
    """The network whose hosts count as one: 24 bits of IPv4, 64 of IPv6."""
    address = ip_address(peer.partition("%")[0])
    return str(ip_network((address, 24 if address.version == 4 else 64), strict=False))
