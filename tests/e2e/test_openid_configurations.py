"""Logins through a real OpenID provider under the settings that operators meet: keys, their exchange, secrets."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.openid_daemon import Ways, daemon_with
from tests.support.openid_person import Person, people
from tests.support.openid_provider import OpenIdProvider
from tests.support.running import Running

pytestmark = pytest.mark.openid

SIGNED: Final = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
WAYS: Final[Ways] = {
    # The daemon believes that one algorithm, so a login shows that the provider signs with it.
    **{name.lower(): ({"id_token_signed_response_alg": name}, {"algorithms": name}) for name in SIGNED},
    "post": ({"token_endpoint_auth_method": "client_secret_post"}, {"client_auth": "post"}),
    "userinfo": ({}, {"userinfo": "yes"}),
    "unexpected": ({"id_token_signed_response_alg": "RS256"}, {"algorithms": "ES256"}),
    "sealed-userinfo": ({"userinfo_signed_response_alg": "ES256"}, {"userinfo": "yes"}),
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory, authority: Any) -> Iterator[OpenIdProvider]:  # noqa: ANN401
    """Give a provider that signs with every kind of key."""
    running = OpenIdProvider(tmp_path_factory.mktemp("openid"), authority, keys={name: name for name in SIGNED})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, provider: OpenIdProvider) -> Iterator[Running]:
    """Give a daemon that has this provider under a name for each setting."""
    with daemon_with(tmp_path_factory.mktemp("run"), provider, WAYS) as running:
        yield running


@pytest.fixture
def somebody(daemon: Running, provider: OpenIdProvider) -> Iterator[Callable[..., Person]]:
    with people(daemon, provider) as make:
        yield make


def sign_up_and_return(make: Callable[..., Person], way: str, name: str) -> None:
    """Sign up, then log in with another browser, and find the same account."""
    person, later = make(way), make(way)
    account = person.choose(person.log_in(name), name)
    assert str(account.url).endswith("/account"), account.text

    later.log_in(name)

    assert later.account == person.account is not None


@pytest.mark.parametrize("way", [*(name.lower() for name in SIGNED), "post", "userinfo"])
def test_a_person_signs_up_and_comes_back(somebody: Callable[..., Person], way: str) -> None:
    """Otherwise an operator whose provider is set so cannot use it, although the documents say so."""
    sign_up_and_return(somebody, way, f"ada-{way}")


def test_a_login_without_its_challenge_is_refused_by_the_provider(
    somebody: Callable[..., Person], provider: OpenIdProvider
) -> None:
    """Otherwise the other tests would pass at a provider that ignores PKCE."""
    person = somebody("rs256")
    bare = re.sub(r"&code_challenge(_method)?=[^&]*", "", person.begin())

    back = provider.log_in(bare, "ada")

    assert "error=invalid_request" in back
    assert "code=" not in back


def test_an_answer_to_another_challenge_opens_no_login(
    somebody: Callable[..., Person], provider: OpenIdProvider, daemon: Running
) -> None:
    """Otherwise a code that was taken on its way could be used from the thief's own login."""
    person = somebody("rs256")
    other = re.sub(r"(code_challenge=)[^&]{43}", r"\1" + "A" * 43, person.begin())

    page = person.get(provider.log_in(other, "ada"))

    assert person.account is None
    assert 'name="username"' not in page.text
    assert "invalid_grant" in daemon.log()


@pytest.mark.parametrize("way", ["userinfo", "rs256"])
def test_userinfo_says_the_name_that_the_id_token_leaves_out(somebody: Callable[..., Person], way: str) -> None:
    """Otherwise the newcomer of a provider that keeps names there (this one does) gets no name proposed."""
    assert 'value="grace"' in somebody(way).log_in("grace").text


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("unexpected", "algorithm RS256 is not one of those agreed on"),
        ("sealed-userinfo", "is signed or encrypted"),
    ],
)
def test_what_is_not_taken_is_said_in_the_log(
    somebody: Callable[..., Person], daemon: Running, way: str, reason: str
) -> None:
    """Otherwise an operator finds no word of why nobody can log in."""
    person = somebody(way)

    page = person.log_in("ada")

    assert person.account is None
    assert 'name="username"' not in page.text
    assert reason in daemon.log()


def test_a_provider_that_takes_the_secret_in_the_form_only_needs_no_option(
    tmp_path: Path, start_openid_provider: Callable[..., OpenIdProvider]
) -> None:
    """Otherwise `client_auth = auto` sends what such a provider refuses."""
    provider = start_openid_provider(clientAuthMethods=["client_secret_post"])
    metadata = {"token_endpoint_auth_method": "client_secret_post"}

    with daemon_with(tmp_path / "run", provider, {"op": (metadata, {})}) as daemon, people(daemon, provider) as make:
        sign_up_and_return(make, "op", "ada")


@pytest.mark.parametrize("kid", ["first", "second"], ids=["under the same id", "under a new id"])
@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_a_key_is_replaced_while_people_log_in(
    tmp_path: Path, start_openid_provider: Callable[..., OpenIdProvider], algorithm: str, kid: str
) -> None:
    """Otherwise a provider's new key locks everybody out until the daemon is started again."""
    provider = start_openid_provider(keys={"first": algorithm})
    metadata = {"id_token_signed_response_alg": algorithm}
    with daemon_with(tmp_path / "run", provider, {"op": (metadata, {})}) as daemon, people(daemon, provider) as make:
        before, after = make(), make()
        before.choose(before.log_in("ada"), "ada")

        provider.replace_keys({kid: algorithm})
        after.log_in("ada")

        assert after.account == before.account is not None


def test_a_login_that_was_under_way_when_the_key_changed_ends_well(
    tmp_path: Path, start_openid_provider: Callable[..., OpenIdProvider]
) -> None:
    """Otherwise everybody who is at the provider in that minute has to begin again."""
    provider = start_openid_provider()
    with daemon_with(tmp_path / "run", provider, {"op": ({}, {})}) as daemon, people(daemon, provider) as make:
        person = make()
        callback = person.callback("ada")
        provider.replace_keys({"new": "RS256"})

        assert 'name="username"' in person.get(callback).text
