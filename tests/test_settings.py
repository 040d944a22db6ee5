"""The settings: one frozen tree from file and environment, every fault told at once, every key explained."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.domain.conventions import FileSender
from oct.errors import ConfigurationError
from oct.settings import Origin, Settings, check_text, find, load, shown
from oct.settings.data_files import built_in, data_file
from oct.settings.values import BYTES, TIME, Unit

SHIPPED = built_in("oct.toml")
WITHOUT_DEFAULT = frozenset(
    {"tls_certificate", "tls_key", "layouts", "profiles", "noemie", "professions", "regimes"}  # shown as ""
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "oct.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(written(tmp_path, text), environment or {})
    return caught.value.sentence.splitlines()


def test_the_shipped_file_names_every_key_with_its_default(tmp_path: Path) -> None:
    """Uncommented, it is the tree of defaults: nothing forgotten, nothing else."""
    uncommented = re.sub(r"^# (?=[a-z0-9_]+ = )", "", SHIPPED, flags=re.MULTILINE)
    document = tomllib.loads(uncommented)
    keys = {(name, key) for name, table in document.items() for key in table}
    assert keys == {(one.section, one.key) for one in shown(load(None, {}))}
    given_back = {
        name: {key: value for key, value in table.items() if key not in WITHOUT_DEFAULT}
        for name, table in document.items()
    }
    assert Settings.model_validate(given_back) == Settings()


def test_the_shipped_file_as_it_is_changes_nothing(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, SHIPPED), {})
    assert loaded.origins == {}
    assert loaded.settings.smtp == Settings().smtp


def test_every_key_of_the_shipped_file_is_explained() -> None:
    """A comment stands above each group of keys."""
    for block in SHIPPED.split("\n\n"):
        if re.search(r"^# [a-z0-9_]+ = ", block, flags=re.MULTILINE) and "[formats]" not in block:
            explained = [line for line in block.splitlines() if re.match(r"# (?![a-z0-9_]+ = )", line)]
            assert explained, block


def test_the_environment_wins_over_the_file_and_origins_are_known(tmp_path: Path) -> None:
    path = written(tmp_path, '[oct]\nname = "A"\nhostname = "a"\n')
    loaded = load(path, {"OCT_OCT__NAME": "B", "OCT_SMTP__LISTEN": "127.0.0.1:1, tls://[::1]:2", "HOME": "/"})
    assert (loaded.settings.oct.name, loaded.settings.oct.hostname) == ("B", "a")
    assert loaded.settings.smtp.listen == ("127.0.0.1:1", "tls://[::1]:2")
    origins = {(one.section, one.key): one.origin for one in shown(loaded)}
    assert origins["oct", "name"] is Origin.ENVIRONMENT
    assert origins["oct", "hostname"] is Origin.FILE
    assert origins["oct", "number"] is Origin.DEFAULT


def test_a_secret_is_a_file_between_the_configuration_and_the_environment(tmp_path: Path) -> None:
    """Named as its setting; other files of the folder are somebody else's."""
    path, secrets = written(tmp_path, '[oct]\nname = "A"\nhostname = "a"\n'), tmp_path / "secrets"
    secrets.mkdir()
    for name, value in {"store__url": "postgresql://u:s@h/b\n", "oct__name": "B", "autre": "x"}.items():
        (secrets / name).write_text(value, encoding="utf-8")
    loaded = load(path, {"OCT_SECRETS": str(secrets), "OCT_OCT__NAME": "C"})
    assert (loaded.settings.store.url, loaded.settings.oct.name) == ("postgresql://u:s@h/b", "C")
    told = {(one.section, one.key): (one.value, one.origin) for one in shown(loaded)}
    assert told["store", "url"] == ("postgresql://u:***@h/b", Origin.SECRET)
    with pytest.raises(ConfigurationError, match="secrets-illisibles"):
        load(path, {"OCT_SECRETS": str(tmp_path / "nowhere")})


