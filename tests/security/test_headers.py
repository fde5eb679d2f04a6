"""Row 4: what a person sent never becomes a header, and no Cookie header costs more than its length."""

from collections.abc import Callable, Iterator
from time import process_time
from urllib.parse import quote

import pytest

from tests.support.guards import Expectation
from tests.support.handlers import ROUTES
from tests.support.web import LOCAL, Site, forwarded, raw

pytestmark = pytest.mark.threat(4)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give a daemon with pages that put into headers whatever was sent."""
    with Site(routes=ROUTES, trusted=(LOCAL,)) as running:
        yield running


@pytest.mark.parametrize("where", ["header", "cookie", "location"])
@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a; Domain=evil", "é", "\x85", "a\u2028b"])
def test_a_value_never_becomes_another_header(
    site: Site, expect_log: Callable[..., Expectation], where: str, value: str
) -> None:
    """Otherwise a stranger sets cookies or splits answers through a parameter."""
    harmless = value == "a; Domain=evil" and where != "cookie"
    expect_log("identity.web", "failed", required=not harmless)

    reply = site.public("GET", f"/test/injected?where={where}&value={quote(value)}")

    assert reply.one("X-Evil") is None
    assert reply.cookies == []
    assert (reply.status == 500) is not harmless


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5, 6\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5 5\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: 9999999999999999999\r\n",
    ],
)
@pytest.mark.parametrize("listener", ["public", "internal"])
def test_a_body_of_doubtful_length_is_refused_and_the_connection_closed(
    site: Site, listener: str, framing: bytes
) -> None:
    """Otherwise a proxy and identityd see different requests, and one person's answer goes to another."""
    port = site.ports.public if listener == "public" else site.ports.internal
    head = b"POST /auth HTTP/1.1\r\nHost: login.example\r\n" + framing + b"\r\n"

    answer = raw(port, head + b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: login.example\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_doubtful_framing_is_refused_by_its_name(site: Site) -> None:
    """Otherwise whoever runs the proxy sees a bare 400 and searches for it in the wrong place."""
    both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
    for port in (site.ports.public, site.ports.internal):
        answer = raw(port, b"POST /auth HTTP/1.1\r\nHost: login.example\r\n" + both + b"\r\n0\r\n\r\n")

        assert b'"error": "framing"' in answer


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: login.example\r\n folded: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: login.example\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: login.example\r\nA: \x00\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: login.example\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: login.example\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(site: Site, request_head: bytes) -> None:
    """Otherwise two parsers disagree about a request."""
    for port in (site.ports.public, site.ports.internal):
        answer = raw(port, request_head)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


def _cost(site: Site, cookie: str) -> float:
    began = process_time()
    reply = site.internal("GET", "/auth", headers={**forwarded(host=site.host), "Cookie": cookie})
    assert reply.status == 401
    return process_time() - began


@pytest.mark.parametrize(
    "unit", ["__Host-idd-x=y; ", "__Host-idd-=;", ";", ",", '"\\', "__Host-idd-AAAAAAAAAAA=" + "A" * 100 + "; "]
)
def test_a_cookie_header_costs_no_more_than_its_length(site: Site, unit: str) -> None:
    """Otherwise one header of 60 KB stops the daemon for seconds (CVE-2024-52804)."""
    large = min(_cost(site, unit * (60_000 // len(unit))) for _ in range(3))
    small = min(_cost(site, unit * (3_000 // len(unit))) for _ in range(3))

    # Twenty times as long: quadratic work would cost 400 times as much.
    assert large < max(small, 0.002) * 100
