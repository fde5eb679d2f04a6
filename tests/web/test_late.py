"""Requests that come late, and addresses that were kept: an honest one is never refused for either."""

import pytest

from tests.support.browser import Jar, Reply
from tests.support.web import Site

NAVIGATION = {"Sec-Fetch-Mode": "navigate"}
FETCH = {"Sec-Fetch-Mode": "cors"}
ORIGIN = "https://login.example"


def stale(site: Site) -> tuple[Jar, Jar]:
    """Return a jar that its browser has left behind long ago, and the browser's own."""
    jar = site.log_in()
    before = Jar()
    before.cookies = dict(jar.cookies)
    for _ in range(3):
        site.clock.advance(20_000)
        jar.take(site.auth(jar=jar))
    site.clock.advance(20_000)
    return before, jar


def place(reply: Reply) -> str:
    """Return where a bounce leads, as a path."""
    assert reply.one("X-Identity-Verdict") == "bounce", reply.one("X-Identity-Reason")
    return (reply.one("X-Identity-Location") or "").removeprefix(ORIGIN)


@pytest.mark.parametrize("flag", ["1", "0", "", "x" * 20, "AQFsAAAAAAAAAAAAAAAA"])
@pytest.mark.parametrize("headers", [NAVIGATION, FETCH], ids=["page", "call"])
def test_a_flag_left_in_an_address_refuses_no_late_request(site: Site, flag: str, headers: dict[str, str]) -> None:
    """A bookmark made after a bounce would be 503 whenever its tokens are old."""
    before, after = stale(site)

    bounced = place(site.auth(f"/a?b=c&identityd-bounced={flag}&d=e", jar=before, headers=headers))

    assert bounced.startswith("/a?b=c&d=e&identityd-bounced=")
    assert bounced.count("identityd-bounced") == 1
    assert site.auth(bounced, jar=after, headers=headers).status == 200


def test_a_genuine_flag_is_of_no_use_a_while_later_or_in_another_browser(site: Site) -> None:
    """Addresses are shared, restored with the session, and opened from the history."""
    before, _ = stale(site)
    kept = place(site.auth("/a", jar=before))
    other, _ = stale(site)

    assert place(site.auth(kept, jar=other)).startswith("/a?identityd-bounced=")
    site.clock.advance(120_000)
    assert place(site.auth(kept, jar=before)).startswith("/a?identityd-bounced=")


def test_a_browser_that_drops_markers_is_still_told_after_one_redirect(site: Site) -> None:
    """Otherwise it would be redirected until it gives up."""
    before, _ = stale(site)
    kept = place(site.auth("/a?identityd-bounced=1", jar=before))

    assert site.auth(kept, jar=before).one("X-Identity-Reason") == "bounce-lost"


def again(site: Site, jar: Jar) -> Jar:
    """Log in once more in the same browser; return the jar as it was before the answer arrived."""
    before = Jar()
    before.cookies = dict(jar.cookies)
    site.clock.advance(1_000)
    new = site.log_in(before=jar)
    jar.cookies = dict(new.cookies)
    return before


@pytest.mark.parametrize("headers", [NAVIGATION, FETCH], ids=["page", "call"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_was_sent_before_a_login_comes_again_with_its_session(
    site: Site, method: str, headers: dict[str, str]
) -> None:
    """Otherwise a form in another tab is lost to the login, or its page is told that nobody is there."""
    jar = site.log_in()
    before = again(site, jar)
    asked = {**headers, "X-Forwarded-Method": method}

    first = site.auth("/form?a=b", jar=before, headers=asked)
    bounced = place(first)
    jar.take(first)

    assert bounced.startswith("/form?a=b&identityd-bounced=")
    assert [cookie.partition("=")[0] for cookie in first.cookies] == ["__Host-iddm"]
    assert site.auth(bounced, jar=jar, headers=asked).status == 200


def test_a_copy_of_a_replaced_session_gets_one_redirect_and_no_more(site: Site) -> None:
    """It must not go round for ever, and never in."""
    thief = again(site, site.log_in())
    first = site.auth("/a", jar=thief)
    thief.take(first)

    second = site.auth(place(first), jar=thief, headers=NAVIGATION)

    assert (second.status, second.one("X-Identity-Reason")) == (401, "replaced")
    thief.take(second)
    assert not [name for name in thief.cookies if name.startswith("__Host-idd-")]


def test_a_browser_without_markers_is_told_of_the_login_at_once(site: Site) -> None:
    """It is not logged in here any more: nothing has to wait."""
    dropped = again(site, site.log_in())
    bounced = place(site.auth("/a", jar=dropped))

    assert site.auth(bounced, jar=dropped).one("X-Identity-Reason") == "replaced"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),
        ("POST", {"Accept": "text/html"}),
        ("DELETE", {}),
        ("GET", {"X-Requested-With": "XMLHttpRequest", "Accept": "text/html, */*"}),
        ("GET", {"Accept": "application/json"}),
        ("GET", {"Accept": "*/*"}),
        ("GET", {"Accept": "text/event-stream"}),
        ("GET", {"Sec-Fetch-Dest": "image"}),
    ],
)
@pytest.mark.parametrize("redirect", [False, True])
def test_a_call_of_an_older_browser_gets_401(
    site: Site, method: str, headers: dict[str, str], *, redirect: bool
) -> None:
    """Its script would take the login page for data."""
    reply = site.auth("/x", redirect=redirect, headers={"X-Forwarded-Method": method, **headers})

    assert reply.status == 401
    assert reply.one("X-Identity-Location") is None
    assert reply.one("Location") is None
    assert reply.one("Content-Type") in (None, "application/json")


@pytest.mark.parametrize("accept", [None, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"])
def test_a_page_of_an_older_browser_leads_to_the_login(site: Site, accept: str | None) -> None:
    """A person would see a bare 401."""
    reply = site.auth("/x", redirect=True, headers={} if accept is None else {"Accept": accept})

    assert (reply.status, reply.one("Location")) == (302, "https://login.example/login?return_to=%2Fx")
