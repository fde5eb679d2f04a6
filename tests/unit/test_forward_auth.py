"""From header lines to a check and from a verdict to header lines, without a listener; the addresses they name."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from identity.forward_auth.answers import Answer, Header, answer
from identity.forward_auth.peers import TrustedPeers
from identity.forward_auth.requests import check_of, is_navigation, read
from identity.forward_auth.targets import Target, ascii_uri, flag_of, location, with_flag
from identity.sessions.check import Check, Mode, Outcome, SetCookie, Verdict
from identity.types import Host, Username
from identity.web.http.base import is_local
from tests.support.applications import application
from tests.support.daemons import Daemons
from tests.support.jars import ACCOUNT, SID, BrowserJar, session
from tests.support.loading import LOADS

TARGET = Target("https", Host("login.example"), "/a?b=c")
PUBLIC = "https://login.example"
PAGE = Check(cookies=(), host=Host("login.example"), navigation=True)
PEER = "127.0.0.1"
FORWARDED = (
    ("x-forwarded-proto", "https"),
    ("X-FORWARDED-HOST", "Login.Example:443"),
    ("X-Forwarded-Uri", "/static/a?identityd-bounced=f"),
    ("X-Forwarded-Method", "GET"),
    ("X-Forwarded-For", "192.0.2.7"),
)
COOKIE = SetCookie("n", "v", None)
COOKIES = (("Set-Cookie", COOKIE),)
NUMBERED = (("X-Identity-Cookie-1", str(COOKIE)),)
THERE = "https://login.example/there"
WHO = (
    ("X-Identity-User", "zo%EB"),
    ("X-Identity-Id", str(ACCOUNT)),
    ("X-Identity-Session", "U1NTU1NTU1NTU1NTU1NTUw"),
    ("X-Identity-Idle-Ends", "5"),
    ("X-Identity-Absolute-Ends", "9"),
)


class Lines:
    """Header lines as any listener may hold them."""

    def __init__(self, lines: Sequence[tuple[str, str]]) -> None:
        self._lines = lines

    def get_list(self, name: str) -> list[str]:
        """Return the values of all lines of this name."""
        return [value for each, value in self._lines if each.lower() == name.lower()]


def said(verdict: str, reason: str) -> tuple[Header, ...]:
    """Return the lines that tell a proxy what was found."""
    return ("X-Identity-Verdict", verdict), ("X-Identity-Reason", reason)


AGAIN = (("Retry-After", "5"),)
PASSED = Verdict(
    Outcome.OK,
    "current",
    session=session(SID, ends_at=9_500),
    account_id=ACCOUNT,
    username=Username("zoë"),
    idle_ends_at=5_999,
)
GIVEN = Verdict(
    Outcome.OK,
    "current",
    session=PASSED.session,
    account_id=ACCOUNT,
    username=PASSED.username,
    set_cookies=(COOKIE,),
    idle_ends_at=5_999,
)
BOUNCED = Verdict(Outcome.BOUNCE, "stale", set_cookies=(COOKIE,))
LOGIN = Verdict(Outcome.LOGIN, "reuse", set_cookies=(COOKIE,))
FORBIDDEN = Verdict(Outcome.FORBIDDEN, "unknown-host")
RETRY = Verdict(Outcome.RETRY, "store-down")
TABLE = [
    # verdict, location, to the browser; status, header lines, code of the refusal, may it be stored
    pytest.param(PASSED, None, False, 200, WHO, None, True, id="ok to a proxy"),
    pytest.param(PASSED, None, True, 200, WHO, None, True, id="ok to a browser"),
    pytest.param(GIVEN, None, False, 200, (*COOKIES, *NUMBERED, *WHO), None, False, id="ok with a cookie to a proxy"),
    pytest.param(GIVEN, None, True, 200, (*COOKIES, *NUMBERED, *WHO), None, False, id="ok with a cookie to a browser"),
    pytest.param(
        BOUNCED,
        THERE,
        False,
        401,
        (*said("bounce", "stale"), ("X-Identity-Location", THERE), *COOKIES, *NUMBERED),
        "stale",
        False,
        id="bounce to a proxy",
    ),
    pytest.param(BOUNCED, THERE, True, 307, (*COOKIES, ("Location", THERE)), None, False, id="bounce to a browser"),
    pytest.param(
        LOGIN,
        THERE,
        False,
        401,
        (*said("login", "reuse"), ("X-Identity-Location", THERE), *COOKIES, *NUMBERED),
        "reuse",
        False,
        id="login with an address to a proxy",
    ),
    pytest.param(
        LOGIN, THERE, True, 302, (*COOKIES, ("Location", THERE)), None, False, id="login with an address to a browser"
    ),
    pytest.param(
        LOGIN, None, False, 401, (*said("login", "reuse"), *COOKIES, *NUMBERED), "reuse", False, id="login to a proxy"
    ),
    pytest.param(LOGIN, None, True, 401, COOKIES, "reuse", False, id="login to a browser"),
    pytest.param(
        FORBIDDEN,
        None,
        False,
        403,
        said("forbidden", "unknown-host"),
        "unknown-host",
        False,
        id="forbidden to a proxy",
    ),
    pytest.param(FORBIDDEN, None, True, 403, (), "unknown-host", False, id="forbidden to a browser"),
    pytest.param(
        RETRY, None, False, 503, (*said("retry", "store-down"), *AGAIN), "store-down", False, id="retry to a proxy"
    ),
    pytest.param(RETRY, None, True, 503, AGAIN, "store-down", False, id="retry to a browser"),
]


@pytest.mark.parametrize(("verdict", "there", "to_browser", "status", "lines", "refusal", "stored"), TABLE)
def test_each_verdict_has_one_answer(
    verdict: Verdict,
    there: str | None,
    status: int,
    lines: tuple[Header, ...],
    refusal: str | None,
    *,
    to_browser: bool,
    stored: bool,
) -> None:
    """Otherwise a page is shown to nobody in particular, or a proxy keeps one person's answer for the next."""
    found = answer(verdict, there, app=application("wiki", hosts=()), to_browser=to_browser)

    assert (found.status, found.headers, found.reason) == (status, lines, verdict.reason)
    assert (found.refusal and found.refusal.code) == refusal
    assert found.may_be_stored is stored


