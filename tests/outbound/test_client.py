"""Calls to providers: time, size, redirects, tries, proxies, and what a failure says."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Final

import pytest

from identity.outbound.allowed_addresses import AllowedAddresses
from identity.outbound.client import Called, OutboundClient
from identity.outbound.lookup import Resolve
from identity.outbound.rules import LARGEST, OutboundRules, proxy_of
from providers.base import HttpResponse, ProviderBroken
from tests.support.certificates import Authority
from tests.support.memcached import free_port
from tests.support.origin import Answer, Asked, ConnectProxy, Origin

LOOPBACK: Final = AllowedAddresses(networks=(ip_network("127.0.0.0/8"),))
NAME: Final = "id.example"


class Client:
    """The production client on a loop of its own."""

    def __init__(self, runner: asyncio.Runner, outbound: OutboundClient, called: list[Called]) -> None:
        self._runner = runner
        self.outbound = outbound
        self.called = called

    def fetch(self, method: str, url: str, **more: object) -> HttpResponse:
        """Make a request under the name `acme`."""
        http = self.outbound.for_provider("acme")
        return self._runner.run(http.fetch(method, url, **more))  # type: ignore[arg-type]

    def get(self, url: str) -> HttpResponse:
        """Make a GET."""
        return self.fetch("GET", url)

    def failure(self, method: str, url: str, **more: object) -> str:
        """Make a request that must fail, and return what is said about it."""
        with pytest.raises(ProviderBroken) as failed:
            self.fetch(method, url, **more)
        return str(failed.value)


@contextmanager
def client(
    rules: OutboundRules | None = None, *, trust: ssl.SSLContext | None = None, resolve: Resolve | None = None
) -> Iterator[Client]:
    """Return a client that may call this machine, unless the rules say otherwise."""
    called: list[Called] = []
    with asyncio.Runner() as runner:

        async def opened() -> OutboundClient:
            return OutboundClient(
                rules or OutboundRules(allowed=LOOPBACK), on_call=called.append, trust=trust, resolve=resolve
            )

        outbound = runner.run(opened())
        try:
            yield Client(runner, outbound, called)
        finally:
            runner.run(outbound.aclose())


def resolves_to(*addresses: str) -> Resolve:
    """Return a resolver that knows one answer."""

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


@pytest.fixture
def http() -> Iterator[Client]:
    """Return a client that may call this machine."""
    with client() as made:
        yield made


def test_an_answer_comes_whole(http: Client) -> None:
    """Otherwise nothing a provider says can be used."""
    headers = [("X-Both", "a"), ("X-Both", "b"), ("ETag", '"1"')]
    with Origin(lambda _: Answer(201, headers, b"\x00body")) as origin:
        answer = http.get(origin.url("/a?b=c"))

    assert (answer.status, answer.body) == (201, b"\x00body")
    assert (answer.headers["x-both"], answer.headers["etag"]) == ("a, b", '"1"')
    assert origin.asked[0].target == "/a?b=c"
    assert origin.asked[0].headers["user-agent"] == "identityd"


def test_a_name_is_resolved_by_the_system(http: Client) -> None:
    """Otherwise only the tests can call anybody."""
    with Origin() as origin:
        assert http.get(origin.url(host="localhost")).status == 200


def test_calls_are_counted_with_their_bytes(http: Client) -> None:
    """Otherwise nobody sees what a provider costs, or that it fails."""
    with Origin(lambda asked: Answer(body=b"x" * 1000, reset=asked.target == "/reset")) as origin:
        http.fetch("POST", origin.url(), body=b"four")
        http.failure("POST", origin.url("/reset"), body=b"four")

    assert [(c.provider, c.method, c.outcome, c.sent, c.received) for c in http.called] == [
        ("acme", "POST", "ok", 4, 1000),
        ("acme", "POST", "failed", 4, 0),
    ]


def test_a_call_may_belong_to_no_provider(http: Client) -> None:
    """Otherwise the client is no `Http` by itself."""
    with Origin() as origin:
        answer = http._runner.run(http.outbound.fetch("GET", origin.url()))

    assert answer.status == 200
    assert http.called[0].provider == ""


# --- size and time ------------------------------------------------------------------------------


def test_a_mebibyte_is_enough_and_more_is_too_much(http: Client) -> None:
    """Otherwise a provider decides how much memory the daemon uses."""
    sizes = {"/enough": LARGEST, "/more": LARGEST + 1}
    with Origin(lambda asked: Answer(body=b"x" * sizes[asked.target])) as origin:
        assert len(http.get(origin.url("/enough")).body) == LARGEST
        http.failure("GET", origin.url("/more"))


def test_an_answer_of_unknown_size_is_cut_off(http: Client) -> None:
    """Otherwise leaving the length out is the way around the limit."""
    endless = Answer(headers=[("Connection", "close")], body=b"x" * (LARGEST + 1), dribble=True)
    with Origin(lambda _: endless) as origin:
        assert "TooLarge" in http.failure("GET", origin.url())


def test_an_answer_that_trickles_is_given_up() -> None:
    """Otherwise a byte now and then holds a connection, and a person, for ever."""
    trickle = Answer(headers=[("Content-Length", "100000")], body=b"{", dribble=True)
    with Origin(lambda _: trickle) as origin, client(OutboundRules(allowed=LOOPBACK, total_ms=150)) as http:
        assert "in time" in http.failure("GET", origin.url())
        assert http.called[0].outcome == "failed"
    assert len(origin.asked) <= 1


def test_a_resolver_that_hangs_is_given_up() -> None:
    """Otherwise a broken name server stops every login."""

    async def never(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    with client(OutboundRules(connect_ms=20), resolve=never) as http:
        assert "ConnectTimeout" in http.failure("GET", f"https://{NAME}/")


# --- tries ----------------------------------------------------------------------------------------


def _first_fails(*, then: Answer) -> Callable[[Asked], Answer]:
    answers = iter([Answer(reset=True)])
    return lambda _: next(answers, then)


def test_a_get_is_tried_a_second_time(http: Client) -> None:
    """Otherwise a connection that a provider closed a moment ago is a failed login."""
    with Origin(_first_fails(then=Answer())) as origin:
        assert http.get(origin.url()).status == 200
    assert len(origin.asked) == 2


def test_a_get_is_not_tried_a_third_time(http: Client) -> None:
    """Otherwise a provider that is down is called more often than one that is up."""
    with Origin(lambda _: Answer(reset=True)) as origin:
        http.failure("GET", origin.url())
    assert len(origin.asked) == 2


def test_a_post_is_never_tried_again(http: Client) -> None:
    """Otherwise a code is sent twice, and the provider revokes what it gave for the first."""
    with Origin(_first_fails(then=Answer())) as origin:
        http.failure("POST", origin.url(), body=b"code=1")
    assert len(origin.asked) == 1


def test_a_second_address_is_used_when_the_first_is_dead() -> None:
    """Otherwise a provider with one dead machine of two is down for us."""
    with Origin() as origin, client(resolve=resolves_to("127.0.0.2", "127.0.0.1")) as http:
        assert http.get(origin.url(host="localhost")).status == 200


def test_nobody_there_is_a_clear_failure(http: Client) -> None:
    """Otherwise the operator does not learn that the address is wrong."""
    assert "ConnectError" in http.failure("GET", f"http://127.0.0.1:{free_port()}/")


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long")])
def test_a_name_that_does_not_exist_is_a_clear_failure(error: Exception) -> None:
    """Otherwise a resolver's exception is a 500."""

    async def fails(_host: str, _port: int) -> Sequence[str]:
        raise error

    with client(resolve=fails) as http:
        assert "resolved" in http.failure("GET", f"https://{NAME}/")


