"""Insurers and the caisses that lead to them: the routing directory (L3, L4), kept and loaded whole.

Importing the official tables again updates what is there (`upsert_…`, `map_caisse`). Every write moves
`directory_version`, so that processes reload. E-mail addresses are compared, and kept, in lower case.
"""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, select, update

from oct.domain.model import Directory, Insurer, InsurerKind
from oct.store.conflicts import inserting
from oct.store.counters import directory_changed
from oct.store.tables import caisses, insurers


def upsert_amo(
    conn: Connection,
    *,
    regime: str,
    organism: str,
    centre: str,
    label: str,
    address: str,
    recipient_type: str,
) -> int:
    """Add or update a compulsory caisse, known by (régime, recipient organism, computer centre); its id.

    Its recipient number is 6 zeros, régime, centre, organism.
    """
    return _upsert(
        conn,
        kind=InsurerKind.AMO,
        regime=regime,
        organism=organism,
        centre=centre,
        label=label,
        address=address.lower(),
        recipient_type=recipient_type,
        recipient_number=f"000000{regime}{centre}{organism}",
    )


def upsert_amc(
    conn: Connection,
    *,
    number: str,
    label: str,
    address: str,
    route: str = "",
    host: str = "",
    recipient_type: str = "OC",
) -> int:
    """Add or update a complementary insurer, known by its number; its id. Its recipient number has 14 digits (A11)."""
    return _upsert(
        conn,
        kind=InsurerKind.AMC,
        number=number,
        label=label,
        address=address.lower(),
        route=route,
        host=host,
        recipient_type=recipient_type,
        recipient_number=number.zfill(14),
    )


def map_caisse(conn: Connection, regime: str, caisse: str, centre: str, label: str, insurer_id: int) -> None:
    """Lead (régime, caisse gestionnaire, centre gestionnaire) to an insurer (L3)."""
    statement = inserting(conn, caisses).values(
        regime=regime, caisse=caisse, centre=centre, label=label, insurer_id=insurer_id
    )
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=[caisses.c.regime, caisses.c.caisse, caisses.c.centre],
            set_={"label": statement.excluded.label, "insurer_id": statement.excluded.insurer_id},
        )
    )
    directory_changed(conn)


def set_fields(
    conn: Connection,
    insurer_id: int,
    *,
    label: str | None = None,
    address: str | None = None,
    cipher: str | None = None,
    compression: str | None = None,
    plaintext_form: str | None = None,
    enabled: bool | None = None,
) -> None:
    """Change the fields that are given: name, address, and the form in which it wants its files (A4, A5)."""
    fields = {
        "label": label,
        "address": address and address.lower(),
        "cipher": cipher,
        "compression": compression,
        "plaintext_form": plaintext_form,
        "enabled": enabled,
    }
    given = {field: value for field, value in fields.items() if value is not None}
    if not given:
        return
    conn.execute(update(insurers).where(insurers.c.id == insurer_id).values(given))
    directory_changed(conn)


def load_directory(conn: Connection) -> Directory:
    """Everything that leads from an invoice to an insurer: a few thousand entries."""
    known = {insurer.id: insurer for insurer in list_all(conn)}
    return Directory(
        insurers=known,
        caisses={(row.regime, row.caisse, row.centre): row.insurer_id for row in conn.execute(select(caisses))},
        amo={
            (insurer.regime, insurer.centre, insurer.organism): insurer.id
            for insurer in known.values()
            if insurer.kind is InsurerKind.AMO
        },
        amc={insurer.number.lstrip("0"): insurer.id for insurer in known.values() if insurer.kind is InsurerKind.AMC},
    )


def by_id(conn: Connection, insurer_id: int) -> Insurer | None:
    """The insurer of an id."""
    row = conn.execute(select(insurers).where(insurers.c.id == insurer_id)).mappings().one_or_none()
    return None if row is None else _insurer(row)


def by_address(conn: Connection, address: str) -> list[Insurer]:
    """The insurers that an address serves: often several behind one computer centre."""
    rows = conn.execute(select(insurers).where(insurers.c.address == address.lower()).order_by(insurers.c.id))
    return [_insurer(row) for row in rows.mappings()]


def list_all(conn: Connection) -> list[Insurer]:
    """Every insurer, in the order of their ids."""
    return [_insurer(row) for row in conn.execute(select(insurers).order_by(insurers.c.id)).mappings()]


def _upsert(conn: Connection, **fields: str) -> int:
    statement = inserting(conn, insurers).values(fields)
    changed = ("label", "address", "route", "host", "recipient_type", "recipient_number")
    insurer_id = conn.execute(
        statement.on_conflict_do_update(
            index_elements=[
                insurers.c.kind,
                insurers.c.regime,
                insurers.c.organism,
                insurers.c.centre,
                insurers.c.number,
            ],
            set_={field: statement.excluded[field] for field in changed if field in fields},
        ).returning(insurers.c.id)
    ).scalar_one()
    directory_changed(conn)
    return int(insurer_id)


def _insurer(row: RowMapping) -> Insurer:
    """The columns of the table are the fields of the value."""
    return Insurer(**{**row, "kind": InsurerKind(row["kind"])})
