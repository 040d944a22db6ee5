"""The grammar: any bytes give a value or None (H10); what is stuffed is read back whole (R1)."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from oct.pop import wire

messages = st.lists(st.sampled_from([b".", b"..", b"a", b"", b".a", b"\t", b"\xe9"])).map(
    lambda lines: b"".join(line + b"\r\n" for line in lines)
)


@given(st.binary(max_size=300))
def test_any_line_is_a_command_or_is_not(line: bytes) -> None:
    found = wire.split_command(line)
    if found is not None:
        keyword, argument = found
        assert line.upper().startswith(keyword)
        assert keyword.isalpha()
        assert line.endswith(argument)
        wire.numbers(argument)
        wire.plain_credentials(argument)


@given(st.binary(), st.binary())
def test_credentials_are_text_without_controls_or_nothing(login: bytes, password: bytes) -> None:
    found = wire.credentials(login, password)
    given_plainly = wire.plain_credentials(base64.b64encode(b"\0" + login + b"\0" + password))
    assert found == given_plainly
    if found is not None:
        assert (found.login.encode(), found.password.encode()) == (login, password)
        assert "\0" not in found.login + found.password


@given(messages)
def test_what_is_stuffed_is_read_back_whole(content: bytes) -> None:
    """RFC 1939, 3: no line of the answer is the final dot but the last."""
    lines = wire.stuffed(content).split(b"\r\n")
    assert lines[-2:] == [b".", b""]
    assert b"." not in lines[:-2]
    read = b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:-2])
    assert read == content


def test_a_message_without_its_last_line_end_gets_one() -> None:
    assert wire.stuffed(b".a") == b"..a\r\n.\r\n"
    assert wire.stuffed(b"") == b".\r\n"


@given(messages, messages, st.integers(0, 20))
def test_top_is_the_beginning_of_the_message(headers: bytes, body: bytes, count: int) -> None:
    content = b"Subject: x\r\n" + headers.replace(b"\r\n\r\n", b"\r\n") + b"\r\n" + body
    shown = wire.top(content, count)
    head, blank, rest = content.partition(b"\r\n\r\n")
    assert shown == head + blank + b"".join(line + b"\r\n" for line in rest.split(b"\r\n")[:-1][:count])


def test_a_message_without_body_is_shown_whole() -> None:
    assert wire.top(b"Subject: x\r\n", 0) == b"Subject: x\r\n"
