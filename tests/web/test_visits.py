"""What pages do with sessions and forms."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.browser import Jar
from tests.support.guards import Expectation
from tests.support.handlers import DONE, ROUTES, get, post, token_of
from tests.support.web import ACCOUNT, LOCAL, Site

ExpectLog = Callable[..., Expectation]


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    """Give a daemon with the test's pages."""
    with Site(routes=ROUTES, trusted=(LOCAL,)) as site:
        yield site


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    DONE.clear()


def _late_copy(site: Site, jar: Jar) -> Jar:
    copy = Jar()
    copy.cookies = dict(jar.cookies)
    for _ in range(3):
        site.clock.advance(20_000)
        jar.take(get(site, "/test/open", jar))
    site.clock.advance(20_000)
    return copy


class TestSessions:
    """Verdicts become cookies and redirects."""

    def test_a_session_sees_its_page(self, site: Site) -> None:
        """Otherwise nobody sees an account."""
        reply = get(site, "/test/mine", site.log_in())

        assert reply.status == 200
        assert b"ada" in reply.body

    def test_a_page_of_nobody_may_enter_the_back_forward_cache(self, site: Site) -> None:
        """Otherwise going back reloads every page, and loses what was typed."""
        assert site.public("GET", "/logout").one("Cache-Control") == "no-cache, private"

    @pytest.mark.threat(58)
    def test_a_page_of_somebody_is_not_kept(self, site: Site) -> None:
        """After the logout, going back would show it to whoever sits there next."""
        assert get(site, "/test/mine", site.log_in()).one("Cache-Control") == "no-store"

    def test_a_page_that_mints_asks_the_browser_to_come_back(self, site: Site) -> None:
        """Otherwise a new token waits for the next click, and a copy lives longer."""
        jar = site.log_in()
        site.clock.advance(20_000)

        reply = get(site, "/test/open", jar)

        assert len(reply.cookies) == 1
        assert reply.one("Link") == "</.identityd/ack>; rel=preload; as=image"

    def test_a_prefetched_page_carries_no_token(self, site: Site) -> None:
        """Otherwise tokens are spent on pages nobody looks at."""
        jar = site.log_in()
        site.clock.advance(20_000)

        assert get(site, "/test/open", jar, **{"Sec-Purpose": "prefetch"}).cookies == []

    def test_ack_rotates_and_shows_nothing(self, site: Site) -> None:
        """Otherwise the preload paints a broken image, or rotates nothing."""
        jar = site.log_in()
        site.clock.advance(20_000)

        reply = get(site, "/.identityd/ack", jar)

        assert (reply.status, reply.body, len(reply.cookies)) == (204, b"", 1)
        assert reply.one("Cache-Control") == "no-store"

    def test_ack_leads_back(self, site: Site) -> None:
        """Otherwise an application without minting never sees its visitor again."""
        reply = get(site, "/.identityd/ack?then=%2Fwiki%3Fa%3Db", site.log_in())

        assert (reply.status, reply.one("Location")) == (303, "/wiki?a=b")

    def test_ack_without_a_session_leads_to_the_login_page(self, site: Site) -> None:
        """Otherwise the application and ack send a person in circles."""
        reply = get(site, "/.identityd/ack?then=%2Fwiki", Jar())

        assert (reply.status, reply.one("Location")) == (303, "/login?return_to=%2Fwiki")

    def test_nobody_is_sent_to_log_in_and_back(self, site: Site) -> None:
        """Otherwise a bookmark of the account page is a dead end."""
        reply = get(site, "/test/mine?tab=2", Jar())

        assert (reply.status, reply.one("Location")) == (303, "/login?return_to=%2Ftest%2Fmine%3Ftab%3D2")

    def test_a_reason_is_passed_on(self, site: Site) -> None:
        """Otherwise a person never learns why they were logged out."""
        jar = site.log_in()
        site.clock.advance(25 * 3_600_000)

        assert (get(site, "/test/mine", jar).one("Location") or "").endswith("&reason=idle")

    def test_a_late_request_is_bounced_to_itself(self, site: Site) -> None:
        """Otherwise a request sent before a rotation logs its person out."""
        late = _late_copy(site, site.log_in())

        reply = get(site, "/test/mine?a=b", late)

        assert reply.status == 307
        assert (reply.one("Location") or "").startswith("/test/mine?a=b&identityd-bounced=")
        assert len(reply.cookies) == 1

    def test_a_late_form_is_bounced_and_nothing_is_done(self, site: Site) -> None:
        """Otherwise a form is carried out for a copy, or an honest one is lost."""
        jar = site.log_in()
        token = token_of(get(site, "/test/mine", jar))
        late = _late_copy(site, jar)

        reply = post(site, "/test/mine", late, f"csrf={token}")
        again = post(site, "/test/mine", jar, f"csrf={token}")

        assert (reply.status, again.status, DONE) == (307, 303, ["ada"])

    def test_a_copy_is_ended_and_told_why(self, site: Site) -> None:
        """Otherwise a thief stays, or the person wonders."""
        late = _late_copy(site, site.log_in())
        late.take(get(site, "/test/mine", late))

        reply = get(site, "/test/mine?identityd-bounced=1", late)

        assert (reply.one("Location") or "").endswith("&reason=reuse")
        assert site.reused == [ACCOUNT]

    def test_a_glance_changes_nothing(self, site: Site) -> None:
        """Otherwise a provider's callback is bounced and its one-time code spent."""
        late = _late_copy(site, site.log_in())

        reply = get(site, "/test/glance", late)

        assert (reply.status, reply.one("X-Test"), reply.cookies) == (200, "login", [])

    def test_head_is_answered_like_get(self, site: Site) -> None:
        """Otherwise link checkers and monitors see 405."""
        reply = site.public("HEAD", "/test/open")

        assert (reply.status, reply.body) == (200, b"")

    def test_a_store_in_trouble_is_a_page_that_says_so(self, expect_log: ExpectLog) -> None:
        """Otherwise an outage of a second logs people out, or shows them a blank page."""
        expect_log("identity.web", "store-down")
        with Site(routes=ROUTES) as site:
            jar = site.log_in()
            site.break_the_store()

            reply = get(site, "/test/mine", jar)

            assert (reply.status, reply.cookies) == (503, [])
            assert reply.one("Retry-After")
            assert b"store-down" in reply.body


