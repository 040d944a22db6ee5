"""PEM armour (RFC 7468), read tolerantly: text around the blocks and broken blocks are passed over."""

from __future__ import annotations

import binascii
from collections.abc import Iterator

BEGIN = b"-----BEGIN "
_DASHES = b"-----"
_END = b"-----END "


def blocks(text: bytes) -> Iterator[tuple[str, bytes]]:
    """The label and the decoded bytes of each block, in order."""
    at = 0
    while (start := text.find(BEGIN, at)) >= 0:
        label_end = text.find(_DASHES, start + len(BEGIN))
        at = text.find(_END, label_end)
        if label_end < 0 or at < 0:
            return
        try:
            decoded = binascii.a2b_base64(memoryview(text)[label_end + len(_DASHES) : at])
        except binascii.Error:
            continue
        yield text[start + len(BEGIN) : label_end].decode("latin-1"), decoded
