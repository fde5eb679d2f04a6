"""An application on a host of its own, behind each proxy."""

from typing import Final
from urllib.parse import parse_qs, quote

import pytest
from playwright.sync_api import Browser

from tests.support.browser import CALL, PAGE, Reply
from tests.support.guarded_application import GuardedApplication

pytestmark = pytest.mark.memcached

PATH: Final = "/docs/echo?a=1&b=%C3%A9//x%2Fy"


def led_to(guarded: GuardedApplication, reply: Reply) -> str:
    """Return the path that a redirect to the login of the wiki's host will come back to."""
    place, _, query = (reply.one("Location") or "").partition("?")
    assert place == f"{guarded.wiki}/.identityd/login"
    [path] = parse_qs(query, strict_parsing=True)["return_to"]
    return path


def test_somebody_who_is_logged_in_arrives_without_a_click(guarded: GuardedApplication) -> None:
    """Otherwise one login is not enough for all applications."""
    member = guarded.member()

    wiki, reply = guarded.enter_wiki(member, PATH)

    assert reply.status == 200
    told = reply.json()
    assert told["uri"] == PATH
    assert [value for name, value in told["headers"] if name.lower() == "x-identity-user"] != []
    assert len(wiki.tokens) == 1
    assert wiki.tokens.keys() != member.tokens.keys()
    assert wiki.load("GET", PATH, CALL).status == 200


def test_somebody_else_is_led_through_the_own_host(guarded: GuardedApplication) -> None:
    """Otherwise the way back is one that anybody could begin for somebody else."""
    stranger = guarded.stranger(guarded.wiki)

    reply = stranger.load("GET", PATH)

    assert reply.status == 302
    assert led_to(guarded, reply) == PATH
    begun = stranger.load("GET", f"/.identityd/login?return_to={quote(PATH, safe='')}")
    assert (begun.one("Location") or "").startswith(f"{guarded.url}/continue?")
    assert [line.partition("-")[0] for line in begun.ours] == ["__Host"]


@pytest.mark.threat(42)
@pytest.mark.parametrize(
    "path",
    [
        "/.identityd/../echo",
        "/.identityd/%2e%2e/echo",
        "/%2eidentityd/../echo",
        "//.identityd/../echo",
        "/.identityd/..;/echo",
        "/.identityd%2f../echo",
        "/x/../.identityd/../echo",
        "/.IDENTITYD/../echo",
        "/.identityd",
        "/.identityd../echo",
        "/.identityd;/../echo",
        "//echo",
        "/%2fecho",
    ],
)
def test_no_spelling_of_a_path_leads_into_the_application(guarded: GuardedApplication, path: str) -> None:
    """Otherwise what is open for the login is open for everything."""
    asked = guarded.behind.asked

    reply = guarded.stranger(guarded.wiki).load("GET", path)

    assert reply.status in (301, 302, 308, 400, 404)
    assert guarded.behind.asked == asked


def test_the_login_itself_is_not_on_the_applications_host(guarded: GuardedApplication) -> None:
    """Otherwise a person learns to trust an application's address with the login."""
    for path in ("/login", "/account", "/auth", "/session/check"):
        reply = guarded.stranger(guarded.wiki).load("GET", path)

        assert (reply.status, led_to(guarded, reply)) == (302, path)


def test_a_copy_of_the_applications_cookie_is_refused(guarded: GuardedApplication) -> None:
    """Otherwise only the login's own host is protected against thieves."""
    thief, _ = guarded.enter_wiki(guarded.member(), "/echo")
    owner = guarded.parted_from(thief, path="/echo")

    first = thief.load("GET", "/echo")
    second = thief.load("GET", (first.one("Location") or "").removeprefix(guarded.wiki))

    assert first.status == 307
    assert (first.one("Location") or "").startswith(f"{guarded.wiki}/echo?identityd-bounced=")
    assert (second.status, thief.tokens) == (302, {})
    assert owner.load("GET", "/echo", PAGE).status == 302


@pytest.mark.chromium
def test_chromium_comes_and_goes_between_the_hosts(guarded: GuardedApplication, browser: Browser) -> None:
    """The whole way in a real browser: to the application, to the login, back, and on to the other one."""
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()

    page.goto(f"{guarded.wiki}/still?a=1")
    page.get_by_role("link", name="Continue with Demo").click()
    page.get_by_role("button", name="Ida Brook").click()
    page.get_by_label("Username").fill("ida")
    page.get_by_role("button", name="Create account").click()
    page.wait_for_selector("#user")

    assert (page.url, page.inner_text("#user")) == (f"{guarded.wiki}/still?a=1", "ida")
    page.goto(f"{guarded.url}/app/still")
    assert page.inner_text("#user") == "ida"
    context.close()
