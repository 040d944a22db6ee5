"""The tables, as SQLAlchemy Core sees them; `migrations/` builds them, and a test holds the two equal.

Units: instants are milliseconds since the epoch UTC, amounts are centimes, sizes are bytes, digests are the 32
bytes of SHA-256. No column holds an NIR or a patient's name; what may hold one (files, lots, messages) is a
payload, encrypted at rest. Three tables are queues: `messages` (to process), `consignments` (to send) and,
through them, `holds` (waiting for a person). A queue row carries `due_at` and a lease; whoever holds the lease
works on it, and an expired lease means its holder died.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Id = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only for INTEGER PRIMARY KEY."""


def _id() -> Column[int]:
    return Column("id", _Id, primary_key=True, autoincrement=True)


def _ref(name: str, target: str, *, nullable: bool = True, index: bool = False) -> Column[int]:
    return Column(name, BigInteger, ForeignKey(f"{target}.id"), nullable=nullable, index=index)


def _queue() -> tuple[Column[int], Column[int], Column[str], Column[int]]:
    """The columns of a queue: next try, tries so far, who works on it, until when."""
    return (
        Column("due_at", BigInteger),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("lease_owner", String(64)),
        Column("lease_until", BigInteger),
    )


# Who ---------------------------------------------------------------------------------------------------------

