"""`GET /auth`: what reverse proxies get, and what they pass on."""

import re

import pytest

from identity.sessions.check import DELETIONS
from tests.support.browser import Jar
from tests.support.web import ACCOUNT, LOCAL, OTHER_HOST, Site, forwarded, raw

NAVIGATION = {"Sec-Fetch-Mode": "navigate"}
FETCH = {"Sec-Fetch-Mode": "cors"}
WEBSOCKET = {"Sec-WebSocket-Version": "13"}


def _rotated(site: Site, jar: Jar, times: int = 3) -> Jar:
    """Let a browser rotate past the grace, and return a copy of the jar it began with."""
    copy = Jar()
    copy.cookies = dict(jar.cookies)
    for _ in range(times):
        site.clock.advance(20_000)
        jar.take(site.auth(jar=jar))
    site.clock.advance(20_000)
    return copy


def test_a_session_is_let_through_with_who_it_is(site: Site) -> None:
    """Otherwise the application behind the proxy does not know who is there."""
    reply = site.auth(jar=site.log_in())

    assert reply.status == 200
    assert reply.one("X-Identity-User") == "ada"
    assert reply.one("X-Identity-Id") == str(ACCOUNT)
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", reply.one("X-Identity-Session") or "")
    assert reply.body == b""


def test_an_answer_without_a_cookie_says_nothing_about_caching(site: Site) -> None:
    """Otherwise proxies that copy the header make every answer of the application uncacheable."""
    reply = site.auth(jar=site.log_in())

    assert reply.one("Cache-Control") is None
    assert reply.cookies == []


def test_an_old_token_gets_a_child_twice_over(site: Site) -> None:
    """Otherwise proxies that see one Set-Cookie line, or none, lose the rotation."""
    jar = site.log_in()
    site.clock.advance(20_000)

    reply = site.auth(jar=jar)

    assert len(reply.cookies) == 1
    assert reply.one("X-Identity-Cookie-1") == reply.cookies[0]
    assert reply.one("Cache-Control") == "no-store"
    assert "HttpOnly" in reply.cookies[0]
    assert "Secure" in reply.cookies[0]


def test_a_jar_full_of_junk_is_answered_in_four_lines(site: Site) -> None:
    """Otherwise a proxy that carries four cookies drops the one that matters."""
    jar = site.log_in()
    jar.cookies |= {f"__Host-idd-junk{n}": "x" for n in range(8)}
    site.clock.advance(20_000)

    reply = site.auth(jar=jar)

    assert len(reply.cookies) == DELETIONS + 1
    assert [reply.one(f"X-Identity-Cookie-{n}") for n in range(1, 5)] == reply.cookies


def test_nobody_is_sent_to_log_in_and_back(site: Site) -> None:
    """Otherwise a person who is not logged in sees a bare 401."""
    reply = site.auth("/docs/%C3%A9?a=1&b=//x", headers=NAVIGATION)

    assert reply.status == 401
    assert reply.one("X-Identity-Verdict") == "login"
    assert reply.one("X-Identity-Reason") == "anonymous"
    assert (
        reply.one("X-Identity-Location")
        == "https://login.example/login?return_to=%2Fdocs%2F%25C3%25A9%3Fa%3D1%26b%3D%2F%2Fx"
    )
    assert reply.one("Cache-Control") == "no-store"
    assert reply.cookies == []


def test_a_script_gets_401_and_no_address(site: Site) -> None:
    """Otherwise a `fetch` follows a redirect to a login page and takes its HTML for data."""
    reply = site.auth(headers=FETCH)

    assert reply.status == 401
    assert reply.one("X-Identity-Location") is None


def test_bytes_beyond_ascii_come_back_escaped(site: Site) -> None:
    """Otherwise a raw UTF-8 path breaks the redirect, or the header."""
    reply = site.auth("/caf\xc3\xa9?q=#x", headers=NAVIGATION)

    assert (reply.one("X-Identity-Location") or "").endswith("return_to=%2Fcaf%25C3%25A9%3Fq%3D%2523x")


def test_a_path_of_two_slashes_stays_on_its_host(site: Site) -> None:
    """Otherwise `//evil.example/` in the address line becomes a redirect to evil.example."""
    jar = site.log_in()
    stolen = _rotated(site, jar)

    reply = site.auth("//evil.example/x", jar=stolen)

    assert reply.one("X-Identity-Verdict") == "bounce"
    assert (reply.one("X-Identity-Location") or "").startswith("https://login.example//evil.example/x?")


