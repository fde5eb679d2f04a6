"""Request lines and Host headers: what is one request in two spellings, and what has two readings."""

from collections.abc import Iterator

import pytest

from tests.support.logins import LoginSite
from tests.support.web import LOCAL, Site, forwarded, raw


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give a daemon."""
    with LoginSite(trusted=(LOCAL,)) as running:
        yield running


def _ask(port: int, line: str, *headers: str) -> tuple[int, bytes]:
    head = "\r\n".join((line, *headers, "Connection: close"))
    answer = raw(port, f"{head}\r\n\r\n".encode("latin-1"))
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    return int(answer[9:12]), answer


@pytest.mark.parametrize(
    "target",
    [
        "https://login.example/login?x=1",
        "http://login.example/login",
        "HTTPS://LOGIN.Example/login",
        "https://login.example:443/login",
        "http://login.example:80/login",
        "https://login.example:/login",
    ],
)
@pytest.mark.parametrize("host", ["login.example", "evil.example", "localhost:1"])
def test_a_whole_address_is_a_path_and_its_host(site: Site, target: str, host: str) -> None:
    """Otherwise a proxy that hands addresses on whole has 404 for every page (RFC 9112 section 3.2.2)."""
    status, _ = _ask(site.ports.public, f"GET {target} HTTP/1.1", f"Host: {host}")

    assert status == 200


@pytest.mark.parametrize(
    ("target", "path"), [("https://login.example", "/account"), ("https://login.example?x=//y", "/account")]
)
def test_a_whole_address_without_a_path_is_the_root(site: Site, target: str, path: str) -> None:
    """Otherwise the shortest address of all is none."""
    status, answer = _ask(site.ports.public, f"GET {target} HTTP/1.1", "Host: login.example")

    assert status == 303
    assert f"Location: {path}".encode() in answer


def test_a_redirect_made_from_a_whole_address_is_a_path(site: Site) -> None:
    """Otherwise the address of a request becomes the address of a redirect."""
    status, answer = _ask(site.ports.public, "GET https://login.example/login/ HTTP/1.1", "Host: login.example")

    assert status == 308
    assert b"Location: /login\r\n" in answer


def test_the_host_of_a_whole_address_counts_and_the_header_does_not(site: Site) -> None:
    """Otherwise a cache in front keys on one host, and identityd answers for another."""
    status, _ = _ask(site.ports.public, "GET https://evil.example/login HTTP/1.1", "Host: login.example")
    inside, _ = _ask(site.ports.internal, "GET http://evil.example/healthz HTTP/1.1", "Host: localhost")

    assert (status, inside) == (421, 421)


def test_programs_may_use_whole_addresses_too(site: Site) -> None:
    """Otherwise clients that always send them cannot ask."""
    port = site.ports.internal
    head = [f"{name}: {value}" for name, value in forwarded(host=site.host).items()]

    assert _ask(port, f"GET http://localhost:{port}/healthz HTTP/1.1", "Host: localhost")[0] == 200
    assert _ask(port, f"GET http://127.0.0.1:{port}/auth HTTP/1.1", "Host: x.example", *head)[0] == 401


@pytest.mark.parametrize(
    "target",
    [
        "https://ada@login.example/login",
        "https://ada:secret@login.example/login",
        "https://@login.example/login",
        "https:///login",
        "https://login.example/login#x",
        "https://login.example:99999/login",
        "https://login.example:x/login",
        "https://[::1/login",
        "https://log,in.example/login",
        "https://login.example\\@evil.example/",
        "ftp://login.example/login",
        "javascript://login.example/login",
        "https:/login.example/login",
        "https:login.example",
        "login.example:443",
        "login.example/login",
        "login",
        "?x",
        "*",
        "//",
    ],
)
def test_what_is_no_address_of_a_server_is_refused(site: Site, target: str) -> None:
    """Otherwise two parsers see two hosts in one request line."""
    for port in (site.ports.public, site.ports.internal):
        status, _ = _ask(port, f"GET {target} HTTP/1.1", "Host: login.example")

        assert status == (404 if target == "//" else 400)


def test_connect_is_refused(site: Site) -> None:
    """Otherwise the daemon looks like a proxy that leads inside."""
    for port in (site.ports.public, site.ports.internal):
        assert _ask(port, "CONNECT login.example:443 HTTP/1.1", "Host: login.example:443")[0] == 400


@pytest.mark.parametrize("target", ["*", "https://login.example", "HTTP://login.example:80"])
def test_the_server_as_a_whole_may_be_asked_whether_it_is_there(site: Site, target: str) -> None:
    """Otherwise a load balancer's `OPTIONS *` finds the daemon dead (RFC 9110 section 9.3.7)."""
    for port in (site.ports.public, site.ports.internal):
        assert _ask(port, f"OPTIONS {target} HTTP/1.1", "Host: login.example")[0] == 204


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        ("Host:",),
        ("Host: login.example", "Host: login.example"),
        ("Host: login.example", "host: evil.example"),
        ("Host: login.example, evil.example",),
        ("Host: ada@login.example",),
        ("Host: login.example/",),
        ("Host: login.example?x",),
        ("Host: login.example:99999",),
        ("Host: login.example:443:443",),
        ("Host: log in.example",),
        ("Host: login%2eexample",),
        ("Host: lögin.example",),
        ("Host: [::1",),
        ("Host: https://login.example",),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_request_without_exactly_one_host_is_refused(site: Site, hosts: tuple[str, ...], method: str) -> None:
    """Otherwise a proxy routes by one Host and identityd answers by the other (RFC 9112 section 3.2)."""
    for port in (site.ports.public, site.ports.internal):
        for target in ("/login", "https://login.example/login"):
            assert _ask(port, f"{method} {target} HTTP/1.1", *hosts)[0] == 400


def test_a_health_check_without_a_host_is_answered(site: Site) -> None:
    """HTTP/1.0 needs none, no browser sends it, and load balancers do."""
    assert _ask(site.ports.internal, "GET /healthz HTTP/1.0")[0] == 200
    assert _ask(site.ports.public, "GET /login HTTP/1.0")[0] == 421