# --- redirects ------------------------------------------------------------------------------------------


def _redirects(to: str, status: int = 302) -> Callable[[Asked], Answer]:
    return lambda asked: Answer() if asked.target == "/there" else Answer(status, [("Location", to)])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_origin_is_followed(http: Client, status: int) -> None:
    """Otherwise a provider that tidied its paths is down for us."""
    with Origin(_redirects("/there", status)) as origin:
        assert http.get(origin.url("/here")).status == 200


@pytest.mark.threat(46)
@pytest.mark.parametrize(
    "to",
    [
        *("http://127.0.0.2:{port}/there", "http://localhost:{port}/there", "http://127.0.0.1/", "http://["),
        *("//127.0.0.2:{port}/there", "https://127.0.0.1:{port}/there", "http://169.254.169.254/"),
        *("file:///etc/passwd", "http://[::1]:{port}/there", "http://a@127.0.0.1:{port}/there", "javascript:alert(1)"),
    ],
)
def test_a_redirect_elsewhere_is_not_followed(http: Client, to: str) -> None:
    """Otherwise a provider sends us, with a token, inside or to somebody else."""
    with Origin() as origin:
        origin.answer = _redirects(to.replace("{port}", str(origin.port)))
        http.failure("GET", origin.url("/here"))
    assert [asked.target for asked in origin.asked] == ["/here"]