def test_a_stale_copy_is_bounced_then_ended(site: Site) -> None:
    """Otherwise a stolen cookie lives on, or an honest late request ends a session."""
    jar = site.log_in()
    stolen = _rotated(site, jar)

    first = site.auth("/a?b=c", jar=stolen)
    stolen.take(first)
    second = site.auth((first.one("X-Identity-Location") or "").removeprefix("https://login.example"), jar=stolen)

    assert (first.status, first.one("X-Identity-Verdict")) == (401, "bounce")
    assert re.fullmatch(
        r"https://login\.example/a\?b=c&identityd-bounced=[A-Za-z0-9_-]{20}", first.one("X-Identity-Location") or ""
    )
    assert len(first.cookies) == 1
    assert (second.status, second.one("X-Identity-Reason")) == (401, "reuse")
    assert site.reused == [ACCOUNT]


def test_a_browser_that_loses_the_marker_is_told_what_to_look_at(site: Site) -> None:
    """Otherwise a browser or proxy that drops cookies is bounced for ever."""
    stolen = _rotated(site, site.log_in())

    bounced = site.auth("/a", jar=stolen, redirect=True, headers=NAVIGATION).one("Location") or ""
    reply = site.auth(bounced.removeprefix("https://login.example"), jar=stolen, redirect=True, headers=NAVIGATION)

    assert reply.status == 503
    assert b"bounce-lost" in reply.body
    assert reply.one("Content-Type") == "text/html; charset=utf-8"
    assert reply.one("Retry-After")


class TestRedirecting:
    """`?redirect=1`: the proxy hands a refusal to the browser as it is."""

    def test_a_session_is_let_through_as_ever(self, site: Site) -> None:
        """Otherwise the proxy learns no user."""
        assert site.auth(jar=site.log_in(), redirect=True).one("X-Identity-User") == "ada"

    def test_login_is_a_redirect(self, site: Site) -> None:
        """Otherwise the person sees an empty page."""
        reply = site.auth(redirect=True, headers=NAVIGATION)

        assert (reply.status, reply.one("Location")) == (302, "https://login.example/login?return_to=%2Fpage")

    def test_a_script_gets_401(self, site: Site) -> None:
        """Otherwise it follows the redirect."""
        assert site.auth(redirect=True, headers=FETCH).status == 401

    def test_a_bounce_keeps_method_and_body(self, site: Site) -> None:
        """Otherwise a form that was just filled in is lost."""
        reply = site.auth(jar=_rotated(site, site.log_in()), redirect=True)

        assert reply.status == 307
        assert (reply.one("Location") or "").startswith("https://login.example/page?identityd-bounced=")

    @pytest.mark.parametrize("state", ["nobody", "stale", "foreign"])
    def test_a_refusal_shows_scripts_nothing(self, site: Site, state: str) -> None:
        """Otherwise a script on the page reads a cookie that is HttpOnly from a numbered header."""
        jar = {"nobody": Jar, "stale": lambda: _rotated(site, site.log_in()), "foreign": site.log_in}[state]()
        host = OTHER_HOST if state == "foreign" else site.host

        reply = site.internal("GET", "/auth?redirect=1", headers={**forwarded(host=host), **jar.header})

        assert reply.status != 200
        assert [name for name, _ in reply.headers if name.lower().startswith("x-identity")] == []
        assert reply.one("Cache-Control") == "no-store"

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "PREPARE"])
    def test_any_method_is_answered(self, site: Site, method: str) -> None:
        """Otherwise a proxy that asks with the browser's method gets 405 and fails every WebDAV client."""
        assert site.auth(redirect=True, method=method).status == 302

    def test_head_is_answered_without_a_body(self, site: Site) -> None:
        """Otherwise the next answer on the connection begins in the middle."""
        reply = site.auth(redirect=True, method="HEAD", headers=FETCH)

        assert (reply.status, reply.body) == (401, b"")

    def test_an_upload_is_read_to_its_end(self, site: Site) -> None:
        """Otherwise the browser sees a reset connection instead of the redirect."""
        reply = site.auth(redirect=True, method="POST", body=b"x" * 8_000_000)

        assert reply.status == 302

    def test_an_upload_in_chunks_is_read_to_its_end(self, site: Site) -> None:
        """Otherwise uploads without a length are reset."""
        head = "".join(f"{k}: {v}\r\n" for k, v in forwarded(host=site.host).items())
        head += "Transfer-Encoding: chunked\r\nConnection: close\r\n"
        request = f"POST /auth?redirect=1 HTTP/1.1\r\nHost: i\r\n{head}\r\n"
        chunks = (b"10000\r\n" + b"x" * 65_536 + b"\r\n") * 40 + b"0\r\n\r\n"

        answer = raw(site.ports.internal, request.encode(), chunks)

        assert answer.startswith(b"HTTP/1.1 302 ")

    def test_both_spellings_are_answered(self, site: Site) -> None:
        """Otherwise a slash in a proxy's configuration takes every page down."""
        assert site.internal("GET", "/auth/?redirect=1", headers=forwarded(host=site.host)).status == 302


