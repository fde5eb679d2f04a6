"""The matrix of docs/proxies.md: what carries the protocol through which proxy.

Owns the rows and what a proxy does differently; the tests assert exactly that, so the table is
true when they pass. `tests/docs/test_proxies.py` compares the document with it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.support.proxies import NAMES
from tests.support.sources import ROOT

DOCUMENT: Final = ROOT / "docs" / "proxies.md"
_BEGIN: Final = "<!-- matrix: python -m tests.proxies --write -->\n"
_END: Final = "\n<!-- end of the matrix -->"

NEEDS_COOKIES: Final = frozenset(
    {
        "test_the_application_gets_its_own_cookies_and_none_of_ours",
        "test_what_is_taken_out_is_what_identityd_reads",
        "test_four_cookies_arrive_beside_the_applications_own",
        "test_an_answer_with_a_token_is_not_stored",
        "test_an_answer_without_one_keeps_what_the_application_says",
        "test_a_request_comes_again_with_the_present_cookies",
        "test_a_body_comes_again_whole",
        "test_another_sites_script_can_follow",
        "test_a_copy_that_stays_behind_is_refused",
        "test_a_copy_of_the_applications_cookie_is_refused",
        "test_a_call_comes_again_with_its_body",
        "test_a_page_and_a_form_come_again",
        "test_another_sites_call_comes_again",
        "test_firefox_sends_a_bounced_call_again_with_its_body",
        "test_a_jar_of_eighty_names_recovers_by_itself",
        "test_as_many_names_as_a_browser_keeps_are_let_through",
    }
)
"""Tests behind proxies alone that hand on a verdict's cookies, and can take ours out of a request. What one does
instead that does not is in its column, and shown by `test_mint_off.py`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `differs` says what single proxies do instead of `usual`."""

    key: str
    label: str
    tests: tuple[str, ...]
    """The tests that show it; a test keeps these names right."""
    usual: str = "yes"
    differs: Mapping[str, str] = field(default_factory=dict)

    def cell(self, proxy: str) -> str:
        """Return what this proxy does."""
        return self.differs.get(proxy, self.usual)


ROWS: Final = (
    Row("who", "the application hears who it is", ("test_the_application_hears_who_it_is",)),
    Row(
        "told",
        "it hears name, e-mail and groups, under each choice of `headers`",
        ("test_an_application_hears_what_it_is_told_and_no_client",),
    ),
    Row(
        "strip",
        "our cookies do not reach the application",
        (
            "test_the_application_gets_its_own_cookies_and_none_of_ours",
            "test_what_is_taken_out_is_what_identityd_reads",
        ),
        differs={"nginx": "up to three runs of them", "traefik": "they do"},
    ),
    Row(
        "spoof",
        "a client's `X-Identity-User`, `Remote-User`, …: any case, `_` or `.` for `-`, twice",
        ("test_nobody_can_say_who_he_is",),
        usual="gone",
    ),
    Row(
        "siblings",
        "raw, Chromium, Firefox: a sibling host's cookie that looks like ours (session, login, sign-up, start code)",
        (
            "test_somebody_who_is_logged_in_stays_who_it_is",
            "test_somebody_who_is_not_logged_in_stays_nobody",
            "test_what_a_sibling_set_was_really_sent",
            "test_firefox_somebody_who_is_logged_in_stays_who_it_is",
            "test_firefox_somebody_who_is_not_logged_in_stays_nobody",
            "test_firefox_what_a_sibling_set_was_really_sent",
        ),
        usual="no effect",
    ),
    Row(
        "hop-by-hop",
        "a client's `Connection: X-Identity-User`",
        ("test_no_header_can_take_ours_away",),
        usual="no effect",
        differs={"caddy": "400", "apache": "400"},
    ),
    Row(
        "claims",
        "a client's `X-Forwarded-*`, `X-Original-*`, `Forwarded`",
        ("test_what_a_client_says_about_itself_is_not_believed",),
        usual="no effect",
    ),
    Row(
        "paths",
        "a spelling of a path that walks around the question",
        ("test_no_spelling_of_a_path_walks_around_the_question",),
        usual="none found",
    ),
    Row(
        "cookies",
        "four cookies beside the application's two, on 200 204 302 304 401 404 500 503, GET and HEAD",
        ("test_four_cookies_arrive_beside_the_applications_own",),
        differs={"traefik": "none; `/.identityd/ack` has them"},
    ),
    Row(
        "no-store",
        "`no-store` where a token is set, the application's own line elsewhere",
        (
            "test_an_answer_with_a_token_is_not_stored",
            "test_an_answer_without_one_keeps_what_the_application_says",
        ),
        usual="replaces its line",
        differs={"caddy": "a second line", "traefik": "`no-cache, private` always"},
    ),
    Row(
        "kept",
        "`no-cache, private` where the application says nothing of caching",
        (
            "test_an_answer_that_says_nothing_of_caching_is_asked_for_again",
            "test_what_nobody_guards_keeps_its_own_line",
        ),
    ),
    Row(
        "after-logout",
        "Chromium and Firefox after the logout: asked again by address and reload, nothing shown by going back",
        (
            "test_a_guarded_page_is_asked_for_each_time",
            "test_after_the_logout_nothing_is_shown_again",
            "test_nor_from_the_page_that_logged_out_everywhere",
        ),
    ),
    Row(
        "events",
        "server-sent events, with four cookies at their start",
        ("test_events_arrive_as_they_happen",),
        differs={"traefik": "yes, without cookies"},
    ),
    Row(
        "websocket",
        "WebSocket: let through with the application's cookies; 401 and no bounce",
        ("test_a_handshake_is_let_through", "test_a_handshake_is_refused_and_not_bounced"),
    ),
    Row(
        "addresses",
        "addresses arrive as sent: `//`, `%2F`, `%C3%A9`, `;`, queries",
        ("test_the_address_arrives_as_it_was_sent",),
        usual="exact",
    ),
    Row(
        "entry",
        "a person who may not enter: a page that says so (403), no loop of logins; 403 for calls; the session rotates",
        (
            "test_a_person_who_may_not_enter_is_told_so_on_a_page",
            "test_a_call_is_refused_as_a_call",
            "test_the_session_of_a_person_who_may_not_enter_goes_on_rotating",
        ),
    ),
    Row(
        "login",
        "to the login, any method, and back to the exact address of up to 1,000 characters; 401 for calls and events",
        (
            "test_an_address_of_a_thousand_characters_comes_back_from_the_provider",
            "test_and_on_an_applications_own_host",
            "test_a_longer_one_is_no_obstacle_to_logging_in",
            "test_a_page_leads_to_the_login_and_back",
            "test_a_long_address_survives",
            "test_what_cannot_follow_gets_401",
        ),
    ),
    Row(
        "bounce",
        "bounce of GET, EventSource, and POST of 5 B, 1 MB, 8 MB",
        ("test_a_request_comes_again_with_the_present_cookies", "test_a_body_comes_again_whole"),
        differs={"traefik": "a page by `/.identityd/ack`, 401 for calls"},
    ),
    Row(
        "cors",
        "a bounce of another site's call, with CORS headers",
        ("test_another_sites_script_can_follow",),
        differs={"traefik": "401"},
    ),
    Row(
        "theft",
        "a copy that stayed behind is refused",
        ("test_a_copy_that_stays_behind_is_refused",),
        differs={"traefik": "at `/.identityd/ack`"},
    ),
    Row(
        "hosts",
        "an application on a host of its own: there and back, a copy refused, no path around",
        (
            "test_somebody_who_is_logged_in_arrives_without_a_click",
            "test_somebody_else_is_led_through_the_own_host",
            "test_a_copy_of_the_applications_cookie_is_refused",
            "test_no_spelling_of_a_path_leads_into_the_application",
            "test_chromium_comes_and_goes_between_the_hosts",
        ),
    ),
    Row(
        "chromium-bounce",
        "Chromium over HTTP/2: bounce of a page, a form, a call of 0 B to 8 MB, another site's call",
        (
            "test_a_call_comes_again_with_its_body",
            "test_a_page_and_a_form_come_again",
            "test_another_sites_call_comes_again",
        ),
        differs={"traefik": "401 for calls"},
    ),
    Row("chromium-live", "Chromium: EventSource and WebSocket", ("test_events_and_sockets_work",)),
    Row(
        "chromium-thief",
        "Chromium, a busy page, a token each second: 0 logouts; a copy refused within 6 s of use",
        ("test_a_busy_person_is_never_logged_out_and_a_thief_is",),
    ),
    Row(
        "firefox",
        "Firefox: bounce of a call of 0 B and 1 MB; 0 logouts; a copy refused",
        (
            "test_firefox_sends_a_bounced_call_again_with_its_body",
            "test_firefox_is_never_logged_out_and_its_thief_is",
        ),
    ),
    Row(
        "store",
        "the store is down: 503 with `Retry-After`, no cookie touched",
        ("test_a_store_that_is_down_is_503",),
        usual="503",
    ),
    Row(
        "down",
        "identityd is down, or hangs: the same",
        ("test_identityd_that_is_down_is_503", "test_identityd_that_hangs_is_503"),
        usual="503",
        differs={"traefik": "503; if it hangs, first 504"},
    ),
    Row(
        "away",
        "meanwhile a page of ours, with 503 and `Retry-After`, for a browser that opens one; none for calls",
        (
            "test_a_person_sees_what_happened_while_identityd_is_down",
            "test_a_person_sees_it_while_identityd_hangs",
            "test_what_is_no_page_gets_none",
        ),
        differs={"traefik": "from a web server beside it; 502 for the login's own pages"},
    ),
    Row(
        "load",
        "identityd stopped, started, killed and started under load: 200 and 503 only, nobody logged out",
        ("test_a_stop_and_a_crash_under_load_log_nobody_out",),
        differs={"traefik": "yes, and 502"},
    ),
    Row(
        "eighty",
        "a jar of 80 names (10 KB) recovers by itself",
        ("test_a_jar_of_eighty_names_recovers_by_itself",),
        differs={"traefik": "at `/.identityd/ack`"},
    ),
    Row(
        "all-names",
        "a jar of 180 names (22 KB, all a browser keeps) is let through",
        ("test_as_many_names_as_a_browser_keeps_are_let_through",),
        differs={"traefik": "by Traefik, and the application must take them"},
    ),
    Row(
        "ack",
        "six visits of `/.identityd/ack` leave fewer than 30 of them",
        ("test_the_logins_own_pages_empty_it_faster",),
    ),
    Row(
        "too-long",
        "a request header of 100 KB",
        ("test_a_header_beyond_the_limit_is_refused",),
        usual="400",
        differs={"caddy": "431, by identityd", "traefik": "431, by identityd"},
    ),
)
_BY_KEY: Final = {row.key: row for row in ROWS}


def expected(key: str, proxy: str) -> str:
    """Return what the matrix claims."""
    return _BY_KEY[key].cell(proxy)


def table(versions: Mapping[str, str], failed: Iterable[tuple[str, str]] = ()) -> str:
    """Return the matrix as Markdown. `failed` holds (test, proxy) that did not hold."""
    bad = set(failed)
    lines = [
        "| | " + " | ".join(f"{name} {versions[name]}" for name in NAMES) + " |",
        "|---" * (len(NAMES) + 1) + "|",
    ]
    for row in ROWS:
        cells = ["FAILED" if bad & {(test, name) for test in row.tests} else row.cell(name) for name in NAMES]
        lines.append(f"| {row.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def in_document(page: str, matrix: str | None = None) -> str:
    """Return the page with this matrix, or without one the matrix that is in it."""
    before, begin, rest = page.partition(_BEGIN)
    old, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError("docs/proxies.md has lost the marks around its matrix")
    return old if matrix is None else before + begin + matrix + end + after
