"""The colours of the console: whoever sees little contrast can still read every one of them (WCAG 2, AA)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oct.web import app

_SHEET = (Path(app.__file__).parent / "static" / "console.css").read_text(encoding="utf-8")
_TOKENS = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", _SHEET))
_TEXT, _SHAPE = 4.5, 3.0


def luminance(colour: str) -> float:
    """Relative, as WCAG 2.2 defines it."""
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """From 1 (none) to 21 (black on white)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_recommendation() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777", "#fff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(
    ("text", "ground", "least"),
    [
        *((text, ground, _TEXT) for text in ("ink", "soft", "link") for ground in ("paper", "ground", "band")),
        *((tone, f"{tone}-ground", _TEXT) for tone in ("good", "wait", "bad")),
        ("paper", "blue", _TEXT),
        ("paper", "bad", _TEXT),
        *((shape, ground, _SHAPE) for shape in ("edge", "focus") for ground in ("paper", "ground")),
        ("focus-dark", "blue", _SHAPE),
    ],
)
def test_each_colour_is_seen_on_what_it_stands_on(text: str, ground: str, least: float) -> None:
    """1.4.3 for text, 1.4.11 for frames and for what shows where the keyboard is."""
    assert contrast(_TOKENS[text], _TOKENS[ground]) >= least
