"""`POST /session/check` and `/session/check-many`: what applications get."""

import json
from uuid import UUID

import pytest

from identity.types import AccountId
from tests.support.browser import Jar
from tests.support.web import ACCOUNT, LOCAL, OTHER_HOST, Site, basic

CHECK = "/session/check"
MANY = "/session/check-many"
URL = "https://login.example/page"


def _copy(jar: Jar) -> Jar:
    copy = Jar()
    copy.cookies = dict(jar.cookies)
    return copy


def _stale(site: Site) -> Jar:
    jar = site.log_in()
    copy = _copy(jar)
    for _ in range(3):
        site.clock.advance(20_000)
        for line in site.check(jar).json()["set_cookie"]:
            name, _, value = line.partition(";")[0].partition("=")
            jar.cookies[name] = value
    site.clock.advance(20_000)
    return copy


class TestOne:
    """The whole decision for one request."""

    def test_a_session_is_ok_and_named(self, site: Site) -> None:
        """Otherwise the application does not know who is there."""
        answer = site.check(site.log_in()).json()

        assert (answer["verdict"], answer["reason"]) == ("ok", "current")
        assert answer["user"]["name"] == "ada"
        assert answer["user"]["id"] == str(ACCOUNT)
        assert answer["set_cookie"] == []
        assert answer["location"] is None

    def test_an_old_token_brings_a_line_to_pass_on(self, site: Site) -> None:
        """Otherwise sessions seen through an application never rotate."""
        jar = site.log_in()
        site.clock.advance(20_000)

        reply = site.check(jar)

        assert len(reply.json()["set_cookie"]) == 1
        assert reply.one("Cache-Control") == "no-store"
        assert reply.cookies == []

    def test_nobody_is_given_the_login_page(self, site: Site) -> None:
        """Otherwise the application has nowhere to send the person."""
        answer = site.check().json()

        assert (answer["verdict"], answer["user"]) == ("login", None)
        assert answer["location"] == "https://login.example/login?return_to=%2Fpage"

    def test_a_stale_copy_is_bounced_to_the_same_address(self, site: Site) -> None:
        """Otherwise applications cannot carry the detection of copies."""
        answer = site.check(_stale(site), url=f"{URL}?a=b#part").json()

        assert (answer["verdict"], len(answer["set_cookie"])) == ("bounce", 1)
        assert answer["location"].startswith(f"{URL}?a=b&identityd-bounced=")

    def test_text_beyond_ascii_in_the_address_comes_back_escaped(self, site: Site) -> None:
        """Otherwise the redirect breaks on the first accented page name."""
        answer = site.check(url="https://login.example/café").json()

        assert answer["location"].endswith("return_to=%2Fcaf%25C3%25A9")

    def test_a_script_is_given_no_address(self, site: Site) -> None:
        """Otherwise a `fetch` gets HTML for data."""
        assert site.check(navigation=False).json()["location"] is None

    def test_read_only_changes_nothing(self, site: Site) -> None:
        """Otherwise a program that asks about a user spends the user's tokens."""
        jar = site.log_in()
        site.clock.advance(20_000)

        answer = site.ask_app(CHECK, {"cookie": jar.header["Cookie"], "url": URL, "mode": "read-only"}).json()

        assert (answer["verdict"], answer["set_cookie"]) == ("ok", [])

    def test_a_handshake_changes_no_cookie(self, site: Site) -> None:
        """Otherwise a token is lost in an answer that carries none."""
        jar = site.log_in()
        site.clock.advance(20_000)

        answer = site.check(jar, mode="websocket").json()

        assert (answer["verdict"], answer["set_cookie"]) == ("ok", [])

    @pytest.mark.parametrize("fields", [{"prefetch": True}, {"url": "https://login.example/static/a.css"}])
    def test_prefetches_and_static_paths_get_no_token(self, site: Site, fields: dict[str, object]) -> None:
        """Otherwise tokens end in caches."""
        jar = site.log_in()
        site.clock.advance(20_000)

        assert site.check(jar, **fields).json()["set_cookie"] == []

    def test_background_polling_does_not_keep_a_session_awake(self, site: Site) -> None:
        """Otherwise a forgotten tab never idles out."""
        jar = site.log_in()
        for _ in range(30):
            site.clock.advance(3_600_000)
            reply = site.check(jar, background=True).json()
            if reply["verdict"] != "ok":
                break

        assert (reply["verdict"], reply["reason"]) == ("login", "idle")

    def test_cookie_lines_may_come_as_a_list(self, site: Site) -> None:
        """Otherwise frameworks that keep header lines apart have to guess how to join them."""
        cookie = site.log_in().header["Cookie"]

        assert site.check(cookie=["a=b", cookie]).json()["verdict"] == "ok"

    @pytest.mark.parametrize(
        "url", [" https://login.example/page", "\thttps://login.example/page", "https://login.ex\nample/page"]
    )
    def test_an_address_whose_path_would_be_read_otherwise_is_refused(self, site: Site, url: str) -> None:
        """A blank that a parser drops would cut the path elsewhere: another rule for it, and another way back."""
        reply = site.check(Jar(), url=url)

        assert (reply.status, reply.json()["error"]) == (400, "field-value")

    def test_another_applications_host_is_forbidden(self, site: Site) -> None:
        """Otherwise one application reads the sessions of another (THREATS 32)."""
        reply = site.check(site.log_in(host=OTHER_HOST), url=f"https://{OTHER_HOST}/page")

        assert (reply.status, reply.json()["verdict"], reply.json()["user"]) == (403, "forbidden", None)

    def test_a_store_in_trouble_is_503(self) -> None:
        """Otherwise an outage looks like a logout to every application."""
        with Site() as site:
            jar = site.log_in()
            site.break_the_store()

            reply = site.check(jar)

            assert (reply.status, reply.json()["verdict"], reply.json()["set_cookie"]) == (503, "retry", [])
            assert reply.one("Retry-After")

    def test_both_spellings_are_answered(self, site: Site) -> None:
        """Otherwise a slash at the end takes an application down."""
        assert site.ask_app(f"{CHECK}/", {"url": URL, "navigation": True}).status == 200

    def test_an_answer_holds_no_token_of_a_provider(self, site: Site) -> None:
        """Otherwise applications get keys to people's other accounts (THREATS 42)."""
        answer = site.check(site.log_in()).json()

        assert set(answer) == {"verdict", "reason", "user", "set_cookie", "location"}
        assert set(answer["user"]) == {
            "id",
            "name",
            "session",
            "auth_time",
            "auth_proven",
            "idle_ends_at",
            "absolute_ends_at",
        }