def test_a_post_is_not_redirected_at_all(http: Client) -> None:
    """Otherwise a code and a secret are sent again, to a place nobody configured."""
    with Origin(_redirects("/there", 307)) as origin:
        assert "redirected" in http.failure("POST", origin.url("/here"), body=b"code=1")
    assert len(origin.asked) == 1


def test_redirects_that_go_in_circles_end(http: Client) -> None:
    """Otherwise a mistake there is a loop here."""
    with Origin(_redirects("/here")) as origin:
        assert "too often" in http.failure("GET", origin.url("/here"))
    assert len(origin.asked) == 4


# --- TLS -------------------------------------------------------------------------------------------------


def test_the_name_in_the_certificate_is_checked_although_we_resolve_ourselves(authority: Authority) -> None:
    """Otherwise whoever answers at the address is the provider."""
    trust = authority.client_context()
    allowed = AllowedAddresses(hosts=frozenset({NAME, "other.example"}))
    with (
        Origin(certificate=authority.issue(NAME)) as origin,
        client(OutboundRules(allowed=allowed), trust=trust, resolve=resolves_to("127.0.0.1")) as http,
    ):
        assert http.get(origin.url(host=NAME)).status == 200
        # The second name is on the same address: it must not ride on the first one's connection.
        assert "CERTIFICATE_VERIFY_FAILED" in http.failure("GET", origin.url(host="other.example"))
    assert len(origin.asked) == 1


def test_a_certificate_of_nobody_is_refused(authority: Authority) -> None:
    """Otherwise anybody on the way can read the client secret."""
    with Origin(certificate=authority.issue()) as origin, client() as http:
        assert "CERTIFICATE_VERIFY_FAILED" in http.failure("GET", origin.url())
    assert origin.asked == []


# --- what does not leak --------------------------------------------------------------------------------------


def test_cookies_of_a_provider_are_not_kept(http: Client) -> None:
    """Otherwise one person's session there travels with the next person's login."""
    with Origin(lambda _: Answer(headers=[("Set-Cookie", "sid=1; Path=/")])) as origin:
        http.get(origin.url())
        http.get(origin.url())
    assert "cookie" not in origin.asked[1].headers


def test_a_failure_says_where_and_holds_no_query_header_or_body(http: Client) -> None:
    """Otherwise the log holds what logs somebody in."""
    url = f"http://127.0.0.1:{free_port()}/token"
    said = http.failure("POST", f"{url}?canary=1", headers={"Authorization": "canary"}, body=b"canary")

    assert url in said
    assert "canary" not in said


