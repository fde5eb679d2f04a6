"""Tokens of a login that are kept: asked for, returned, refreshed and taken back, at each family of providers."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest

from options.option import BadOptions
from providers.base import GrantRefused, KeepsTokens, ProviderBroken, ProviderDenied, RenewedGrant, UpstreamGrant
from providers.discovery import Metadata
from providers.offline import offline
from providers.token_endpoint import read_grant
from tests.contracts.provider import ProviderContract
from tests.providers.test_oauth2 import options as oauth2_options
from tests.providers.test_registry import contracts
from tests.support.bench import Bench, bench
from tests.support.faults import Fault
from tests.support.granting_upstream import REFRESH_PREFIX, GrantingUpstream
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET


@pytest.fixture
def on() -> Iterator[Bench]:
    """Give an OpenID provider whose tokens are kept."""
    with bench(made=GrantingUpstream) as made:
        options = {"issuer": made.upstream.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        made.build("oidc", options, keep_tokens=True)
        yield made


@pytest.fixture
def plain() -> Iterator[Bench]:
    """Give a plain OAuth 2 provider whose tokens are kept."""
    with bench(made=GrantingUpstream) as made:
        options = oauth2_options(made, revoke_url=f"{made.upstream.url}/revoke")
        made.build("oauth2", options, keep_tokens=True)
        yield made


def upstream(on: Bench) -> GrantingUpstream:
    """Return the provider."""
    return cast("GrantingUpstream", on.upstream)


def granted(on: Bench) -> UpstreamGrant:
    """Log in and return the tokens."""
    grant = on.log_in().grant
    assert grant is not None
    return grant


def keeper(on: Bench) -> KeepsTokens:
    """Return the provider under test as one that keeps tokens."""
    assert isinstance(on.provider, KeepsTokens)
    return on.provider


def refresh(on: Bench, token: str) -> RenewedGrant:
    """Refresh."""
    return on.run(keeper(on).refresh(token, on.http))


def revoke(on: Bench, *tokens: str) -> bool:
    """Take tokens back."""
    return on.run(keeper(on).revoke(tokens, on.http))


@pytest.mark.parametrize("made", ["on", "plain"])
def test_a_login_returns_its_tokens_where_they_are_kept(made: str, request: pytest.FixtureRequest) -> None:
    """Without them no application could work at the provider for its person."""
    on = request.getfixturevalue(made)

    grant = granted(on)

    assert grant.refresh_token.startswith(REFRESH_PREFIX)
    assert grant.lifetime_s == 3600
    assert grant.scope


@pytest.mark.parametrize("made", ["on", "plain"])
def test_a_refresh_brings_another_access_token_and_the_rotated_refresh_token(
    made: str, request: pytest.FixtureRequest
) -> None:
    """The old refresh token is worth nothing then; losing the new one would cost the person a login."""
    on = request.getfixturevalue(made)
    before = granted(on)

    after = refresh(on, before.refresh_token).grant

    assert after.access_token not in {"", before.access_token}
    assert after.refresh_token.startswith(REFRESH_PREFIX)
    assert after.refresh_token != before.refresh_token


@pytest.mark.parametrize("made", ["on", "plain"])
def test_tokens_are_taken_back_at_the_provider(made: str, request: pytest.FixtureRequest) -> None:
    """After an unlink a kept token must be worth nothing, wherever a copy of it is."""
    on = request.getfixturevalue(made)
    grant = granted(on)

    assert revoke(on, grant.refresh_token, grant.access_token)

    assert upstream(on).taken_back == [grant.refresh_token, grant.access_token]
    with pytest.raises(GrantRefused):
        refresh(on, grant.refresh_token)


def test_tokens_are_not_returned_where_they_are_not_kept(on: Bench) -> None:
    """What is not held cannot be lost: off is the default."""
    options = {"issuer": on.upstream.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    on.build("oidc", options)

    login = on.begin()

    assert "offline_access" not in login.begun.location
    assert "prompt" not in login.begun.location
    assert on.finish(login, on.come_back(login)).grant is None


def test_no_token_is_seen_in_what_is_printed(on: Bench) -> None:
    """Profiles and grants get into tracebacks and debuggers' views; their tokens must not."""
    profile = on.log_in()
    renewed = refresh(on, cast("UpstreamGrant", profile.grant).refresh_token)

    assert "canary" not in repr(profile) + repr(profile.grant) + repr(renewed)


