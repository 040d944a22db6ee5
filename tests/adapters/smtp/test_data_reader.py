"""DATA read in chunks: the same message whatever the cutting, and an end that nothing imitates (H1)."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.smtp import data_reader
from oct.smtp.data_reader import DataFault, DataReader, has_long_line
from oct.smtp.memory import Memory

OCTETS = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b".", b"..", b"a", b"\0", b"b" * 9, b"\xe9", b"\r\n.\r\n"]), max_size=30
).map(b"".join)


def read(
    wire: bytes, cuts: list[int], *, line_octets: int = 8, size_limit: int = 60
) -> tuple[DataReader, bytes | None]:
    reader = DataReader(size_limit=size_limit, line_octets=line_octets, memory=Memory(1000))
    edges = sorted({0, len(wire), *(cut % (len(wire) + 1) for cut in cuts)})
    for start, stop in pairwise(edges):
        rest = reader.feed(wire[start:stop])
        if rest is not None:
            return reader, rest + wire[stop:]
    return reader, None


def oracle(wire: bytes) -> tuple[bytes, bytes] | None:
    """The slow and obvious reading: the message as lines, and the rest."""
    found = re.search(rb"(?:\A|\r\n)\.\r\n", wire)
    if found is None:
        return None
    raw = wire[: found.end() - 3]
    unstuffed = re.sub(rb"(\A|\r\n)\.", rb"\1", raw)
    return re.sub(rb"(?<!\r)\n", b"\r\n", unstuffed), wire[found.end() :]


@given(OCTETS, st.lists(st.integers(0, 400), max_size=8), st.integers(1, 60))
def test_any_cutting_of_any_octets_gives_the_message_the_fault_and_the_rest_that_the_rules_say(
    wire: bytes, cuts: list[int], piece: int
) -> None:
    """H1, H10: as the network cuts, and as the reader does."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(data_reader, "_PIECE", piece)
        reader, rest = read(wire, cuts)
    expected = oracle(wire)
    if expected is None:
        assert rest is None
        return
    message, behind = expected
    assert rest == behind
    lines = message.split(b"\r\n")
    sound = (
        b"\0" not in message
        and b"\r" not in message.replace(b"\r\n", b"")
        and all(len(line) <= 8 for line in lines)
        and len(message) <= 60
    )
    assert (reader.fault is None) == sound
    if sound:
        assert reader.take() == message
    else:
        assert reader.held == 0


@given(st.binary(max_size=400).map(lambda raw: re.sub(rb"[\r\n\0]", b".", raw)), st.integers(1, 12))
def test_what_a_careful_client_stuffs_comes_out_as_it_was(text: bytes, step: int) -> None:
    message = b"\r\n".join(text[i : i + step] for i in range(0, len(text), step)) + b"\r\n"
    wire = re.sub(rb"(?m)^\.", b"..", message) + b".\r\n"
    reader, rest = read(wire, list(range(0, len(wire), 7)), line_octets=12, size_limit=5000)
    assert rest == b""
    assert reader.fault is None
    assert reader.take() == message


@pytest.mark.parametrize(
    "imitation",
    [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n.\0\r\n", b"\r\n\0.\r\n", b"\n\r.\n\r"],
)
@pytest.mark.parametrize("step", [1, 2, 3, 64])
def test_nothing_but_crlf_dot_crlf_ends_the_data(imitation: bytes, step: int) -> None:
    """H1: SMTP smuggling."""
    reader = DataReader(size_limit=1000, line_octets=998, memory=Memory(1000))
    wire = b"avant" + imitation + b"MAIL FROM:<a@b.fr>"
    for start in range(0, len(wire), step):
        assert reader.feed(wire[start : start + step]) is None
    assert reader.feed(b"\r\n.\r\nreste") == b"reste"


@pytest.mark.parametrize(("octets", "fault"), [(998, None), (999, DataFault.LINE_TOO_LONG)])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("step", [1, 500, 5000])
def test_a_line_of_998_octets_passes_and_one_of_999_does_not(
    octets: int, fault: DataFault | None, end: bytes, step: int
) -> None:
    reader = DataReader(size_limit=5000, line_octets=998, memory=Memory(5000))
    wire = b"court" + end + b"..".ljust(octets + (end == b"\r\n"), b"x") + end + b"fin\r\n.\r\n"
    for start in range(0, len(wire), step):
        reader.feed(wire[start : start + step])
    assert reader.fault is fault


@given(st.lists(st.integers(0, 12), max_size=20), st.integers(1, 10))
def test_leaping_finds_the_long_lines_that_walking_finds(lengths: list[int], limit: int) -> None:
    lines = b"".join(b"x" * length + b"\r\n" for length in lengths)
    assert has_long_line(lines, limit) == any(length > limit for length in lengths)


def test_a_message_too_big_is_read_to_its_end_and_not_kept() -> None:
    memory = Memory(1_000_000)
    reader = DataReader(size_limit=10_000, line_octets=998, memory=memory)
    for _ in range(1000):
        assert reader.feed(b"x" * 98 + b"\r\n") is None
        assert memory.has_room(1_000_000 - 10_000)
    assert reader.feed(b".\r\nQUIT\r\n") == b"QUIT\r\n"
    assert reader.fault is DataFault.TOO_BIG
    assert memory.has_room(1_000_000)


def test_the_memory_of_all_sessions_is_one() -> None:
    """H2."""
    memory = Memory(1000)
    first = DataReader(size_limit=900, line_octets=998, memory=memory)
    second = DataReader(size_limit=900, line_octets=998, memory=memory)
    first.feed(b"x" * 600 + b"\r\n")
    second.feed(b"x" * 600 + b"\r\n")
    assert second.fault is DataFault.NO_MEMORY
    first.forget()
    assert memory.has_room(1000)


def test_an_endless_line_is_not_kept() -> None:
    reader = DataReader(size_limit=10_000_000, line_octets=998, memory=Memory(10_000_000))
    for _ in range(100):
        reader.feed(b"x" * 10_000)
    assert len(reader._pending) <= 1
    assert reader.feed(b"\r") is None
    assert reader.feed(b"\n.\r\n") == b""
    assert reader.fault is DataFault.LINE_TOO_LONG