@pytest.mark.parametrize("header", ["a\r\nX-Injected: yes", "a\nb", "ü\u0100"])
def test_a_header_that_is_none_is_not_sent(http: Client, header: str) -> None:
    """Otherwise a value with a line end is a second header."""
    with Origin() as origin:
        http.failure("GET", origin.url(), headers={"Authorization": header})
    assert origin.asked == []


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "http://a.example/", "https://a b/", "/path", "https://a:b@c/", ""]
)
def test_only_https_is_called_beyond_this_machine(http: Client, url: str) -> None:
    """Otherwise codes and secrets travel in the open."""
    assert "cannot be called" in http.failure("GET", url)


def test_an_answer_in_an_unknown_encoding_is_a_failure(http: Client) -> None:
    """Otherwise broken compression is a 500."""
    with Origin(lambda _: Answer(headers=[("Content-Encoding", "gzip")], body=b"no gzip")) as origin:
        assert "DecodingError" in http.failure("GET", origin.url())


# --- proxies -----------------------------------------------------------------------------------------------------


def test_calls_go_through_the_proxy_and_tls_does_not_end_there(authority: Authority) -> None:
    """Otherwise networks that allow nothing else cannot log anybody in."""
    trust = authority.client_context()
    with Origin(certificate=authority.issue(NAME)) as origin, ConnectProxy(origin.port) as proxy:
        rules = OutboundRules(proxy=f"http://user:canary@127.0.0.1:{proxy.port}")
        with client(rules, trust=trust, resolve=resolves_to()) as http:
            assert http.get(f"https://{NAME}/").status == 200
            assert "CERTIFICATE_VERIFY_FAILED" in http.failure("GET", "https://other.example/")
        assert "canary" not in repr(rules)
    assert proxy.heads[0].startswith(b"CONNECT id.example:443 ")
    assert b"proxy-authorization: basic" in proxy.heads[0].lower()
    assert [asked.headers.get("proxy-authorization") for asked in origin.asked] == [None]


@pytest.mark.threat(46)
@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "[fd00::1]", "[::ffff:10.0.0.1]", "100.64.0.1"])
def test_a_private_address_is_refused_behind_a_proxy_too(host: str) -> None:
    """Otherwise the proxy reaches inside for us."""
    with ConnectProxy(1) as proxy, client(OutboundRules(proxy=f"http://127.0.0.1:{proxy.port}")) as http:
        assert "private address" in http.failure("GET", f"https://{host}/")
    assert proxy.heads == []


def test_listed_hosts_are_called_without_the_proxy(authority: Authority) -> None:
    """Otherwise a provider inside is looked for outside."""
    trust = authority.client_context()
    allowed = AllowedAddresses(networks=LOOPBACK.networks, hosts=frozenset({"inside.example"}))
    with Origin(certificate=authority.issue(NAME, "inside.example", "127.0.0.1")) as origin, ConnectProxy(1) as proxy:
        rules = OutboundRules(allowed=allowed, proxy=f"http://127.0.0.1:{proxy.port}", direct=("example",))
        with client(rules, trust=trust, resolve=resolves_to("127.0.0.1")) as http:
            for host in (NAME, "inside.example", "127.0.0.1"):
                assert http.get(origin.url(host=host)).status == 200
    assert proxy.heads == []


@pytest.mark.parametrize(
    ("configured", "environ", "expected"),
    [
        ("", {}, ("", ())),
        ("http://a:1", {"HTTPS_PROXY": "http://b:1"}, ("http://a:1", ())),
        (
            "",
            {"HTTPS_PROXY": "http://b:1", "NO_PROXY": " .Inside.example, c "},
            ("http://b:1", ("inside.example", "c")),
        ),
        ("", {"https_proxy": "http://b:1", "no_proxy": "c,"}, ("http://b:1", ("c",))),
        ("http://a:1", {"NO_PROXY": "*"}, ("", ())),
        ("", {"HTTP_PROXY": "http://b:1"}, ("", ())),
    ],
)
def test_the_proxy_is_found_where_programs_look_for_it(
    configured: str, environ: dict[str, str], expected: tuple[str, tuple[str, ...]]
) -> None:
    """Otherwise an operator sets HTTPS_PROXY, as for every other program, and nothing happens."""
    assert proxy_of(configured, environ) == expected
