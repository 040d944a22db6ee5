"""`oct init` and `oct config`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from cryptography import x509

from oct.crypto.certificates import addresses_of
from oct.crypto.keystore import KeyRing
from oct.crypto.pair_files import read_authority
from oct.errors import ConfigurationError
from oct.settings import load
from oct.store.schema import REVISION
from tests.adapters.cli.desk import Office


def test_an_installation_has_configuration_keys_and_database(office: Office) -> None:
    settings = load(office.folder / "oct.toml", {}).settings
    assert (settings.oct.number, settings.oct.address) == ("552100554", "oct@essai.example")
    (pair,) = KeyRing.load(office.folder / "keys").keys
    assert addresses_of(pair.certificate) == ("oct@essai.example",)
    assert office("certs", "check").code == 0
    assert len(list((office.folder / "keys" / "master").glob("*.master"))) == 1


def test_the_configuration_stays_commented(office: Office) -> None:
    text = (office.folder / "oct.toml").read_text(encoding="utf-8")
    assert '# listen = ["127.0.0.1:2525"]' in text
    assert tomllib.loads(text)["smtp"] == {}


def test_what_is_secret_is_readable_by_its_owner_alone(office: Office) -> None:
    secrets = [*office.folder.rglob("*.key"), *office.folder.rglob("*.master"),
               *office.folder.rglob("*.pseudonyme")]  # fmt: skip
    assert len(secrets) == 6
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}


def test_the_trial_authority_can_issue_more(office: Office) -> None:
    pair = read_authority(office.folder / "essai").issue("caisse@essai.example")
    with pytest.raises(ConfigurationError):
        read_authority(office.folder / "keys")
    assert addresses_of(pair.certificate) == ("caisse@essai.example",)


def test_init_again_changes_neither_keys_nor_configuration(office: Office) -> None:
    before = {path: path.read_bytes() for path in office.folder.rglob("*") if path.suffix in {".key", ".pem", ".toml"}}
    result = office.bare("init", office.folder, "--test", "--number", "999999999")
    assert result.code == 0
    assert REVISION in result.out
    assert "rien n'y est changé" in result.out
    assert {path: path.read_bytes() for path in before} == before


def test_init_without_trial_asks_for_a_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    office = Office(tmp_path / "oct", capsys)
    result = office.bare("init", office.folder, "--address", "oct@reel.example", "--name", 'Le "Pont" \\ Sud')
    assert result.code == 0
    request = x509.load_pem_x509_csr((office.folder / "keys" / "oct.csr").read_bytes())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == ["oct@reel.example"]
    assert load(office.folder / "oct.toml", {}).settings.oct.name == 'Le "Pont" \\ Sud'
    waiting = office("run")
    assert waiting.code == 2
    assert waiting.err.count("\n") == 1
    assert "oct.pem manque" in waiting.err


def test_init_refuses_a_bad_value_before_it_writes_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    office = Office(tmp_path / "oct", capsys)
    result = office.bare("init", office.folder, "--number", "12")
    assert (result.code, result.err) == (2, "oct : [oct] number : attendu : 9 à 14 chiffres, entre guillemets.\n")
    assert not office.folder.exists()


def test_init_where_nothing_can_be_written_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    obstacle = tmp_path / "fichier"
    obstacle.touch()
    result = Office(tmp_path, capsys).bare("init", obstacle / "oct")
    assert result.code == 2
    assert result.err.endswith("ne peut pas être créé : un élément du chemin n'est pas un répertoire.\n")


def test_init_interrupted_is_completed_by_the_next(office: Office) -> None:
    """The configuration comes last: without it, what exists is kept and the rest is made."""
    key = (office.folder / "keys" / "oct.key").read_bytes()
    (office.folder / "oct.toml").unlink()
    result = office.bare("init", office.folder, "--test", "--address", "oct@essai.example")
    assert result.code == 0
    assert "conservées" in result.out
    assert (office.folder / "keys" / "oct.key").read_bytes() == key
    assert (office.folder / "oct.toml").exists()


def test_config_shows_values_with_their_origin(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCT_SMTP__LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("OCT_KEYS__PASSPHRASE", "sesame")
    result = office("config", "--json")
    found = {(row["table"], row["cle"]): (row["valeur"], row["origine"]) for row in result.json}
    assert found["oct", "number"] == ("552100554", "fichier")
    assert found["smtp", "listen"] == ("127.0.0.1:0", "environnement")
    assert found["smtp", "idle"] == ("5m", "défaut")
    assert found["keys", "passphrase"] == ("***", "environnement")
    assert "sesame" not in office("config").out


def test_config_check_tells_every_fault(office: Office) -> None:
    assert office("config", "--check").code == 0
    (office.folder / "oct.toml").write_text('[oct]\nnumber = "1"\n[smtp]\nzut = 1\n', encoding="utf-8")
    result = office("config", "--check")
    assert result.code == 2
    assert result.err.splitlines() == [
        "oct : [oct] number : attendu : 9 à 14 chiffres, entre guillemets.",
        "oct : [smtp] zut : clé inconnue.",
    ]
