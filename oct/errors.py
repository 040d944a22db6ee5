"""Every error the concentrator declares: a stable code, a fate, a sentence, and a place.

The *sentence* is French and may be shown to a practitioner, so it never holds a payload, an NIR or a name.
The *fate* says what the runner of steps does: try again, refuse, or hold for a person. An exception that is
not an `OctError` is a surprise: the door answers 451 and the runner holds the work.
"""

from __future__ import annotations

import errno
import traceback
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


def described(surprise: BaseException) -> dict[str, object]:
    """What a log may say of an exception that nobody declared: its type and where, never its text or its values. The
    notes of a declared one are made for the log."""
    frames = traceback.extract_tb(surprise.__traceback__)
    notes = getattr(surprise, "__notes__", []) if isinstance(surprise, OctError) else []
    return {
        "error": ", ".join([type(surprise).__name__, *notes]),
        "where": [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-8:]],
    }


_OS_REASONS = {
    errno.ENOENT: "fichier ou répertoire introuvable",
    errno.EACCES: "accès refusé",
    errno.EPERM: "accès refusé",
    errno.EISDIR: "c'est un répertoire",
    errno.ENOTDIR: "un élément du chemin n'est pas un répertoire",
    errno.EEXIST: "un fichier porte déjà ce nom",
    errno.EROFS: "le disque est en lecture seule",
    errno.ENOSPC: "le disque est plein",
    errno.EADDRINUSE: "un autre programme y écoute déjà",
    errno.EADDRNOTAVAIL: "cette machine n'a pas cette adresse",
}


def os_reason(error: OSError) -> str:
    """Why the system refused, in French where the reason is an everyday one, else in the system's words."""
    return _OS_REASONS.get(error.errno or 0, error.strerror or type(error).__name__)


class Fate(StrEnum):
    """What becomes of the work that met the error."""

    RETRY = "retry"
    REFUSE = "refuse"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file: the record (1 is the 000 header) and the position inside it (1-based); None when unknown."""

    record: int | None = None
    position: int | None = None

    def __str__(self) -> str:
        parts = []
        if self.record is not None:
            parts.append(f"enregistrement {self.record}")
        if self.position is not None:
            parts.append(f"position {self.position}")
        return ", ".join(parts)


class OctError(Exception):
    """Base of the declared errors.

    `code` is stable and machine-readable (kebab-case), `rule` names the rule of the annex that was broken ("L7").
    """

    fate = Fate.HOLD

    def __init__(self, code: str, sentence: str, *, place: Place | None = None, rule: str = "") -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.place = place
        self.rule = rule

    def describe(self) -> str:
        """The sentence, its place and its rule, as a practitioner reads them."""
        place = f" ({self.place})" if self.place is not None and str(self.place) else ""
        rule = f" [règle {self.rule}]" if self.rule else ""
        return f"{self.sentence}{place}{rule}"


class FormatError(OctError):
    """Bytes that are not what their grammar says (B2, NOEMIE, Subject, MIME, compression)."""

    fate = Fate.REFUSE


class OpeningError(OctError):
    """A message that cannot be deciphered. One sentence whatever the cause (H4): no oracle."""

    fate = Fate.REFUSE


class RuleError(OctError):
    """Well-formed content that breaks a rule of the annex (C2, C3, L3…)."""

    fate = Fate.REFUSE


class CertificateError(OctError):
    """A certificate that nothing may be encrypted to (H8): what waits for it is held until a good one comes."""

    fate = Fate.HOLD


class RoutingError(OctError):
    """A lot or a return whose addressee is not known (L6, R2)."""

    fate = Fate.HOLD


class DeliveryError(OctError):
    """The other side's answer to a sending. `permanent` tells a 5xx from what may be tried again."""

    fate = Fate.RETRY

    def __init__(self, code: str, sentence: str, *, permanent: bool, reply: str = "") -> None:
        super().__init__(code, sentence)
        self.permanent = permanent
        self.reply = reply


class StoreError(OctError):
    """The database is away, behind its schema, or full."""

    fate = Fate.RETRY


class StoreRefusalError(StoreError):
    """The database is there and refuses what it is asked: the same again would be refused again. Whoever tries anew
    when a database is away must not here: it is for a person."""

    fate = Fate.HOLD


class ConfigurationError(OctError):
    """A setting or an environment that cannot work; the sentence says what to do."""


class ConservationError(OctError):
    """The plan does not hold what was received: a defect of the program. The message is held for a person."""

    fate = Fate.HOLD
