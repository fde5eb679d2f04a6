"""Bodies of answers: taking codings off, and how much one may become."""

import gzip
import zlib
from collections.abc import Callable
from typing import Final

import pytest

from identity.outbound.content_coding import LARGEST, AnswerTooLarge, DecodingError, decoded

BODY: Final = b'{"keys": []}'


def _raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def _twice(body: bytes) -> bytes:
    return gzip.compress(zlib.compress(body))


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        (" GZip ,", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", _raw),
        ("deflate, gzip", _twice),
        ("", bytes),
        ("identity", bytes),
        ("UTF-8", bytes),
    ],
    ids=["gzip", "upper case", "x-gzip", "deflate", "deflate without a frame", "both", "none", "identity", "a charset"],
)
def test_a_body_is_what_was_packed(coding: str, pack: Callable[[bytes], bytes]) -> None:
    """Otherwise a provider whose server compresses, or says a character set here, is down for us."""
    assert decoded(pack(BODY), coding) == BODY


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_of_nothing_needs_no_packing(coding: str) -> None:
    """Otherwise a 401 without a body is a broken answer, and what it says is not heard."""
    assert decoded(b"", coding) == b""


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(BODY)[:-9], zlib.compress(BODY)[:-1], b"\x1f"],
    ids=["text", "gzip cut off", "deflate cut off", "a byte"],
)
def test_a_body_that_is_not_packed_as_it_says_is_refused(coding: str, body: bytes) -> None:
    """Otherwise broken compression is a 500, or half a key set a whole one."""
    with pytest.raises(DecodingError):
        decoded(body, coding)


@pytest.mark.threat(59)
@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", _raw), ("deflate, gzip", _twice)],
    ids=["gzip", "deflate", "deflate without a frame", "both"],
)
def test_what_a_body_becomes_is_bounded(coding: str, pack: Callable[[bytes], bytes]) -> None:
    """Otherwise a kilobyte from a provider fills the daemon's memory."""
    assert len(decoded(pack(bytes(LARGEST)), coding)) == LARGEST
    with pytest.raises(AnswerTooLarge):
        decoded(pack(bytes(LARGEST + 1)), coding)


@pytest.mark.threat(59)
def test_codings_upon_codings_are_refused() -> None:
    """Otherwise a long header makes the daemon expand a body a thousand times over."""
    body = BODY
    for _ in range(4):
        body = gzip.compress(body)
    assert gzip.decompress(decoded(body, "gzip, gzip, gzip")) == BODY
    with pytest.raises(DecodingError):
        decoded(body, "gzip, gzip, gzip, gzip")
