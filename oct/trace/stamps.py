"""Asks a time stamping authority for the date of a tree head (RFC 3161, over HTTP as its §3.4 has it).

Takes a head and gives the authority's answer as it came (DER), once it was found to be about this head and this
request. Whether the authority is one to trust is for who verifies, with its certificate (`openssl ts -verify`).
Failure: `StampError`, whatever the authority or the network did.
"""

from __future__ import annotations

import hashlib
import secrets
from http.client import HTTPException
from urllib.request import Request, urlopen

from asn1crypto.algos import DigestAlgorithm
from asn1crypto.tsp import MessageImprint, TimeStampReq, TimeStampResp

from oct.trace.verify import TreeHead

TIMEOUT_S = 5.0
"""For each answer of the network: a clean stop waits for it (P5)."""
_MOST = 1 << 20
_GRANTED = ("granted", "granted_with_mods")


class StampError(Exception):
    """No usable answer. `reason` is a word or two for the log, without anything the other side wrote."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def stamp(url: str, head: TreeHead) -> bytes:
    """The answer of the authority at `url` (http or https) for the line of a head."""
    digest, nonce = hashlib.sha256(head.line()).digest(), secrets.randbits(63)
    imprint = MessageImprint({"hash_algorithm": DigestAlgorithm({"algorithm": "sha256"}), "hashed_message": digest})
    query = TimeStampReq({"version": "v1", "message_imprint": imprint, "nonce": nonce, "cert_req": True})
    answer = _post(url, query.dump())
    _check(answer, digest, nonce)
    return answer


def _post(url: str, query: bytes) -> bytes:
    request = Request(url, query, {"Content-Type": "application/timestamp-query"})  # noqa: S310 - http(s), by settings
    try:
        with urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310 - as above
            content: bytes = response.read(_MOST)
    except (OSError, HTTPException, ValueError) as error:
        raise StampError(type(error).__name__) from None
    return content


def _check(answer: bytes, digest: bytes, nonce: int) -> None:
    try:
        decoded = TimeStampResp.load(answer, strict=True)
        granted = decoded["status"]["status"].native in _GRANTED
        told = decoded["time_stamp_token"]["content"]["encap_content_info"]["content"].parsed if granted else None
        about = (told["message_imprint"]["hashed_message"].native, told["nonce"].native) if told is not None else None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise StampError("illisible") from None
    if about is None:
        raise StampError("refus")
    if about != (digest, nonce):
        raise StampError("autre-demande")
