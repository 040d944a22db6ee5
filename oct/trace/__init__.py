"""The proof of the trace: a Merkle tree over the events, signed tree heads, and a verifier that stands alone.

Needs the standard library and cryptography only, and asn1crypto for `stamps`, which asks a time stamping authority
for the date of a head. `verify` is what an auditor runs (a copy goes into every bundle);
`canonical`, `merkle` and `heads` are what the keeper of the log needs besides; `bundle` writes what is handed over.
"""
