"""What passes through each proxy, and what it does with every verdict."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import pytest

from identity.cookies import pairs
from tests.proxies.matrix import expected
from tests.support.application import OWN_CACHE, OWN_COOKIES
from tests.support.browser import CALL, PAGE, Browser, Jar, Reply
from tests.support.claimed_names import AT_ONCE, CLAIMS, SPELLINGS
from tests.support.guarded_application import APPLICATION, GuardedApplication
from tests.support.proxies import KINDS

pytestmark = pytest.mark.memcached

ECHO: Final = f"{APPLICATION}/echo"
UNMINTED: Final = (("Sec-Purpose", "prefetch"), *CALL)
"""What is asked ahead gets no token."""
EVENTS: Final = (("Accept", "text/event-stream"), *CALL)
HANDSHAKE: Final = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)


def as_a_program_sees_them(reply: Reply) -> dict[str, list[str]]:
    """Return the headers that reached the application, named as CGI and WSGI name them."""
    seen: dict[str, list[str]] = {}
    for name, value in reply.json()["headers"]:
        seen.setdefault(re.sub(r"[^A-Z0-9]", "_", name.upper()), []).append(value)
    return seen


def own(reply: Reply) -> list[str]:
    """Return the application's own Set-Cookie lines."""
    return [line for line in reply.all("Set-Cookie") if line in OWN_COOKIES]


def cluttered(guarded: GuardedApplication) -> Browser:
    """Return somebody whose page is answered with four cookies: a new token, three deletions."""
    visitor = guarded.aged()
    visitor.jar |= {f"__Host-idd-junk{n}": "x" for n in range(3)}
    return visitor


