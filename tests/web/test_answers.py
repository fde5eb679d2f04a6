"""What every answer has in common: headers, request ids, errors, addresses."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from identity.config.model import Hsts
from identity.log import current_request, given_request
from identity.web.pages.script import SOURCE
from tests.support.browser import Jar
from tests.support.guards import Expectation
from tests.support.handlers import ROUTES, get
from tests.support.web import LOCAL, Site

ExpectLog = Callable[..., Expectation]


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    """Give a daemon with the test's pages."""
    with Site(routes=ROUTES, trusted=(LOCAL,)) as site:
        yield site


@contextmanager
def logged_during(current: Callable[[], str]) -> Iterator[dict[str, str]]:
    """Give what `current` said at each line of the log, by the line.

    The access line of an earlier request may come first: the server writes it after the answer was sent.
    """
    seen: dict[str, str] = {}

    def note(record: logging.LogRecord) -> bool:
        seen.setdefault(record.getMessage(), current())
        return False

    listener = logging.Handler()
    listener.addFilter(note)
    logger = logging.getLogger("identity.web")
    level = logger.level
    logger.addHandler(listener)
    logger.setLevel("INFO")
    try:
        yield seen
    finally:
        logger.setLevel(level)
        logger.removeHandler(listener)


class TestHeaders:
    """What every page carries."""

    def test_a_page_can_be_neither_framed_nor_scripted(self, site: Site) -> None:
        """Otherwise clickjacking and injected scripts."""
        policy = get(site, "/test/open", Jar()).one("Content-Security-Policy") or ""

        for rule in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self';"):
            assert rule in policy
        assert "unsafe" not in policy
        assert re.findall("script-src ([^;]*);", policy) == [SOURCE]

    def test_forms_may_lead_to_where_logins_return(self) -> None:
        """Otherwise the browser blocks the redirect that ends a sign-up begun at an application."""
        with Site(routes=ROUTES, changes={"form_origins": frozenset({"https://wiki.example"})}) as site:
            policy = get(site, "/test/open", Jar()).one("Content-Security-Policy") or ""

            assert "form-action 'self' https://wiki.example;" in policy

    def test_the_rest_is_there_too(self, site: Site) -> None:
        """Otherwise old browsers sniff, frame and leak."""
        reply = get(site, "/test/open", Jar())

        assert reply.one("X-Content-Type-Options") == "nosniff"
        assert reply.one("X-Frame-Options") == "DENY"
        assert reply.one("Referrer-Policy") == "same-origin"
        assert reply.one("Strict-Transport-Security") == "max-age=31536000"
        assert reply.one("Server") is None

    @pytest.mark.parametrize("hsts", list(Hsts))
    def test_hosts_below_the_logins_are_promised_only_when_it_is_asked_for(self, hsts: Hsts) -> None:
        """Otherwise a host without https cannot be reached any more, or one can be pretended on the way."""
        with Site(routes=ROUTES, changes={"hsts": hsts.directives}) as site:
            said = get(site, "/test/open", Jar()).one("Strict-Transport-Security") or ""

        assert said.split("; ")[1:] == {
            Hsts.HOST: [],
            Hsts.SUBDOMAINS: ["includeSubDomains"],
            Hsts.PRELOAD: ["includeSubDomains", "preload"],
        }.get(hsts)

    def test_plain_http_on_loopback_promises_no_https(self) -> None:
        """Otherwise a browser that saw the demonstration once refuses everything else on localhost."""
        with Site(public_url="http://localhost:8887", hosts=frozenset({"localhost:8887"}), routes=ROUTES) as site:
            reply = get(site, "/test/open", Jar())

            assert reply.status == 200
            assert reply.one("Strict-Transport-Security") is None

    def test_errors_carry_them_as_well(self, site: Site) -> None:
        """Otherwise an error page is the way in."""
        reply = get(site, "/nothing", Jar())

        assert "frame-ancestors 'none'" in (reply.one("Content-Security-Policy") or "")
        assert reply.one("Cache-Control") == "no-store"

    def test_no_validator_is_given_or_taken(self, site: Site) -> None:
        """Otherwise a 304 answers in the place of a verdict and loses its cookie."""
        reply = get(site, "/test/open", Jar(), **{"If-None-Match": "*"})

        assert (reply.status, reply.one("Etag")) == (200, None)


class TestRequestIds:
    """One name for a request, in the answer, the log and the audit."""

    def test_each_answer_has_its_own(self, site: Site) -> None:
        """Otherwise support cannot find what a person saw."""
        ids = {get(site, "/test/open", Jar()).one("X-Request-Id") for _ in range(5)}

        assert len(ids) == 5

    @pytest.mark.threat(50)
    @pytest.mark.parametrize(
        "given", ["from-the-proxy", "short", "x" * 65, "a b c", "<script>", "9f2c41d07be5a8301c6644fe"]
    )
    @pytest.mark.parametrize("trusted", [(), ("127.0.0.1",)])
    def test_nobody_else_chooses_it(self, given: str, trusted: tuple[str, ...]) -> None:
        """Otherwise a browser makes two requests look like one, in the log and in the audit."""
        with Site(routes=ROUTES, trusted=trusted) as site:
            public = get(site, "/test/open", Jar(), **{"X-Request-Id": given}).all("X-Request-Id")
            inside = site.internal("GET", "/healthz", headers={"X-Request-Id": given}).all("X-Request-Id")

        assert re.fullmatch("[0-9a-f]{24}", public[0])
        assert re.fullmatch("[0-9a-f]{24}", inside[0])
        assert given not in public + inside
        assert (len(public), len(inside)) == (1, 1)

    @pytest.mark.threat(50)
    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            ("from-the-proxy", "from-the-proxy"),
            ("f058ebd6-02f7-4d3f-942e-904344e8cde5", "f058ebd6-02f7-4d3f-942e-904344e8cde5"),
            ("x" * 5_000, "x" * 64),
            ('a b"c\tlevel=error', "a?b?c?level=error"),
            ("\xe9\x85<script>", "???script?"),
            ("", ""),
        ],
    )
    def test_the_senders_own_name_for_it_is_beside_it_in_the_log(self, site: Site, given: str, shown: str) -> None:
        """Otherwise a request cannot be followed from the proxy's log into ours; or a line is written from outside."""
        with logged_during(given_request) as seen:
            get(site, "/test/failing/flow", Jar(), **{"X-Request-Id": given})

        assert shown in seen.values()

    def test_what_is_logged_for_a_request_carries_its_id(self, site: Site) -> None:
        """Otherwise the lines of one request cannot be found among those of a thousand."""
        with logged_during(current_request) as seen:
            reply = get(site, "/test/failing/flow", Jar())

        assert seen["GET /test/failing/flow: flow-invalid"] == reply.one("X-Request-Id")


