"""A second factor to be enrolled, as its owner sees it: a picture for the telephone, the secret for the keyboard.

The picture is SVG inside the page, without a style of its own, as the policy of contents asks for. Home of segno.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import segno
from markupsafe import Markup

from oct.crypto.totp import enrolment_uri, secret_text


@dataclass(frozen=True, slots=True)
class Enrolment:
    """`picture` is an SVG element, `secret` groups of four letters and digits."""

    picture: Markup = field(repr=False)
    secret: str = field(repr=False)


def enrolment(secret: bytes, login: str, issuer: str) -> Enrolment:
    """What to show for a secret."""
    code = segno.make(enrolment_uri(secret, login, issuer), error="m", micro=False)
    svg = code.svg_inline(scale=4, omitsize=True, title="Code à scanner", svgclass=None, lineclass=None)
    text = secret_text(secret)
    groups = (text[start : start + 4] for start in range(0, len(text), 4))
    return Enrolment(Markup(svg), " ".join(groups))  # noqa: S704 - drawn by segno, with nothing from outside in it