class TestWebSocket:
    """A handshake follows no redirect and may lose cookies."""

    def test_a_session_is_accepted_without_a_cookie(self, site: Site) -> None:
        """Otherwise a token is minted into an answer that cannot carry it."""
        jar = site.log_in()
        site.clock.advance(20_000)

        reply = site.auth(jar=jar, headers=WEBSOCKET)

        assert (reply.status, reply.cookies) == (200, [])

    def test_a_stale_one_is_refused_and_not_ended(self, site: Site) -> None:
        """Otherwise a socket that reconnects late ends an honest session."""
        jar = site.log_in()
        stolen = _rotated(site, jar)

        reply = site.auth(jar=stolen, headers=WEBSOCKET)

        assert (reply.status, reply.one("X-Identity-Reason")) == (401, "stale")
        assert (reply.one("X-Identity-Location"), reply.cookies) == (None, [])
        assert site.auth(jar=jar).status == 200

    def test_nobody_gets_401_without_an_address(self, site: Site) -> None:
        """Otherwise a proxy redirects a handshake, which no browser follows."""
        reply = site.auth(headers=WEBSOCKET, redirect=True)

        assert (reply.status, reply.one("Location")) == (401, None)


class TestMinting:
    """Where no token may be handed out."""

    @pytest.mark.parametrize("uri", ["/static/app.js", "/static/app.js?v=2"])
    def test_static_paths_carry_none(self, site: Site, uri: str) -> None:
        """Otherwise a cache keeps an answer with somebody's token."""
        jar = site.log_in()
        site.clock.advance(20_000)

        assert site.auth(uri, jar=jar).cookies == []

    @pytest.mark.parametrize("uri", ["/page?next=/static/", "/static/../page", "/static/%2e%2e/page", "/statics"])
    def test_what_only_looks_static_does(self, site: Site, uri: str) -> None:
        """Otherwise a link with the right words in it keeps a session from rotating."""
        jar = site.log_in()
        site.clock.advance(20_000)

        assert len(site.auth(uri, jar=jar).cookies) == 1

    def test_a_prefetch_carries_none(self, site: Site) -> None:
        """Otherwise tokens are spent on pages nobody looks at."""
        jar = site.log_in()
        site.clock.advance(20_000)

        assert site.auth(jar=jar, headers={"Sec-Purpose": "prefetch;prerender"}).cookies == []

    def test_an_application_without_minting_is_sent_to_ack(self) -> None:
        """Otherwise an application behind a proxy that drops cookies never rotates."""
        with Site(trusted=(LOCAL,), mint=False) as site:
            jar = site.log_in()
            stolen = _rotated_through_ack(site, jar)

            reply = site.auth("/a?b=c", jar=stolen, headers=NAVIGATION)
            script = site.auth("/a?b=c", jar=stolen, headers=FETCH)

            assert reply.one("X-Identity-Location") == "https://login.example/.identityd/ack?then=%2Fa%3Fb%3Dc"
            assert reply.cookies == []
            assert (script.status, script.one("X-Identity-Location")) == (401, None)


def _rotated_through_ack(site: Site, jar: Jar) -> Jar:
    copy = Jar()
    copy.cookies = dict(jar.cookies)
    for _ in range(3):
        site.clock.advance(20_000)
        jar.take(site.public("GET", "/.identityd/ack", headers=jar.header))
    site.clock.advance(20_000)
    return copy


