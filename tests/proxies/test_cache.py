"""After the logout the browser asks again: a real Chromium behind each proxy.

It trusts the proxy's certificate, because it keeps nothing of a site whose certificate it does not.
"""

import base64
import hashlib
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, Page, Playwright

from tests.proxies.matrix import expected
from tests.support.certificates import Authority
from tests.support.guarded_application import APPLICATION, GuardedApplication
from tests.support.services import CHROMIUM_FLAGS, chromium_binary

pytestmark = [pytest.mark.memcached, pytest.mark.threat(58)]


@pytest.fixture(scope="module")
def trusting(playwright: Playwright, authority: Authority) -> Iterator[Browser]:
    """Give a Chromium that trusts the authority, with its back/forward cache."""
    root = x509.load_pem_x509_certificate(authority.ca_file.read_bytes())
    key = root.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    trusted = base64.b64encode(hashlib.sha256(key).digest()).decode()
    running = playwright.chromium.launch(
        executable_path=chromium_binary(),
        args=[*CHROMIUM_FLAGS, f"--ignore-certificate-errors-spki-list={trusted}"],
        ignore_default_args=["--disable-back-forward-cache"],
    )
    yield running
    running.close()


def entered(browser: Browser, guarded: GuardedApplication) -> Page:
    """Return a page of somebody who just logged in."""
    context = browser.new_context()
    context.set_default_timeout(60_000)
    member = guarded.member()
    context.add_cookies(
        [
            {"name": name, "value": value, "url": guarded.url, "httpOnly": True, "secure": True, "sameSite": "Lax"}
            for name, value in member.jar.items()
        ]
    )
    return context.new_page()


def asks_again(guarded: GuardedApplication, page: Page, address: str) -> bool:
    """Load an address in another tab of the same browser; tell whether the application was asked."""
    asked, other = guarded.behind.asked, page.context.new_page()
    other.goto(address)
    other.close()
    return guarded.behind.asked > asked


@pytest.mark.chromium
class TestChromium:
    """Somebody logs out, and somebody else sits down."""

    def test_a_guarded_page_is_asked_for_each_time(self, kept: GuardedApplication, trusting: Browser) -> None:
        """And what the application allows to be kept is kept: otherwise this would prove nothing."""
        page = entered(trusting, kept)
        for path in ("/old", "/echo"):
            page.goto(f"{kept.url}{APPLICATION}{path}")

        assert asks_again(kept, page, f"{kept.url}{APPLICATION}/old")
        assert asks_again(kept, page, f"{kept.url}{APPLICATION}/echo") == ("always" in expected("no-store", kept.name))
        page.context.close()

    def test_after_the_logout_nothing_is_shown_again(self, kept: GuardedApplication, trusting: Browser) -> None:
        """By its address, loaded again, or by going back: neither the application's pages nor the account."""
        page = entered(trusting, kept)
        for place in (f"{APPLICATION}/old", f"{APPLICATION}/echo", "/account", "/logout"):
            page.goto(f"{kept.url}{place}")
        asked = kept.behind.asked
        page.get_by_role("button", name="Log out").first.click()
        page.wait_for_url("**/logout?done=here**")

        for place in ("/logout", "/account", f"{APPLICATION}/echo", f"{APPLICATION}/old"):
            page.evaluate("history.back()")
            page.wait_for_url(lambda url, place=place: place in url or place.replace("/", "%2F") in url)  # type: ignore[misc]
            page.wait_for_load_state()
            assert "member" not in page.inner_text("body"), page.url
        other = page.context.new_page()
        for path in ("/old", "/echo"):
            other.goto(f"{kept.url}{APPLICATION}{path}")
            assert other.url.startswith(f"{kept.url}/login?")
            other.reload()
            assert other.url.startswith(f"{kept.url}/login?")
        assert kept.behind.asked == asked
        page.context.close()

    def test_nor_from_the_page_that_logged_out_everywhere(self, kept: GuardedApplication, trusting: Browser) -> None:
        """It was on the screen when the answer came that cleared the others."""
        page = entered(trusting, kept)
        page.goto(f"{kept.url}/account")
        page.get_by_role("button", name="Log out everywhere").click()
        page.wait_for_url("**/logout?done=everywhere**")

        page.evaluate("history.back()")
        page.wait_for_url(f"{kept.url}/login?**")

        assert "member" not in page.inner_text("body")
        page.context.close()