class TestPassing:
    """Somebody is logged in."""

    def test_the_application_hears_who_it_is(self, guarded: GuardedApplication) -> None:
        """Otherwise there was no point in asking."""
        member = guarded.aged()

        seen = as_a_program_sees_them(member.load("GET", ECHO, CALL))

        assert [name[:6] for name in seen["X_IDENTITY_USER"]] == ["member"]
        assert len(seen["X_IDENTITY_ID"][0]) == 36
        assert len(seen["X_IDENTITY_SESSION"][0]) == 22

    def test_the_application_gets_its_own_cookies_and_none_of_ours(self, guarded: GuardedApplication) -> None:
        """Otherwise the log of any application holds tokens, and forty of them exceed its header limit."""
        member = guarded.aged()
        member.jar = Jar.of({"mine": "1", **member.jar, "yours": "2", "__Host-idd-other": "x", "theirs": "3"})

        [cookie] = as_a_program_sees_them(member.load("GET", ECHO, CALL))["COOKIE"]

        assert re.findall(r"[^=; ]+=[^;]*", cookie) == ["mine=1", "yours=2", "theirs=3"]

    @pytest.mark.threat(47)
    @pytest.mark.parametrize(
        "line",
        [
            "a=1;{ours};b=2",
            "{ours};a=1; b=2",
            "a=1;\t {ours}; b=2;{ours}",
            "a=1 ; {ours} ;  {ours};b=2",
            "a=1;b=2; {ours}",
            "a=1,__Host-idd-x=1; {ours}; b=2",
            '"__Host-idd-x"=1; a=1; {ours}; t="1,__Host-idd-x=2"; b=2',
            "a=__Host-idd-x=1; {ours}; b=2; x__Host-idd-x=3",
            "\xa0__Host-idd-x=1; {ours}; \xc2\xa0__Host-idd-x=1; a=1;\x85__Host-idd-x=2; b=2",
            "a=1 __Host-idd-x=1; {ours}; b=2&__Host-idd-x=2",
        ],
        ids=ascii,
    )
    def test_what_is_taken_out_is_what_identityd_reads(self, guarded: GuardedApplication, line: str) -> None:
        """Otherwise a token reaches an application, or an application loses a cookie that only looks like ours."""
        member = guarded.aged()
        sent, member.jar = line.format(ours=member.jar.line), Jar()

        reply = member.load("GET", ECHO, [*CALL, ("Cookie", sent)])

        [cookie] = as_a_program_sees_them(reply)["COOKIE"]
        assert list(pairs([cookie])) == [each for each in pairs([sent]) if not each[0].startswith("__Host-idd")]

    @pytest.mark.threat(40)
    def test_nobody_can_say_who_he_is(self, guarded: GuardedApplication) -> None:
        """Otherwise anybody with an account is anybody else: programs read `X_Identity_User` alike."""
        for first in range(0, len(SPELLINGS), AT_ONCE):
            member = guarded.aged()  # a copy that came twice would show the token it was given, and age the others
            spoofed = [(spelling, "root") for spelling in SPELLINGS[first : first + AT_ONCE]]

            seen = as_a_program_sees_them(member.load("GET", ECHO, [*CALL, *spoofed, *spoofed]))

            values = {name: value for name, value in seen.items() if CLAIMS.match(name)}
            assert sorted(values) == ["X_IDENTITY_ID", "X_IDENTITY_SESSION", "X_IDENTITY_USER"]
            assert [len(value) for value in values.values()] == [1, 1, 1]
            assert "root" not in str(values)

    @pytest.mark.threat(40)
    @pytest.mark.parametrize(
        "named", ["X-Identity-User", "close, x-identity-user", "X-Identity-Id, keep-alive", "remote-user, close"]
    )
    def test_no_header_can_take_ours_away(self, guarded: GuardedApplication, named: str) -> None:
        """Otherwise a request counts as nobody's, and what an application does with that is its own affair."""
        reply = guarded.aged().load("GET", ECHO, [*CALL, ("Connection", named)])

        if expected("hop-by-hop", guarded.name) == "400":
            assert reply.status == 400
        else:
            assert len(as_a_program_sees_them(reply)["X_IDENTITY_USER"]) == 1

    @pytest.mark.parametrize("status", [200, 204, 302, 304, 401, 404, 500, 503])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_four_cookies_arrive_beside_the_applications_own(
        self, guarded: GuardedApplication, status: int, method: str
    ) -> None:
        """Otherwise tokens are lost with just those answers, and the jar is never cleaned."""
        reply = cluttered(guarded).load(method, f"{APPLICATION}/status/{status}")

        assert reply.status == status
        assert len(reply.ours) == 4
        assert own(reply) == list(OWN_COOKIES)

    def test_an_answer_with_a_token_is_not_stored(self, guarded: GuardedApplication) -> None:
        """Otherwise a shared cache hands one person's token to the next."""
        lines = guarded.aged().load("GET", ECHO).all("Cache-Control")

        beside = [OWN_CACHE] if expected("no-store", guarded.name) == "a second line" else []
        assert sorted(lines) == sorted([*beside, "no-store"])

    def test_an_answer_without_one_keeps_what_the_application_says(self, guarded: GuardedApplication) -> None:
        """Otherwise every picture behind the proxy is loaded anew."""
        reply = guarded.member().load("GET", ECHO)

        assert reply.ours == []
        assert reply.one("Cache-Control") == OWN_CACHE

    @pytest.mark.threat(58)
    @pytest.mark.parametrize("path", ["/old", "/status/200", "/status/404", "/status/500"])
    def test_an_answer_that_says_nothing_of_caching_is_asked_for_again(
        self, guarded: GuardedApplication, path: str
    ) -> None:
        """Otherwise a browser keeps it as long as it likes, and shows it after the logout."""
        for method in ("GET", "HEAD"):
            reply = guarded.member().load(method, f"{APPLICATION}{path}", UNMINTED)

            assert reply.ours == []
            assert reply.all("Cache-Control") == ["no-cache, private"]

    def test_what_nobody_guards_keeps_its_own_line(self, guarded: GuardedApplication) -> None:
        """Otherwise the stylesheet of the login is loaded with every page."""
        [style] = re.findall(
            r'href="(/.identityd/style.css[^"]*)"', guarded.stranger().load("GET", "/login").body.decode()
        )

        assert "max-age=31536000" in (guarded.stranger().load("GET", style).one("Cache-Control") or "")

    def test_a_handshake_is_let_through(self, guarded: GuardedApplication) -> None:
        """Otherwise applications with WebSockets cannot be guarded."""
        reply = guarded.aged().load("GET", f"{APPLICATION}/socket", HANDSHAKE)

        assert reply.status == 101
        assert (own(reply), reply.ours) == (list(OWN_COOKIES), [])

    def test_events_arrive_as_they_happen(self, guarded: GuardedApplication) -> None:
        """Otherwise a proxy that collects answers keeps them back for ever."""
        reply, line = guarded.loopback.first_line(cluttered(guarded).request("GET", f"{APPLICATION}/events"))

        assert (reply.status, line) == (200, b"data: first\n")
        assert len(reply.ours) == (4 if KINDS[guarded.name].delivers else 0)

    def test_a_long_upload_arrives_whole(self, guarded: GuardedApplication) -> None:
        """Otherwise asking first costs the body."""
        reply = guarded.aged().load("POST", ECHO, CALL, bytes(8 << 20))

        assert reply.json()["body_bytes"] == 8 << 20

    @pytest.mark.parametrize("path", ["/a?q=1&r=%C3%A9", "//a//b", "/a%2Fb/%20c", "/a;b=1/c+d", "/a?x=http://y/z"])
    def test_the_address_arrives_as_it_was_sent(self, guarded: GuardedApplication, path: str) -> None:
        """Otherwise an application behind the proxy answers for another address."""
        assert guarded.aged().load("GET", f"{APPLICATION}{path}", CALL).json()["uri"] == f"{APPLICATION}{path}"


