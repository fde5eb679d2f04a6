"""A real browser, a real daemon, and two applications on hosts of their own behind a proxy."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.front import Front
from tests.support.memcached import free_port
from tests.support.running import Running
from tests.support.waiting import RealClock, elapse

pytestmark = pytest.mark.chromium
TOKEN_AGE_S = 1
GRACE_S = 2
SECRET = "a secret of one more application, 32 characters: %s"


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    """Give a proxy for three hosts, which Chromium finds by itself, and the daemon behind it."""
    front = Front(free_port(), calls=2)
    sections = {
        "sessions": {"token_age_s": str(TOKEN_AGE_S), "grace_s": str(GRACE_S)},
        **{f"app:{name}": {"secret": SECRET % name, "hosts": f"{name}.localhost:{front.port}"} for name in _NAMES},
    }
    with Running(tmp_path / "run", sections, public_url=front.url) as daemon:
        front.lead_to(daemon_port=daemon.port, internal_port=daemon.internal_port)
        with front:
            yield front
        assert '"level": "ERROR"' not in daemon.log()


_NAMES = ("wiki", "shop")


@pytest.fixture
def person(browser: Browser) -> Iterator[BrowserContext]:
    """Give a browser with an empty jar and no scripts but the applications' own."""
    context = browser.new_context()
    yield context
    context.close()


def app(front: Front, name: str) -> str:
    """Return an application's page."""
    return f"http://{name}.localhost:{front.port}/app"


def whose(page: Page) -> str:
    """Return whose page an application shows."""
    return page.locator("#user").inner_text()


def enter(page: Page, front: Front) -> None:
    """Sign up on the way to the wiki."""
    page.goto(app(front, "wiki"))
    page.get_by_role("link", name="Continue with Demo").click()
    page.get_by_role("button", name=re.compile("Ida Brook")).click()
    page.get_by_label("Username").fill("ida")
    page.get_by_role("button", name="Create account").click()


def test_one_login_opens_two_applications_and_its_end_closes_both(front: Front, person: BrowserContext) -> None:
    """The whole promise, as a person sees it: log in once, log out once."""
    wiki, shop = person.new_page(), person.new_page()
    wiki.goto(app(front, "wiki"))
    expect(wiki.get_by_text("to go on to")).to_contain_text(f"wiki.localhost:{front.port}")

    enter(wiki, front)
    assert (wiki.url, whose(wiki)) == (app(front, "wiki"), "ida")
    shop.goto(app(front, "shop"))
    assert (shop.url, whose(shop)) == (app(front, "shop"), "ida")

    account = person.new_page()
    account.goto(f"{front.url}/account")
    expect(account.get_by_text(re.compile("Used for shop.localhost:[0-9]+, wiki.localhost"))).to_be_visible()
    account.get_by_role("button", name="Log out everywhere").click()
    expect(account.get_by_role("heading", name="You are logged out everywhere")).to_be_visible()

    for page, name in ((wiki, "wiki"), (shop, "shop")):
        page.goto(app(front, name))
        assert page.url.startswith(f"{front.url}/login?")


def test_an_application_is_left_alone_or_with_everything(front: Front, person: BrowserContext) -> None:
    """Both buttons do what they say, and the page says what was done."""
    wiki, shop = person.new_page(), person.new_page()
    enter(wiki, front)
    shop.goto(app(front, "shop"))

    wiki.goto(f"http://wiki.localhost:{front.port}/.identityd/logout")
    wiki.get_by_role("button", name="Log out of this application").click()
    expect(wiki.get_by_role("heading", name="You are logged out of this application")).to_be_visible()
    shop.reload()
    assert whose(shop) == "ida"
    wiki.get_by_role("link", name="Log in again").click()
    wiki.goto(app(front, "wiki"))
    assert whose(wiki) == "ida"

    wiki.goto(f"http://wiki.localhost:{front.port}/.identityd/logout")
    wiki.get_by_role("button", name="Log out of everything in this browser").click()
    expect(wiki.get_by_role("heading", name="You are logged out")).to_be_visible()
    shop.goto(app(front, "shop"))
    assert shop.url.startswith(f"{front.url}/login?")


def test_a_copied_cookie_of_an_application_dies_and_takes_no_other_with_it(
    front: Front, person: BrowserContext, browser: Browser
) -> None:
    """The thief is out within seconds of the owner's next pages; nobody walks on to the shop without a new login."""
    wiki = person.new_page()
    enter(wiki, front)
    stolen = [each for each in person.cookies() if each.get("domain") == "wiki.localhost"]
    assert stolen
    with browser.new_context() as other:
        other.add_cookies(stolen)  # type: ignore[arg-type]
        for _ in range(4):
            elapse(TOKEN_AGE_S + 0.2, RealClock.DAEMON)
            wiki.goto(app(front, "wiki"))
        elapse(GRACE_S, RealClock.DAEMON)
        thief = other.new_page()
        thief.goto(app(front, "wiki"))

        assert thief.url.startswith(f"{front.url}/login?")
        expect(thief.get_by_text("You were logged out for safety.")).to_be_visible()
        expect(thief.get_by_text("two places")).to_have_count(0)

    shop = person.new_page()
    shop.goto(app(front, "shop"))
    expect(shop.get_by_text("For safety this site asks for a new login here.")).to_be_visible()
    shop.get_by_role("link", name="Continue with Demo").click()
    shop.get_by_role("button", name=re.compile("Ida Brook")).click()
    told = shop.get_by_role("heading", name="Your session was used in two places")
    expect(told).to_be_visible()
    shop.reload()
    expect(told).to_be_visible()
    shop.get_by_role("button", name="It was me").click()
    assert (shop.url, whose(shop)) == (app(front, "shop"), "ida")
