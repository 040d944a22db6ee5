"""Recognising, inflating under a cap, deflating: M2, H3, H10."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.errors import FormatError
from oct.formats.compression import Compression, deflate, inflate, recognise

LIMIT = 1 << 20
B2 = b"000" + b"FSE".ljust(125) * 40 + b"999"


@pytest.mark.parametrize("kind", list(Compression))
@given(content=st.binary(max_size=2000).filter(lambda data: recognise(data) is Compression.NONE))
def test_m2_what_is_deflated_inflates_to_the_same_bytes(kind: Compression, content: bytes) -> None:
    assert inflate(deflate([content], kind), LIMIT) == content


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.ZLIB])
def test_m2_compression_is_recognised_by_its_first_bytes(kind: Compression) -> None:
    assert recognise(deflate([B2], kind)) is kind


@pytest.mark.parametrize("level", range(10))
def test_m2_every_level_of_zlib_is_recognised(level: int) -> None:
    assert inflate(zlib.compress(B2, level), LIMIT) == B2


@pytest.mark.parametrize("content", [b"", b"x", b"\x1f", b"x-header: 1\r\n", b"x\x20dictionary", B2])
def test_what_is_not_compressed_comes_back_unchanged(content: bytes) -> None:
    assert inflate(content, LIMIT) is content


@pytest.mark.parametrize("kind", list(Compression))
def test_pieces_are_compressed_as_one(kind: Compression) -> None:
    pieces: list[bytes | memoryview] = [B2[:7], memoryview(B2)[7:3000], B2[3000:]]
    assert deflate(pieces, kind) == deflate(pieces, kind)
    assert inflate(deflate(pieces, kind), LIMIT) == B2


def test_a_small_file_is_no_larger_for_coming_in_pieces() -> None:
    assert len(deflate([B2[:128], B2[128:]], Compression.GZIP)) == len(deflate([B2], Compression.GZIP))


def test_gzip_carries_neither_date_nor_name() -> None:
    made = deflate([B2], Compression.GZIP)
    assert made[3] == 0
    assert made[4:8] == bytes(4)


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.ZLIB])
def test_h3_the_limit_is_the_largest_result_accepted(kind: Compression) -> None:
    packed = deflate([bytes(1000)], kind)
    assert len(inflate(packed, 1000)) == 1000
    with pytest.raises(FormatError) as refused:
        inflate(packed, 999)
    assert refused.value.code == "archive-trop-grande"


def test_h3_the_limit_holds_over_the_members_together() -> None:
    with pytest.raises(FormatError, match="archive-trop-grande"):
        inflate(gzip.compress(bytes(600)) * 2, 1000)


def test_h3_a_bomb_costs_no_more_memory_than_the_limit() -> None:
    bomb = zlib.compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="archive-trop-grande"):
            inflate(bomb, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 4 * LIMIT
    finally:
        tracemalloc.stop()


def test_a_large_result_stands_once_in_memory() -> None:
    packed = deflate([bytes(range(256))] * 32_000, Compression.GZIP)
    tracemalloc.start()
    try:
        size = len(inflate(packed, 16 << 20))
        assert tracemalloc.get_traced_memory()[1] < 1.4 * size
    finally:
        tracemalloc.stop()


def test_several_gzip_members_are_their_concatenation() -> None:
    assert inflate(gzip.compress(B2[:100]) + gzip.compress(B2[100:]), LIMIT) == B2


def test_h3_members_without_end_are_refused() -> None:
    with pytest.raises(FormatError, match="archive-abimee"):
        inflate(gzip.compress(b"") * 1000, LIMIT)


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.ZLIB])
def test_padding_after_the_stream_is_ignored(kind: Compression) -> None:
    assert inflate(deflate([B2], kind) + b"\0\0\r\n", LIMIT) == B2


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.ZLIB])
@pytest.mark.parametrize("rest", [b"more", b"\0" * 70_000 + b"more"])
def test_other_bytes_after_the_stream_are_a_damaged_archive(kind: Compression, rest: bytes) -> None:
    with pytest.raises(FormatError, match="archive-abimee"):
        inflate(deflate([B2], kind) + rest, LIMIT)


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.ZLIB])
def test_a_stream_cut_anywhere_is_a_damaged_archive(kind: Compression) -> None:
    packed = deflate([B2], kind)
    for length in range(2, len(packed)):
        with pytest.raises(FormatError, match="archive-abimee"):
            inflate(packed[:length], LIMIT)


@given(st.sampled_from([b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"x\x9c", b"x\x01", b""]), st.binary(max_size=300))
def test_h10_any_bytes_give_a_value_or_the_declared_error(start: bytes, rest: bytes) -> None:
    with suppress(FormatError):
        assert len(inflate(start + rest, LIMIT)) <= LIMIT