@pytest.mark.parametrize(
    ("more", "changed"),
    [
        ((), {}),
        ((("sec-fetch-mode", "cors"),), {"navigation": False}),
        ((("Sec-WebSocket-Version", "13"),), {"navigation": False, "mode": Mode.WEBSOCKET}),
        ((("X-User-Activity", " No "),), {"user_activity": False}),
        ((("User-Agent", "curl/8.5"),), {"agent": "curl"}),
        ((("Cookie", "a=b"), ("cookie", "c=d")), {"cookies": ("a=b", "c=d")}),
    ],
)
def test_header_lines_of_any_listener_make_a_check(
    more: tuple[tuple[str, str], ...], changed: dict[str, object]
) -> None:
    """Otherwise a second listener reads a request in its own way, and finds another answer."""
    app = replace(application("wiki", hosts=()), static_paths=("/static/",))
    plain = {
        "cookies": (),
        "host": Host("login.example"),
        "navigation": True,
        "may_mint": False,
        "flag": "f",
        "address": "192.0.2.x",
        "agent": "Unknown browser",
        "client": "wiki",
    }

    asked = read(Lines((*FORWARDED, *more)), peer=PEER, peers=TrustedPeers([PEER]))

    assert check_of(asked, app) == Check(**{**plain, **changed})


def test_a_proxy_can_be_answered_without_any_listener() -> None:
    """Otherwise the parts fit only through the framework that they happen to stand in."""
    daemons, jar, app = Daemons(), BrowserJar(), application("wiki", hosts=())
    daemons.login(jar)

    def asked(headers: Lines) -> Answer:
        request = read(headers, peer=PEER, peers=TrustedPeers([PEER]))
        check = check_of(request, app)
        [verdict] = daemons.service.check_many([check])
        there = location(verdict, check, request.target, public_url=PUBLIC)
        return answer(verdict, there, app=app, to_browser=True)

    known, unknown = asked(Lines((*FORWARDED, ("Cookie", jar.header)))), asked(Lines(FORWARDED))

    assert (known.status, dict(known.headers)["X-Identity-User"]) == (200, "ada")
    there = "https://login.example/login?return_to=%2Fstatic%2Fa"
    assert (unknown.status, unknown.headers) == (302, (("Location", there),))


