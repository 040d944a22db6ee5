"""`oct trace export`, `verify` and `rotate`: what an auditor is given, whether it holds, a new key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oct.cli.opening import ConfigOption, Desk, at_desk, checked_number, read_given, read_settings
from oct.errors import ConfigurationError, RuleError

if TYPE_CHECKING:
    from oct.store.log_lines import Selection
    from oct.trace.verify import PublicKeys, TreeHead

_DAY = "AAAA-MM-JJ"


def export(
    file: Annotated[Path, typer.Argument(metavar="FICHIER", help="Lot à écrire (zip).")],
    number: Annotated[str, typer.Option("--ps", metavar="N", help="Les traces d'un PS.", show_default=False)] = "",
    since: Annotated[str, typer.Option(metavar=_DAY, help="Premier jour.", show_default=False)] = "",
    until: Annotated[str, typer.Option(metavar=_DAY, help="Dernier jour.", show_default=False)] = "",
    whole: Annotated[bool, typer.Option("--all", help="Tout le journal.")] = False,
    config: ConfigOption = None,
) -> None:
    """Écrit un lot de preuve : événements, têtes signées, preuves, vérificateur, mode d'emploi."""
    from oct.steps.journal.proof import export as write
    from oct.store import journal
    from oct.trace.verify import ProofError

    if whole == bool(number or since or until):
        raise ConfigurationError("choix", "Donnez --all, ou bien --ps, --since ou --until.")
    if file.exists():
        raise ConfigurationError("fichier-existant", f"{file} existe déjà.")
    with at_desk(config) as desk:
        selection = None if whole else _selection(desk, number, since, until)
        try:
            count = write(desk.store, file, selection, desk.now)
        except ProofError as fault:
            raise RuleError("journal-altere", fault.sentence) from None
        except OSError as error:
            raise ConfigurationError("fichier", f"{file} ne peut pas être écrit : {error.strerror}.") from None
        _note(desk, {"ps": number, "depuis": since, "jusqu_a": until, "tout": whole, "evenements": count})
        with desk.store.read() as conn:
            waiting = journal.unsealed_count(conn) - 1  # not the note of this export
    print(f"{file} : {count} événements." + (f" {waiting} plus récents ne sont pas encore scellés." if waiting else ""))


def verify(
    bundle: Annotated[Path | None, typer.Argument(metavar="[LOT]", help="Lot écrit par « oct trace export ».")] = None,
    key: Annotated[
        list[Path] | None, typer.Option("--key", metavar="CLE.pub", help="Clé publique du journal ; répétable.")
    ] = None,
    heads: Annotated[
        Path | None, typer.Option("--heads", metavar="FICHIER", help="Têtes signées, gardées hors de la base.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Vérifie la base elle-même.")] = False,
    config: ConfigOption = None,
) -> None:
    """Vérifie qu'un lot, ou la base, est tel qu'il a été scellé.

    Sortie 1 : le premier événement en cause est nommé.
    """
    from oct.trace.verify import ProofError, check_bundle, read_heads, read_public_keys

    if live == (bundle is not None):
        raise ConfigurationError("choix", "Donnez un LOT, ou bien --live.")
    if not key:
        raise ConfigurationError("cle-publique", "Donnez la clé publique du journal : --key CLE.pub.")
    pems = [read_given(path) for path in key]
    outside = read_given(heads) if heads is not None else b""
    try:
        keys = read_public_keys(pems)
        published = read_heads(outside, keys)
        told = check_bundle(bundle, keys, published) if bundle is not None else _verify_live(config, keys, published)
    except ProofError as fault:
        raise RuleError("preuve", fault.sentence) from None
    print(told)
    if heads is None:
        print("Sans --heads, une copie antérieure restaurée entière ne se verrait pas.")


def rotate(config: ConfigOption = None) -> None:
    """Crée une clé de journal ; elle signera au prochain « oct run ». Les anciennes clés publiques restent utiles."""
    print(f"À donner à qui vérifie la trace : {new_journal_key(read_settings(config).journal.keys)}")


def new_journal_key(directory: Path) -> Path:
    """A new key, last by its name; the path of its public half."""
    from oct.clock import system_clock, utc
    from oct.trace.heads import create_key

    try:
        return create_key(directory, f"{utc(system_clock()):%Y%m%dT%H%M%S}")
    except OSError as error:
        raise ConfigurationError("cle-journal", f"{directory} : clé impossible à écrire, {error.strerror}.") from error


def _verify_live(config: Path | None, keys: PublicKeys, published: list[TreeHead]) -> str:
    from oct.steps.journal.proof import verify_live

    with at_desk(config) as desk:
        return f"{verify_live(desk.store, keys, published, desk.now)} événements scellés : rien n'a été altéré."


def _selection(desk: Desk, number: str, since: str, until: str) -> Selection:
    from oct.store import practitioners
    from oct.store.log_lines import Selection

    account = None
    if number:
        with desk.store.read() as conn:
            found = practitioners.by_number(conn, checked_number(number))
        if found is None:
            raise RuleError("ps-inconnu", f"Aucun PS n'a le numéro {number}.")
        account = found.id
    first, end = _midnight(since, 0), _midnight(until, 1)
    if first is not None and end is not None and end <= first:
        raise ConfigurationError("periode", "Le dernier jour vient avant le premier.")
    return Selection(account, first, end)


def _midnight(day: str, later: int) -> int | None:
    """The instant a day begins in France, `later` days after."""
    from oct.clock import midnight

    if not day:
        return None
    if (start := midnight(day, later)) is None:
        raise ConfigurationError("date", f"Date « {day[:20]} » : {_DAY} attendu.")
    return start


def _note(desk: Desk, data: dict[str, object]) -> None:
    """Reading is an event too (J3)."""
    from oct.steps.journal.reading import Look, Looked, note_look

    note_look(desk.store, Looked(Look.EXPORT, data=data), actor=desk.actor, now=desk.now)
