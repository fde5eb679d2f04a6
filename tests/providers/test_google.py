"""Google: the kit, and which domains may log in."""

from collections.abc import Iterator
from typing import ClassVar, Final

import pytest

from providers.base import ProviderBroken, ProviderDenied
from tests.contracts import oidc_preset
from tests.support.bench import Bench, bench

DOCUMENT: Final = {
    "issuer": "https://accounts.google.com",
    "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
    "token_endpoint": "https://oauth2.googleapis.com/token",
    "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
    "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
    "id_token_signing_alg_values_supported": ["RS256"],
    "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
    "authorization_response_iss_parameter_supported": True,
}


class TestGoogle(oidc_preset.OidcPreset):
    """Google as it publishes itself."""

    KIND = "google"
    DOCUMENT: ClassVar = DOCUMENT


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return Google, for two domains only, and all around it."""
    with bench() as made:
        kit = TestGoogle()
        kit.prepare(made)
        made.build("google", {**kit.options(made), "hd": "corp.example Other.example"})
        yield made


@pytest.mark.parametrize("domain", ["corp.example", "other.example", "CORP.example"])
def test_people_of_a_listed_domain_may_log_in(on: Bench, domain: str) -> None:
    """Otherwise the people the list was written for are locked out."""
    on.upstream.person["hd"] = domain

    assert on.log_in().subject


@pytest.mark.parametrize("domain", [None, "", "evil.example", "corp.example.evil.example", ["corp.example"], True, 7])
def test_the_claim_decides_and_nothing_else(on: Bench, domain: object) -> None:
    """Otherwise a consumer account with an address of the domain, or of another one, is let in."""
    on.upstream.person |= {"hd": domain, "email": "eve@corp.example", "email_verified": True}

    with pytest.raises(ProviderDenied, match="domains in hd"):
        on.log_in()


def test_the_parameters_of_request_and_answer_are_no_check(on: Bench) -> None:
    """Otherwise whoever changes an address in the browser is a member of the domain."""
    login = on.begin()

    with pytest.raises(ProviderDenied):
        on.finish(login, {**on.come_back(login), "hd": "corp.example"})


@pytest.mark.parametrize(("domains", "hint"), [("corp.example", "hd=corp.example"), ("a.example b.example", "hd=%2A")])
def test_googles_page_is_told_what_is_wanted(on: Bench, domains: str, hint: str) -> None:
    """Otherwise people choose an account there that is refused here."""
    on.build("google", {**TestGoogle().options(on), "hd": domains})

    assert hint in on.begin().begun.location


@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
def test_both_spellings_of_the_issuer_are_google(on: Bench, issuer: str) -> None:
    """Otherwise ID tokens that Google's own reference allows are refused."""
    on.upstream.person |= {"iss": issuer, "hd": "corp.example"}

    assert on.log_in().subject


@pytest.mark.parametrize("issuer", ["https://accounts.google.com/", "https://accounts.google.com.evil.example", None])
def test_no_other_spelling_is(on: Bench, issuer: object) -> None:
    """Otherwise the issuer is not checked."""
    on.upstream.person |= {"iss": issuer, "hd": "corp.example"}

    with pytest.raises(ProviderBroken, match="issuer"):
        on.log_in()


def test_google_is_not_asked_for_a_fresh_login(on: Bench) -> None:
    """Otherwise its page answers `prompt=login`, which it does not know, with an error."""
    on.upstream.person["hd"] = "corp.example"
    login = on.begin(force_login=True)

    assert "prompt" not in login.begun.location
    assert on.finish(login, on.come_back(login)).auth_at is None


def test_the_domain_is_told_to_rules_from_the_claim_alone() -> None:
    """A rule about the company's domain must not hold of a consumer account with such an address."""
    with bench() as on:
        kit = TestGoogle()
        kit.prepare(on)
        on.build("google", kit.options(on), facts=["hd"])
        on.upstream.person |= {"email": "eve@corp.example", "email_verified": True}
        assert on.log_in().facts == ()
        on.upstream.person["hd"] = "corp.example"

        assert on.log_in().facts == (("hd", "corp.example"),)
