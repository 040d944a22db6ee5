"""Typer in French: the frame of the help pages, and what is said of a mistaken command line.

`Noun` is the Typer application of one noun; its pages keep Typer's plain form, with French words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

F = TypeVar("F", bound=Callable[..., Any])

_WORDS = (
    ("Usage: ", "Usage : "),
    ("Show this message and exit.", "Affiche cette aide."),
    ("COMMAND [ARGS]...", "COMMANDE [ARGUMENTS]..."),
    ("\nArguments:\n", "\nArguments :\n"),
    ("\nOptions:\n", "\nOptions :\n"),
    ("\nCommands:\n", "\nCommandes :\n"),
    ("[default: ", "[défaut : "),
    ("; default: ", " ; défaut : "),
    ("required]", "obligatoire]"),
)


def _in_french(page: str) -> str:
    for theirs, ours in _WORDS:
        page = page.replace(theirs, ours)
    return page


class _Command(TyperCommand):
    def get_help(self, ctx: Any) -> str:
        return _in_french(super().get_help(ctx))


class _Group(TyperGroup):
    def get_help(self, ctx: Any) -> str:
        return _in_french(super().get_help(ctx))


class Noun(typer.Typer):
    """The commands of one noun."""

    def __init__(self, help_text: str) -> None:
        super().__init__(cls=_Group, help=help_text, no_args_is_help=True, rich_markup_mode=None, add_completion=False)

    def command(self, name: str | None = None, **options: Any) -> Callable[[F], F]:
        """Declares one command, its help in French."""
        return super().command(name, cls=_Command, **options)


def is_usage_fault(error: Exception) -> bool:
    """Whether Typer found the command line itself wrong."""
    return any(kind.__name__ == "UsageError" for kind in type(error).__mro__)


def page_instead(error: Any) -> str:
    """The help page, when nothing was asked; else nothing."""
    return str(error.message) if type(error).__name__ == "NoArgsIsHelpError" else ""


def usage_sentence(error: Any) -> str:
    """One line that says what is wrong and where help is."""
    name = type(error).__name__
    path = error.ctx.command_path if error.ctx is not None else "oct"
    if name == "NoSuchOption":
        what = f"option inconnue : {error.option_name}"
    elif name == "MissingParameter":
        what = f"il manque {_hint(error)}"
    elif name == "BadParameter":
        what = f"valeur incorrecte pour {_hint(error)}"
    elif name == "BadOptionUsage":
        what = f"l'option {error.option_name} attend une valeur, ou n'en prend pas"
    else:
        what = "commande ou argument inconnu"
    return f"{what} ; « {path} --help » donne l'usage."


def _hint(error: Any) -> str:
    """The parameter at fault, and what it may be when that is a list."""
    param = error.param
    name = param.opts[0] if param.param_type_name == "option" else param.metavar or param.name.upper()
    choices = getattr(getattr(param, "type_descriptor", None), "choices", None) or ()
    values = ", ".join(str(getattr(choice, "value", choice)) for choice in choices)
    return f"{name} (valeurs possibles : {values})" if values else name
