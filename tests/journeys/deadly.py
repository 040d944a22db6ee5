"""`oct`, where opening a certain message kills the process, as a defect of a library could: for the tests of H3.

`python -m tests.journeys.deadly FILE run …`: each opening is written to FILE before it begins, a Message-ID a line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from oct.cli import main
from oct.envelope.opening import Opener

DEADLY = b"mortel"

_opened = Opener.open


def _open(self: Opener, raw: bytes, **how: Any) -> Any:
    identity = next(line for line in raw.splitlines() if line.startswith(b"Message-ID:"))
    with Path(sys.argv[1]).open("ab", buffering=0) as openings:
        openings.write(identity + b"\n")
    if DEADLY in identity:
        os._exit(9)
    return _opened(self, raw, **how)


if __name__ == "__main__":
    Opener.open = _open  # type: ignore[method-assign]
    sys.exit(main(sys.argv[2:]))