class TestRefusing:
    """Nobody is logged in."""

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PROPFIND"])
    def test_a_page_leads_to_the_login_and_back(self, guarded: GuardedApplication, method: str) -> None:
        """Otherwise a person ends on another page than the one asked for, or on a bare 401."""
        path = f"{ECHO}?a=1&b=%C3%A9//x%2Fy&c=d+e"

        reply = guarded.stranger().load(method, path)

        assert reply.status == 302
        assert reply.one("Location") == f"{guarded.url}/login?return_to={quote(path, safe='')}"
        assert reply.one("Cache-Control") == "no-store"
        assert reply.all("Set-Cookie") == []

    def test_a_long_address_survives(self, guarded: GuardedApplication) -> None:
        """Otherwise a search with many fields is lost by logging in."""
        path = f"{ECHO}?q={'x' * 6_000}"

        assert (
            guarded.stranger().load("GET", path).one("Location")
            == f"{guarded.url}/login?return_to={quote(path, safe='')}"
        )

    @pytest.mark.parametrize("headers", [CALL, EVENTS, HANDSHAKE], ids=["call", "events", "handshake"])
    def test_what_cannot_follow_gets_401(
        self, guarded: GuardedApplication, headers: tuple[tuple[str, str], ...]
    ) -> None:
        """Otherwise a script takes the login page for data."""
        asked = guarded.behind.asked

        reply = guarded.stranger().load("GET", ECHO, headers)

        assert (reply.status, reply.one("Location"), reply.all("Set-Cookie")) == (401, None, [])
        assert reply.one("Cache-Control") == "no-store"
        assert guarded.behind.asked == asked

    @pytest.mark.threat(37)
    def test_what_a_client_says_about_itself_is_not_believed(self, guarded: GuardedApplication) -> None:
        """Otherwise the request that is judged is not the one that is made."""
        claims = (
            ("X-Forwarded-Uri", "/static/x"),
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Method", "HEAD"),
            ("X-Original-URL", "/static/x"),
            ("X-Original-URI", "/static/x"),
            ("Forwarded", "host=evil.example"),
        )

        reply = guarded.stranger().load("GET", ECHO, [*PAGE, *claims])

        assert reply.one("Location") == f"{guarded.url}/login?return_to={quote(ECHO, safe='')}"

    @pytest.mark.threat(42)
    @pytest.mark.parametrize(
        "path",
        [
            "/.identityd/..{}",
            "/.identityd/%2e%2e{}",
            "/%2eidentityd/..{}",
            "//.identityd/..{}",
            "/.identityd/..;{}",
            "/.identityd%2f..{}",
            "/x/../.identityd/..{}",
            "/.IDENTITYD/..{}",
            "/app/..{}",
            "/account/..{}",
            "/x/..{}",
            "/%61pp/echo",
            "//app//echo",
            "/app//echo",
            "/app/./echo",
            "/app/x/%2e%2e/echo",
            "/app%2fecho",
            "/APP/echo",
            "/app;x=1/echo",
            "/app/%00/echo",
        ],
    )
    def test_no_spelling_of_a_path_walks_around_the_question(self, guarded: GuardedApplication, path: str) -> None:
        """Otherwise the login's own addresses are a way past the login."""
        asked = guarded.behind.asked

        reply = guarded.stranger().load("GET", path.format(ECHO))

        assert reply.status in (302, 400, 404)
        assert guarded.behind.asked == asked

    def test_nothing_of_the_verdict_is_left_for_scripts(self, guarded: GuardedApplication) -> None:
        """Otherwise a script on the page reads the tokens that HttpOnly keeps from it."""
        for visitor in (guarded.stranger(), guarded.parted()[0], cluttered(guarded)):
            names = {name.lower() for name, _ in visitor.load("GET", ECHO).headers}
            assert not [name for name in names if name.startswith("x-identity")]

    def test_the_internal_listener_is_out_of_reach(self, guarded: GuardedApplication) -> None:
        """Otherwise anybody can ask whose session a cookie is."""
        for path in ("/auth", "/session/check", "/metrics", "/readyz", "/_identityd", "/.identityd/auth"):
            assert guarded.stranger().load("GET", path).status == 404


