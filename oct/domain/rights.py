"""Who may do what on the console and by the API: roles, rights, and the table that joins them.

Reading a payload is in no role: it is given to an account by itself, on top of its role. A token has the rights that
its own role and its owner's account have both.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What an account is for."""

    AUDITOR = "auditor"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class Right(StrEnum):
    """What a page or a call of the API asks for."""

    READ_TRACE = "lire"
    """Messages, lots, returns, events, registers: everything but payloads."""
    ACT = "agir"
    """Decide on what is held, send returns again."""
    EXPORT_PROOF = "exporter"
    """Bundles of the journal."""
    ADMINISTER = "administrer"
    """Accounts, tokens, the access log."""
    READ_PAYLOADS = "lire-contenus"
    """The bytes of a message, each time with a reason."""


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.AUDITOR: frozenset({Right.READ_TRACE, Right.EXPORT_PROOF}),
    Role.OPERATOR: frozenset({Right.READ_TRACE, Right.ACT}),
    Role.ADMINISTRATOR: frozenset({Right.READ_TRACE, Right.ACT, Right.EXPORT_PROOF, Right.ADMINISTER}),
}


def rights_of(role: Role, *, payloads: bool) -> frozenset[Right]:
    """The rights of a role, and that of reading payloads when the account has it."""
    return RIGHTS[role] | {Right.READ_PAYLOADS} if payloads else RIGHTS[role]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. `actor` is how the trace names this person; `token` the visible prefix of an API token and `label` what
    it is for, else empty."""

    account_id: int
    login: str
    name: str
    role: Role
    rights: frozenset[Right]
    token: str = ""
    label: str = ""

    @property
    def may_read_payloads(self) -> bool:
        """Whether payloads may be shown."""
        return Right.READ_PAYLOADS in self.rights

    @property
    def actor(self) -> str:
        """The name of this person in events."""
        return self.login

    def may(self, right: Right) -> bool:
        """Whether this right is given."""
        return right in self.rights
