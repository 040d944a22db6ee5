"""The bytes of an event that the tree covers: one line of JSON that anybody can make again and hash with `sha256sum`.

Keys sorted, no blank between tokens, UTF-8 without escapes, `data` as the object that was stored. `seq` is the place
in the log, from 0; `trace` is the trace number of the event's message, so that an event cannot change messages.
Any row has its bytes: what is stored as `data` and is no JSON (somebody tampered) stands there as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SEPARATORS = (",", ":")
_ENCODER = json.JSONEncoder(sort_keys=True, separators=SEPARATORS, ensure_ascii=False)


def canonical(seq: int, event: Mapping[str, Any]) -> bytes:
    """The line of an event, without its end. `event` has every other key; its `data` is JSON text."""
    fields = {**event, "seq": seq, "data": _parsed(event["data"])}
    return _ENCODER.encode(fields).encode("utf-8", "surrogatepass")


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
