"""Delivery status notices (RFC 3464): the golden ones, and any bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.errors import FormatError
from oct.formats.delivery_status import Action, read_delivery_status
from oct.formats.mime_headers import MessageLimits

FLOWS = Path(__file__).parents[1] / "vectors" / "flows"
MESSAGES: dict[str, dict[str, Any]] = json.loads((FLOWS / "flows.json").read_text(encoding="utf-8"))
NOTICES = [name for name in MESSAGES if name.startswith("notice-")]
LIMITS = MessageLimits()
FAILED = (FLOWS / "notice-failed.eml").read_bytes()


@pytest.mark.parametrize("name", NOTICES)
def test_a_golden_notice_is_read_as_it_was_written(name: str) -> None:
    expected = MESSAGES[name]["expect"]
    notice = read_delivery_status((FLOWS / f"{name}.eml").read_bytes(), LIMITS)
    assert list(notice.message_ids) == expected["message_ids"]
    (one,) = notice.recipients
    assert one.addresses == (expected["recipient"],)
    assert (one.action, one.status, one.diagnostic) == (
        Action(expected["action"]), expected["status"], expected["diagnostic"],
    )  # fmt: skip


def test_each_recipient_has_its_own_status() -> None:
    second = b"\r\nFinal-Recipient: rfc822; autre@essai.example\r\nAction: relayed\r\nStatus: 2.1.9\r\n"
    notice = read_delivery_status(FAILED.replace(b" inconnue\r\n", b" inconnue\r\n" + second), LIMITS)
    assert len(notice.recipients) == 2
    relayed, failed = notice.of("autre@essai.example"), notice.of("01011@011.01.rss.fr")
    assert relayed is not None
    assert relayed.action is Action.RELAYED
    assert failed is not None
    assert failed.action is Action.FAILED
    assert notice.of("personne@essai.example") is None


def test_an_alias_of_the_only_recipient_is_that_recipient() -> None:
    status = read_delivery_status(FAILED, LIMITS).of("alias@essai.example")
    assert status is not None
    assert status.action is Action.FAILED


def test_the_message_that_a_notice_answers_counts_too() -> None:
    answering = FAILED.replace(b"MIME-Version: 1.0\r\n", b"MIME-Version: 1.0\r\nIn-Reply-To: <a.1@b.example>\r\n", 1)
    assert "<a.1@b.example>" in read_delivery_status(answering, LIMITS).message_ids


def test_a_returned_part_that_cannot_be_read_is_only_one_trace_less() -> None:
    unreadable = FAILED.replace(b"Subject: SV140700\r\n\r\ncorps", b"une ligne sans nom\r\n\r\ncorps")
    assert unreadable != FAILED
    assert read_delivery_status(unreadable, LIMITS).message_ids == ()


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (b"message/delivery-status", b"text/plain", "avis-sans-statut"),
        (b"Final-Recipient: rfc822; 01011@011.01.rss.fr\r\nOriginal-Recipient: rfc822;01011@011.01.RSS.FR\r\n", b"",
         "avis-destinataire"),
        (b"Action: failed", b"Action: exploded", "avis-action"),
        (b"Action: failed\r\n", b"", "avis-action"),
        (b"\r\n\r\nFinal-Recipient", b"\r\nFinal-Recipient", "avis-sans-statut"),
    ],
)  # fmt: skip
def test_a_notice_that_does_not_say_enough_is_refused(before: bytes, after: bytes, code: str) -> None:
    changed = FAILED.replace(before, after)
    assert changed != FAILED
    with pytest.raises(FormatError) as caught:
        read_delivery_status(changed, LIMITS)
    assert caught.value.code == code


def test_a_notice_with_too_many_recipients_is_refused() -> None:
    """H3."""
    one = b"\r\nFinal-Recipient: rfc822; a@b.example\r\nAction: failed\r\n"
    with pytest.raises(FormatError, match="trop de destinataires"):
        read_delivery_status(FAILED.replace(b" inconnue\r\n", b" inconnue\r\n" + one * 200), LIMITS)


@given(st.binary(max_size=400), st.integers(0, len(FAILED)), st.integers(0, 60))
def test_any_bytes_give_a_notice_or_the_declared_error(noise: bytes, at: int, dropped: int) -> None:
    """H10: from nothing at all to a notice with a wound."""
    for raw in (noise, FAILED[:at] + noise + FAILED[at + dropped :]):
        try:
            notice = read_delivery_status(raw, LIMITS)
        except FormatError:
            continue
        assert notice.recipients
        assert all(one.addresses and isinstance(one.action, Action) for one in notice.recipients)
