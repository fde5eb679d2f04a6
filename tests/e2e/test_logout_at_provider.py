"""Logging out at an OpenID provider that others wrote, and of it from here: real browsers, three ways.

Front-channel logout alone is no feature of npm `oidc-provider`: its page of frames is made by `provider.mjs`,
at the provider's origin and of the sessions that it knows.
"""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

from tests.support.certificates import Authority
from tests.support.openid_daemons import daemon_at, log_in, who
from tests.support.openid_provider import OpenIdProvider
from tests.support.running import Running

Daemons = Callable[..., Running]
Contexts = Callable[[], BrowserContext]
pytestmark = [pytest.mark.chromium, pytest.mark.openid]

HINT = "__Secure-iddh"


@pytest.fixture
def daemons(tmp_path: Path, openid_provider: OpenIdProvider, authority: Authority) -> Iterator[Daemons]:
    """Give a function that starts a daemon with the provider, registered for these logouts."""
    started: list[Running] = []

    def start(*, https: bool = True, metadata: Mapping[str, Any] | None = None, **options: str) -> Running:
        def registered(url: str) -> dict[str, Any]:
            here = f"{url}/login/op"
            known: dict[str, Any] = {"post_logout_redirect_uris": [f"{url}/logged-out"], **(metadata or {})}
            for way in ("backchannel", "frontchannel"):
                if f"{way}_logout" in options:
                    needs_session = {f"{way}_logout_session_required": True}
                    known = {f"{way}_logout_uri": f"{here}/{way}", **needs_session, **known}
            return known

        tls = authority.issue() if https else None
        folder = tmp_path / f"run{len(started)}"
        started.append(daemon_at(folder, openid_provider, options, tls=tls, metadata=registered))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Contexts]:
    """Give a function that makes a browser with a jar of its own, which trusts our certificates."""
    made: list[BrowserContext] = []

    def make() -> BrowserContext:
        made.append(browser.new_context(ignore_https_errors=True))
        return made[-1]

    yield make
    for each in made:
        each.close()


def log_out_there(page: Page, provider: OpenIdProvider) -> None:
    """Go to the provider's logout by oneself, and say yes."""
    page.goto(f"{provider.issuer}/session/end")
    page.get_by_role("button", name="Log me out").click()
    page.wait_for_url(re.compile("/session/end/(success|confirm)"))


def log_out_here(page: Page, daemon: Running, policy: str) -> dict[str, str]:
    """Log out here and be led, or go on, to the provider; return what it is asked."""
    page.goto(f"{daemon.url}/logout")
    page.get_by_role("button", name="Log out here").click()
    if policy == "offer":
        page.get_by_role("link", name=re.compile("^Log out at")).click()
    page.wait_for_url(re.compile("/session/end"))
    return dict(parse_qsl(urlsplit(page.url).query))


@pytest.mark.parametrize("one_session", [True, False], ids=["one session is named", "the person is named"])
def test_a_logout_at_the_provider_ends_its_sessions_at_two_daemons_and_no_others(
    daemons: Daemons, contexts: Contexts, openid_provider: OpenIdProvider, *, one_session: bool
) -> None:
    """Otherwise back-channel logout works with our own upstream and with no provider."""
    metadata = {"backchannel_logout_session_required": one_session}
    first, second = (daemons(https=False, backchannel_logout="yes", metadata=metadata) for _ in range(2))
    ada, phone, bob = contexts(), contexts(), contexts()
    page = ada.new_page()
    log_in(page, first, "ada")
    assert not log_in(page, second, "ada")
    log_in(phone.new_page(), first, "ada")
    log_in(bob.new_page(), first, "bob")
    told = openid_provider.log().count("told ")

    log_out_there(page, openid_provider)

    assert openid_provider.log().count("told ") == told + 2
    assert (who(first, ada), who(second, ada), who(first, bob)) == (None, None, "bob")
    assert who(first, phone) == ("ada" if one_session else None)
    page.goto(f"{first.url}/account")
    assert "reason=provider-logout" in page.url
    assert log_in(page, first, "ada")