class TestWhoMayAsk:
    """Forwarded headers are believed of listed proxies only, and each of them once."""

    def test_a_host_of_no_application_is_refused(self, site: Site) -> None:
        """Otherwise any host name pointed at the proxy gets an answer about our users."""
        reply = site.internal("GET", "/auth", headers={**forwarded(host="stranger.example"), **site.log_in().header})

        assert (reply.status, reply.one("X-Identity-Verdict")) == (403, "forbidden")
        assert reply.one("X-Identity-User") is None

    @pytest.mark.parametrize(
        "missing", ["X-Forwarded-Host", "X-Forwarded-Uri", "X-Forwarded-Proto", "X-Forwarded-Method"]
    )
    def test_a_missing_header_is_an_error(self, site: Site, missing: str) -> None:
        """Otherwise a half-configured proxy asks about the wrong page and nobody notices."""
        headers = forwarded(host=site.host)
        del headers[missing]

        reply = site.internal("GET", "/auth", headers=headers)

        assert (reply.status, reply.json()["error"]) == (400, "forwarded-header")
        assert missing in reply.json()["message"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Uri", "/other"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Method", "POST"),
        ],
    )
    def test_a_second_value_is_an_error(self, site: Site, name: str, value: str) -> None:
        """Otherwise a value the browser smuggled in beside the proxy's may be the one that is read."""
        reply = site.internal("GET", "/auth", headers=[*forwarded(host=site.host).items(), (name, value)])

        assert reply.status == 400

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("X-Forwarded-Method", "GET /"),
            ("X-Forwarded-Method", ""),
            ("X-Forwarded-Proto", "gopher"),
            ("X-Forwarded-Proto", "https, http"),
            ("X-Forwarded-Host", "login.example, evil.example"),
            ("X-Forwarded-Host", ""),
            ("X-Forwarded-Uri", "page"),
            ("X-Forwarded-Uri", "https://login.example/page"),
            ("X-Forwarded-Uri", "/" + "x" * 17_000),
        ],
    )
    def test_a_value_that_cannot_be_is_an_error(self, site: Site, name: str, value: str) -> None:
        """Otherwise a proxy that is configured wrongly asks about something else than the browser did."""
        reply = site.internal("GET", "/auth", headers={**forwarded(host=site.host), name: value})

        assert reply.status == 400

    def test_the_default_port_does_not_matter(self, site: Site) -> None:
        """Otherwise `login.example:443`, which some proxies send, is an unknown host."""
        reply = site.internal("GET", "/auth", headers={**forwarded(host="Login.Example:443"), **site.log_in().header})

        assert reply.status == 200

    def test_identity_headers_of_the_request_are_ignored(self, site: Site) -> None:
        """Otherwise a browser names itself whoever it likes."""
        reply = site.auth(headers={"X-Identity-User": "root", "X-Identity-Verdict": "ok"})

        assert reply.status == 401

    def test_cookie_lines_are_all_read(self, site: Site) -> None:
        """Otherwise a proxy that passes two Cookie lines logs people out."""
        name, value = next(iter(site.log_in().cookies.items()))
        cookie = f"{name}={value}"
        several = [*forwarded(host=site.host).items(), ("Cookie", "a=b"), ("Cookie", cookie)]

        assert site.internal("GET", "/auth", headers=several).status == 200


def test_a_store_in_trouble_is_503_and_touches_no_cookie() -> None:
    """Otherwise an outage of a second logs everybody out."""
    with Site(trusted=(LOCAL,)) as site:
        jar = site.log_in()
        site.break_the_store()

        replies = [site.auth(jar=jar), site.auth(jar=jar, redirect=True, headers=FETCH)]

        assert [reply.status for reply in replies] == [503, 503]
        assert all(reply.one("Retry-After") and not reply.cookies for reply in replies)
        assert replies[0].one("X-Identity-Verdict") == "retry"


def test_a_keep_alive_connection_serves_many_answers(site: Site) -> None:
    """Otherwise each check costs the proxy a connection."""
    head = "".join(f"{k}: {v}\r\n" for k, v in forwarded(host=site.host).items())
    one = f"GET /auth HTTP/1.1\r\nHost: i\r\n{head}\r\n".encode()
    last = one.replace(b"Host: i\r\n", b"Host: i\r\nConnection: close\r\n")

    answers = raw(site.ports.internal, one * 3 + last)

    assert answers.count(b"HTTP/1.1 401 ") == 4