class TestErrors:
    """Mapped once, shown as pages."""

    @pytest.mark.parametrize(
        ("what", "status", "code"),
        [("store", 503, "store-unavailable"), ("flow", 400, "flow-invalid"), ("provider", 502, "provider")],
    )
    def test_an_error_is_a_page_with_its_code_and_request_id(
        self, site: Site, expect_log: ExpectLog, what: str, status: int, code: str
    ) -> None:
        """Otherwise a person can neither act nor ask."""
        expect_log("identity.web", code, required=status >= 500)

        reply = get(site, f"/test/failing/{what}", Jar())

        assert reply.status == status
        assert code.encode() in reply.body
        assert (reply.one("X-Request-Id") or "?").encode() in reply.body
        assert bool(reply.one("Retry-After")) == (status == 503)

    def test_details_stay_inside(self, site: Site, expect_log: ExpectLog) -> None:
        """Otherwise error pages tell strangers about the machinery."""
        expect_log("identity.web", "failed")

        reply = get(site, "/test/failing/bug", Jar())

        assert reply.status == 500
        assert b"canary" not in reply.body
        assert b"internal" in reply.body

    def test_an_unknown_address_is_404_whatever_the_method(self, site: Site) -> None:
        """Otherwise a scan learns which methods there would be."""
        methods = ("GET", "POST", "DELETE", "PROPFIND")

        assert {site.public(method, "/nothing").status for method in methods} == {404}
        assert {site.internal(method, "/nothing").status for method in methods} == {404}

    def test_another_method_is_405_with_the_right_ones(self, site: Site) -> None:
        """Otherwise a client cannot tell a wrong address from a wrong method."""
        replies = [site.public(method, "/test/mine") for method in ("DELETE", "OPTIONS", "PROPFIND")]

        assert [(reply.status, reply.one("Allow")) for reply in replies] == [(405, "GET, HEAD, POST")] * 3

    def test_a_full_pool_is_503_at_once(self, site: Site, expect_log: ExpectLog) -> None:
        """Otherwise a slow store makes every request wait until its browser gives up."""
        expect_log("identity.web", "overloaded")
        with Site(routes=ROUTES, changes={"checks": site.full_pool()}) as full:
            reply = get(full, "/test/open", Jar())

            assert reply.status == 503
            assert reply.one("Retry-After")


class TestAddresses:
    """One spelling for each page."""

    @pytest.mark.parametrize(
        ("asked", "canonical"),
        [
            ("/test/open/", "/test/open"),
            ("/test/open//", "/test/open"),
            ("/test/open/?a=b&c=%2F", "/test/open?a=b&c=%2F"),
            ("/test/failing/bug/", "/test/failing/bug"),
            ('/test/open/?"\\', "/test/open?%22%5C"),
        ],
    )
    def test_slashes_at_the_end_are_one_redirect(self, site: Site, asked: str, canonical: str) -> None:
        """Otherwise half of the links people type are dead."""
        reply = site.public("GET", asked)

        assert (reply.status, reply.one("Location")) == (308, canonical)

    @pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
    @pytest.mark.parametrize("origin", ["https://login.example", "https://evil.example"])
    def test_slashes_at_the_end_are_one_redirect_for_every_method(self, site: Site, method: str, origin: str) -> None:
        """Otherwise anybody writes errors of ours into the log, and an operator looks for a fault."""
        reply = site.public(method, "/test/open/", headers={"Origin": origin})

        assert (reply.status, reply.one("Location")) == (308, "/test/open")

    @pytest.mark.parametrize(
        "path",
        [
            "//test/open",
            "/test//open",
            "/test/./open",
            "/x/../test/open",
            "/%74est/open",
            "/test/open%2f",
            "/TEST/open",
            "/xidentityd/ack",
        ],
    )
    @pytest.mark.threat(42)
    def test_nothing_is_resolved(self, site: Site, path: str) -> None:
        """Otherwise a rule of the proxy for one path is walked around by another spelling."""
        assert site.public("GET", path).status == 404

    def test_an_address_of_the_other_listener_is_404(self, site: Site) -> None:
        """Otherwise the world reaches what only proxies may."""
        assert {site.public("GET", p).status for p in ("/auth", "/healthz", "/metrics", "/session/check")} == {404}
        assert {site.internal("GET", p).status for p in ("/test/open", "/.identityd/ack", "/")} == {404}