@pytest.mark.parametrize("policy", ["offer", "yes"])
def test_logging_out_here_goes_on_to_the_provider_and_comes_back(
    daemons: Daemons, contexts: Contexts, openid_provider: OpenIdProvider, policy: str
) -> None:
    """Otherwise the next person at a shared computer is logged in by one click."""
    daemon = daemons(logout_at_provider=policy, backchannel_logout="yes")
    context, other = contexts(), contexts()
    page = context.new_page()
    log_in(page, daemon, "ada")
    log_in(other.new_page(), daemon, "ada")
    kept = [each["value"] for each in context.cookies(f"{daemon.url}/login/op/logout") if each["name"] == HINT]

    asked = log_out_here(page, daemon, policy)

    hint = json.loads(urlsafe_b64decode(asked["id_token_hint"].split(".")[1] + "=="))
    assert (hint["iss"], hint["sub"]) == (openid_provider.issuer, "ada")
    assert (asked["state"], asked["post_logout_redirect_uri"]) == ("op", f"{daemon.url}/logged-out")
    page.get_by_role("button", name="Log me out").click()
    page.wait_for_url(f"{daemon.url}/logged-out?state=op")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are logged out")
    assert (who(daemon, context), who(daemon, other)) == (None, "ada")
    assert len(kept) == 1
    assert HINT not in {each["name"] for each in context.cookies()}
    assert asked["id_token_hint"] not in daemon.log()
    assert log_in(page, daemon, "ada")


def test_who_stays_at_the_provider_is_logged_out_here_all_the_same(daemons: Daemons, contexts: Contexts) -> None:
    """Otherwise changing one's mind there leaves a session here that the person believes ended."""
    daemon = daemons(logout_at_provider="yes")
    context = contexts()
    page = context.new_page()
    log_in(page, daemon, "ada")

    log_out_here(page, daemon, "yes")
    page.get_by_role("button", name="Stay").click()
    page.wait_for_url(f"{daemon.url}/logged-out?state=op")

    assert who(daemon, context) is None
    assert not log_in(page, daemon, "ada")


@pytest.mark.threat(63)
def test_a_link_on_another_site_leads_to_the_provider_without_the_id_token(
    daemons: Daemons, contexts: Contexts, openid_provider: OpenIdProvider
) -> None:
    """Otherwise any page logs its visitors out at their provider, where that asks no more."""
    daemon = daemons(logout_at_provider="offer")
    page = contexts().new_page()
    log_in(page, daemon, "ada")
    page.goto(f"{openid_provider.issuer}/.well-known/openid-configuration")

    page.evaluate("address => { location.href = address }", f"{daemon.url}/login/op/logout")
    page.wait_for_url(re.compile("/session/end"))

    assert "client_id=" in page.url
    assert "id_token_hint=" not in page.url


@pytest.mark.parametrize("begun", ["here", "there"])
def test_a_frame_in_the_providers_logout_page_ends_the_session_without_cookies(
    daemons: Daemons, contexts: Contexts, openid_provider: OpenIdProvider, begun: str
) -> None:
    """Otherwise front-channel logout ends with the browsers that show no cookies in frames, which all do by now."""
    daemon = daemons(frontchannel_logout="yes", logout_at_provider="yes")
    context, phone = contexts(), contexts()
    page = context.new_page()
    log_in(page, daemon, "ada")
    log_in(phone.new_page(), daemon, "ada")
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer) if "/frontchannel" in answer.url else None)

    if begun == "there":
        log_out_there(page, openid_provider)
    else:
        log_out_here(page, daemon, "yes")
        page.get_by_role("button", name="Log me out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are logged out of the test provider")
    page.wait_for_load_state("load")

    assert [answer.status for answer in answers] == [200]
    sent = answers[0].request.all_headers()
    assert (sent["sec-fetch-dest"], sent["sec-fetch-site"]) == ("iframe", "cross-site")
    assert "cookie" not in sent
    assert [frame.url for frame in page.frames if frame is not page.main_frame] == [answers[0].url]
    assert (who(daemon, context), who(daemon, phone)) == (None, "ada")
    if begun == "here":
        page.get_by_role("link", name="Go on").click()
        page.wait_for_url(f"{daemon.url}/logged-out?state=op")
