"""T1: heads that leave the database besides the file, by mail and dated by an authority (RFC 3161)."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from oct.bootstrap import publishing
from oct.settings import load
from oct.steps.journal.proof import export
from oct.steps.journal.publish import HeadMail, HeadStamps
from oct.steps.journal.seal import Sealer
from oct.store import events, stamps
from oct.store.events import Event
from oct.trace.heads import load_signer
from oct.trace.verify import ProofError, check_bundle, read_heads, read_public_keys
from tests.steps.resending_rig import HOUR, Rig, rig
from tests.steps.stamping import Authority, authority
from tests.steps.test_seal import rewritten

AUDITOR = "audit@ailleurs.example"


class Publishing:
    """A concentrator whose events are sealed by hand."""

    def __init__(self, pieces: Rig, home: Path) -> None:
        self.rig = pieces
        self.home = home
        signer = load_signer(home)
        assert signer is not None
        self.sealer = Sealer(pieces.workshop.store, signer, home / "tetes.jsonl", pieces.clock)
        self.keys = read_public_keys([next(home.glob("*.pub")).read_bytes()])

    def seal(self) -> None:
        """Something happens, and is sealed a minute later."""
        with self.rig.workshop.store.begin() as conn:
            events.append(conn, [Event(self.rig.clock(), "essai", "fait")])
        self.rig.clock.pass_hours(1 / 60)
        self.sealer.run()

    def bundle(self) -> Path:
        path = self.home / "lot.zip"
        export(self.rig.workshop.store, path, None, self.rig.clock())
        return path

    def mailed(self) -> list[int]:
        """The sizes of the heads that reached the auditor."""
        self.rig.work()
        letters = self.rig.outside.of(AUDITOR)
        return [head.size for letter in letters for head in read_heads(letter.content, self.keys)]


@pytest.fixture
def log(tmp_path: Path, database_url: str) -> Iterator[Publishing]:
    with rig(tmp_path / "oct", database_url) as made:
        yield Publishing(made, tmp_path / "oct")


@pytest.fixture(scope="module")
def _authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with authority(tmp_path_factory.mktemp("horodatage") / "tsa") as made:
        yield made


@pytest.fixture
def tsa(_authority: Authority) -> Authority:
    """Willing, and asked nothing yet."""
    _authority.answer, _authority.queries = None, 0
    return _authority


def test_the_newest_head_leaves_by_mail_every_hour_once(log: Publishing) -> None:
    """T1: an ordinary consignment, whose content is the line of the head."""
    mail = HeadMail(log.rig.workshop, AUDITOR, HOUR)
    assert mail.run() == 0
    log.seal()
    log.seal()
    assert [mail.run(), mail.run()] == [1, 0]
    assert log.mailed() == [2]
    log.seal()
    assert mail.run() == 0
    log.rig.clock.pass_hours(1)
    assert [mail.run(), mail.run()] == [1, 0]
    assert log.mailed() == [2, 5]  # 1 and 2 mailed with its own event and that of its delivery


def test_a_head_that_could_not_be_mailed_waits_for_a_person(log: Publishing) -> None:
    log.seal()
    log.rig.outside.temper.refuse(550, 1, address=AUDITOR)
    assert HeadMail(log.rig.workshop, AUDITOR, HOUR).run() == 1
    assert log.mailed() == []
    with log.rig.workshop.store.read() as conn:
        (found,) = events.find(conn, "tete.1.1795200060000@concentrateur.example")
        kinds = [(event.kind, event.outcome) for event in events.of_message(conn, found)]
    assert kinds == [("tete", "courrier"), ("remise", "echec")]


def verified(tsa: Authority, folder: Path, size: int) -> bool:
    """What the auditor's OpenSSL says."""
    given = ["-in", f"{size}.tsr", "-data", f"{size}.tete", "-CAfile", str(tsa.certificate)]
    command = ["openssl", "ts", "-verify", *given]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return done.returncode == 0 and b"Verification: OK" in done.stdout + done.stderr


def test_the_newest_head_is_dated_and_openssl_verifies_the_bundle(
    log: Publishing, tsa: Authority, tmp_path: Path
) -> None:
    """T1."""
    dating = HeadStamps(log.rig.workshop, tsa.url, HOUR)
    assert dating.run() == 0
    log.seal()
    log.seal()
    assert [dating.run(), dating.run()] == [1, 0]
    log.seal()
    assert dating.run() == 0
    log.rig.clock.pass_hours(1)
    assert [dating.run(), tsa.queries] == [1, 2]
    bundle = log.bundle()
    assert "2 horodatées" in check_bundle(bundle, log.keys)
    with zipfile.ZipFile(bundle) as files:
        files.extractall(tmp_path / "lot")
    tokens = tmp_path / "lot" / "jetons"
    assert sorted(path.name for path in tokens.iterdir()) == ["2.tete", "2.tsr", "3.tete", "3.tsr"]
    assert verified(tsa, tokens, 2)
    assert verified(tsa, tokens, 3)
    (tokens / "3.tete").write_bytes((tokens / "2.tete").read_bytes())
    assert not verified(tsa, tokens, 3)


def test_a_token_of_another_head_is_found(log: Publishing, tsa: Authority) -> None:
    log.seal()
    HeadStamps(log.rig.workshop, tsa.url, HOUR).run()
    bundle = log.bundle()
    with zipfile.ZipFile(bundle) as files:
        line = files.read("jetons/1.tete")
    with pytest.raises(ProofError, match="n'est pas celui d'une tête"):
        check_bundle(rewritten(bundle, "jetons/1.tete", line[:40], line[:39] + b"?"), log.keys)
    with log.rig.workshop.store.read() as conn:
        ((_, token),) = stamps.tokens(conn, {1})
    with pytest.raises(ProofError, match="ne date pas"):
        check_bundle(rewritten(bundle, "jetons/1.tsr", token, bytes(len(token))), log.keys)


@pytest.mark.parametrize("answer", [b"", b"pas du DER", bytes.fromhex("30053003020102")])
def test_an_authority_that_answers_badly_delays_nothing(log: Publishing, tsa: Authority, answer: bytes) -> None:
    """Nothing, no DER, a refusal (PKIStatus 2): the next run asks again."""
    log.seal()
    dating = HeadStamps(log.rig.workshop, tsa.url, HOUR)
    tsa.answer = answer
    assert dating.run() == 0
    tsa.answer = None
    assert dating.run() == 1


def test_an_authority_that_dates_something_else_is_not_believed(log: Publishing, tsa: Authority) -> None:
    log.seal()
    dating = HeadStamps(log.rig.workshop, tsa.url, 0)
    assert dating.run() == 1
    tsa.answer = (tsa.home / "reply.tsr").read_bytes()
    log.seal()
    assert dating.run() == 0


def test_an_authority_that_is_away_delays_nothing(log: Publishing, tsa: Authority) -> None:
    log.seal()
    assert HeadStamps(log.rig.workshop, "http://127.0.0.1:9/", HOUR).run() == 0
    log.seal()
    assert len((log.home / "tetes.jsonl").read_bytes().splitlines()) == 2


def test_the_settings_say_by_which_ways_heads_leave(log: Publishing) -> None:
    path, workshop = log.home / "oct.toml", log.rig.workshop
    assert publishing(load(path, {}).settings, workshop) == []
    both = {"OCT_JOURNAL__MAIL": AUDITOR, "OCT_JOURNAL__TIMESTAMP_URL": "https://horodatage.example/tsa"}
    assert len(publishing(load(path, both).settings, workshop)) == 2
