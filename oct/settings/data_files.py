"""The data files of the program (record layouts, professions…): its own, or the operator's in their place."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from oct.errors import ConfigurationError
from oct.formats.layouts import Layouts


def built_in(name: str) -> str:
    """The text of a data file of the program: beside the package in a checkout, inside it when installed."""
    inside = files("oct") / "config" / name
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "config" / name).read_text(encoding="utf-8")


def data_file(chosen: Path | None, name: str) -> str:
    """The operator's own file, or the one that comes with the program."""
    if chosen is None:
        return built_in(name)
    try:
        return chosen.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("fichier-illisible", f"[formats] : {chosen} ne peut pas être lu.") from error


def record_layouts(chosen: Path | None) -> Layouts:
    """The layouts of the operator's own file, which must lack nothing that the program's has, or the program's."""
    layouts = Layouts.from_toml(data_file(chosen, "layouts.toml"))
    if chosen is not None:
        layouts.check_complete(Layouts.from_toml(built_in("layouts.toml")))
    return layouts
