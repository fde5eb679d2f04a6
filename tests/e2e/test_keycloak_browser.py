"""A real browser between a real Keycloak and a daemon, both over https: what their pages and policies let it do."""

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from tests.support.certificates import Authority
from tests.support.keycloak.realm import PASSWORD, Realm
from tests.support.keycloak.server import Keycloak
from tests.support.openid_daemon import Ways, daemon_with
from tests.support.running import Running

pytestmark = [pytest.mark.chromium, pytest.mark.keycloak, pytest.mark.nightly]

FRAMES: Final = {"frontchannel.logout.url": "{here}/frontchannel", "frontchannel.logout.session.required": "true"}
WAYS: Final[Ways] = {
    "posted": ({}, {"response_mode": "form_post"}),
    # Without https here, Keycloak's own policy (frame-src) keeps its page from loading the frame.
    "frames": ({"frontchannelLogout": True, "attributes": FRAMES}, {"frontchannel_logout": "yes"}),
}


@pytest.fixture(scope="module")
def realm(keycloak: Keycloak) -> Realm:
    """Give a realm."""
    return Realm(keycloak, "browsing")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, realm: Realm, authority: Authority) -> Iterator[Running]:
    """Give a daemon that has this realm under a name for each setting."""
    with daemon_with(tmp_path_factory.mktemp("run"), realm, WAYS, own=authority.issue()) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give a page of a browser that trusts both certificates."""
    context = browser.new_context(ignore_https_errors=True)
    yield context.new_page()
    context.close()


def sign_up(page: Page, daemon: Running, realm: Realm, way: str, name: str) -> None:
    """Log in at Keycloak, choose a username, arrive at the account."""
    realm.person(name)
    page.goto(f"{daemon.url}/login/{way}")
    page.get_by_label("Username or email").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign In").click()
    page.get_by_label("Username").fill(name)
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url(f"{daemon.url}/account")


def test_somebody_signs_up_by_the_form_that_keycloak_posts(page: Page, daemon: Running, realm: Realm) -> None:
    """Otherwise response_mode = form_post works with our own upstream only."""
    posted: list[str] = []
    page.on("request", lambda request: posted.append(request.method) if "/posted/callback" in request.url else None)

    sign_up(page, daemon, realm, "posted", "lea")

    assert posted == ["POST"]


def test_a_frame_of_keycloak_s_logout_page_ends_the_session_here(page: Page, daemon: Running, realm: Realm) -> None:
    """Otherwise a Keycloak that cannot reach us by itself has no way to log people out here."""
    sign_up(page, daemon, realm, "frames", "mia")

    with page.expect_response(lambda answer: "/login/frames/frontchannel" in answer.url) as told:
        page.goto(f"{realm.issuer}/protocol/openid-connect/logout")
        page.get_by_role("button", name="Logout").click()

    assert told.value.status == 200
    page.goto(f"{daemon.url}/account")
    assert page.url.startswith(f"{daemon.url}/login")
