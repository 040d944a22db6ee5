"""`oct run` as its own process, then what `held`, `trace` and `status` tell of the message that went through it.

One message with two lots: one for a caisse of the directory, whose insurer answers, one for a caisse that nobody
knows, which is held (L6).
"""

from __future__ import annotations

import io
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from oct.cli import main
from oct.clock import paris, system_clock
from oct.crypto.keystore import KeyRing
from oct.crypto.pair_files import read_authority, write_pair
from oct.formats.entities import Entities
from oct.formats.layouts import Layouts
from oct.settings.data_files import built_in
from oct.simulators.answers import Answers
from oct.simulators.insurer import Insurer
from oct.simulators.parties import Amc, Caisse, Network, Sender
from oct.simulators.practitioner import Mailbox, PractitionerSoftware
from oct.simulators.traffic import ClaimFile, Claims
from oct.store.browse.log import readings_page
from oct.store.tables import consignments, messages
from tests.adapters.cli.desk import AMC, OFFICIAL, PRACTITIONERS, Office, Result

SENDER = Sender("421234567", "ER", "CABINET DU PONT")
KNOWN = Caisse("01", "422", "0000", "422", "016")
UNKNOWN = Caisse("01", "999", "0000", "998", "997")
CAISSE = "01422@422.01.rss.fr"
LAYOUTS = Layouts.from_toml(built_in("layouts.toml"))
_OCT = [sys.executable, "-c", "import sys; from oct.cli import main; sys.exit(main())"]
_PATIENCE = 30


