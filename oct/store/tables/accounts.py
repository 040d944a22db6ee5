"""Who may enter the console and the API: accounts, their second factors, sessions, tokens, and who must wait.

Nothing here lets anybody in: passwords are argon2 hashes, secrets of second factors are sealed by the vault, sessions
and tokens are known by SHA-256 digests only.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, Table, false

from oct.store.tables.columns import id_column, metadata, reference

users = Table(
    "users",
    metadata,
    id_column(),
    Column("login", String(32), nullable=False, unique=True),
    Column("name", String(80), nullable=False),
    Column("role", String(16), nullable=False),
    Column("may_read_payloads", Boolean, nullable=False, server_default=false()),
    Column("password", String(256), nullable=False),
    Column("password_until", BigInteger),  # a one-time password, to be changed before then
    Column("created_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
)

second_factors = Table(
    "second_factors",
    metadata,
    id_column(),
    reference("user_id", "users", nullable=False, index=True),
    Column("master_key", String(32), nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),  # the secret of TOTP (RFC 6238)
    Column("created_at", BigInteger, nullable=False),
    Column("confirmed_at", BigInteger),  # a first code was right; until then it opens nothing
    Column("last_step", BigInteger, nullable=False, server_default="0"),  # no code twice
)

sessions = Table(
    "sessions",
    metadata,
    id_column(),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    reference("user_id", "users", nullable=False, index=True),
    Column("peer", String(45), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    id_column(),
    reference("user_id", "users", nullable=False, index=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("prefix", String(12), nullable=False),
    Column("label", String(80), nullable=False),
    Column("role", String(16), nullable=False),
    Column("may_read_payloads", Boolean, nullable=False, server_default=false()),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("revoked_at", BigInteger),
)

lockouts = Table(
    "lockouts",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),  # digest of a login, known or not, or of an address
    Column("failures", Integer, nullable=False),
    Column("last_at", BigInteger, nullable=False, index=True),
    Column("until", BigInteger, nullable=False),
)
