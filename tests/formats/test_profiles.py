"""Message profiles: what a Content-Description says, as data (A3, O3, M1)."""

from pathlib import Path

import pytest

from oct.errors import ConfigurationError
from oct.formats.profiles import Kind, Profiles

SHIPPED = (Path(__file__).parents[2] / "config" / "profiles.toml").read_text(encoding="utf-8")
PROFILES = Profiles.from_toml(SHIPPED)


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ("FACTURE/SV", Kind.FACTURE),
        ("DRE/SV", Kind.DRE),
        ("ARL/SV", Kind.ARL),
        ("RSP/SV", Kind.RSP),
        ("NOEMIE/580", Kind.RSP),
        ("DLOI/SV", Kind.DLOI),
        ("DDLOI/SV", Kind.DDLOI),
        ("SCOR/SV", Kind.SCOR),
        ("Facture/sv", Kind.FACTURE),
    ],
)
def test_each_description_of_the_field_has_its_kind(description: str, kind: Kind) -> None:
    profile = PROFILES.match(description)
    assert profile is not None
    assert (profile.kind, profile.compressed, profile.encrypted) == (kind, False, False)


@pytest.mark.parametrize(("third", "compressed"), [("/K", False), ("/ZK", True), ("/zk", True), (" / k ", False)])
def test_the_third_part_announces_encryption_and_compression(third: str, compressed: bool) -> None:
    profile = PROFILES.match(f"FACTURE/SV{third}")
    assert profile is not None
    assert (profile.compressed, profile.encrypted) == (compressed, True)


@pytest.mark.parametrize("description", ["", "FACTURE", "FACTURE/XX", "FACTURE/SV/Q", "FACTURE/SV/K/K", "PHOTO/SV"])
def test_an_unknown_description_is_nothing(description: str) -> None:
    """O3: the caller quarantines it."""
    assert PROFILES.match(description) is None


def test_a_pattern_added_to_the_data_is_followed() -> None:
    """A3 is a setting."""
    changed = SHIPPED.replace('["ARL/SV"]', '["ARL/SV", "ACQUIT/*"]')
    profile = Profiles.from_toml(changed).match("acquit/2")
    assert profile is not None
    assert (profile.name, profile.kind, profile.pattern) == ("arl", Kind.ARL, "ACQUIT/*")


@pytest.mark.parametrize(("route", "read"), [('"header"', "header"), ('"a@b.example"', "a@b.example"), ('""', "")])
def test_a_flow_that_is_passed_on_says_where_to(route: str, read: str) -> None:
    """O2."""
    added = f'[messages.carte]\nkind = "FLUX"\npatterns = ["CARTE/*"]\nroute = {route}\n{SHIPPED}'
    profile = Profiles.from_toml(added).match("CARTE/XX")
    assert profile is not None
    assert (profile.kind, profile.route) == (Kind.FLUX, read)
    scor = PROFILES.match("SCOR/SV")
    assert scor is not None
    assert scor.route == "header"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[", "TOML"),
        ("", "[messages]"),
        ('[messages.a]\nkind = "AUTRE"\npatterns = ["A/B"]', "messages.a"),
        ('[messages.b]\nkind = "ARL"', "messages.b"),
        ('[messages.c]\nkind = "ARL"\npatterns = ["ARL"]', "messages.c"),
        ("[messages]\nd = 4", "messages.d"),
        ('[messages.e]\nkind = "ARL"\npatterns = [4]', "messages.e"),
        ('[messages.e]\nkind = "ARL"\npatterns = ["A/B"]\n[third_part.K]\nencrypted = "oui"', "third_part.K"),
        ('[messages.f]\nkind = "SCOR"\npatterns = ["A/B"]\nroute = "ailleurs"', "messages.f"),
        ('[messages.g]\nkind = "FLUX"\npatterns = ["A/B"]\nroute = 4', "messages.g"),
        ('[messages.h]\nkind = "FACTURE"\npatterns = ["A/B"]\nroute = "header"', "messages.h"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Profiles.from_toml(text)
    assert place in caught.value.sentence
