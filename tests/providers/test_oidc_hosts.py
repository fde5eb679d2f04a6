"""OpenID Connect where the provider is in more than one place, and what may be added to the way there."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest

from options.option import BadOptions
from providers.base import ProviderBroken
from tests.providers.test_oidc import DISCOVERY, options
from tests.support.bench import Bench, bench

PUBLIC: Final = "https://id.example"


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return an upstream, and all around it."""
    with bench() as made:
        yield made


# --- discovery elsewhere -------------------------------------------------------------------------------


def test_a_document_may_be_elsewhere_than_below_its_issuer(on: Bench) -> None:
    """Otherwise Azure B2C, whose issuer and document have different paths, cannot be used."""
    on.upstream.places["/tenant/policy/v2.0/.well-known/openid-configuration"] = on.upstream.places.pop(DISCOVERY)
    on.build("oidc", options(on, discovery_url=f"{on.upstream.url}/tenant/policy/v2.0{DISCOVERY}"))

    assert on.log_in().subject


def test_a_document_elsewhere_must_name_the_issuer_all_the_same(on: Bench) -> None:
    """Otherwise whoever writes the document chooses who may vouch for people."""
    on.upstream.edit_discovery = lambda document: document.update(issuer=f"{on.upstream.url}/other")
    on.build("oidc", options(on, discovery_url=f"{on.upstream.url}{DISCOVERY}"))

    with pytest.raises(ProviderBroken, match="another issuer"):
        on.begin()


def test_endpoints_may_be_where_the_operator_says_the_document_is(on: Bench) -> None:
    """Otherwise a host is named twice in one section."""
    elsewhere = f"http://localhost:{on.upstream.port}"
    on.upstream.edit_discovery = lambda document: document.update(jwks_uri=f"{elsewhere}/jwks")
    on.build("oidc", options(on, discovery_url=f"{elsewhere}{DISCOVERY}"))

    assert on.log_in().subject


# --- two doors ---------------------------------------------------------------------------------------------


def behind(on: Bench, **named: str) -> None:
    """Let the upstream be the inside of a provider that browsers know as id.example."""
    on.upstream.document = {
        "issuer": PUBLIC,
        "authorization_endpoint": f"{PUBLIC}/authorize",
        "token_endpoint": f"{PUBLIC}/token",
        "userinfo_endpoint": f"{PUBLIC}/userinfo",
        "jwks_uri": f"{PUBLIC}/jwks",
        "id_token_signing_alg_values_supported": ["ES256"],
        "authorization_response_iss_parameter_supported": True,
        **named,
    }
    on.build("oidc", {**options(on, userinfo="yes"), "issuer": PUBLIC, "internal_url": f"{on.upstream.url}/"})


def test_browsers_go_to_the_public_host_and_we_to_the_internal_one(on: Bench) -> None:
    """Otherwise a provider in one's own network is called through its public address, or not at all."""
    behind(on)
    login = on.begin()
    profile = on.finish(login, on.come_back(login))

    assert login.begun.location.startswith(f"{PUBLIC}/authorize?")
    assert profile.subject
    assert sorted(on.upstream.calls) == [DISCOVERY, "/jwks", "/token", "/userinfo"]


def test_a_document_may_name_the_internal_host_for_what_we_call(on: Bench) -> None:
    """Otherwise a Keycloak that answers every host with its own addresses cannot be used."""
    behind(on, token_endpoint=f"{on.upstream.url}/token", jwks_uri=f"{on.upstream.url}/jwks")

    assert on.log_in().subject


def test_browsers_are_never_sent_to_the_internal_host(on: Bench) -> None:
    """Otherwise people are sent where their browsers cannot go, and learn of a host that is nobody's business."""
    behind(on, authorization_endpoint=f"{on.upstream.url}/authorize")

    with pytest.raises(ProviderBroken, match="authorization_endpoint is on 127"):
        on.begin()


def test_other_hosts_stay_refused(on: Bench) -> None:
    """Otherwise the internal host opens the door to all."""
    behind(on, token_endpoint="https://evil.example/token")

    with pytest.raises(ProviderBroken, match=r"token_endpoint is on evil\.example"):
        on.begin()


@pytest.mark.parametrize("url", ["https://kc.internal/auth", "https://kc.internal?x=1", "http://kc.internal:8080"])
def test_an_internal_address_is_a_host_that_can_be_trusted(on: Bench, url: str) -> None:
    """Otherwise paths are written twice, or the client secret goes over an open line."""
    with pytest.raises(BadOptions, match="internal_url"):
        on.build("oidc", options(on, internal_url=url))


# --- what is added to the way there ----------------------------------------------------------------------------


def asked(on: Bench, *, force_login: bool = False) -> dict[str, list[str]]:
    """Return the parameters the browser is sent with."""
    return parse_qs(urlsplit(on.begin(force_login=force_login).begun.location).query)


def test_what_the_operator_adds_is_sent(on: Bench) -> None:
    """Otherwise Keycloak cannot be told which of its own providers to use, nor Auth0 which connection."""
    on.build("oidc", options(on, authorize_params="kc_idp_hint=saml acr_values=a%20b prompt=select_account"))
    sent = asked(on)

    assert (sent["kc_idp_hint"], sent["acr_values"], sent["prompt"]) == (["saml"], ["a b"], ["select_account"])


def test_a_forced_login_is_one_whatever_was_added(on: Bench) -> None:
    """Otherwise `prompt=select_account` in a file turns a fresh login into a click."""
    on.build("oidc", options(on, authorize_params="prompt=select_account"))

    assert asked(on, force_login=True)["prompt"] == ["login"]


OURS: Final = (
    *("state", "nonce", "redirect_uri", "client_id", "response_type", "response_mode", "scope", "max_age", "claims"),
    *("code_challenge", "code_challenge_method", "request", "request_uri", "id_token_hint", "client_secret", "x"),
)


@pytest.mark.parametrize("name", OURS)
def test_what_the_answer_is_checked_against_cannot_be_added(on: Bench, name: str) -> None:
    """Otherwise a line in a file turns a check off."""
    with pytest.raises(BadOptions, match="authorize_params"):
        on.build("oidc", options(on, authorize_params=f"{name}=x"))
