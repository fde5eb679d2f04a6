"""How much of a body is read before somebody is refused, and how much of all bodies is kept at once."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator

import pytest

from identity.web.http import lingering
from identity.web.http.base import Handler
from identity.web.http.bodies import Bodies
from identity.web.http.framing import Door
from identity.web.routes import ROUTES
from tests.support.guards import Expectation
from tests.support.waiting import until
from tests.support.web import LOCAL, Site, basic, connection, forwarded, raw

HUGE = 33_554_432
PROVEN = next(f"{name}: {value}\r\n" for name, value in basic().items())
WRONG = next(f"{name}: {value}\r\n" for name, value in basic(secret="wrong").items())
ASKING = ("/session/check", "/session/check-many", "/session/start")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give a daemon."""
    with Site(trusted=(LOCAL,)) as running:
        yield running


@pytest.fixture(autouse=True)
def _forgotten(site: Site) -> None:
    """What the tests before guessed is forgotten."""
    site.context.guesses._places.clear()
    site.context.guesses._clients.clear()


def _bodies(site: Site, listener: int = 1) -> Bodies:
    door = site.daemon._listeners[listener][0].request_callback
    assert isinstance(door, Door)
    found = door._application.settings["bodies"]
    assert isinstance(found, Bodies)
    return found


def _head(path: str, *lines: str, method: str = "POST") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\n{''.join(lines)}\r\n".encode()


def _length(size: int) -> str:
    return f"Content-Type: application/json\r\nContent-Length: {size}\r\n"


@pytest.mark.threat(51)
@pytest.mark.parametrize("proof", ["", WRONG, "Authorization: Basic !\r\n", "Authorization: Bearer x\r\n"])
@pytest.mark.parametrize("framing", [_length(HUGE), _length(10), "Transfer-Encoding: chunked\r\n"])
@pytest.mark.parametrize("path", ASKING)
def test_whoever_proves_nothing_is_refused_before_the_body(site: Site, path: str, framing: str, proof: str) -> None:
    """Otherwise twenty strangers cost 770 MB (THREATS 51)."""
    with connection(site.ports.internal) as sock:
        sock.sendall(_head(path, proof, framing))

        answer = sock.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"www-authenticate: basic" in answer.lower()


@pytest.mark.threat(51)
def test_nothing_is_kept_of_what_strangers_send(site: Site) -> None:
    """Otherwise the largest bodies fill the memory while each waits for its end."""
    socks = [socket.create_connection((LOCAL, site.ports.internal), timeout=10) for _ in range(20)]
    for sock, path in zip(socks, (*ASKING, "/nothing", "/metrics") * 4, strict=True):
        sock.sendall(_head(path, _length(HUGE)))
    for sock in socks:
        sock.sendall(b"x" * 100_000)
        assert int(sock.recv(65_536)[9:12]) in {401, 404, 405}

    assert _bodies(site).held == 0
    for sock in socks:
        sock.close()


@pytest.mark.parametrize(
    ("path", "limit"), [("/session/check", 262_144), ("/session/start", 262_144), ("/session/check-many", 16_777_216)]
)
def test_each_address_has_a_limit_of_its_own(site: Site, path: str, limit: int) -> None:
    """Otherwise the largest of all is everybody's."""
    said = raw(site.ports.internal, _head(path, PROVEN, "Connection: close\r\n", _length(limit + 1)))
    chunked = _head(path, PROVEN, "Connection: close\r\n", "Transfer-Encoding: chunked\r\n")
    sent = raw(site.ports.internal, chunked, b"%x\r\n" % (limit + 1) + b" " * (limit + 1) + b"\r\n0\r\n\r\n")

    assert said.startswith(b"HTTP/1.1 413 ")
    assert sent.startswith(b"HTTP/1.1 413 ")
    assert b'"error": "too-large"' in said
    assert b'"error": "too-large"' in sent
    assert sent.count(b"HTTP/1.1") == 1


def test_no_address_takes_more_than_is_written_down() -> None:
    """Otherwise a new route is where the memory goes."""
    most = {route.path: route.handler.max_body for route in ROUTES}

    assert {path: size for path, size in most.items() if size > 65_536} == {
        "/auth": 1 << 30,
        "/session/check": 262_144,
        "/session/start": 262_144,
        "/session/check-many": 16_777_216,
        "/tokens/([a-z0-9-]{1,32})": 262_144,
    }
    assert Handler.max_body == 65_536


@pytest.mark.threat(51)
def test_an_upload_is_passed_over_for_listed_proxies_only() -> None:
    """Otherwise anybody who reaches the listener has a gigabyte read for every request."""
    with Site() as site:
        lines = [f"{name}: {value}\r\n" for name, value in forwarded(host=site.host).items()]
        with connection(site.ports.internal) as sock:
            sock.sendall(_head("/auth", *lines, _length(HUGE)))

            assert sock.recv(65_536).startswith(b"HTTP/1.1 403 ")