class TestForms:
    """A POST must come from our own page in this browser."""

    def test_our_own_form_is_carried_out(self, site: Site) -> None:
        """Otherwise nobody can log out."""
        jar = site.log_in()
        token = token_of(get(site, "/test/mine", jar))

        assert post(site, "/test/mine", jar, f"csrf={token}").status == 303
        assert DONE == ["ada"]

    def test_a_token_outlives_a_rotation(self, site: Site) -> None:
        """Otherwise a form that stood open for a minute fails, because the page's tokens moved on."""
        jar = site.log_in()
        token = token_of(get(site, "/test/mine", jar))
        _late_copy(site, jar)

        assert post(site, "/test/mine", jar, f"csrf={token}").status == 303

    def test_a_key_added_meanwhile_does_not_void_a_form(self, site: Site) -> None:
        """Otherwise rotating the key ring breaks every open page."""
        jar = site.log_in()
        token = token_of(get(site, "/test/mine", jar))
        before = site.ring
        site.ring = before.with_key(before.keys[0].secret, now=site.clock() - 3_600_000)
        try:
            assert post(site, "/test/mine", jar, f"csrf={token}").status == 303
        finally:
            site.ring = before

    @pytest.mark.parametrize(
        ("token", "status"),
        [("", 403), ("x", 403), ("A" * 23, 403), ("AQ" + "A" * 21, 403), ("é" * 23, 403), ("%ff", 400)],
    )
    def test_a_wrong_token_is_refused(self, site: Site, token: str, status: int) -> None:
        """Otherwise another site's form is carried out (CSRF)."""
        reply = post(site, "/test/mine", site.log_in(), f"csrf={token}")

        assert (reply.status, DONE) == (status, [])

    def test_another_sessions_token_is_refused(self, site: Site) -> None:
        """Otherwise an attacker puts his own token into the victim's browser."""
        token = token_of(get(site, "/test/mine", site.log_in()))

        reply = post(site, "/test/mine", site.log_in(username="eve"), f"csrf={token}")

        assert (reply.status, DONE) == (403, [])

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "https://login.example.evil.example"},
            {"Origin": "http://login.example"},
        ],
    )
    def test_a_form_of_another_site_is_refused_even_with_the_token(self, site: Site, headers: dict[str, str]) -> None:
        """Otherwise a leaked token is all that is needed."""
        jar = site.log_in()
        token = token_of(get(site, "/test/mine", jar))

        reply = post(site, "/test/mine", jar, f"csrf={token}", **headers)

        assert (reply.status, DONE) == (403, [])
        assert b"not-same-site" in reply.body

    def test_a_browser_without_those_headers_still_works(self, site: Site) -> None:
        """Otherwise old browsers cannot log out."""
        jar = site.log_in()
        token = token_of(get(site, "/test/mine", jar))

        assert post(site, "/test/mine", jar, f"csrf={token}", Origin="", Sec_Fetch_Site="").status == 303

    def test_a_form_without_a_session_is_bound_to_its_cookie(self, site: Site) -> None:
        """Otherwise an unfinished sign-up can be finished by a form of another site."""
        jar = Jar()
        page = get(site, "/test/bound", jar)
        jar.take(page)
        token = token_of(page)

        assert post(site, "/test/bound", jar, f"csrf={token}").status == 303
        assert post(site, "/test/bound", Jar(), f"csrf={token}").status == 403

    def test_a_handler_that_checks_nothing_fails(self, site: Site, expect_log: ExpectLog) -> None:
        """Otherwise a page that forgot its check works until somebody attacks it."""
        expect_log("identity.web", "internal")

        assert post(site, "/test/careless", Jar(), "a=b").status == 500

    def test_nobodys_form_leads_to_the_login_page(self, site: Site) -> None:
        """Otherwise an expired session shows an error instead of the way back."""
        reply = post(site, "/test/mine", Jar(), "csrf=x&a=b")

        assert (reply.status, reply.one("Location")) == (303, "/login?return_to=%2Ftest%2Fmine")

    @pytest.mark.parametrize(
        ("body", "headers", "status"),
        [
            ("csrf=a&csrf=b", {}, 400),
            ("csrf=%ff", {}, 400),
            ("csrf=%00", {}, 400),
            ("csrf=" + "x" * 100, {}, 400),
            ("csrf=x", {"Content_Type": "text/plain"}, 415),
            ("csrf=x", {"Content_Type": "multipart/form-data; boundary=x"}, 400),
            ("csrf=x", {"Content_Type": "application/x-www-form-urlencoded", "Content_Encoding": "gzip"}, 400),
            ("x" * 70_000, {}, 413),
            ("&".join(f"a{n}=b" for n in range(2_000)), {}, 400),
        ],
        ids=["twice", "not UTF-8", "control", "long", "text", "multipart", "gzip", "too large", "too many"],
    )
    def test_a_malformed_form_is_a_4xx(self, site: Site, body: str, headers: dict[str, str], status: int) -> None:
        """Otherwise odd bytes are a 500."""
        assert post(site, "/test/mine", site.log_in(), body, **headers).status == status

    def test_what_was_done_is_noted_with_the_request(self, site: Site) -> None:
        """Otherwise nobody can find out who did it, from where."""
        jar = site.log_in()
        token = token_of(get(site, "/test/mine", jar))

        reply = post(site, "/test/mine", jar, f"csrf={token}", X_Forwarded_For="203.0.113.9")

        [event] = site.events
        assert (event.action, event.account_id, event.facts) == ("something", ACCOUNT, {"what": "done"})
        assert (event.address, event.request_id) == ("203.0.113.9", reply.one("X-Request-Id"))


def test_a_login_after_a_bounce_leads_back_to_the_address_without_its_flag(site: Site) -> None:
    """Otherwise the flag stays in the address bar, in bookmarks, and in every link made from it."""
    reply = site.public("GET", "/account?tab=1&identityd-bounced=1")

    assert reply.one("Location") == "/login?return_to=%2Faccount%3Ftab%3D1"
