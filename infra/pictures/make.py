"""Makes the picture of the README: plays the demonstration and keeps its terminal as an SVG.

    python infra/pictures/make.py

Trace numbers and times differ at each run; the picture is made by hand when what it shows has changed.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from functools import partial
from pathlib import Path

from rich.console import Console

from oct.cli.logs import configure
from oct.demo.show import show

_PICTURE = Path(__file__).with_name("demo.svg")
_FOREIGN = re.compile(r"@font-face\s*\{[^}]*\}|<!--.*?-->", re.DOTALL)
"""The exported picture would fetch its fonts from elsewhere; the reader's own will do."""

if __name__ == "__main__":
    prepare = partial(configure, "", "error")
    prepare()
    console = Console(record=True, width=118, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory(prefix="oct-demo-") as directory:
        held = show(console, Path(directory), None, prepare)
    svg = console.export_svg(title="make demo")
    _PICTURE.write_text(_FOREIGN.sub("", svg).replace("Fira Code", "DejaVu Sans Mono"), encoding="utf-8")
    sys.exit(0 if held else 1)