class TestStrictness:
    """What is not exactly a request of ours is refused, and the answer says why."""

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", "json"),
            (b"[]", "json"),
            (b"nonsense", "json"),
            (b'{"url": "https://a/", "url": "https://b/"}', "json"),
            (b'{"url": NaN}', "json"),
            (b'{"url": "\xff"}', "json"),
            (b"[" * 100_000, "json"),
            (b'{"n": ' + b"9" * 5_000 + b"}", "json"),
            ({}, "field-missing"),
            ({"url": URL}, "field-missing"),
            ({"url": None, "navigation": True}, "field-missing"),
            ({"url": 7, "navigation": True}, "field-type"),
            ({"url": URL, "navigation": 1}, "field-type"),
            ({"url": URL, "navigation": "true"}, "field-type"),
            ({"url": URL, "navigation": True, "cookie": 5}, "field-type"),
            ({"url": URL, "navigation": True, "cookie": ["a", 5]}, "field-type"),
            ({"url": URL, "navigation": True, "cookies": "a=b"}, "field-unknown"),
            ({"url": URL, "navigation": True, "mode": "best"}, "field-value"),
            ({"url": URL, "navigation": True, "cookie": "x" * 70_000}, "field-value"),
            ({"url": URL, "navigation": True, "cookie": ["x"] * 65}, "field-value"),
            ({"url": "\ud800", "navigation": True}, "field-value"),
            ({"url": "https://login.example/\n", "navigation": True}, "field-value"),
            ({"url": "/page", "navigation": True}, "field-value"),
            ({"url": "ftp://login.example/", "navigation": True}, "field-value"),
            ({"url": "https://user@login.example/", "navigation": True}, "field-value"),
            ({"url": "https://[::1/", "navigation": True}, "field-value"),
            ({"url": f"https://login.example/{'x' * 17_000}", "navigation": True}, "field-value"),
            ({"url": URL, "navigation": True, "method": "G" * 33}, "field-value"),
            ({"url": "https:///page", "navigation": True}, "host"),
            ({"url": "https://log in.example/", "navigation": True}, "host"),
        ],
    )
    def test_a_malformed_request_is_a_400_that_says_why(self, site: Site, body: object, code: str) -> None:
        """Otherwise whoever writes an application searches for a typing mistake in a 500."""
        reply = site.ask_app(CHECK, body)

        assert (reply.status, reply.json()["error"]) == (400, code)
        assert reply.json()["request_id"] == reply.one("X-Request-Id")

    def test_the_content_type_must_say_json(self, site: Site) -> None:
        """Otherwise a form on a foreign page can ask (browsers send JSON across sites only after asking)."""
        reply = site.ask_app(CHECK, {}, headers={**basic(), "Content-Type": "text/plain"})

        assert (reply.status, reply.json()["error"]) == (415, "media-type")

    def test_a_body_beyond_the_limit_is_413(self, site: Site) -> None:
        """Otherwise memory is anybody's to fill."""
        reply = site.ask_app(CHECK, b" " * 300_000)

        assert (reply.status, reply.json()["error"]) == (413, "too-large")

    def test_another_method_is_405_and_says_which_one_works(self, site: Site) -> None:
        """Otherwise a client library cannot tell the address from the method."""
        reply = site.internal("GET", CHECK, headers=basic())

        assert (reply.status, reply.one("Allow"), reply.json()["error"]) == (405, "POST", "method-not-allowed")