@pytest.mark.parametrize("given", ['time_limit = "2m"', 'visibility = "2m"'])
def test_with_a_broker_work_ends_before_its_lease_and_its_lease_before_it_is_given_again(
    tmp_path: Path, given: str
) -> None:
    """P2: or two workers would do the same."""
    fault = "Clés qui ne vont pas ensemble : il faut [queue] time_limit < [worker] lease < [queue] visibility."
    assert faults(tmp_path, f'[queue]\nurl = "redis://h/0"\n{given}\n') == [fault]
    load(written(tmp_path, f"[queue]\n{given}\n"), {})


def test_a_convention_is_changed_by_the_environment_too() -> None:
    conventions = load(
        None, {"OCT_CONVENTIONS__AMO_DROPS": "M", "OCT_CONVENTIONS__AMO_SENDER": "ps"}
    ).settings.conventions
    assert conventions.amo_drops == ("M",)
    assert conventions.amo_sender is FileSender.PS


def test_durations_and_sizes_are_read_with_their_unit(tmp_path: Path) -> None:
    settings = load(written(tmp_path, '[smtp]\nidle = "90s"\nmax_message = "1 MiB"\n'), {}).settings
    assert (settings.smtp.idle, settings.smtp.max_message) == (90_000, 1 << 20)


def test_relative_paths_are_taken_from_the_file(tmp_path: Path) -> None:
    settings = load(written(tmp_path, '[formats]\nlayouts = "mes.toml"\n'), {}).settings
    assert settings.store.url == f"sqlite:///{tmp_path}/oct.db"
    assert settings.keys.directory == tmp_path / "keys"
    assert settings.formats.layouts == tmp_path / "mes.toml"


def test_all_faults_are_told_at_once_in_french_one_a_line(tmp_path: Path) -> None:
    text = """
        zorglub = { a = 1 }
        [oct]
        number = 12
        name = ""
        address = "x"
        [smtp]
        listen = ["nope"]
        idle = "5 minutes"
        max_recipients = 0
        max_connections = "x"
        max_connection = 3
        [delivery]
        tls = "yes"
        relay = "x"
        routes = { "rss.fr" = "x" }
        [store]
        pool_size = 500
        [keys]
        directory = 4
        [clear]
        accept = "peut-être"
        [conventions]
        amo_sender = "x"
        amo_drops = 3
        foo = 1
    """
    assert sorted(faults(tmp_path, text)) == sorted(
        [
            "[zorglub] : table inconnue.",
            "[oct] number : un texte entre guillemets est attendu.",
            "[oct] name : un texte non vide est attendu.",
            "[oct] address : attendu : une adresse électronique.",
            "[smtp] listen (élément 1) : attendu : hôte:port ou tls://hôte:port, par exemple 127.0.0.1:2525.",
            '[smtp] idle : attendu : un nombre et une unité, par exemple "48h".',
            "[smtp] max_recipients : 1 au moins.",
            "[smtp] max_connections : un nombre entier est attendu.",
            "[smtp] max_connection : clé inconnue.",
            "[delivery] tls : valeurs possibles : 'none', 'opportunistic' ou 'required'.",
            "[delivery] relay : attendu : hôte:port, ou rien.",
            "[delivery] routes (rss.fr) : attendu : hôte:port, par exemple 127.0.0.1:2525 ou [2001:db8::1]:25.",
            "[store] pool_size : 100 au plus.",
            "[keys] directory : un chemin entre guillemets est attendu.",
            "[clear] accept : true ou false est attendu.",
            "[conventions] amo_sender : valeurs possibles : 'oct' ou 'ps'.",
            "[conventions] amo_drops : une liste est attendue.",
            "[conventions] foo : clé inconnue.",
        ]
    )


def test_a_tls_certificate_without_its_key_is_a_fault(tmp_path: Path) -> None:
    assert faults(tmp_path, '[smtp]\ntls_key = "a.key"') == ["[smtp] : tls_certificate et tls_key vont ensemble."]


def test_a_fault_of_the_environment_is_told_like_one_of_the_file(tmp_path: Path) -> None:
    assert faults(tmp_path, "", {"OCT_SMTP__IDEL": "5m"}) == ["[smtp] idel : clé inconnue."]


@pytest.mark.parametrize("text", ["[oct", "oct = 3", "a = \udcff"])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "oct.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError):
        load(path, {})


