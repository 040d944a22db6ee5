"""Elements of SVG as text. Whatever the words are, what comes out is well-formed XML.

Looks come from the style sheet, by classes: the console's policy of contents allows no style in an element.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def words(text: str, longest: int = 0) -> str:
    """A text as XML may hold it; cut with an ellipsis when it is longer than `longest` characters."""
    if longest and len(text) > longest:
        text = text[: longest - 1] + "…"
    return escape(_NOT_XML.sub("\ufffd", text))


def element(name: str, inside: Iterable[str] | str = "", **attributes: object) -> str:
    """An element with its content, already XML. `class_` is the class; `_` in names of attributes is a hyphen."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{words(str(value))}"' for key, value in attributes.items())
    content = inside if isinstance(inside, str) else "".join(inside)
    return f"<{name}{given}>{content}</{name}>" if content else f"<{name}{given}/>"


def drawing(width: int, height: int, title: str, description: str, inside: Iterable[str], kind: str) -> str:
    """A whole drawing with its title and what it says in words; `kind` is its class, and makes its ids its own."""
    return element(
        "svg",
        (
            element("title", words(title), id=f"{kind}-titre"),
            element("desc", words(description), id=f"{kind}-texte"),
            *inside,
        ),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        class_=kind,
        role="img",
        aria_labelledby=f"{kind}-titre {kind}-texte",
    )
