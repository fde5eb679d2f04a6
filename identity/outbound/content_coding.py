"""The body of an answer without its content codings (RFC 9110 §8.4). Pure.

Owns how much a body may become: what a few bytes expand to is the sender's choice.
"""

import zlib
from typing import Final

LARGEST: Final = 1_048_576
"""Bytes of an answer, on the wire and after decompression."""
ACCEPTED: Final = "gzip, deflate"
"""What a request may say it takes (`Accept-Encoding`)."""
_MOST_CODINGS: Final = 3
"""Servers apply one. Each costs at most what expanding the largest answer costs."""
_GZIP: Final = zlib.MAX_WBITS | 16
_RAW: Final = -zlib.MAX_WBITS


class AnswerTooLarge(ValueError):
    """An answer beyond the limit."""


class DecodingError(ValueError):
    """A body that is not what its codings say."""


def decoded(body: bytes, codings: str) -> bytes:
    """Return the body of an answer whose `Content-Encoding` is this. Raises DecodingError, AnswerTooLarge.

    A coding that is not known is passed over: some servers call a character set one.
    """
    applied = [name for coding in codings.lower().split(",") if (name := coding.strip())]
    if len(applied) > _MOST_CODINGS:
        raise DecodingError("too many codings")
    for coding in reversed(applied):
        if body and coding in {"gzip", "x-gzip"}:
            body = _expanded(body, _GZIP)
        elif body and coding == "deflate":
            body = _inflated(body)
    return body


def _inflated(body: bytes) -> bytes:
    try:
        return _expanded(body, zlib.MAX_WBITS)
    except DecodingError:
        # Some servers leave out the frame that RFC 9110 §8.4.1.2 asks for.
        return _expanded(body, _RAW)


def _expanded(body: bytes, frame: int) -> bytes:
    opener = zlib.decompressobj(frame)
    try:
        expanded = opener.decompress(body, LARGEST + 1)
    except zlib.error as error:
        raise DecodingError("not compressed as it says") from error
    if len(expanded) > LARGEST:
        raise AnswerTooLarge
    if not opener.eof:
        raise DecodingError("compressed, and cut off")
    return expanded
