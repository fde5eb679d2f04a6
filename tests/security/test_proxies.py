"""Rows 37 and 41: what a request says about itself is believed of listed proxies only, and never in links."""

from collections.abc import Iterator

import pytest

from identity.errors import ConfigError
from identity.forward_auth.peers import TrustedPeers
from identity.types import Host
from tests.support.browser import Jar
from tests.support.handlers import ROUTES, get, post, token_of
from tests.support.web import LOCAL, Site, ask, forwarded


@pytest.fixture(scope="module")
def untrusting() -> Iterator[Site]:
    """Give a daemon that trusts no proxy, as it is without configuration."""
    with Site(routes=ROUTES) as site:
        yield site


@pytest.mark.threat(37)
class TestForwarded:
    """`X-Forwarded-*` of strangers."""

    def test_by_default_nobody_may_ask_as_a_proxy(self, untrusting: Site) -> None:
        """Otherwise anybody who reaches the listener asks about any page, with any address."""
        reply = untrusting.auth(jar=untrusting.log_in())

        assert (reply.status, reply.json()["error"]) == (403, "untrusted-proxy")
        assert reply.one("X-Identity-User") is None

    @pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
    def test_trusting_everybody_is_refused(self, network: str) -> None:
        """Otherwise one line of configuration lets every browser name its own address."""
        with pytest.raises(ConfigError):
            TrustedPeers([network])

    def test_a_strangers_forwarded_address_is_not_noted(self, untrusting: Site) -> None:
        """Otherwise the audit shows the address an attacker chose."""
        jar = untrusting.log_in()
        token = token_of(get(untrusting, "/test/mine", jar))

        post(untrusting, "/test/mine", jar, f"csrf={token}", X_Forwarded_For="203.0.113.9")

        assert untrusting.events[-1].address == LOCAL

    @pytest.mark.parametrize(
        ("chain", "client"),
        [
            ("203.0.113.9", "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("203.0.113.9, 10.1.2.3", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9, 10.0.0.1, 10.0.0.2", "203.0.113.9"),
            ("", "10.0.0.9"),
            ("nonsense", "10.0.0.9"),
            ("203.0.113.9, nonsense", "10.0.0.9"),
            ("203.0.113.9, nonsense, 10.0.0.4", "10.0.0.4"),
            ("10.0.0.1", "10.0.0.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("203.0.113.9:51234", "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9:443, 10.1.2.3:80", "203.0.113.9"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("203.0.113.9:", "10.0.0.9"),
            ("203.0.113.9:80:80", "10.0.0.9"),
            ("203.0.113.9:port", "10.0.0.9"),
            ("[203.0.113.9", "10.0.0.9"),
            ("[]:443", "10.0.0.9"),
        ],
    )
    def test_the_client_is_the_nearest_address_no_proxy_of_ours_has(self, chain: str, client: str) -> None:
        """Otherwise a browser puts an address of its own in front of the chain and is taken for it."""
        assert TrustedPeers(["10.0.0.0/8"]).client("10.0.0.9", chain) == client

    def test_a_stranger_is_itself_whatever_it_says(self) -> None:
        """Otherwise the header alone decides."""
        assert TrustedPeers(["10.0.0.0/8"]).client("198.51.100.7", "203.0.113.9") == "198.51.100.7"

    def test_an_ipv4_proxy_seen_over_ipv6_is_the_same_proxy(self) -> None:
        """Otherwise a dual-stack listener distrusts the proxy it lists."""
        assert TrustedPeers(["10.0.0.0/8"]).trusts("::ffff:10.1.2.3")

    @pytest.mark.parametrize("header", ["X-Original-URL", "X-Original-Uri", "X-Rewrite-URL", "Forwarded", "X-Real-Ip"])
    def test_other_families_of_headers_are_not_read(self, header: str) -> None:
        """Otherwise a header the proxy does not overwrite decides what is checked."""
        with Site(trusted=(LOCAL,)) as site:
            headers = {**forwarded(host=site.host, uri="/real"), header: "/other"}

            reply = site.internal("GET", "/auth", headers=headers)

            assert "return_to=%2Freal" in (reply.one("X-Identity-Location") or "")


@pytest.mark.threat(41)
class TestHost:
    """The Host header decides nothing but whether we answer."""

    @pytest.mark.parametrize(
        "host", ["evil.example", "login.example.evil.example", "login.example:8080", "127.0.0.1", "localhost"]
    )
    def test_a_host_that_is_not_configured_is_refused(self, untrusting: Site, host: str) -> None:
        """Otherwise another name for our address gets pages, cookies and links of ours."""
        for path in ("/test/open", "/test/open/", "/nothing"):
            reply = untrusting.public("GET", path, host=host)

            assert (reply.status, reply.cookies, reply.one("Location")) == (421, [], None)
            assert host.encode() not in reply.body

    @pytest.mark.parametrize("host", ["login.example", "LOGIN.example", "login.example:443"])
    def test_the_configured_one_is_answered_in_each_spelling(self, untrusting: Site, host: str) -> None:
        """Otherwise a browser that spells the port is shut out."""
        assert untrusting.public("GET", "/test/open", host=host).status == 200

    def test_other_names_of_loopback_only_where_configured(self) -> None:
        """Otherwise a page of a name that resolves to loopback talks to a developer's daemon (rebinding)."""
        both = frozenset({Host("localhost:8887"), Host("127.0.0.1:8887")})
        with Site(public_url="http://localhost:8887", hosts=both, routes=ROUTES) as site:
            statuses = {
                host: site.public("GET", "/.identityd/ack", host=host).status
                for host in (*both, "rebound.example:8887")
            }

            assert statuses == {"localhost:8887": 204, "127.0.0.1:8887": 204, "rebound.example:8887": 421}

    def test_links_come_from_the_configuration(self) -> None:
        """Otherwise a forged Host header ends in a link that somebody trusts."""
        hosts = frozenset({Host("login.example"), Host("wiki.example")})
        with Site(hosts=hosts, trusted=(LOCAL,), routes=ROUTES) as site:
            page = site.public("GET", "/test/mine")
            ack = site.public("GET", "/.identityd/ack?then=/page", host="wiki.example")
            proxied = ask(
                site.ports.internal, "GET", "/auth", host="evil.example", headers=forwarded(host="wiki.example")
            )

            assert page.one("Location") == "/login?return_to=%2Ftest%2Fmine"
            assert ack.one("Location") == "/.identityd/login?return_to=%2Fpage"
            assert proxied.one("X-Identity-Location") == "https://wiki.example/.identityd/login?return_to=%2Fpage"

    @pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Host", "Forwarded"])
    def test_no_header_replaces_the_host(self, header: str) -> None:
        """Otherwise the check of the host is walked around by another header, even through a listed proxy."""
        with Site(routes=ROUTES, trusted=(LOCAL,)) as site:
            reply = site.public("GET", "/test/open", host="evil.example", headers={header: "login.example"})

            assert reply.status == 421


@pytest.mark.threat(39)
@pytest.mark.parametrize("agent", ["kube-probe/1.29", "GoogleHC/1.0", "ELB-HealthChecker/2.0"])
def test_no_name_of_a_program_is_a_way_in(agent: str) -> None:
    """Otherwise calling oneself a health check is enough to be let through."""
    with Site(trusted=(LOCAL,)) as site:
        assert site.auth(headers={"User-Agent": agent}).status == 401


@pytest.mark.threat(24)
def test_a_session_id_without_its_token_gets_nothing() -> None:
    """Otherwise who knows a session's id, which applications are told, is handed a token for it."""
    with Site(trusted=(LOCAL,)) as site:
        jar = site.log_in()
        [(cookie, value)] = jar.cookies.items()
        session = site.auth(jar=jar).one("X-Identity-Session") or ""
        site.clock.advance(20_000)
        garbage = ["", "x", session, value[:-1], value + "A", value[:40], value[:84] + "A" * 16, "A" * 100, value[::-1]]
        for shown in garbage:
            other = Jar()
            other.cookies = {cookie: shown}

            reply = site.auth(jar=other)

            assert (reply.status, reply.cookies) == (401, [])
            assert reply.one("X-Identity-Cookie-1") is None
        assert site.auth(jar=jar).status == 200