class TestCallers:
    """Registered applications only."""

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            basic("wiki", "wrong"),
            basic("wiki", ""),
            basic("nobody"),
            basic("", ""),
            {"Authorization": "Basic"},
            {"Authorization": "Basic %%%"},
            {"Authorization": "Basic d2lraQ=="},
            {"Authorization": "Basic /////w=="},
            {"Authorization": "Bearer x"},
            {"Authorization": "Basic " + "A" * 5_000},
        ],
    )
    def test_who_does_not_prove_itself_is_refused(self, site: Site, headers: dict[str, str]) -> None:
        """Otherwise anybody who reaches the internal listener asks about anybody."""
        reply = site.ask_app(CHECK, {"url": URL, "navigation": True}, headers=headers)

        assert (reply.status, reply.json()["error"]) == (401, "client")
        assert reply.one("WWW-Authenticate") == 'Basic realm="identityd"'

    def test_a_wrong_caller_is_refused_before_its_body_is_read(self, site: Site) -> None:
        """Otherwise strangers learn from error messages what a request looks like."""
        assert site.ask_app(CHECK, b"nonsense", headers={}).status == 401


class TestMany:
    """Up to 1,000 looks that change nothing."""

    def test_answers_come_in_order(self, site: Site) -> None:
        """Otherwise a gateway takes one person for another."""
        ada, eve = site.log_in().header["Cookie"], "x=y"

        asked = [{"cookie": c, "url": URL} for c in (eve, ada, eve, ada)]
        answers = site.ask_app(MANY, {"checks": asked}).json()["answers"]

        assert [answer["active"] for answer in answers] == [False, True, False, True]
        assert answers[1]["user"]["name"] == "ada"
        assert answers[0] == {"active": False, "reason": "anonymous"}

    def test_nothing_is_rotated_bounced_or_ended(self, site: Site) -> None:
        """Otherwise a batch job logs people out."""
        stale = _stale(site)

        reply = site.ask_app(MANY, {"checks": [{"cookie": stale.header["Cookie"], "url": URL}] * 2})

        assert reply.json()["answers"] == [{"active": False, "reason": "stale"}] * 2
        assert site.reused == []

    def test_a_thousand_cost_one_read(self) -> None:
        """Otherwise a gateway's batch is a thousand trips to the store."""
        with Site() as site:
            cookie = site.log_in().header["Cookie"]
            trips = site.count_reads()

            answers = site.ask_app(MANY, {"checks": [{"cookie": cookie, "url": URL}] * 1_000}).json()["answers"]

            assert (len(answers), all(answer["active"] for answer in answers)) == (1_000, True)
            assert len(trips) == 1

    def test_more_than_a_thousand_are_refused(self, site: Site) -> None:
        """Otherwise one request keeps a thread for as long as its sender likes."""
        reply = site.ask_app(MANY, {"checks": [{"url": URL}] * 1_001})

        assert (reply.status, reply.json()["error"]) == (400, "field-value")

    def test_none_are_answered_by_none(self, site: Site) -> None:
        """Otherwise an empty batch is a special case for every caller."""
        assert site.ask_app(MANY, {"checks": []}).json() == {"answers": []}

    def test_other_hosts_are_forbidden_one_by_one(self, site: Site) -> None:
        """Otherwise an application reads another's sessions, or loses its own answers over one wrong host."""
        own = site.log_in().header["Cookie"]
        eve = site.log_in(username="eve", account_id=AccountId(UUID(int=8)), host=OTHER_HOST)
        other = eve.header["Cookie"]

        asked = [{"cookie": other, "url": f"https://{OTHER_HOST}/"}, {"cookie": own, "url": URL}]
        answers = site.ask_app(MANY, {"checks": asked}).json()["answers"]

        assert answers[0] == {"active": False, "reason": "unknown-host"}
        assert answers[1]["user"]["name"] == "ada"

    def test_a_store_in_trouble_is_neither_yes_nor_no(self) -> None:
        """Otherwise a gateway drops people during an outage."""
        with Site() as site:
            cookie = site.log_in().header["Cookie"]
            site.break_the_store()

            reply = site.ask_app(MANY, {"checks": [{"cookie": cookie, "url": URL}]})

            assert (reply.status, reply.json()) == (200, {"answers": [{"active": None, "reason": "retry"}]})

    def test_an_error_names_the_entry(self, site: Site) -> None:
        """Otherwise one bad entry of a thousand has to be searched."""
        reply = site.ask_app(MANY, {"checks": [{"url": URL}, {"url": 5}]})

        assert "checks[1].url" in reply.json()["message"]

    def test_a_batch_of_full_jars_fits(self, site: Site) -> None:
        """Otherwise the limit of 1,000 holds only for empty jars."""
        jar = "; ".join(f"__Host-idd-{'A' * 11}={'A' * 100}" for _ in range(90))
        body = json.dumps({"checks": [{"cookie": jar, "url": URL}] * 1_000}).encode()

        reply = site.ask_app(MANY, body)

        assert (len(body) > 10_000_000, reply.status) == (True, 200)


def test_what_became_of_checks_is_counted_by_application() -> None:
    """Otherwise an operator cannot see that the proxy in front of one application drops cookies."""
    with Site(trusted=(LOCAL,)) as site:
        jar = site.log_in()
        site.clock.advance(20_000)
        site.auth(jar=jar)
        site.check(jar)
        site.ask_app(MANY, {"checks": [{"url": URL}]})

        numbers = site.internal("GET", "/metrics").body.decode()

        assert 'identityd_checks_total{app="wiki",reason="current",verdict="ok"} 2.0' in numbers
        assert 'identityd_checks_total{app="wiki",reason="anonymous",verdict="login"} 1.0' in numbers
        assert 'identityd_tokens_minted_total{app="wiki"} 2.0' in numbers
