"""How much work the head of a request can cause, before it is a request.

Owns the two bounds Tornado does not have: on the number of header lines, each of which costs some
two microseconds whatever is in it (62,000 empty ones fit into 256 KB and stopped the daemon for
120 ms), and on searching for the head's end, which Tornado begins anew at every packet. Invariant: the
cost of a head is linear in its bytes, however they are cut into lines and packets.

The only place that reaches into Tornado; `tests/web/test_heads.py` goes red when it no longer fits.
"""

from collections.abc import Callable
from typing import Final

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders
from tornado.iostream import IOStream

LINES: Final = 256
"""Header lines of a request: browsers send some forty, and a jar of 180 cookies may come in as many lines."""
_STRADDLING: Final = len(b"\r\n\r\n") - 1


class TooManyLines(HTTPHeaders):
    """Stands for the headers of a head that has too many lines to be read."""


def bound(connection: HTTP1Connection) -> None:
    """Make a connection count a head's lines before it reads them; too many become `TooManyLines`."""
    parse = connection._parse_headers  # noqa: SLF001 - see above

    def counted(data: bytes) -> tuple[str, HTTPHeaders]:
        if data.count(b"\n") > LINES + 2:  # the request line and the empty one
            line, _ = parse(data.lstrip(b"\r\n").partition(b"\n")[0] + b"\n\r\n")
            return line, TooManyLines()
        return parse(data)

    connection._parse_headers = counted  # type: ignore[method-assign] # noqa: SLF001


def search_once(stream: IOStream) -> None:
    """Make a stream go on searching for a head's end where it stopped, not at the beginning."""
    stream._find_read_pos = _Search(stream, stream._find_read_pos)  # type: ignore[method-assign] # noqa: SLF001


def begun(stream: IOStream) -> bool:
    """Tell whether a request, or the TLS handshake before one, has arrived in part."""
    return bool(stream._read_buffer_size) or getattr(stream, "_ssl_accepting", False)  # noqa: SLF001


class _Search:
    """The search for the end of what is read now."""

    def __init__(self, stream: IOStream, otherwise: Callable[[], int | None]) -> None:
        self._stream = stream
        self._otherwise = otherwise
        self._searched = 0

    def __call__(self) -> int | None:
        stream = self._stream
        pattern, size = stream._read_regex, stream._read_buffer_size  # noqa: SLF001
        if pattern is None or not size:
            self._searched = 0
            return self._otherwise()
        found = pattern.search(stream._read_buffer, max(0, min(self._searched, size) - _STRADDLING))  # noqa: SLF001
        self._searched = 0 if found else size
        end: int = found.end() if found else size
        stream._check_max_bytes(pattern, end)  # noqa: SLF001
        return end if found else None
