"""`oct`, where opening a certain message kills the process, as a defect of a library could: for the tests of H3.

`python -m tests.journeys.deadly FILE run …`: each opening is written to FILE before it begins, a Message-ID a line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from oct.cli import main
from oct.envelope.opening import Opened, Opener
from oct.formats.mime_headers import Headers
from oct.formats.mime_reader import Attachment

DEADLY = "mortel"

_opened = Opener.open_attachment


def _open(self: Opener, headers: Headers, attachment: Attachment, **how: Any) -> Opened:
    identity = headers.message_id
    with Path(sys.argv[1]).open("a", encoding="ascii") as openings:
        openings.write(f"{identity}\n")
    if DEADLY in identity:
        os._exit(9)
    return _opened(self, headers, attachment, **how)


Opener.open_attachment = _open  # type: ignore[method-assign]  # in the openers' processes too, which import this

if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