@dataclass(frozen=True)
class Played:
    """An installation that worked: its folder, the file that was sent, its trace number, the program's output."""

    folder: Path
    file: ClaimFile
    trace: str
    out: str
    err: str


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
    """The program, and where its door is."""
    line = [*_OCT, "run", "--config", str(folder)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        ready = re.fullmatch(r"Prêt : SMTP (127\.0\.0\.1):(\d+)\n", program.stdout.readline())
        try:
            assert ready is not None, program.stderr and program.stderr.read()
            yield program, (ready[1], int(ready[2]))
        finally:
            program.kill()


def configure(folder: Path, front: Insurer, mailbox: Mailbox) -> None:
    routes = ", ".join(
        f'"{domain}" = "{server.address[0]}:{server.address[1]}"'
        for domain, server in (("rss.fr", front), ("boite.example", mailbox))
    )
    path = folder / "oct.toml"
    text = path.read_text(encoding="utf-8")
    text = text.replace('# listen = ["127.0.0.1:2525"]', 'listen = ["127.0.0.1:0"]')
    text = text.replace("# routes = {}", f"routes = {{ {routes} }}")
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def played(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One message through the whole program, from the practitioner to the insurer and back."""
    folder = Path(shutil.copytree(installed, tmp_path_factory.mktemp("joue") / "oct"))
    caisse = read_authority(folder / "essai").issue(CAISSE)
    write_pair(folder / "essai", caisse)
    for name, content in (("orgdest.csv", OFFICIAL), ("amc.csv", AMC), ("ps.csv", PRACTITIONERS)):
        (folder / name).write_bytes(content)
    for line in (["insurers", "import", "orgdest.csv"], ["insurers", "import", "amc.csv"], ["ps", "import", "ps.csv"]):
        assert main([*line[:-1], str(folder / line[-1]), "--config", str(folder)]) == 0
    assert main(["certs", "add", str(folder / "essai" / f"{CAISSE}.pem"), "--config", str(folder)]) == 0
    own = KeyRing.load(folder / "keys").keys[0].certificate
    network = Network("00000552100554", (KNOWN, UNKNOWN), (Amc("0099999991", "MA", "349"),))
    claims = Claims(LAYOUTS, random.Random(7), network, paris(system_clock()).date())
    file = claims.file(SENDER, [claims.fse_lot(SENDER, KNOWN, invoices=2), claims.fse_lot(SENDER, UNKNOWN, invoices=1)])
    with (
        Insurer({CAISSE: caisse}, layouts=LAYOUTS, clock=system_clock) as front,
        Mailbox(["pont@boite.example"]) as mailbox,
    ):
        configure(folder, front, mailbox)
        with running(folder) as (program, door):
            software = PractitionerSoftware(
                SENDER,
                "pont@boite.example",
                concentrator="oct@essai.example",
                certificate=own,
                door=door,
                clock=system_clock,
            )
            reply = software.submit(file)
            assert reply.accepted, reply
            assert front.wait_for(1, _PATIENCE)
            assert mailbox.wait_for(1, _PATIENCE)
            answers = Answers(
                door,
                layouts=LAYOUTS,
                entities=Entities.from_toml(built_in("noemie.toml")),
                clock=system_clock,
                certificate=own,
            )
            assert answers.acknowledge(front.opened()[0]).accepted
            assert mailbox.wait_for(2, _PATIENCE)
            program.send_signal(signal.SIGTERM)
            out, err = program.communicate(timeout=_PATIENCE)
            assert program.returncode == 0, err
    return Played(folder, file, reply.text.rpartition(" ")[2], out, err)


@pytest.fixture
def after(played: Played, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Office:
    """A copy of what it left."""
    return Office(Path(shutil.copytree(played.folder, tmp_path / "oct")), capsys)


def test_the_program_stops_cleanly_and_logs_no_content(played: Played) -> None:
    """P5, T4."""
    assert played.out == "Arrêté.\n"
    assert "Traceback" not in played.err
    assert "PONT" not in played.err


def test_a_second_program_on_the_same_database_is_refused(after: Office) -> None:
    with running(after.folder) as (program, _):
        second = subprocess.run(
            [*_OCT, "run", "--config", str(after.folder)], capture_output=True, text=True, timeout=60, check=False
        )
        program.send_signal(signal.SIGINT)
        program.send_signal(signal.SIGTERM)  # a second signal is ignored
        assert program.wait(_PATIENCE) == 0
    assert second.returncode == 2
    assert second.stderr.count("\n") == 1
    assert "tourne déjà" in second.stderr


def test_the_unknown_caisse_waits_for_a_person(after: Office, played: Played) -> None:
    """L6."""
    (held,) = after("held", "list", "--json").json
    lot = played.file.lots[1]
    assert (held["objet"], held["suivi"], held["ps"]) == ("lots", played.trace, "421234567")
    assert [one.split("/")[1] for one in held["lots"]] == [f"{lot.number:03}"]
    assert held["motif"]
    shown = after("held", "show", str(held["id"]))
    assert played.trace in shown.out
    status = after("status")
    assert status.code == 1
    assert held["code"] in status.out


def test_what_still_cannot_leave_stays_held_with_the_reason(after: Office) -> None:
    before = after("held", "list").out
    result = after("held", "release", "1")
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert after("held", "list").out == before


def test_a_held_lot_leaves_once_the_directory_knows_its_caisse(after: Office) -> None:
    """K2: the event says who decided."""
    table = OFFICIAL + b'"01";"999";"0000";"CAISSE DE TEST";"RG";"998";"997"\n'
    assert after("insurers", "import", after.file("orgdest.csv", table)).code == 0
    pair = read_authority(after.folder / "essai").issue("01998@998.01.rss.fr")
    write_pair(after.folder, pair)
    assert after("certs", "add", after.folder / "01998@998.01.rss.fr.pem").code == 0
    assert after("held", "release", "1").code == 0
    assert after("held", "list", "--json").json == []


def test_a_held_lot_goes_where_the_operator_says(after: Office, played: Played) -> None:
    assert after("held", "route", "1", "--to", "personne@nulle.example").code == 1
    assert after("held", "route", "99", "--to", CAISSE).code == 1
    assert after("held", "route", "1", "--to", CAISSE).code == 0
    story = after("trace", "show", played.trace, "--json").json
    assert [lot["etat"] for lot in story["lots"]] == ["accepté (ARL)", "en partance"]
    assert "en attente" in after("status").out


def test_a_held_lot_is_refused_once(after: Office, played: Played) -> None:
    assert after("held", "refuse", "1", "--reason", "Caisse inconnue, à refaire.").code == 0
    assert after("held", "list", "--json").json == []
    assert after("held", "refuse", "1", "--reason", "Encore.").code == 1
    assert after("held", "show", "99").code == 1
    story = after("trace", "show", played.trace, "--json").json
    (decision,) = [event for event in story["evenements"] if event["quoi"] == "decision"]
    assert decision["acteur"].startswith("cli:")
    assert after("status").code == 0


def test_the_story_is_found_by_any_identifier(after: Office, played: Played) -> None:
    """J1: trace number however written, compostage, Message-ID, file id, invoice, lot; its own and what left of it."""
    story = after("trace", "show", played.trace, "--json").json
    lot = played.file.lots[0]
    out = next(one for one in story["envois"] if one["genre"] == "factures")
    identifiers = [
        played.trace.lower().replace("-", ""),
        story["message"]["compostage"],
        story["message"]["message_id"],
        played.file.file_id,
        lot.invoices[0].number,
        story["lots"][0]["lot"],
        out["compostage"],
        out["message_id"].strip("<>"),
        out["fichier"],
    ]
    for identifier in identifiers:
        found = after("trace", "show", identifier, "--json")
        assert found.code == 0, identifier
        assert found.json["message"]["suivi"] == played.trace, identifier


def test_the_story_tells_both_directions_and_no_content(after: Office, played: Played) -> None:
    """J1, J4: what left, what came back, what is held; never a name or an NIR."""
    result = after("trace", "show", played.trace)
    assert result.code == 0
    for said in ("accepté (ARL)", "retenu", "ART", CAISSE, "Retour", "genre ARL", "Événement"):
        assert said in result.out
    header = LAYOUTS["invoice_header"]
    for invoice in (one for lot in played.file.lots for one in lot.invoices):
        assert header.text(invoice.records[0], "insured_nir") not in result.out
    assert SENDER.name not in result.out
    told = after("trace", "show", played.trace, "--json").json
    assert all(event["instant"].endswith("+00:00") for event in told["evenements"])
    (answer,) = told["retours"]
    carried = after("trace", "show", answer["suivi"], "--json").json["envois"]
    assert {name: answer[name] for name in ("envoi", "destinataire", "remis", "reponse")} in [
        {name: one[name] for name in ("envoi", "destinataire", "remis", "reponse")} for one in carried
    ]


def test_the_insurer_s_answer_has_its_own_story(after: Office, played: Played) -> None:
    (answer,) = after("trace", "show", played.trace, "--json").json["retours"]
    story = after("trace", "show", answer["suivi"]).out
    assert "origine assureur" in story
    assert "ARL" in story


def test_an_identifier_shared_by_several_messages_lists_them(after: Office, played: Played) -> None:
    """A bare lot number is many practitioners'."""
    with after.database() as conn:
        answer = conn.execute(messages.select().where(messages.c.origin == "assureur")).one()
        conn.execute(messages.update().where(messages.c.id == answer.id).values(origin="ps"))
    listed = after("trace", "show", f"{played.file.lots[0].number:03}", "--json").json
    assert {row["suivi"] for row in listed} == {played.trace, answer.trace}


def test_an_unknown_identifier_is_one_line(after: Office) -> None:
    result = after("trace", "show", "ABC\x1b[2J")
    assert (result.code, result.err) == (1, "oct : Rien n'est connu sous « ABC?[2J ».\n")


def test_the_state_of_everything_fits_one_page(after: Office) -> None:
    """K1."""
    document = after("status", "--json").json
    assert document["messages"] == {"processed": 2}
    assert document["lots"] == {"acknowledged": 1, "held": 1}
    assert document["envois"] == {"delivered": 3}
    assert sum(document["retenues"].values()) == 1
    assert document["reportes"] == 0
    assert document["plus_ancien_a_traiter"] is None


def test_messages_that_nobody_processes_are_an_alert(after: Office) -> None:
    after("held", "refuse", "1", "--reason", "Non.")
    with after.database() as conn:
        conn.execute(messages.update().values(due_at=1))
        conn.execute(consignments.update().values(due_at=1, state="waiting", attempts=2, reply="451 plus tard"))
    result = after("status")
    assert result.code == 1
    assert "« oct run » ?" in result.out
    assert "envois déjà tentés" in result.out


def test_a_patient_s_claims_are_found_by_the_nir_which_is_written_nowhere(
    after: Office, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J3, J4: also under an older key; who asked is an event."""
    invoice = played.file.lots[0].invoices[0]
    nir = LAYOUTS["invoice_header"].text(invoice.records[0], "insured_nir")

    def ask(text: str) -> Result:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        return after("trace", "pseudonym", "--json")

    found = ask(f"{nir[:7]} {nir[7:]} 42\n").json
    assert [row["suivi"] for row in found["factures"]] == [played.trace] * len(found["factures"])
    assert invoice.number in {row["facture"] for row in found["factures"]}
    after("keys", "rotate", "pseudonymes")
    again = ask(nir.lower()).json
    assert again["factures"] == found["factures"]
    assert again["pseudonymes"][1:] == found["pseudonymes"]
    assert ask("1999999999999\n").json["factures"] == []
    refused = ask("LE NOM\n")
    assert (refused.code, refused.err.count("\n"), "NOM" in refused.err) == (2, 1, False)
    for path in after.folder.glob("oct.db*"):
        assert nir.encode() not in path.read_bytes()
    with after.database() as conn:
        said = [one.event.data["pseudonymes"] for one in readings_page(conn).rows if one.event is not None]
        assert sum(found["pseudonymes"][0] in one for one in said) == 2


def test_j3_who_has_traffic_shown_is_written_down(after: Office, played: Played) -> None:
    """By whom, by which command, of which message; the story itself does not grow by being read."""
    told = after("trace", "show", played.trace, "--json").json["evenements"]
    assert after("trace", "show", "DUPONT Jeanne").code != 0
    (held,) = after("held", "list", "--json").json
    after("held", "show", str(held["id"]))
    after("returns", "list")
    assert after("trace", "show", played.trace, "--json").json["evenements"] == told
    with after.database() as conn:
        looks = [one.event for one in reversed(readings_page(conn).rows) if one.event is not None]
    assert {look.outcome for look in looks} == {"commande"}
    assert all(look.actor.startswith("cli:") for look in looks)
    commands = [look.data["commande"] for look in looks]
    assert looks[1].data == {"commande": "trace show", "signes": 13, "trouve": 0}
    assert commands == ["trace show", "trace show", "held list", "held show", "returns list", "trace show"]
    assert looks[0].data["cherche"] == played.trace
