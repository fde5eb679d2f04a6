"""Requests whose headers are long: what is served, what is refused, and how a jar gets short again."""

import pytest

from tests.support.web import LOCAL, Site, raw


@pytest.mark.parametrize("listener", ["public", "internal"])
def test_a_head_beyond_64_kilobytes_is_refused_with_the_reason(listener: str) -> None:
    """Otherwise a person sees a broken connection, a proxy an outage, and nobody looks at the cookies."""
    with Site(trusted=(LOCAL,)) as site:
        port = site.ports.public if listener == "public" else site.ports.internal
        path = b"/account" if listener == "public" else b"/auth?redirect=1"

        answer = raw(port, b"GET %s HTTP/1.1\r\nHost: a\r\nCookie: %s\r\n\r\n" % (path, b"x" * 80_000))

        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b'"error": "head-too-long"' in answer
        assert b"no-store" in answer


def test_a_head_beyond_256_kilobytes_is_cut_off() -> None:
    """Otherwise memory is anybody's to fill."""
    with Site() as site:
        head = b"GET /.identityd/ack HTTP/1.1\r\nHost: login.example\r\nCookie: "

        assert raw(site.ports.public, head + b"x" * 300_000 + b"\r\n\r\n") == b""


def test_a_long_head_is_answered_by_deleting_names() -> None:
    """Otherwise the jar that is refused everywhere is one that nothing can clean."""
    with Site() as site:
        jar = site.log_in()
        kept = dict(jar.cookies)
        jar.cookies |= {f"__Host-idd-{n:011}": "x" * 100 for n in range(179)}
        jar.cookies |= {f"own{n}": "x" * 4_000 for n in range(20)}
        visits = 0
        while len(jar.cookies) > 21:
            reply = site.public("GET", "/.identityd/ack", headers=jar.header)
            assert reply.status == 204
            jar.take(reply)
            visits += 1

        assert visits == 6
        assert kept.items() <= jar.cookies.items()


def test_a_head_of_60_kilobytes_is_served() -> None:
    """Otherwise a browser with many cookies is locked out, and nothing can delete them."""
    with Site() as site:
        assert site.public("GET", "/.identityd/ack", headers={"Cookie": "x=" + "y" * 60_000}).status == 204