def test_a_text_is_checked_before_it_becomes_a_file() -> None:
    check_text(SHIPPED)
    with pytest.raises(ConfigurationError, match="9 à 14 chiffres"):
        check_text('[oct]\nnumber = "12"')


def test_secrets_are_hidden() -> None:
    loaded = load(None, {"OCT_KEYS__PASSPHRASE": "sesame", "OCT_STORE__URL": "postgresql+psycopg://oct:sesame@h/d"})
    values = {(one.section, one.key): one.value for one in shown(loaded)}
    assert values["keys", "passphrase"] == "***"
    assert values["store", "url"] == "postgresql+psycopg://oct:***@h/d"
    assert "sesame" not in repr(loaded.settings.keys)


def test_values_are_shown_as_they_are_written() -> None:
    values = {(one.section, one.key): one.value for one in shown(load(None, {}))}
    assert values["delivery", "retry"] == "1m, 5m, 15m, 1h, 4h"
    assert values["smtp", "max_message"] == "48MiB"
    assert values["clear", "accept"] == "false"


@pytest.mark.parametrize("server", ["h:0", "h:65536", "h:99999", ":25", "::1", "2001:db8::1:25", "[::1:25", "::1]:25"])
def test_a_server_that_could_be_taken_for_another_one_is_a_fault(tmp_path: Path, server: str) -> None:
    """A port above 65535 is another one modulo 65536 when the host is a name, and no port at all else."""
    (relay, route) = faults(tmp_path, f'[delivery]\nrelay = "{server}"\nroutes = {{ "rss.fr" = "{server}" }}')
    assert relay.startswith("[delivery] relay : ")
    assert route.startswith("[delivery] routes (rss.fr) : ")


@pytest.mark.parametrize("domain", ["RSS.fr", ".rss.fr", "rss.fr.", "@rss.fr", "*.rss.fr", ""])
def test_a_route_that_would_never_be_taken_is_a_fault(tmp_path: Path, domain: str) -> None:
    """What is for that domain would leave by the relay, or be looked for in the DNS."""
    (fault,) = faults(tmp_path, f'[delivery]\nroutes = {{ "{domain}" = "10.0.0.1:25" }}')
    assert fault == f"[delivery] routes ({domain}) : attendu : un domaine en minuscules, par exemple rss.fr."


def test_servers_may_be_named_or_be_addresses(tmp_path: Path) -> None:
    text = (
        '[delivery]\nrelay = "[2001:db8::1]:65535"\nroutes = { "fr" = "relais_1.example:1", "a-b.fr" = "10.0.0.1:25" }'
    )
    assert load(written(tmp_path, text), {}).settings.delivery.relay == "[2001:db8::1]:65535"


def test_a_table_of_routes_is_shown_on_one_line(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, '[delivery]\nroutes = { "rss.fr" = "10.0.0.1:25" }\n'), {})
    assert ("routes", "rss.fr = 10.0.0.1:25") in {(one.key, one.value) for one in shown(loaded)}


@given(st.sampled_from([TIME, BYTES]), st.integers(min_value=0, max_value=10**15))
def test_a_measure_that_is_written_is_read_back(unit: Unit, value: int) -> None:
    assert unit.read(unit.write(value)) == value


def test_the_configuration_is_the_given_one_then_the_environment_s_then_the_one_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "")
    assert find(path, {}) == path
    assert find(tmp_path, {}) == path
    assert find(None, {"OCT_CONFIG": str(path)}) == path
    assert find(None, {}) is None
    monkeypatch.chdir(tmp_path)
    assert find(None, {}) == Path("oct.toml")
    with pytest.raises(ConfigurationError, match="introuvable"):
        find(tmp_path / "absent.toml", {})


def test_a_data_file_is_the_operator_s_or_the_program_s(tmp_path: Path) -> None:
    own = tmp_path / "regimes.toml"
    own.write_text("# à moi", encoding="utf-8")
    assert data_file(own, "regimes.toml") == "# à moi"
    assert "[recipient_types]" in data_file(None, "regimes.toml")
    with pytest.raises(ConfigurationError, match="ne peut pas être lu"):
        data_file(tmp_path / "absent.toml", "regimes.toml")
