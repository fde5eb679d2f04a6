"""Logins through PyPI's `oidc-provider-mock`: plain http on this machine, no PKCE, and a `state` lost by a refusal."""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.support.oidc_provider_mock import OidcProviderMock
from tests.support.openid_daemon import Ways, daemon_with, trial
from tests.support.openid_person import Person, people
from tests.support.running import Running

pytestmark = pytest.mark.oidc_provider_mock

WAYS: Final[Ways] = {
    "op": ({}, {}),
    "post": ({"token_endpoint_auth_method": "client_secret_post"}, {"client_auth": "post"}),
    "userinfo": ({}, {"userinfo": "yes", "logout_at_provider": "yes"}),
    "wrong": ({}, {"client_secret": "not the one that was registered"}),
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProviderMock]:
    """Give the provider."""
    running = OidcProviderMock(tmp_path_factory.mktemp("mock"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, provider: OidcProviderMock) -> Iterator[Running]:
    """Give a daemon that has this provider under a name for each setting."""
    with daemon_with(tmp_path_factory.mktemp("run"), provider, WAYS) as running:
        yield running


@pytest.fixture
def person(daemon: Running, provider: OidcProviderMock) -> Iterator[Callable[..., Person]]:
    with people(daemon, provider) as make:
        yield make


@pytest.mark.parametrize("way", ["op", "post", "userinfo"])
def test_a_person_signs_up_and_comes_back(person: Callable[..., Person], way: str) -> None:
    """Otherwise a provider on the same machine, or one that never heard of PKCE, cannot be used."""
    first, later = person(way), person(way)
    account = first.choose(first.log_in(f"{way}@example.test"), f"ada-{way}")
    assert str(account.url).endswith("/account"), account.text

    later.log_in(f"{way}@example.test")

    assert later.account == first.account is not None


def test_what_the_provider_knows_is_proposed(person: Callable[..., Person], provider: OidcProviderMock) -> None:
    """Otherwise a newcomer has to type the name that the provider has just told."""
    provider.tell("1234", preferred_username="grace", name="Grace Example", email="grace@example.test")

    assert 'value="grace"' in person("userinfo").log_in("1234").text


def test_who_refuses_can_go_on_although_the_state_is_lost(person: Callable[..., Person]) -> None:
    """Otherwise the button "Deny" leads to an error page: this provider gives no state back with it."""
    somebody = person()
    callback = somebody.callback("ada", choice="deny")
    assert "error=access_denied" in callback
    assert "state=" not in callback

    page = somebody.get(callback)

    assert page.status_code < 400
    assert "The login was cancelled" in page.text


def test_logging_out_there_too_leads_back(person: Callable[..., Person], provider: OidcProviderMock) -> None:
    """Otherwise somebody who logs out at both is left on a page of the provider."""
    somebody = person("userinfo")
    location = somebody.get("/login/userinfo/logout").headers["location"]
    assert location.startswith(f"{provider.issuer}/oauth2/end_session?")

    page = somebody.get(provider.log_in(location, ""))

    assert str(page.url).partition("?")[0].endswith("/logged-out")
    assert page.status_code == 200


def test_a_trial_tells_a_wrong_secret_from_a_right_one(daemon: Running) -> None:
    """Otherwise `providers test` knows the answers of our own upstream only."""
    right, wrong = trial(daemon, "op"), trial(daemon, "wrong")

    assert [line for line in right if not line.startswith("ok ")] == []
    assert "it knows client and secret" in right[-1]
    assert "problem  wrong: it refuses client_id and client_secret (invalid_client)" in "\n".join(wrong)
