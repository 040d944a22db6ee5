"""Writes the state diagrams of ARCHITECTURE.md from `oct.domain.journey.JOURNEYS`, between their two marks.

python infra/state_diagrams.py           writes the file anew
python infra/state_diagrams.py --check   exit 1 when it is not what the code says (a test runs this)
"""

from __future__ import annotations

import sys
from pathlib import Path

from oct.domain.journey import JOURNEYS, Move

DOCUMENT = Path(__file__).parents[1] / "ARCHITECTURE.md"
_BEGIN, _END = "<!-- journeys: begin -->", "<!-- journeys: end -->"


def diagrams() -> str:
    """The section between the marks: one Mermaid diagram a journey."""
    return "\n".join(_diagram(name, moves) for name, moves in JOURNEYS.items())


def written(text: str) -> str:
    """The document with its section made anew."""
    head, _, rest = text.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    return f"{head}{_BEGIN}\n\n{diagrams()}\n{_END}{tail}"


def _diagram(name: str, moves: tuple[Move, ...]) -> str:
    lines = [f"    {move.before or '[*]'} --> {move.after}: {move.step}" for move in moves]
    return "\n".join([f"**{name}**", "", "```mermaid", "stateDiagram-v2", *lines, "```", ""])


if __name__ == "__main__":
    present = DOCUMENT.read_text(encoding="utf-8")
    wanted = written(present)
    if "--check" in sys.argv:
        sys.exit(0 if present == wanted else "ARCHITECTURE.md: run python infra/state_diagrams.py")
    DOCUMENT.write_text(wanted, encoding="utf-8")
