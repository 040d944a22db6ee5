"""Practitioners' accounts: their numbers (L8), the addresses they write from (H6), where their returns go (R5, H7).

A number or an address belongs to one account; giving it to a second one raises RuleError, and the caller's
transaction rolls back. E-mail addresses are compared, and kept, in lower case.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, or_, select, update
from sqlalchemy.engine import Row

from oct.domain.model import Practitioner, ReturnMode
from oct.errors import RuleError
from oct.store.conflicts import inserting
from oct.store.counters import directory_changed
from oct.store.tables import practitioner_addresses, practitioner_numbers, practitioners


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A hosted mailbox (R5): its login, and the argon2 hash of its password."""

    practitioner_id: int
    login: str
    password: str
    closed: bool


@dataclass(frozen=True, slots=True)
class HostedAccount:
    """An account whose returns wait in a mailbox hosted here, or may: `mode` is the practitioner's choice,
    `diverted_at` since when (ms) its own mailbox is replaced, `login` None as long as it has no password."""

    practitioner_id: int
    number: str
    address: str
    mode: ReturnMode
    login: str | None
    diverted_at: int | None

    @property
    def locked_out(self) -> bool:
        """Whether its returns are deposited where it cannot read them yet."""
        return self.login is None and (self.mode is ReturnMode.BOITE or self.diverted_at is not None)


def add(
    conn: Connection,
    *,
    number: str,
    type: str,  # noqa: A002 - the domain's word
    name: str,
    address: str,
    now: int,
    return_mode: ReturnMode = ReturnMode.SMTP,
) -> int:
    """Open an account with its main number (9 digits) and its registered mailbox, from which it may also write."""
    practitioner_id = conn.execute(
        inserting(conn, practitioners)
        .values(number=number, type=type, name=name, address=address.lower(), return_mode=return_mode, created_at=now)
        .on_conflict_do_nothing()
        .returning(practitioners.c.id)
    ).scalar_one_or_none()
    if practitioner_id is None:
        _taken_number()
    add_number(conn, practitioner_id, number)
    add_address(conn, practitioner_id, address)
    return int(practitioner_id)


def add_number(conn: Connection, practitioner_id: int, number: str) -> None:
    """Give the account one more number. Repeating it changes nothing."""
    conn.execute(
        inserting(conn, practitioner_numbers)
        .values(number=number, practitioner_id=practitioner_id)
        .on_conflict_do_nothing()
    )
    if _owner_of_number(conn, number) != practitioner_id:
        _taken_number()
    directory_changed(conn)


def add_address(conn: Connection, practitioner_id: int, address: str) -> None:
    """Let the account write from one more address. Repeating it changes nothing."""
    conn.execute(
        inserting(conn, practitioner_addresses)
        .values(address=address.lower(), practitioner_id=practitioner_id)
        .on_conflict_do_nothing()
    )
    if _owner_of_address(conn, address) != practitioner_id:
        raise RuleError("adresse-deja-attribuee", "Cette adresse appartient déjà à un autre compte.", rule="H6")
    directory_changed(conn)


def remove_address(conn: Connection, practitioner_id: int, address: str) -> bool:
    """Stop accepting mail of the account from this address; False when it was not one of its addresses."""
    done = conn.execute(
        delete(practitioner_addresses).where(
            practitioner_addresses.c.address == address.lower(),
            practitioner_addresses.c.practitioner_id == practitioner_id,
        )
    )
    directory_changed(conn)
    return done.rowcount == 1


def set_fields(
    conn: Connection,
    practitioner_id: int,
    *,
    name: str | None = None,
    address: str | None = None,
    type: str | None = None,  # noqa: A002 - the domain's word
    return_mode: ReturnMode | None = None,
) -> None:
    """Change the fields that are given. A new registered mailbox becomes an address to write from too."""
    fields = {"name": name, "type": type, "return_mode": return_mode, "address": address and address.lower()}
    given = {field: value for field, value in fields.items() if value is not None}
    if not given:
        return
    conn.execute(update(practitioners).where(practitioners.c.id == practitioner_id).values(given))
    if address is not None:
        add_address(conn, practitioner_id, address)
    directory_changed(conn)


def set_mailbox(conn: Connection, practitioner_id: int, login: str, password: str) -> None:
    """Open or change the hosted mailbox; `password` is already hashed. RuleError when the login is another's."""
    if (found := mailbox(conn, login)) is not None and found.practitioner_id != practitioner_id:
        raise RuleError("boite-deja-attribuee", "Cet identifiant de boîte appartient déjà à un autre compte.")
    conn.execute(
        update(practitioners)
        .where(practitioners.c.id == practitioner_id)
        .values(mailbox_login=login, mailbox_password=password)
    )
    directory_changed(conn)


def divert(conn: Connection, practitioner_id: int, now: int) -> bool:
    """Its hosted mailbox stands in for its own (R5); False when it does already."""
    return _set_diverted(conn, practitioner_id, practitioners.c.diverted_at.is_(None), now)


def restore(conn: Connection, practitioner_id: int) -> bool:
    """Its own mailbox serves again; False when it did already."""
    return _set_diverted(conn, practitioner_id, practitioners.c.diverted_at.is_not(None), None)


