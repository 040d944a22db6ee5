"""`oct`, where opening a certain message kills the process, or never ends, as a defect of a library could: H3.

`python -m tests.journeys.deadly FILE run …`: each opening is written to FILE before it begins, a Message-ID a line.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

from oct.cli import main
from oct.envelope.opening import Opened, Opener
from oct.formats.mime_headers import Headers
from oct.formats.mime_reader import Attachment

DEADLY, ENDLESS = "mortel", "sansfin"

_opened = Opener.open_attachment


def _open(self: Opener, headers: Headers, attachment: Attachment, **how: Any) -> Opened:
    identity = headers.message_id
    with Path(sys.argv[1]).open("a", encoding="ascii") as openings:
        openings.write(f"{identity}\n")
    if DEADLY in identity:
        os._exit(9)
    if ENDLESS in identity:
        threading.Event().wait()
    return _opened(self, headers, attachment, **how)


if __name__ in ("__main__", "__mp_main__"):
    Opener.open_attachment = _open  # type: ignore[method-assign]  # in the openers' processes too, which import this

if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