def test_a_client_that_sends_everything_first_reads_the_answer(site: Site) -> None:
    """Otherwise a forgotten secret looks like a broken network."""
    client = http.client.HTTPConnection(LOCAL, site.ports.internal, timeout=20)
    client.request("POST", "/session/check-many", body=b"x" * HUGE, headers={"Host": "a"})
    answer = client.getresponse()

    assert (answer.status, json.loads(answer.read())["error"]) == (401, "client")
    client.close()


def test_a_body_that_never_ends_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a refusal holds the connection for as long as a body may take."""
    monkeypatch.setattr(lingering, "LINGER_S", 0.1)

    answer = raw(site.ports.internal, _head("/session/check", _length(1_000)), b"half")

    assert answer.startswith(b"HTTP/1.1 401 ")


def test_an_endless_body_is_passed_over_up_to_a_bound(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a refusal reads for as long as somebody sends."""
    monkeypatch.setattr(lingering, "LINGER_S", 60)
    monkeypatch.setattr(lingering, "LINGER_BYTES", 1_000_000)
    with connection(site.ports.internal) as sock:
        sock.sendall(_head("/session/check", "Transfer-Encoding: chunked\r\n"))

        def closed() -> bool:
            try:
                sock.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            except OSError:
                return True
            return False

        assert any(closed() for _ in range(1_000))


def test_a_refusal_of_a_short_body_keeps_the_connection(site: Site) -> None:
    """Otherwise a proxy's pool of connections is emptied by scanners."""
    short = _head("/session/check", _length(10)) + b"x" * 10
    last = _head("/healthz", "Connection: close\r\n", method="GET")

    answers = raw(site.ports.internal, short * 3 + last)

    assert [answers.count(b"HTTP/1.1 401 "), answers.count(b"HTTP/1.1 200 ")] == [3, 1]
    assert answers.count(b"Connection: close") == 1


def test_whoever_asks_before_sending_is_told_to_send_once_proven(site: Site) -> None:
    """Otherwise `Expect: 100-continue` has the body sent that is refused then."""
    body = json.dumps({"checks": []}).encode()
    expecting = ("Expect: 100-continue\r\n", _length(len(body)))
    with connection(site.ports.internal) as sock:
        sock.sendall(_head("/session/check-many", PROVEN, *expecting))
        assert sock.recv(65_536).startswith(b"HTTP/1.1 100 ")
        sock.sendall(body)
        assert sock.recv(65_536).startswith(b"HTTP/1.1 200 ")
    for path, proof in (("/session/check-many", WRONG), ("/session/check-many", ""), ("/nothing", PROVEN)):
        with connection(site.ports.internal) as sock:
            sock.sendall(_head(path, proof, *expecting))
            refusal = sock.recv(65_536)

            assert refusal[9:12] in {b"401", b"404"}
            assert b"100 (Continue)" not in refusal
            assert b"Connection: close" in refusal


class TestRoom:
    """All bodies at once."""

    def test_a_body_beyond_the_room_is_refused_and_the_others_are_answered(
        self, site: Site, expect_log: Callable[..., Expectation], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Otherwise as many applications as there are connections fill the memory."""
        expect_log("identity.web", "overloaded")
        bodies = _bodies(site)
        monkeypatch.setattr(bodies, "_left", 150_000)
        body = json.dumps({"checks": []}).encode().rjust(100_000)
        with connection(site.ports.internal) as first, connection(site.ports.internal) as second:
            first.sendall(_head("/session/check-many", PROVEN, _length(100_000)) + body[:-1])
            until(lambda: bodies._left < 60_000)
            second.sendall(_head("/session/check-many", PROVEN, _length(100_000)) + body)
            refused = second.recv(65_536)
            first.sendall(body[-1:])

            assert refused.startswith(b"HTTP/1.1 503 ")
            assert b'"error": "overloaded"' in refused
            assert b"Retry-After: " in refused
            assert first.recv(65_536).startswith(b"HTTP/1.1 200 ")

        until(lambda: bodies._left == 150_000)

    @pytest.mark.parametrize("listener", [0, 1])
    def test_room_comes_back_when_a_client_leaves(self, site: Site, listener: int) -> None:
        """Otherwise every broken connection takes some for ever."""
        bodies = _bodies(site, listener)
        port = (site.ports.public, site.ports.internal)[listener]
        path = ("/logout", "/session/check")[listener]
        with connection(port) as sock:
            own = (
                "Host: login.example\r\nOrigin: https://login.example\r\n" if listener == 0 else f"Host: a\r\n{PROVEN}"
            )
            sock.sendall(f"POST {path} HTTP/1.1\r\n{own}{_length(50_000)}\r\n".encode() + b"x" * 40_000)
            until(lambda: bodies.held == 40_000)

        until(lambda: bodies.held == 0)

    def test_room_comes_back_with_the_answer(self, site: Site) -> None:
        """Otherwise the daemon answers for an hour and then no more."""
        for _ in range(3):
            assert site.check().status == 200
            assert site.public("POST", "/logout", body=b"x" * 60_000).status == 303

        until(lambda: (_bodies(site, 0).held, _bodies(site).held) == (0, 0))
