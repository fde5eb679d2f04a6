"""Requests whose headers are long: what is served, what is refused, and how a jar gets short again."""

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tornado.httputil import HTTPHeaders

from identity.web.http import request_heads
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


class Counted:
    """A pattern that counts the bytes it looks at."""

    def __init__(self) -> None:
        self.pattern = re.compile(rb"\r?\n\r?\n")
        self.bytes = 0

    def search(self, data: bytearray, begin: int = 0) -> re.Match[bytes] | None:
        """Search from a place on."""
        self.bytes += len(data) - begin
        return self.pattern.search(data, begin)


@pytest.mark.threat(54)
class TestManyLines:
    """Each header line costs something, whatever is in it."""

    @pytest.mark.parametrize("line", [b"a:", b"X-A: b", b"Cookie: a=b", b"Content-Length: 0", b"Host: login.example"])
    @pytest.mark.parametrize("end", [b"\r\n", b"\n"])
    @pytest.mark.parametrize("path", [b"/.identityd/ack", b"/login", b"/session/check", b"/auth"])
    def test_too_many_are_refused_without_reading_them(
        self, monkeypatch: pytest.MonkeyPatch, line: bytes, end: bytes, path: bytes
    ) -> None:
        """Otherwise 62,000 empty ones stop every other request for 120 ms (THREATS 54)."""
        read: list[str] = []
        parse = HTTPHeaders.parse_line

        def counted(self: HTTPHeaders, text: str, **given: Any) -> None:  # noqa: ANN401, tornado's own
            read.append(text)
            parse(self, text, **given)

        with Site(trusted=(LOCAL,)) as site:
            monkeypatch.setattr(HTTPHeaders, "parse_line", counted)
            head = b"GET " + path + b" HTTP/1.1" + end + b"Host: login.example" + end
            lines = (line + end) * (250_000 // len(line + end))
            for port in (site.ports.public, site.ports.internal):
                answer = raw(port, head + lines + end)

                assert answer.startswith(b"HTTP/1.1 431 ")
                assert b'"error": "head-too-long"' in answer
                assert answer.count(b"HTTP/1.1") == 1

        assert len(read) < 10

    def test_as_many_as_a_full_jar_needs_are_read(self) -> None:
        """Otherwise a browser whose proxy sends one line for each cookie is locked out."""
        with Site() as site:
            lines = b"".join(b"Cookie: own%d=x\r\n" % n for n in range(180))
            head = b"GET /.identityd/ack HTTP/1.1\r\nHost: login.example\r\nConnection: close\r\n"

            assert raw(site.ports.public, head + lines + b"\r\n").startswith(b"HTTP/1.1 204 ")

    def test_lines_after_a_body_are_refused(self) -> None:
        """Otherwise the trailers of a body are headers that nobody counted."""
        with Site() as site:
            head = b"POST /logout HTTP/1.1\r\nHost: login.example\r\nTransfer-Encoding: chunked\r\n\r\n"

            answer = raw(site.ports.public, head + b"0\r\n" + b"a:\r\n" * 50_000 + b"\r\n")

            assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")

    def test_a_head_in_single_bytes_is_searched_once(self) -> None:
        """Otherwise a head of 250 KB sent byte by byte is searched 250,000 times, a millisecond each."""
        head = b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 2_000 + b"\r\nGET /"
        stream = SimpleNamespace(
            _read_regex=Counted(), _read_buffer=bytearray(), _read_buffer_size=0, _check_max_bytes=lambda *_: None
        )
        search = request_heads._Search(cast("Any", stream), lambda: None)
        found = None
        for byte in head:
            stream._read_buffer.append(byte)
            stream._read_buffer_size += 1
            found = search()
            if found is not None:
                break

        assert found == len(head) - len(b"GET /")
        assert stream._read_regex.bytes <= 4 * len(head)
        assert search() == found, "the next head begins at its beginning"

    def test_heads_are_found_however_they_are_cut(self) -> None:
        """Otherwise a request whose end lies between two packets is never answered."""
        one = b"GET /.identityd/ack HTTP/1.1\r\nHost: login.example\r\n\r\n"
        last = one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        with Site() as site:
            for cut in range(1, 5):
                both = one + last
                pieces = [both[at : at + cut] for at in range(0, len(both), cut)]

                assert raw(site.ports.public, *pieces).count(b"HTTP/1.1 204 ") == 2