practitioners = Table(
    "practitioners",
    metadata,
    _id(),
    Column("number", String(9), nullable=False, unique=True),
    Column("type", String(2), nullable=False),
    Column("name", String(80), nullable=False),
    Column("address", String(254), nullable=False),
    Column("return_mode", String(8), nullable=False, server_default="smtp"),
    Column("mailbox_login", String(64), unique=True),
    Column("mailbox_password", String(256)),
    Column("created_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("diverted_at", BigInteger),  # R5: its own mailbox fails, the hosted one stands in
)

practitioner_numbers = Table(
    "practitioner_numbers",
    metadata,
    Column("number", String(9), primary_key=True),
    _ref("practitioner_id", "practitioners", nullable=False, index=True),
)

practitioner_addresses = Table(
    "practitioner_addresses",
    metadata,
    Column("address", String(254), primary_key=True),
    _ref("practitioner_id", "practitioners", nullable=False, index=True),
)

insurers = Table(
    "insurers",
    metadata,
    _id(),
    Column("kind", String(3), nullable=False),
    Column("label", String(80), nullable=False),
    Column("address", String(254), nullable=False, index=True),
    Column("recipient_type", String(2), nullable=False),
    Column("recipient_number", String(14), nullable=False),
    Column("regime", String(2), nullable=False, server_default=""),
    Column("organism", String(3), nullable=False, server_default=""),
    Column("centre", String(3), nullable=False, server_default=""),
    Column("number", String(10), nullable=False, server_default=""),
    Column("route", String(2), nullable=False, server_default=""),
    Column("host", String(3), nullable=False, server_default=""),
    Column("cipher", String(16), nullable=False, server_default="aes-256-cbc"),
    Column("compression", String(8), nullable=False, server_default="gzip"),
    Column("plaintext_form", String(8), nullable=False, server_default="file"),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    UniqueConstraint("kind", "regime", "organism", "centre", "number"),
)

caisses = Table(
    "caisses",
    metadata,
    Column("regime", String(2), primary_key=True),
    Column("caisse", String(3), primary_key=True),
    Column("centre", String(4), primary_key=True),
    Column("label", String(80), nullable=False),
    _ref("insurer_id", "insurers", nullable=False, index=True),
)

certificates = Table(
    "certificates",
    metadata,
    _id(),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("role", String(10), nullable=False),  # autorite, entite
    Column("address", String(254), nullable=False, server_default="", index=True),
    Column("der", LargeBinary, nullable=False),
    Column("serial", String(48), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("not_after", BigInteger, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("retired_at", BigInteger),
)

revocation_lists = Table(
    "revocation_lists",
    metadata,
    _id(),
    Column("issuer", String(256), nullable=False, unique=True),
    Column("der", LargeBinary, nullable=False),
    Column("next_update", BigInteger),
    Column("added_at", BigInteger, nullable=False),
)

# What came and what goes -------------------------------------------------------------------------------------

payloads = Table(
    "payloads",
    metadata,
    _id(),
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
    _id(),
    Column("trace", String(20), nullable=False, unique=True),
    Column("fingerprint", LargeBinary(32), nullable=False, unique=True),  # D4: one SMTP transaction, one message
    Column("received_at", BigInteger, nullable=False, index=True),
    Column("origin", String(8), nullable=False),  # ps, assureur, emetteur, avis
    Column("peer", String(45), nullable=False),
    Column("mail_from", String(254), nullable=False),
    Column("header_from", String(254), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("message_id", String(255), nullable=False, index=True),
    Column("compostage", String(19), nullable=False, server_default="", index=True),
    _ref("practitioner_id", "practitioners", index=True),
    _ref("insurer_id", "insurers"),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    _ref("payload_id", "payloads", nullable=False),
    Column("state", String(12), nullable=False),
    Column("code", String(40), nullable=False, server_default=""),
    Column("ended_at", BigInteger),
    *_queue(),
)
Index(
    "ix_messages_due",
    messages.c.due_at,
    postgresql_where=messages.c.due_at.is_not(None),
    sqlite_where=messages.c.due_at.is_not(None),
)

files = Table(
    "files",
    metadata,
    _id(),
    _ref("message_id", "messages", nullable=False, index=True),
    Column("shape", String(12), nullable=False),  # unique, source; scor, flux
    Column("file_id", String(6), nullable=False, index=True),
    Column("sender_number", String(14), nullable=False),
    Column("recipient_type", String(2), nullable=False),
    Column("recipient_number", String(14), nullable=False),
    Column("application", String(2), nullable=False),
    Column("norm", String(4), nullable=False),
    Column("record_count", Integer, nullable=False),
    Column("lot_count", Integer, nullable=False),
    Column("invoice_count", Integer, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
)

consignments = Table(
    "consignments",
    metadata,
    _id(),
    _ref("message_id", "messages", nullable=False, index=True),
    Column("kind", String(8), nullable=False),  # facture, flux, demande, art, texte, retour
    _ref("insurer_id", "insurers", index=True),
    _ref("practitioner_id", "practitioners", index=True),
    Column("recipient", String(254), nullable=False),
    Column("message_uid", String(255), nullable=False, index=True),  # Message-ID, the same over every try
    Column("compostage", String(19), nullable=False, server_default="", index=True),
    Column("file_id", String(6), nullable=False, server_default="", index=True),
    _ref("payload_id", "payloads", nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),  # of the bytes sent
    Column("created_at", BigInteger, nullable=False),
    Column("state", String(12), nullable=False),
    Column("delivered_at", BigInteger),
    Column("reply", String(250), nullable=False, server_default=""),
    *_queue(),
)
_consignment_due = consignments.c.due_at.is_not(None)
_consignment_leased = consignments.c.lease_until.is_not(None)
for _name, _columns, _where in (
    ("ix_consignments_due", (consignments.c.due_at,), _consignment_due),
    ("ix_consignments_recipient", (consignments.c.recipient, consignments.c.due_at), _consignment_due),
    ("ix_consignments_leased", (consignments.c.lease_until, consignments.c.recipient), _consignment_leased),
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
    _id(),
    _ref("message_id", "messages", nullable=False, index=True),
    _ref("file_id", "files", index=True),
    Column("rank", Integer, nullable=False),  # order of arrival in the message
    Column("kind", String(3), nullable=False),
    Column("ps_number", String(9), nullable=False),
    _ref("practitioner_id", "practitioners"),
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
    _ref("insurer_id", "insurers", index=True),
    _ref("consignment_id", "consignments", index=True),
    _ref("hold_id", "holds", index=True),  # the hold it waits in
    Column("state", String(12), nullable=False),
    Column("code", String(40), nullable=False, server_default=""),
    Column("state_at", BigInteger, nullable=False),
    _ref("first_lot_id", "lots", index=True),  # the lot that this one repeats, or that took its place
    Index("ix_lots_identity", "number", "lot_date", "ps_number"),  # returns may not tell the PS (R2)
    Index("ix_lots_state", "state", "state_at"),  # silence (D1)
)

invoices = Table(
    "invoices",
    metadata,
    _id(),
    _ref("lot_id", "lots", nullable=False, index=True),
    Column("number", String(9), nullable=False),
    Column("ps_number", String(9), nullable=False),
    Column("billed", Integer, nullable=False),
    Column("amo", Integer, nullable=False),
    Column("amc", Integer, nullable=False),
    Column("split", Boolean, nullable=False, server_default=false()),  # contract 99
    Column("amo_state", String(1), nullable=False, server_default=""),  # NOEMIE 198: P paid, R rejected, D deferred
    Column("amc_state", String(1), nullable=False, server_default=""),
    Index("ix_invoices_number", "number", "ps_number"),
)

holds = Table(
    "holds",
    metadata,
    _id(),
    Column("opened_at", BigInteger, nullable=False),
    # message: nothing of it could be decided; file: a finished file that lacks only its sealing or its addressee;
    # lot: a lot that lacks its addressee; consignment: a sealed message that could not be delivered; return.
    Column("subject", String(12), nullable=False),
    _ref("message_id", "messages", nullable=False, index=True),
    _ref("consignment_id", "consignments"),
    _ref("return_id", "returns"),
    Column("code", String(40), nullable=False),
    Column("sentence", Text, nullable=False),
    _ref("payload_id", "payloads"),  # the bytes that wait, when they are not a consignment
    _ref("insurer_id", "insurers"),  # where they would go, when that is known
    Column("closed_at", BigInteger),
    Column("decision", String(12), nullable=False, server_default=""),
)
Index(
    "ix_holds_open",
    holds.c.id,
    postgresql_where=holds.c.closed_at.is_(None),
    sqlite_where=holds.c.closed_at.is_(None),
)

returns = Table(
    "returns",
    metadata,
    _id(),
    _ref("message_id", "messages", nullable=False, index=True),
    Column("kind", String(6), nullable=False),  # ARL, RSP, TEXTE, DLOI
    _ref("insurer_id", "insurers"),
    _ref("practitioner_id", "practitioners", index=True),
    _ref("consignment_id", "consignments", index=True),
    Column("reference", String(4), nullable=False, server_default=""),  # NOEMIE 580, 576, 900
    Column("evidence", String(24), nullable=False, server_default=""),  # by what the PS was recognised (R2)
    Column("sha256", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("state", String(12), nullable=False),
)

# Hosted mailboxes: the payload of an item is the whole message, as it would have been sent by SMTP.

_SEEN = text("hidden_at IS NULL")
mailbox_items = Table(
    "mailbox_items",
    metadata,
    _id(),
    _ref("practitioner_id", "practitioners", nullable=False),
    _ref("payload_id", "payloads", nullable=False),
    Column("consignment_id", BigInteger, ForeignKey("consignments.id"), unique=True),
    Column("uid", String(70), nullable=False),  # UIDL: printable, never that of another item of the mailbox
    Column("size", BigInteger, nullable=False),  # octets, as POP serves it, before dot-stuffing
    Column("arrived_at", BigInteger, nullable=False),
    Column("fetched_at", BigInteger),  # first time
    Column("hidden_at", BigInteger),  # deleted by POP: our copy stays (R6)
    UniqueConstraint("practitioner_id", "uid"),
    Index("ix_mailbox_items_visible", "practitioner_id", "id", postgresql_where=_SEEN, sqlite_where=_SEEN),
)

mailbox_locks = Table(
    "mailbox_locks",
    metadata,
    Column("practitioner_id", BigInteger, ForeignKey("practitioners.id"), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("until", BigInteger, nullable=False),
)

return_lots = Table(
    "return_lots",
    metadata,
    Column("return_id", BigInteger, ForeignKey("returns.id"), primary_key=True),
    Column("lot_id", BigInteger, ForeignKey("lots.id"), primary_key=True, index=True),
    Column("outcome", String(12), nullable=False),
    Column("code", String(10), nullable=False, server_default=""),
    Column("label", String(120), nullable=False, server_default=""),
)

# The opposition list (O1): increments as their issuer sent them, with the envelope they came in.

dloi_increments = Table(
    "dloi_increments",
    metadata,
    _id(),
    Column("number", Integer, nullable=False, unique=True),
    _ref("payload_id", "payloads", nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    _ref("message_id", "messages", nullable=False),
    Column("subject", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("content_type", Text, nullable=False),
)

# The trace ---------------------------------------------------------------------------------------------------

events = Table(
    "events",
    metadata,
    _id(),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("outcome", String(12), nullable=False),
    _ref("message_id", "messages", index=True),
    _ref("consignment_id", "consignments", index=True),
    _ref("return_id", "returns"),
    _ref("practitioner_id", "practitioners"),
    _ref("insurer_id", "insurers"),
    Column("actor", String(64), nullable=False, server_default=""),
    Column("data", Text, nullable=False, server_default="{}"),  # JSON: digests, sizes, replies, identifiers
)

# The journal over the events. Triggers refuse to change or remove rows of these tables and of `events`, except
# `tree_state`, which says nothing that the others do not.

event_leaves = Table(
    "event_leaves",
    metadata,
    Column("seq", _Id, primary_key=True, autoincrement=False),  # from 0, without holes
    Column("event_id", BigInteger, ForeignKey("events.id"), nullable=False, unique=True),
    Column("leaf", LargeBinary(32), nullable=False),
)

tree_heads = Table(
    "tree_heads",
    metadata,
    Column("size", _Id, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("key", String(16), nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
    Index("ix_tree_heads_at", "at"),  # what is not published yet
)

tree_state = Table(
    "tree_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1: its lock is the turn of who seals
    Column("size", BigInteger, nullable=False),
    Column("peaks", LargeBinary, nullable=False),  # roots of the perfect subtrees, 32 bytes each
)

sequences = Table(
    "sequences",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
