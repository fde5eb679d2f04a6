"""How an endpoint of the test upstream breaks, and what it sends then."""

from enum import Enum
from functools import cache
from typing import Final


class Fault(Enum):
    """How an endpoint breaks."""

    SERVER_ERROR = "answers 500"
    RESET = "resets the connection"
    MALFORMED = "sends JSON that is none"
    TRUNCATED = "ends in the middle of what it announced"
    HUGE = "sends more than a mebibyte"
    BOMB = "sends little that unpacks to much"
    SLOW = "begins to answer and never ends"
    HTML = "answers 200 with a page"
    LIST = "answers with a JSON list"
    TWICE = "uses a JSON name twice"
    DEEP = "nests JSON deeper than a parser goes"


BODIES: Final = {
    Fault.MALFORMED: b'{"access_token": "a", oops',
    Fault.HUGE: b'{"a": "' + b"x" * 1_100_000 + b'"}',
    Fault.HTML: b"<!doctype html><title>Maintenance</title><p>access_token=1",
    Fault.LIST: b"[1, 2, 3]",
    Fault.TWICE: b'{"error": "x", "access_token": "a", "access_token": "b"}',
    Fault.DEEP: b'{"a":' * 100_000,
}
"""What is sent in the place of an answer, with status 200."""


@cache
def gzip_bomb() -> bytes:
    """Return some 50 kB that unpack to 50 MB."""
    import gzip  # noqa: PLC0415 - for this one answer

    return gzip.compress(b" " * 50_000_000)