@pytest.mark.parametrize(
    ("address", "flagged"),
    [
        ("/a", "/a?identityd-bounced=1"),
        ("/a?", "/a?identityd-bounced=1"),
        ("/a?b=c", "/a?b=c&identityd-bounced=1"),
        ("/a?b=identityd-bounced", "/a?b=identityd-bounced&identityd-bounced=1"),
        ("/a?identityd-bounced=0", "/a?identityd-bounced=1"),
        ("/a?b=c&identityd-bounced=0&d=e", "/a?b=c&d=e&identityd-bounced=1"),
        ("/a?identityd-bounced=2&b=c&identityd-bounced=", "/a?b=c&identityd-bounced=1"),
    ],
)
def test_the_flag_is_added_once(address: str, flagged: str) -> None:
    """Otherwise the address grows with each bounce, until a server refuses it."""
    assert with_flag(address, "1") == flagged
    assert flag_of(flagged) == "1"


@pytest.mark.parametrize(
    ("sent", "escaped"),
    [
        ("/a%20b?c=%C3%A9&d=+[x]{y}|~", "/a%20b?c=%C3%A9&d=+[x]{y}|~"),
        ("/\xc3\xa9", "/%C3%A9"),
        ('/"<>\\#', "/%22%3C%3E%5C%23"),
        ("/a b", "/a%20b"),
        ("/\r\n\t", "/%0D%0A%09"),
    ],
)
def test_an_address_is_kept_but_for_what_no_header_may_hold(sent: str, escaped: str) -> None:
    """Otherwise the page after the login is another one than was asked for, or the header breaks."""
    assert ascii_uri(sent) == escaped


@pytest.mark.parametrize("mode", [Mode.WEBSOCKET, Mode.READ_ONLY])
@pytest.mark.parametrize("outcome", [Outcome.LOGIN, Outcome.BOUNCE])
def test_who_cannot_follow_a_redirect_is_given_none(mode: Mode, outcome: Outcome) -> None:
    """Otherwise a handshake is redirected, which fails without a word."""
    check = Check(cookies=(), host=Host("login.example"), navigation=True, mode=mode)

    assert location(Verdict(outcome, "stale"), check, TARGET, public_url=PUBLIC) is None


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.RETRY, Outcome.FORBIDDEN])
def test_other_verdicts_lead_nowhere(outcome: Outcome) -> None:
    """Otherwise an outage sends people to the login page."""
    assert location(Verdict(outcome, "x"), PAGE, TARGET, public_url=PUBLIC) is None


def test_a_bounce_without_a_flag_is_the_address_as_it_was() -> None:
    """Otherwise an address changes where nothing asks for it."""
    verdict = Verdict(Outcome.BOUNCE, "too-many-cookies")

    assert location(verdict, PAGE, TARGET, public_url=PUBLIC) == "https://login.example/a?b=c"


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("/", True),
        ("/a?b=//c", True),
        ("", False),
        ("a", False),
        ("//a", False),
        ("/\\a", False),
        ("/a\\b", False),
        ("/a\n", False),
        ("/é", False),
        ("https://login.example/", False),
    ],
)
def test_a_local_address_is_a_path_in_every_browser(address: str, *, local: bool) -> None:
    """Otherwise what one parser calls a path is a host to another."""
    assert is_local(address) is local


@pytest.mark.parametrize(("method", "headers", "page"), LOADS)
def test_only_a_page_load_is_led_to_a_login(method: str, headers: dict[str, str], *, page: bool) -> None:
    """A script would take the login page for data; a person would see a bare 401."""
    assert is_navigation(method, Lines([*headers.items()])) is page
