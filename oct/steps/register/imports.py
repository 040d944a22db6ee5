"""Brings the tables an operator imports into the register: practitioners, caisses, complementary insurers (K2).

Takes the rows of `oct.formats.tables`; each is written by itself, so that one which the register cannot take (an
address that another account has) is refused with its reason and the others stay. Importing the same table again
changes nothing; a newer one updates what it names and removes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from oct.domain.model import Insurer, InsurerKind, Practitioner
from oct.errors import RuleError
from oct.formats.regimes import Regimes
from oct.formats.tables import AmcRow, CaisseRow, PractitionerRow, Refusal, Table
from oct.store import events, insurers, practitioners
from oct.store.events import Event


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `refused` holds the lines of the table and those of the register, in order."""

    added: int
    updated: int
    unchanged: int
    refused: tuple[Refusal, ...]


def import_practitioners(conn: Connection, table: Table[PractitionerRow], now: int, actor: str) -> Imported:
    """Opens accounts, or updates the type, name and registered mailbox of those that exist."""
    done = {"added": 0, "updated": 0, "unchanged": 0}
    refused = list(table.refused)
    for line, row in table.rows:
        try:
            with conn.begin_nested():
                done[_take_practitioner(conn, row, now)] += 1
        except RuleError as error:
            refused.append(Refusal(line, error.sentence))
    return _imported(conn, "praticiens", done, refused, now, actor)


def import_caisses(conn: Connection, table: Table[CaisseRow], regimes: Regimes, now: int, actor: str) -> Imported:
    """The AMO that caisses lead to. An address that the table does not give is kept, or made by the usual pattern."""
    known = {
        (one.regime, one.organism, one.centre): one for one in insurers.list_all(conn) if one.kind is InsurerKind.AMO
    }
    caisses = insurers.load_directory(conn).caisses
    given = {row.insurer_key: row.address for _, row in reversed(table.rows) if row.address}
    taken: dict[tuple[str, str, str], tuple[int, bool]] = {}
    done = {"added": 0, "updated": 0, "unchanged": 0}
    for row in _chiefs_first(table):
        if row.insurer_key not in taken:
            taken[row.insurer_key] = _take_amo(conn, row, known.get(row.insurer_key), given, regimes)
        insurer_id, changed = taken[row.insurer_key]
        led = caisses.get((row.regime, row.caisse, row.centre))
        if led != insurer_id:
            insurers.map_caisse(conn, row.regime, row.caisse, row.centre, row.label, insurer_id)
        done["added" if led is None else "updated" if changed or led != insurer_id else "unchanged"] += 1
    return _imported(conn, "caisses", done, list(table.refused), now, actor)


def import_amcs(conn: Connection, table: Table[AmcRow], now: int, actor: str) -> Imported:
    """Complementary insurers, known by their number."""
    known = {one.number: one for one in insurers.list_all(conn) if one.kind is InsurerKind.AMC}
    done = {"added": 0, "updated": 0, "unchanged": 0}
    for _, row in table.rows:
        before = known.get(row.number)
        same = before is not None and (before.label, before.address, before.route, before.host) == (
            row.label,
            row.address,
            row.route,
            row.host,
        )
        if not same:
            insurers.upsert_amc(
                conn, number=row.number, label=row.label, address=row.address, route=row.route, host=row.host
            )
        done["unchanged" if same else "added" if before is None else "updated"] += 1
    return _imported(conn, "amc", done, list(table.refused), now, actor)


def _take_practitioner(conn: Connection, row: PractitionerRow, now: int) -> str:
    account = practitioners.by_number(conn, row.number)
    group = practitioners.by_address(conn, row.address)
    if account is None and group is not None:
        return _join_group(conn, group, row)
    if account is None:
        practitioners.add(conn, number=row.number, type=row.type, name=row.name, address=row.address, now=now)
        return "added"
    if account.number != row.number and account == group:
        return "unchanged"
    if account.number != row.number:
        raise RuleError("numero-rattache", f"Ce numéro est rattaché au compte {account.number}.")
    if account.closed:
        raise RuleError("compte-ferme", "Ce compte est fermé.")
    if (account.type, account.name, account.address) == (row.type, row.name, row.address):
        return "unchanged"
    practitioners.set_fields(conn, account.id, name=row.name, type=row.type, address=row.address)
    return "updated"


def _join_group(conn: Connection, group: Practitioner, row: PractitionerRow) -> str:
    """L8: numbers that share a registered mailbox and a type are one account, a group practice."""
    if group.closed or group.address != row.address.lower():
        raise RuleError("adresse-deja-attribuee", "Cette adresse appartient déjà à un autre compte.", rule="H6")
    if group.type != row.type:
        raise RuleError(
            "groupe-de-deux-types",
            f"Cette boîte est celle du compte {group.number}, de type {group.type} : un compte n'a qu'un type.",
        )
    practitioners.add_number(conn, group.id, row.number)
    return "added"


def _chiefs_first(table: Table[CaisseRow]) -> Sequence[CaisseRow]:
    """The caisse that is itself the recipient organism names the insurer, before those that only lead to it."""
    return sorted((row for _, row in table.rows), key=lambda row: row.caisse != row.organism)


def _take_amo(
    conn: Connection,
    row: CaisseRow,
    before: Insurer | None,
    given: Mapping[tuple[str, str, str], str],
    regimes: Regimes,
) -> tuple[int, bool]:
    """The id of the insurer that a caisse leads to, and whether it was written."""
    kept = before.address if before is not None else row.usual_address
    address = given.get(row.insurer_key, kept)
    recipient_type = regimes.recipient_type(row.regime)
    if before is not None and (before.label, before.address, before.recipient_type) == (
        row.label,
        address,
        recipient_type,
    ):
        return before.id, False
    insurer_id = insurers.upsert_amo(
        conn,
        regime=row.regime,
        organism=row.organism,
        centre=row.computer_centre,
        label=row.label,
        address=address,
        recipient_type=recipient_type,
    )
    return insurer_id, True


def _imported(
    conn: Connection, table: str, done: Mapping[str, int], refused: Sequence[Refusal], now: int, actor: str
) -> Imported:
    imported = Imported(**done, refused=tuple(sorted(refused, key=lambda one: one.line)))
    counts = {**done, "refused": len(refused)}
    events.append(conn, [Event(now, "import", "fait", actor=actor, data={"table": table, **counts})])
    return imported
