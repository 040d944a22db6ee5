"""The golden claims are what their script makes, and each message opens to its file by the openssl command alone."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from oct.crypto.keystore import KeyRing, OwnKey
from oct.simulators.envelopes import EnvelopeError, Judge, unseal
from oct.simulators.mail import Letter
from tests.vectors.claims.build import MESSAGES, main
from tests.vectors.claims.claims_cases import CASES, Case
from tests.vectors.claims.claims_mail import PKI, Wrap, compressed

SEALED = [case for case in CASES if case.wrap.shape != "clear" and "undecipherable" not in case.expect]


@pytest.fixture(scope="module")
def own_keys() -> dict[str, OwnKey]:
    """Every pair of the vectors, by name: loaded once, it takes a while."""
    return {key.name: key for key in KeyRing.load(PKI).keys}


def expected(name: str) -> dict[str, object]:
    content: dict[str, object] = json.loads((MESSAGES / f"{name}.json").read_bytes())["expect"]
    return content


def test_the_script_makes_the_same_files_and_expectations() -> None:
    assert main(["--check"]) == 0


def test_the_vectors_stay_small() -> None:
    assert sum(path.stat().st_size for path in MESSAGES.parent.rglob("*") if path.is_file()) < 1_500_000


def test_no_expectation_is_left_without_its_message() -> None:
    assert {path.stem for path in MESSAGES.iterdir()} == {case.name for case in CASES}


@pytest.mark.parametrize("case", SEALED, ids=lambda case: case.name)
def test_a_golden_message_opens_to_its_file(case: Case, own_keys: dict[str, OwnKey]) -> None:
    """M1, M2, M3: by openssl, with the key that the message was sealed to."""
    letter = Letter("", "", (MESSAGES / f"{case.name}.eml").read_bytes())
    content = unseal(der(letter.content), own_keys[case.wrap.recipients[-1]], Judge.OPENSSL)
    wrapped = compressed(case.data, case.wrap.compression)
    if case.wrap.inside != "file":
        content = Letter("", "", content).content
    assert content == wrapped
    assert (MESSAGES / f"{case.name}.b2").read_bytes() == case.data


def test_what_is_sealed_to_a_stranger_opens_with_no_own_key(own_keys: dict[str, OwnKey]) -> None:
    """H4."""
    name = next(case.name for case in CASES if "undecipherable" in case.expect)
    letter = Letter("", "", (MESSAGES / f"{name}.eml").read_bytes())
    with pytest.raises(EnvelopeError):
        unseal(letter.content, own_keys["oct"])


def test_every_lot_of_a_file_has_one_fate() -> None:
    """L1: leaving, held and refused lots are all the lots of the file."""
    for case in CASES:
        if case.lots is None:
            continue
        fate = expected(case.name)
        leaving, held, refused = fate["lots"], fate["held"], fate["refused"]
        assert isinstance(leaving, dict)
        assert isinstance(held, list)
        assert isinstance(refused, list)
        assert sum(map(len, leaving.values())) + len(held) + len(refused) == len(case.lots), case.name


def test_the_cases_cover_every_shape_cipher_and_compression() -> None:
    """M2, M3."""
    wraps: list[Wrap] = [case.wrap for case in CASES]
    assert {wrap.shape for wrap in wraps} == {"a", "b", "c", "clear", "doubled", "folded"}
    assert {wrap.compression for wrap in wraps} == {"gzip", "zlib", "cms", "none"}
    assert {wrap.transfer for wrap in wraps} == {"crlf", "lf", "qp", "pem"}
    assert {wrap.inside for wrap in wraps} == {"file", "entity", "multipart"}
    ciphers = {"-aes-128-cbc", "-aes-192-cbc", "-aes-256-cbc", "-aes-128-gcm", "-aes-256-gcm", "-des3"}
    assert ciphers <= {option for wrap in wraps for option in wrap.openssl}


def test_the_vectors_share_no_code_with_the_project() -> None:
    scripts = sorted(Path(MESSAGES).parent.glob("*.py"))
    assert [
        script.name for script in scripts if "from oct" in script.read_text() or "import oct" in script.read_text()
    ] == []
    assert len(scripts) == 4


def der(content: bytes) -> bytes:
    """Takes a PEM armour off."""
    if not content.startswith(b"-----"):
        return content
    return base64.b64decode(b"".join(content.splitlines()[1:-1]))
