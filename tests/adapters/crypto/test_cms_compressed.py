"""Content compressed in CMS, gzip or zlib is unwrapped by its first bytes: M2, H3, H10."""

from __future__ import annotations

import zlib
from contextlib import suppress

import pytest
from asn1crypto.cms import CompressedData, ContentInfo
from hypothesis import given
from hypothesis import strategies as st

from oct.crypto.cms_compressed import open_compressed, unwrap
from oct.errors import FormatError
from oct.formats.compression import Compression, deflate

LIMIT = 1 << 20
CONTENT = b"000" + b"FSE".ljust(125) * 90


def compressed_data(stream: bytes, algorithm: str = "zlib") -> bytes:
    """CMS CompressedData around a zlib stream, made by asn1crypto."""
    body = CompressedData(
        {
            "version": 0,
            "compression_algorithm": {"algorithm": algorithm},
            "encap_content_info": {"content_type": "data", "content": stream},
        }
    )
    whole = ContentInfo({"content_type": "compressed_data", "content": body})
    return bytes(whole.dump())


def indefinite(der: bytes) -> bytes:
    """The same with the outermost length left open."""
    header = 2 + (der[1] & 0x7F if der[1] & 0x80 else 0)
    return b"\x30\x80" + der[header:] + b"\0\0"


@pytest.mark.parametrize("encode", [bytes, indefinite])
@given(content=st.binary(max_size=3000))
def test_m2_compressed_data_is_opened(encode: type[bytes], content: bytes) -> None:
    assert unwrap(encode(compressed_data(zlib.compress(content))), LIMIT) == content


@pytest.mark.parametrize("kind", list(Compression))
def test_m2_gzip_zlib_and_none_are_unwrapped(kind: Compression) -> None:
    assert unwrap(deflate([CONTENT], kind), LIMIT) == CONTENT


def test_a_b2_file_begins_like_asn1_and_is_left_alone() -> None:
    assert unwrap(CONTENT, LIMIT) is CONTENT


def test_h3_the_limit_holds() -> None:
    with pytest.raises(FormatError, match="archive-trop-grande"):
        open_compressed(compressed_data(zlib.compress(bytes(1001))), 1000)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        CONTENT,
        compressed_data(zlib.compress(CONTENT))[:-5],
        compressed_data(zlib.compress(CONTENT)[:-5]),
        compressed_data(CONTENT),
        compressed_data(zlib.compress(CONTENT), "1.2.3.4"),
        compressed_data(deflate([CONTENT], Compression.GZIP)),
    ],
    ids=["empty", "b2", "cut", "stream cut", "not zlib", "other algorithm", "gzip inside"],
)
def test_what_is_not_a_whole_compressed_data_is_a_damaged_archive(blob: bytes) -> None:
    with pytest.raises(FormatError, match="archive-abimee"):
        open_compressed(blob, LIMIT)


@given(st.data())
def test_h10_a_mutated_archive_gives_a_value_or_the_declared_error(data: st.DataObject) -> None:
    blob = bytearray(compressed_data(zlib.compress(CONTENT)))
    for _ in range(data.draw(st.integers(1, 5))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    with suppress(FormatError):
        assert len(unwrap(bytes(blob), LIMIT)) <= LIMIT
