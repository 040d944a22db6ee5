"""`oct certs`: authorities, certificates of insurers and practitioners, own keys, revocation lists, what expires."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oct.cli import DOES_NOT_HOLD
from oct.cli.opening import ConfigOption, Desk, JsonOption, at_desk, checked_address, read_given
from oct.cli.printing import Instant, print_rows
from oct.cli.usage import Noun
from oct.errors import ConfigurationError, RuleError

if TYPE_CHECKING:
    from oct.crypto.keystore import OwnKey
    from oct.settings import Settings
    from oct.steps.register.validity import Finding
    from oct.store.certificates import StoredCertificate

app = Noun("Les certificats, les clés, les listes de révocation.")


@app.command()
def add(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FICHIER...", help="PEM, DER, PKCS#7, listes de révocation ; dans n'importe quel ordre."
        ),
    ],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FICHIER", help="Clé privée du certificat du concentrateur.")
    ] = None,
    for_: Annotated[
        str,
        typer.Option(
            "--for", metavar="ADRESSE", help="Adresse à retenir au lieu de celle du certificat.", show_default=False
        ),
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Ajoute des certificats et dit, pour chacun, ce qui a été fait."""
    given = [*files, *([key] if key is not None else [])]
    with at_desk(config) as desk:
        kept = enrol_files(desk, given, checked_address(for_) if for_ else "")
    if not kept:
        raise typer.Exit(DOES_NOT_HOLD)


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Liste les certificats, le premier à expirer d'abord."""
    from oct.store import certificates

    with at_desk(config) as desk:
        with desk.store.read() as conn:
            rows = [_stored(one) for one in certificates.list_all(conn)]
        rows += [_own(pair) for pair in own_pairs(desk.settings)]
    headings = {
        "id": "Id",
        "role": "Rôle",
        "adresse": "Adresse ou nom",
        "numero_de_serie": "N° de série",
        "debut": "Valable du",
        "fin": "au",
        "retire": "Retiré",
    }
    print_rows(sorted(rows, key=lambda row: row["fin"].ms), headings, as_json=as_json, empty="Aucun certificat.")


@app.command()
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Vérifie tous les certificats.

    Sortie 1 si l'un ne peut servir ou expire dans les 30 jours.
    """
    with at_desk(config) as desk:
        findings = findings_at(desk)
    rows = [
        {"niveau": one.level.value, "id": one.id, "certificat": one.what, "constat": one.sentence} for one in findings
    ]
    headings = {"niveau": "Niveau", "id": "Id", "certificat": "Certificat", "constat": "Constat"}
    print_rows(rows, headings, as_json=as_json, empty="Tous les certificats sont bons pour 30 jours au moins.")
    if any(one.needs_a_person for one in findings):
        raise typer.Exit(DOES_NOT_HOLD)


@app.command()
def retire(
    certificate: Annotated[int, typer.Argument(metavar="ID", help="Identifiant de « oct certs list ».")],
    config: ConfigOption = None,
) -> None:
    """Retire un certificat.

    D'un assureur, d'un PS ou d'une autorité : plus rien ne sera chiffré pour lui.
    """
    from oct.store import certificates, events
    from oct.store.events import Event

    with at_desk(config) as desk, desk.store.begin() as conn:
        if not certificates.retire(conn, certificate, desk.now):
            raise RuleError("certificat-inconnu", f"Aucun certificat en service ne porte l'identifiant {certificate}.")
        data = {"certificat": certificate}
        events.append(conn, [Event(desk.now, "certificat", "retire", actor=desk.actor, data=data)])
    print(f"Certificat {certificate} retiré.")


def enrol_files(desk: Desk, files: Sequence[Path], address: str) -> bool:
    """Files what the operator hands in and tells it line by line; whether everything was kept."""
    from oct.steps.register.enrol import OwnPlace, enrol

    keys = desk.settings.keys
    own = OwnPlace(desk.settings.oct.address, keys.directory, keys.passphrase.encode() or None)
    given = [(str(path), read_given(path)) for path in files]
    outcomes = enrol(desk.store, given, own, now=desk.now, actor=desk.actor, address=address)
    for outcome in outcomes:
        print(outcome.sentence)
    return all(outcome.done for outcome in outcomes)


def findings_at(desk: Desk) -> list[Finding]:
    """What is wrong, or about to be, with any certificate."""
    from datetime import timedelta

    from oct.crypto.revocation import RevocationPolicy
    from oct.steps.register.validity import look_over
    from oct.store import certificates
    from oct.store.registry import Registry

    rules = desk.settings.certificates
    registry = Registry(RevocationPolicy(rules.revocation), timedelta(milliseconds=rules.grace))
    with desk.store.read() as conn:
        stored, lists = certificates.list_all(conn), certificates.revocation_lists(conn)
        trust = registry.current(conn).trust
    return look_over(stored, lists, own_pairs(desk.settings), trust, desk.now)


def own_pairs(settings: Settings) -> tuple[OwnKey, ...]:
    """The concentrator's pairs; none while its first certificate is awaited."""
    from oct.crypto.keystore import KeyRing

    try:
        return KeyRing.load(settings.keys.directory, settings.keys.passphrase.encode() or None).keys
    except ConfigurationError as error:
        if error.code in {"cles-absentes", "certificat-absent"}:
            return ()
        raise


def _stored(one: StoredCertificate) -> dict[str, Any]:
    return {
        "id": one.id,
        "role": "autorité" if one.role == "autorite" else "entité",
        "adresse": one.address or one.subject,
        "sujet": one.subject,
        "numero_de_serie": one.serial,
        "empreinte": one.fingerprint,
        "debut": Instant(one.not_before),
        "fin": Instant(one.not_after),
        "retire": one.retired_at is not None,
    }


def _own(pair: OwnKey) -> dict[str, Any]:
    from oct.crypto.certificates import fingerprint
    from oct.steps.register.enrol import subject_of

    certificate = pair.certificate
    return {
        "id": None,
        "role": "concentrateur",
        "adresse": pair.name,
        "sujet": subject_of(certificate),
        "numero_de_serie": f"{certificate.serial_number:x}",
        "empreinte": fingerprint(certificate),
        "debut": Instant(int(certificate.not_valid_before_utc.timestamp() * 1000)),
        "fin": Instant(int(certificate.not_valid_after_utc.timestamp() * 1000)),
        "retire": False,
    }