class TestBouncing:
    """The cookies shown are old."""

    def bounced(
        self, guarded: GuardedApplication, method: str, headers: tuple[tuple[str, str], ...], body: bytes = b""
    ) -> Reply:
        """Send a request with the old jar, follow the bounce with the present one."""
        before, after = guarded.parted()
        content = iter_of(body) if len(body) > 1 << 20 else body or None
        sized = (("Content-Length", str(len(body))),) if len(body) > 1 << 20 else ()

        reply = before.load(method, f"{ECHO}?a=%C3%A9", [*headers, *sized], content)

        assert reply.status == 307
        place = (reply.one("Location") or "").removeprefix(guarded.url)
        assert place.startswith(f"{ECHO}?a=%C3%A9&identityd-bounced=")
        assert reply.one("Cache-Control") == "no-store"
        assert [line.partition("=")[0] for line in reply.ours] == ["__Host-iddm"]
        after.jar.take(reply)
        return after.load(method, place, headers, body or None)

    @pytest.mark.parametrize("headers", [PAGE, CALL, EVENTS], ids=["page", "call", "events"])
    def test_a_request_comes_again_with_the_present_cookies(
        self, guarded: GuardedApplication, headers: tuple[tuple[str, str], ...]
    ) -> None:
        """Otherwise a slow network logs people out."""
        assert self.bounced(guarded, "GET", headers).status == 200

    @pytest.mark.parametrize("size", [5, 1 << 20, 8 << 20])
    def test_a_body_comes_again_whole(self, guarded: GuardedApplication, size: int) -> None:
        """Otherwise a form filled in for an hour is lost; an answer too early resets the upload."""
        headers = (*PAGE, ("Content-Type", "application/x-www-form-urlencoded"), ("Origin", guarded.url))

        assert self.bounced(guarded, "POST", headers, bytes(size)).json()["body_bytes"] == size

    def test_a_copy_that_stays_behind_is_refused(self, guarded: GuardedApplication) -> None:
        """The promise of the product, through this proxy: the second time the same old set means theft."""
        thief = guarded.member()
        gate_parted = guarded.parted_from(thief)

        first = thief.load("GET", ECHO)
        second = thief.load("GET", (first.one("Location") or "").removeprefix(guarded.url))

        assert (first.status, second.status) == (307, 302)
        assert "reason=reuse" in (second.one("Location") or "")
        assert thief.tokens == {}
        assert gate_parted.load("GET", ECHO).status == 302

    def test_another_sites_script_can_follow(self, guarded: GuardedApplication) -> None:
        """Otherwise an application called from another site fails now and then: browsers check the bounce too."""
        before, after = guarded.parted()
        headers = (*CALL, ("Origin", guarded.partner))

        for reply in (before.load("GET", ECHO, headers), after.load("GET", ECHO, headers)):
            assert reply.one("Access-Control-Allow-Origin") == guarded.partner
            assert reply.one("Access-Control-Allow-Credentials") == "true"
        other = guarded.parted()[0].load("GET", ECHO, [*CALL, ("Origin", "https://evil.example")])
        assert other.status == 307
        assert other.one("Access-Control-Allow-Origin") is None

    def test_a_handshake_is_refused_and_not_bounced(self, guarded: GuardedApplication) -> None:
        """Otherwise a browser gives up: a handshake follows no redirect."""
        reply = guarded.parted()[0].load("GET", f"{APPLICATION}/socket", HANDSHAKE)

        assert (reply.status, reply.one("Location"), reply.all("Set-Cookie")) == (401, None, [])


def iter_of(body: bytes) -> Iterator[bytes]:
    """Yield a body in pieces, as an upload arrives."""
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]
