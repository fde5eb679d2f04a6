"""A real browser, a real daemon and an OpenID provider nobody here wrote, whose answers come as forms."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request

from tests.support.assertions import pem_of
from tests.support.certificates import Authority
from tests.support.openid_daemons import daemon_at
from tests.support.openid_provider import OpenIdProvider
from tests.support.running import Running
from tests.support.signing import ecdsa_key, eddsa_key, rsa_key

Daemons = Callable[..., Running]
pytestmark = [pytest.mark.chromium, pytest.mark.openid]


@pytest.fixture
def daemons(tmp_path: Path, openid_provider: OpenIdProvider, authority: Authority) -> Iterator[Daemons]:
    """Give a function that starts a daemon with the provider, under further options and client metadata."""
    started: list[Running] = []

    def start(options: dict[str, str], *, https: bool = False, **metadata: Any) -> Running:  # noqa: ANN401 - RFC 7591
        tls = authority.issue() if https else None
        started.append(daemon_at(tmp_path / "run", openid_provider, options, tls=tls, metadata=lambda _: metadata))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give a page of a browser that trusts the provider's certificate."""
    context = browser.new_context(ignore_https_errors=True)
    yield context.new_page()
    context.close()


def log_in(page: Page, daemon: Running, name: str, *, choice: str = "Sign in") -> list[Request]:
    """Log in at the provider; return the requests that the daemon got of its answer."""
    answered: list[Request] = []
    page.on("request", lambda request: answered.append(request) if "/login/op/" in request.url else None)
    page.goto(f"{daemon.url}/login")
    page.get_by_role("link", name="Continue with").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name=choice).click()
    page.wait_for_url(f"{daemon.url}/**")
    return answered


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_somebody_signs_up_by_a_posted_answer(daemons: Daemons, page: Page, scheme: str) -> None:
    """Otherwise form_post works with our own upstream and with no browser: cookies, redirects and policies are its."""
    daemon = daemons({"response_mode": "form_post"}, https=scheme == "https")

    answered = log_in(page, daemon, "ida")
    page.get_by_label("Username").fill("ida")
    page.get_by_role("button", name="Create account").click()

    page.wait_for_url(f"{daemon.url}/account")
    assert [(each.method, each.url.partition("?")[0].rpartition("/")[2]) for each in answered] == [
        ("POST", "callback"),
        ("GET", "finish"),
    ]
    names = re.findall(r"([^=; ]+)=", answered[0].all_headers()["cookie"])
    assert len(names) == 1
    assert names[0].startswith("__Host-iddf-" if scheme == "https" else f"iddf{daemon.port}-")
    assert "code=" not in answered[1].url
    assert daemon.log().count("code=") == 0


def test_somebody_who_is_logged_in_stays_so_through_a_posted_answer(daemons: Daemons, page: Page) -> None:
    """Otherwise the session, whose cookies do not come with the form, is taken for none."""
    daemon = daemons({"response_mode": "form_post"})
    log_in(page, daemon, "ida")
    page.get_by_label("Username").fill("ida")
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url(f"{daemon.url}/account")

    page.goto(f"{daemon.url}/login/op?return_to=/account")
    page.wait_for_url(f"{daemon.url}/account")

    assert "ida" in page.inner_text("main")


def test_who_refuses_at_the_provider_can_go_on(daemons: Daemons, page: Page) -> None:
    """Otherwise the button "Refuse" leads to an error page."""
    daemon = daemons({"response_mode": "form_post"})

    log_in(page, daemon, "ida", choice="Refuse")

    assert "The login was cancelled" in page.inner_text("main")
    assert page.get_by_role("link", name="Continue with").is_visible()


@pytest.mark.parametrize(
    ("algorithm", "audience"), [("ES256", "issuer"), ("PS256", "token_endpoint"), ("EdDSA", "issuer")]
)
def test_somebody_signs_up_where_a_key_proves_who_we_are(
    daemons: Daemons, page: Page, tmp_path: Path, algorithm: str, audience: str
) -> None:
    """Otherwise assertions please our own upstream and no provider's real checks."""
    key = {"ES256": ecdsa_key("ours"), "PS256": rsa_key("ours", alg="PS256"), "EdDSA": eddsa_key("ours")}[algorithm]
    file = tmp_path / "client.pem"
    file.write_text(pem_of(key))
    file.chmod(0o600)
    daemon = daemons(
        {
            "response_mode": "form_post",
            "client_auth": "private_key_jwt",
            "key_file": str(file),
            "key_id": "ours",
            "key_algorithm": algorithm,
            "key_audience": audience,
        },
        token_endpoint_auth_method="private_key_jwt",
        jwks={"keys": [key.jwk()]},
    )

    log_in(page, daemon, "ida")

    assert page.get_by_label("Username").is_visible()
