"""What came and what goes: messages, files, lots, consignments, and what waits for a person.

Three tables are queues: `messages` (to process), `consignments` (to send) and, through them, `holds` (waiting for a
person). A queue row carries `due_at` and a lease; whoever holds the lease works on it, and an expired lease means its
holder died.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    false,
    text,
)

from oct.store.tables.columns import id_column, metadata, queue_columns, reference

payloads = Table(
    "payloads",
    metadata,
    id_column(),
    Column("master_key", String(32), nullable=False),
    Column("wrapped_key", LargeBinary),  # NULL once destroyed: the content cannot be read any more
    Column("content", LargeBinary),
    Column("size", BigInteger, nullable=False),  # in clear
    Column("sha256", LargeBinary(32), nullable=False),  # of the clear content
    Column("created_at", BigInteger, nullable=False),
    Column("destroyed_at", BigInteger),
)

messages = Table(
    "messages",
    metadata,
    id_column(),
    Column("trace", String(20), nullable=False, unique=True),
    Column("fingerprint", LargeBinary(32), nullable=False, unique=True),  # D4: one SMTP transaction, one message
    Column("received_at", BigInteger, nullable=False),
    Column("origin", String(8), nullable=False),  # ps, assureur, emetteur, avis
    Column("peer", String(45), nullable=False),
    Column("mail_from", String(254), nullable=False),
    Column("header_from", String(254), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("message_id", String(255), nullable=False, index=True),
    Column("compostage", String(19), nullable=False, server_default="", index=True),
    reference("practitioner_id", "practitioners"),
    reference("insurer_id", "insurers"),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    reference("payload_id", "payloads", nullable=False),
    Column("state", String(12), nullable=False),
    Column("code", String(40), nullable=False, server_default=""),
    Column("ended_at", BigInteger),
    Column("purged_at", BigInteger),  # its payloads were destroyed (T3)
    *queue_columns(),
    Index("ix_messages_received_at", "received_at", "origin"),
    Index("ix_messages_practitioner_id", "practitioner_id", "id"),
)
Index(
    "ix_messages_kept",
    messages.c.received_at,
    postgresql_where=messages.c.purged_at.is_(None),
    sqlite_where=messages.c.purged_at.is_(None),
)
Index(
    "ix_messages_due",
    messages.c.due_at,
    postgresql_where=messages.c.due_at.is_not(None),
    sqlite_where=messages.c.due_at.is_not(None),
)

_refused = messages.c.origin == "inconnu"
Index("ix_messages_refused", messages.c.received_at, postgresql_where=_refused, sqlite_where=_refused)
_undecipherable = messages.c.code == "indechiffrable"
Index("ix_messages_undecipherable", messages.c.ended_at, postgresql_where=_undecipherable, sqlite_where=_undecipherable)

files = Table(
    "files",
    metadata,
    id_column(),
    reference("message_id", "messages", nullable=False, index=True),
    Column("shape", String(12), nullable=False),  # unique, source; scor, flux
    Column("file_id", String(6), nullable=False),
    Column("sender_number", String(14), nullable=False),
    Column("recipient_type", String(2), nullable=False),
    Column("recipient_number", String(14), nullable=False),
    Column("application", String(2), nullable=False),
    Column("norm", String(4), nullable=False),
    Column("record_count", Integer, nullable=False),
    Column("lot_count", Integer, nullable=False),
    Column("invoice_count", Integer, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Index("ix_files_file_id", "file_id", "id"),  # practitioners number theirs alike
)

consignments = Table(
    "consignments",
    metadata,
    id_column(),
    reference("message_id", "messages", nullable=False, index=True),
    Column("kind", String(8), nullable=False),  # facture, groupe, flux, demande, art, texte, retour
    reference("insurer_id", "insurers"),
    reference("practitioner_id", "practitioners"),
    Column("recipient", String(254), nullable=False),
    Column("message_uid", String(255), nullable=False, index=True),  # Message-ID, the same over every try
    Column("compostage", String(19), nullable=False, server_default="", index=True),
    Column("file_id", String(6), nullable=False, server_default="", index=True),
    reference("payload_id", "payloads", nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),  # of the bytes sent
    Column("created_at", BigInteger, nullable=False),
    Column("state", String(12), nullable=False),
    Column("delivered_at", BigInteger),
    Column("reply", String(250), nullable=False, server_default=""),
    Column("stalled_at", BigInteger),  # its last try, when the server fell silent over it
    Column("gathering_key", String(64)),  # A15: files of one key leave as one; set as long as this one waits for others
    reference("replaced_by", "consignments"),  # the sending in which its lots left instead
    *queue_columns(),
    Index("ix_consignments_insurer_id", "insurer_id", "id"),
)

_consignment_due = consignments.c.due_at.is_not(None)
_consignment_leased = consignments.c.lease_until.is_not(None)
_consignment_gathering = consignments.c.gathering_key.is_not(None)
_consignment_returning = consignments.c.practitioner_id.is_not(None)
for _name, _columns, _where in (
    ("ix_consignments_due", (consignments.c.due_at,), _consignment_due),
    ("ix_consignments_recipient", (consignments.c.recipient, consignments.c.due_at), _consignment_due),
    ("ix_consignments_stalled", (consignments.c.recipient,), consignments.c.stalled_at.is_not(None)),
    ("ix_consignments_leased", (consignments.c.lease_until, consignments.c.recipient), _consignment_leased),
    ("ix_consignments_gathering", (consignments.c.gathering_key, consignments.c.created_at), _consignment_gathering),
    ("ix_consignments_practitioner_id", (consignments.c.practitioner_id, consignments.c.id), _consignment_returning),
):
    Index(_name, *_columns, postgresql_where=_where, sqlite_where=_where)

Index(
    "ix_consignments_art",  # T1: one ART per message, whatever happens
    consignments.c.message_id,
    unique=True,
    postgresql_where=consignments.c.kind == "art",
    sqlite_where=consignments.c.kind == "art",
)

lots = Table(
    "lots",
    metadata,
    id_column(),
    reference("message_id", "messages", nullable=False, index=True),
    reference("file_id", "files"),
    Column("rank", Integer, nullable=False),  # order of arrival in the message
    Column("kind", String(3), nullable=False),
    Column("ps_number", String(9), nullable=False),
    reference("practitioner_id", "practitioners"),
    Column("organism", String(3), nullable=False),
    Column("number", String(3), nullable=False),
    Column("lot_date", String(6), nullable=False),  # AAMMJJ, as the header of the lot gives it
    Column("sha256", LargeBinary(32), nullable=False),  # of the bytes that leave
    Column("received_sha256", LargeBinary(32), nullable=False, server_default=""),  # by which it is recognised (D2)
    Column("size", Integer, nullable=False),
    Column("invoice_count", Integer, nullable=False),
    Column("billed", BigInteger, nullable=False),
    Column("amo", BigInteger, nullable=False),
    Column("amc", BigInteger, nullable=False),
    reference("insurer_id", "insurers"),
    reference("consignment_id", "consignments", index=True),
    reference("hold_id", "holds"),  # the hold it waits in
    Column("state", String(12), nullable=False),
    Column("code", String(40), nullable=False, server_default=""),
    Column("state_at", BigInteger, nullable=False),
    reference("first_lot_id", "lots"),  # the lot that this one repeats, or that took its place
    Index("ix_lots_identity", "number", "lot_date", "ps_number"),  # returns may not tell the PS (R2)
    Index("ix_lots_state", "state", "state_at"),  # silence (D1)
    Index("ix_lots_practitioner_id", "practitioner_id", "id"),
    Index("ix_lots_insurer_id", "insurer_id", "id"),
)
UNFINISHED = text("state IN ('held', 'sent', 'delivered', 'unanswered', 'manual')")
"""Lots that wait for somebody. An index is used only by queries that say the same, letter by letter."""
Index("ix_lots_unfinished", lots.c.insurer_id, lots.c.state, postgresql_where=UNFINISHED, sqlite_where=UNFINISHED)
for _column in (lots.c.hold_id, lots.c.first_lot_id):
    Index(None, _column, postgresql_where=_column.is_not(None), sqlite_where=_column.is_not(None))

invoices = Table(
    "invoices",
    metadata,
    id_column(),
    reference("lot_id", "lots", nullable=False, index=True),
    Column("number", String(9), nullable=False),
    Column("ps_number", String(9), nullable=False),
    Column("billed", Integer, nullable=False),
    Column("amo", Integer, nullable=False),
    Column("amc", Integer, nullable=False),
    Column("split", Boolean, nullable=False, server_default=false()),  # contract 99
    Column("amo_state", String(1), nullable=False, server_default=""),  # NOEMIE 198: P paid, R rejected, D deferred
    Column("amc_state", String(1), nullable=False, server_default=""),
    Column("pseudonym", LargeBinary(16)),  # of the patient: HMAC of the NIR (J4)
    Index("ix_invoices_number", "number", "ps_number"),
)
Index(
    "ix_invoices_pseudonym",
    invoices.c.pseudonym,
    postgresql_where=invoices.c.pseudonym.is_not(None),
    sqlite_where=invoices.c.pseudonym.is_not(None),
)

holds = Table(
    "holds",
    metadata,
    id_column(),
    Column("opened_at", BigInteger, nullable=False),
    # message: nothing of it could be decided; file: a finished file that lacks only its sealing or its addressee;
    # lot: a lot that lacks its addressee; consignment: a sealed message that could not be delivered; return.
    Column("subject", String(12), nullable=False),
    reference("message_id", "messages", nullable=False, index=True),
    reference("consignment_id", "consignments"),
    reference("return_id", "returns"),
    Column("code", String(40), nullable=False),
    Column("sentence", Text, nullable=False),
    reference("payload_id", "payloads"),  # the bytes that wait, when they are not a consignment
    reference("insurer_id", "insurers"),  # where they would go, when that is known
    Column("closed_at", BigInteger),
    Column("decision", String(12), nullable=False, server_default=""),
)
Index(
    "ix_holds_open",
    holds.c.id,
    postgresql_where=holds.c.closed_at.is_(None),
    sqlite_where=holds.c.closed_at.is_(None),
)