def test_an_openid_provider_is_asked_for_offline_access_with_consent(on: Bench) -> None:
    """OpenID Connect Core §11: a provider ignores the scope unless consent is asked for too."""
    location = on.begin().begun.location

    assert "offline_access" in location
    assert "prompt=consent" in location


def test_a_forced_login_still_asks_for_consent(on: Bench) -> None:
    """Proving who one is again must not lose the refresh token."""
    assert "prompt=login+consent" in on.begin(force_login=True).begun.location.replace("%20", "+")


_METADATA = Metadata("i", "a", "t", "j", "", ("ES256",), "basic", False)


@pytest.mark.parametrize(
    ("asked", "params", "offered", "expected"),
    [
        ({"scope": "openid"}, None, True, {"scope": "openid offline_access", "prompt": "consent"}),
        ({"scope": "openid offline_access"}, None, True, {"scope": "openid offline_access", "prompt": "consent"}),
        ({"scope": "openid", "prompt": "x"}, None, True, {"scope": "openid offline_access", "prompt": "x"}),
        ({"scope": "openid"}, None, False, {"scope": "openid"}),
        ({"scope": "openid"}, {"access_type": "offline"}, True, {"scope": "openid", "access_type": "offline"}),
        (
            {"scope": "s", "access_type": "online"},
            {"access_type": "offline"},
            True,
            {"scope": "s", "access_type": "online"},
        ),
    ],
)
def test_offline_access_is_asked_for_as_the_table_says(
    asked: dict[str, str], params: dict[str, str] | None, expected: dict[str, str], *, offered: bool
) -> None:
    """GitLab refuses a scope it does not know; Google has parameters in its place."""
    metadata = Metadata(*(getattr(_METADATA, name) for name in Metadata.__match_args__[:8]), offline_access=offered)

    assert offline(asked, params, metadata) == expected


def test_a_discovery_document_without_the_scope_is_not_asked_for_it(on: Bench) -> None:
    """A provider that lists its scopes refuses others with invalid_scope, and no login would work."""
    on.upstream.edit_discovery = lambda document: document.update(scopes_supported=["openid", "profile"])

    assert "offline_access" not in on.begin().begun.location


def test_a_revocation_address_on_a_foreign_host_is_refused(on: Bench) -> None:
    """A poisoned document must not have refresh tokens and the client secret sent elsewhere."""
    on.upstream.edit_discovery = lambda document: document.update(revocation_endpoint="https://evil.example/revoke")

    with pytest.raises(ProviderBroken, match=r"revocation_endpoint is on evil\.example"):
        on.begin()


def test_a_provider_without_a_revocation_address_says_so(on: Bench) -> None:
    """The operator must hear that tokens stay good there."""
    upstream(on).revocable = False
    grant = granted(on)

    assert not revoke(on, grant.refresh_token)


@pytest.mark.parametrize("word", ["invalid_token", "invalid_grant"])
def test_a_token_that_is_gone_already_counts_as_taken_back(on: Bench, word: str) -> None:
    """Google answers 400 for one that its owner took back himself (RFC 7009 has 200)."""
    grant = granted(on)
    upstream(on).revocation_status = 400
    on.upstream.edit_failure = lambda _: {"error": word}

    assert revoke(on, grant.refresh_token)


def test_a_revocation_that_fails_is_said(on: Bench) -> None:
    """It must be tried again, and audited if it never succeeds."""
    grant = granted(on)
    upstream(on).revocation_status = 503

    with pytest.raises(ProviderBroken, match="503"):
        revoke(on, grant.refresh_token)


@pytest.mark.parametrize(
    ("status", "answer", "raised"),
    [
        (400, {"error": "invalid_grant"}, GrantRefused),
        (200, {"error": "bad_refresh_token"}, GrantRefused),
        (401, {"error": "invalid_grant"}, GrantRefused),
        (400, {"error": "invalid_client"}, ProviderBroken),
        (400, {"error": "invalid_request"}, ProviderBroken),
        (500, {"error": "server_error"}, ProviderBroken),
        (400, {}, ProviderBroken),
        (429, {"error": "slow_down"}, ProviderBroken),
    ],
)
def test_only_a_refused_refresh_token_asks_for_another_login(
    on: Bench, status: int, answer: dict[str, Any], raised: type[ProviderBroken]
) -> None:
    """A provider in trouble, or a wrong secret of ours, must not throw away what still is good."""
    grant = granted(on)
    upstream(on).refusal = (status, answer)

    with pytest.raises(ProviderBroken) as error:
        refresh(on, grant.refresh_token)

    assert type(error.value) is raised


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.SERVER_ERROR, Fault.TRUNCATED, Fault.BOMB])
def test_a_refresh_is_sent_once_whatever_happens(on: Bench, fault: Fault) -> None:
    """A refresh token that rotates is good once; sent again after a lost answer it ends everything."""
    grant = granted(on)
    before = on.upstream.calls["/token"]
    on.upstream.faults["/token"] = fault

    with pytest.raises(ProviderBroken):
        refresh(on, grant.refresh_token)

    assert on.upstream.calls["/token"] == before + 1