def keep_hosted(conn: Connection, practitioner_id: int) -> bool:
    """Whether what is for the account goes into the mailbox hosted here; and it stays so until the transaction ends."""
    row = conn.execute(
        select(practitioners.c.return_mode, practitioners.c.diverted_at)
        .where(practitioners.c.id == practitioner_id)
        .with_for_update(key_share=True)
    ).one()
    return row.return_mode == ReturnMode.BOITE or row.diverted_at is not None


def hosted_accounts(conn: Connection) -> list[HostedAccount]:
    """Those who chose the hosted mailbox, those whose own one fails, and those who have a login; by main number."""
    rows = conn.execute(
        select(
            practitioners.c.id,
            practitioners.c.number,
            practitioners.c.address,
            practitioners.c.return_mode,
            practitioners.c.mailbox_login,
            practitioners.c.diverted_at,
        )
        .where(
            or_(
                practitioners.c.return_mode == ReturnMode.BOITE,
                practitioners.c.diverted_at.is_not(None),
                practitioners.c.mailbox_login.is_not(None),
            )
        )
        .order_by(practitioners.c.number)
    )
    return [
        HostedAccount(row.id, row.number, row.address, ReturnMode(row.return_mode), row.mailbox_login, row.diverted_at)
        for row in rows
    ]


def close(conn: Connection, practitioner_id: int, now: int) -> None:
    """Close the account: it sends no more, its numbers stay its own and its returns still reach it."""
    conn.execute(
        update(practitioners)
        .where(practitioners.c.id == practitioner_id, practitioners.c.closed_at.is_(None))
        .values(closed_at=now)
    )
    directory_changed(conn)


def by_id(conn: Connection, practitioner_id: int) -> Practitioner | None:
    """The account of an id."""
    return _one(conn, practitioner_id)


def by_number(conn: Connection, number: str) -> Practitioner | None:
    """The account that a PS number (9 digits) belongs to, closed or not."""
    return _one(conn, _owner_of_number(conn, number))


def by_address(conn: Connection, address: str) -> Practitioner | None:
    """The account that may write from this address, closed or not."""
    return _one(conn, _owner_of_address(conn, address))


def list_all(conn: Connection) -> list[Practitioner]:
    """Every account, closed ones included, by main number."""
    rows = conn.execute(select(practitioners).order_by(practitioners.c.number)).all()
    return _complete(conn, rows, None)


def mailbox(conn: Connection, login: str) -> Mailbox | None:
    """The hosted mailbox of a login."""
    row = conn.execute(select(practitioners).where(practitioners.c.mailbox_login == login)).one_or_none()
    if row is None:
        return None
    return Mailbox(row.id, row.mailbox_login, row.mailbox_password, row.closed_at is not None)


def _set_diverted(conn: Connection, practitioner_id: int, before: ColumnElement[bool], to: int | None) -> bool:
    done = conn.execute(
        update(practitioners).where(practitioners.c.id == practitioner_id, before).values(diverted_at=to)
    )
    if done.rowcount:
        directory_changed(conn)
    return done.rowcount == 1


def _taken_number() -> NoReturn:
    raise RuleError("numero-deja-attribue", "Ce numéro de praticien appartient déjà à un autre compte.", rule="L8")


def _owner_of_number(conn: Connection, number: str) -> int | None:
    table = practitioner_numbers
    return conn.execute(select(table.c.practitioner_id).where(table.c.number == number)).scalar_one_or_none()


def _owner_of_address(conn: Connection, address: str) -> int | None:
    table = practitioner_addresses
    return conn.execute(select(table.c.practitioner_id).where(table.c.address == address.lower())).scalar_one_or_none()


def _one(conn: Connection, practitioner_id: int | None) -> Practitioner | None:
    if practitioner_id is None:
        return None
    rows = conn.execute(select(practitioners).where(practitioners.c.id == practitioner_id)).all()
    return next(iter(_complete(conn, rows, practitioner_id)), None)


def _complete(conn: Connection, rows: Sequence[Row[Any]], only: int | None) -> list[Practitioner]:
    """The accounts of `rows` with their numbers and addresses, read for one account or for all."""
    numbers = _owned(conn, practitioner_numbers, practitioner_numbers.c.number, only)
    addresses = _owned(conn, practitioner_addresses, practitioner_addresses.c.address, only)
    return [
        Practitioner(
            id=row.id,
            number=row.number,
            numbers=frozenset(numbers[row.id]),
            type=row.type,
            name=row.name,
            address=row.address,
            addresses=frozenset(addresses[row.id]),
            return_mode=ReturnMode(row.return_mode),
            closed=row.closed_at is not None,
            diverted=row.diverted_at is not None,
        )
        for row in rows
    ]


def _owned(conn: Connection, table: Table, column: Column[str], only: int | None) -> Mapping[int, list[str]]:
    statement = select(table.c.practitioner_id, column)
    if only is not None:
        statement = statement.where(table.c.practitioner_id == only)
    owned: defaultdict[int, list[str]] = defaultdict(list)
    for practitioner_id, value in conn.execute(statement):
        owned[practitioner_id].append(value)
    return owned