def test_a_consent_that_was_taken_back_is_a_refused_refresh(on: Bench) -> None:
    """Microsoft says so in words of a login: interaction_required."""
    grant = granted(on)
    upstream(on).refusal = (400, {"error": "interaction_required"})

    with pytest.raises(GrantRefused):
        refresh(on, grant.refresh_token)


@pytest.mark.threat(9)
def test_a_refreshed_id_token_says_whose_tokens_they_are(on: Bench) -> None:
    """The caller compares: tokens of another person would work on that person's things."""
    upstream(on).repeats_id_token = True
    grant = granted(on)
    on.upstream.person["sub"] = "somebody-else"

    said = refresh(on, grant.refresh_token).said

    assert said is not None
    assert said.subject == "somebody-else"


@pytest.mark.threat(9)
@pytest.mark.parametrize("claim", [{"iss": "https://evil.example"}, {"aud": "another-client"}, {"sub": None}])
def test_a_refreshed_id_token_of_another_issuer_or_client_is_refused(on: Bench, claim: dict[str, Any]) -> None:
    """OpenID Connect Core §12.2: such tokens are not those of this login."""
    upstream(on).repeats_id_token = True
    grant = granted(on)
    on.upstream.edit_claims = lambda claims: claims.update(claim)

    with pytest.raises(ProviderBroken):
        refresh(on, grant.refresh_token)


def test_a_person_whom_a_provider_does_not_admit_any_more_is_refused(on: Bench) -> None:
    """Who left the listed Workspace domain must not keep working through our tokens."""
    service = on.provider._service  # type: ignore[attr-defined]

    def refused(*_: object) -> None:
        raise ProviderDenied("of none of the domains")

    grant = granted(on)
    upstream(on).repeats_id_token = True
    object.__setattr__(service, "read_profile", refused)

    with pytest.raises(ProviderDenied):
        refresh(on, grant.refresh_token)


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        (3600, 3600),
        ("3600", 3600),
        (3599.9, 3599),
        (0, None),
        (-1, None),
        ("-1", None),
        ("soon", None),
        ("", None),
        (None, None),
        (True, None),
        ([3600], None),
        (0.2, None),
        (1e300, None),
        (1_790_000_000, None),
        ("9" * 400, None),
    ],
    ids=repr,
)
def test_a_lifetime_is_understood_or_unknown(said: object, understood: int | None) -> None:
    """Whatever a token answer says there, a login must not fail by it, nor a token be thought good for ever."""
    body = json.dumps({"access_token": "abc", "expires_in": said}).encode()

    assert read_grant(200, body).lifetime_s == understood


@pytest.mark.parametrize("said", [None, "", 7, ["x"], {"a": 1}, "with space", "x" * 16_385, "ü"])
def test_a_refresh_token_that_is_none_is_absent(said: object) -> None:
    """A member that nobody can use must not fail the login it came with."""
    body = json.dumps({"access_token": "abc", "refresh_token": said}).encode()

    assert read_grant(200, body).refresh_token == ""


def test_a_refresh_token_that_is_there_twice_is_absent() -> None:
    """Parsers disagree about which of the two counts."""
    body = b'{"access_token": "abc", "refresh_token": "one", "refresh_token": "two", "scope": "a", "scope": "b"}'

    grant = read_grant(200, body)

    assert (grant.refresh_token, grant.scope) == ("", "")


@pytest.mark.parametrize("contract", [*contracts()], ids=lambda contract: contract.KIND)
def test_every_kind_keeps_tokens_or_refuses_the_option(contract: type[ProviderContract]) -> None:
    """An operator who asks for it must get it, or hear at the start that this kind has none."""
    with bench() as made:
        options = contract().options(made)
        if contract.KIND in {"demo", "oauth1", "twitter1"}:
            with pytest.raises(BadOptions, match="has no tokens that an application could use"):
                made.build(contract.KIND, options, keep_tokens=True)
        else:
            made.build(contract.KIND, options, keep_tokens=True)
            assert keeper(made).keeps_tokens
