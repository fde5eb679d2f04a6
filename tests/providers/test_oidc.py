"""OpenID Connect: the kit, and what only ID tokens and discovery can get wrong."""

from collections.abc import Iterator
from typing import ClassVar, Final

import pytest

from providers.base import LoginStale, ProviderBroken, ProviderDenied
from tests.contracts.provider import ProviderContract
from tests.contracts.provider_cases import MISSING
from tests.support.bench import Bench, bench
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET

DISCOVERY: Final = "/.well-known/openid-configuration"


def options(on: Bench, **more: str) -> dict[str, str]:
    """Return the options of the upstream's issuer."""
    return {"issuer": on.upstream.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **more}


def tell(on: Bench, name: str, value: object) -> None:
    """Make the ID token say something."""
    on.upstream.person.pop(name, None)
    if value is not MISSING:
        on.upstream.person[name] = value


class TestOidc(ProviderContract):
    """Any provider with a discovery document."""

    KIND = "oidc"
    PROVES_FRESH_LOGIN = True
    CALLS: ClassVar[tuple[str, ...]] = (DISCOVERY, "/token", "/jwks")
    WARM_CALLS: ClassVar[tuple[str, ...]] = ("/token",)
    SUBJECT_OF: ClassVar = {"text": "Abc-1", "with a colon": "a:b", "with a newline": "a\nb"}
    INAPPLICABLE: ClassVar = {}

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options."""
        return options(on)

    def tell_subject(self, on: Bench, subject: object) -> None:
        """Set `sub`."""
        tell(on, "sub", subject)

    def tell_name(self, on: Bench, name: object) -> None:
        """Set `name`."""
        tell(on, "name", name)

    def tell_email(self, on: Bench, email: object, verified: object) -> None:
        """Set `email` and `email_verified`."""
        tell(on, "email", email)
        tell(on, "email_verified", verified)


class TestOidcWithUserinfo(TestOidc):
    """The same, with names and addresses from the userinfo endpoint."""

    CALLS = (DISCOVERY, "/token", "/jwks", "/userinfo")
    WARM_CALLS = ("/token", "/userinfo")
    INAPPLICABLE: ClassVar = {}

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options, userinfo among them."""
        return options(on, userinfo="yes")


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return an OpenID provider and all around it."""
    with bench() as made:
        made.build("oidc", options(made))
        yield made


# --- who logged in when ------------------------------------------------------------------------------


def test_a_forced_login_asks_for_one_and_believes_only_a_fresh_one(on: Bench) -> None:
    """Otherwise a step that needs the person present is passed by an old session there."""
    login = on.begin(force_login=True)

    assert "prompt=login&max_age=0" in login.begun.location
    assert on.finish(login, on.come_back(login)).auth_at == on.clock() // 1000


@pytest.mark.parametrize("auth_time", [-61, "now", None, True])
def test_a_forced_login_that_was_none_is_refused(on: Bench, auth_time: object) -> None:
    """Otherwise providers that ignore `prompt` make the force an empty word."""
    at = on.clock() // 1000 + auth_time if type(auth_time) is int else auth_time
    on.upstream.edit_claims = lambda claims: claims.update(auth_time=at)

    with pytest.raises(LoginStale, match="auth_time"):
        on.log_in(force_login=True)


def test_a_forced_login_within_the_skew_counts(on: Bench) -> None:
    """Otherwise a provider whose clock is behind locks people out."""
    on.upstream.edit_claims = lambda claims: claims.update(auth_time=claims["auth_time"] - 60)

    assert on.log_in(force_login=True).subject


@pytest.mark.parametrize("kept", [{}, {"asked_at": ""}, {"asked_at": "soon"}])
def test_a_forced_login_needs_to_know_when_it_was_asked_for(on: Bench, kept: dict[str, str]) -> None:
    """Otherwise a flow record that lost a value turns the check off."""
    login = on.begin(force_login=True)
    answer = on.come_back(login)
    callback = on.callback(login, answer)

    with pytest.raises(ProviderBroken):
        on.run(on.provider.finish(type(callback)(answer, login.start, kept, callback.now), on.http))


# --- the answer's issuer -------------------------------------------------------------------------------


@pytest.mark.parametrize("issuer", ["", "https://evil.example", None])
def test_an_answer_of_another_issuer_is_refused(on: Bench, issuer: str | None) -> None:
    """Otherwise one provider can pass its answers off as another's (RFC 9207)."""
    login = on.begin()
    params = on.come_back(login)
    params.pop("iss")

    with pytest.raises(ProviderBroken, match="issuer"):
        on.finish(login, params if issuer is None else {**params, "iss": issuer})


def test_a_provider_that_never_promised_its_issuer_needs_not_name_it(on: Bench) -> None:
    """Otherwise most of today's providers cannot be used."""
    on.upstream.names_issuer = False

    assert on.log_in().subject


def test_a_refusal_needs_not_name_its_issuer(on: Bench) -> None:
    """Otherwise a provider that forgets it there turns "no" into a fault."""
    login = on.begin()
    params = on.come_back(login, allow=False)
    params.pop("iss")

    with pytest.raises(ProviderDenied):
        on.finish(login, params)


# --- userinfo --------------------------------------------------------------------------------------------


def test_userinfo_about_somebody_else_is_refused(on: Bench) -> None:
    """Otherwise an exchanged access token brings somebody else's address (Core §5.3.2)."""
    on.build("oidc", options(on, userinfo="yes"))
    on.upstream.edit_claims = lambda claims: claims.update(sub="somebody-else")

    with pytest.raises(ProviderBroken, match="somebody else"):
        on.log_in()


def test_userinfo_that_does_not_exist_is_a_clear_failure(on: Bench) -> None:
    """Otherwise the operator wonders why names are missing."""
    on.build("oidc", options(on, userinfo="yes"))
    on.upstream.edit_discovery = lambda d: d.pop("userinfo_endpoint")

    with pytest.raises(ProviderBroken, match="userinfo"):
        on.log_in()


def nameless(claims: dict[str, object]) -> None:
    """Leave out of the ID token what a person is called."""
    for name in ("name", "email"):
        claims.pop(name, None)


@pytest.mark.parametrize(
    ("asked", "token", "calls", "name"),
    [
        ("auto", {"name": "Ada Quill"}, 0, "Ada Quill"),
        ("auto", {"email": "ada@x.example"}, 0, ""),
        ("auto", {"nickname": "ada"}, 0, ""),
        ("auto", {}, 1, "Ada Quill"),
        ("no", {}, 0, ""),
        ("yes", {"name": "Ada"}, 1, "Ada Quill"),
    ],
)
def test_userinfo_is_asked_by_itself_where_the_id_token_calls_the_person_nothing(
    on: Bench, asked: str, token: dict[str, object], calls: int, name: str
) -> None:
    """People would get an empty field for their name, or every login a call that brings nothing new."""
    on.build("oidc", options(on, userinfo=asked))

    def edit(claims: dict[str, object]) -> None:
        nameless(claims)
        claims.update(token)

    on.upstream.edit_claims = edit

    profile = on.log_in()

    assert (profile.name, on.upstream.calls["/userinfo"]) == (name, calls)


@pytest.mark.parametrize(
    "endpoint",
    [None, "https://graph.elsewhere.example/userinfo", "nonsense", 7],
    ids=["none", "host", "word", "number"],
)
def test_a_userinfo_that_need_not_be_asked_cannot_be_in_the_way(on: Bench, endpoint: object) -> None:
    """Entra has its own on another host: logins that worked would end with an upgrade."""
    on.upstream.edit_discovery = lambda d: d.update(userinfo_endpoint=endpoint)
    on.upstream.edit_claims = nameless

    assert on.log_in().name == ""


@pytest.mark.parametrize("answer", [{"sub": "somebody-else", "name": "Eve"}, ["no object"], None])
def test_a_userinfo_that_fails_costs_a_name_and_no_login(on: Bench, answer: object) -> None:
    """A person could not log in because of a name that is a suggestion only; nothing of the answer may count."""
    on.upstream.edit_claims = nameless
    on.upstream.person = {"sub": "a", "name": "Ada"}
    on.upstream.answers["/userinfo"] = answer

    profile = on.log_in()

    assert (profile.subject, profile.name) == ("a", "")


def test_a_userinfo_that_fails_ends_a_login_where_rules_ask(on: Bench) -> None:
    """A person would be told that they may not enter, when nothing was found out."""
    on.build("oidc", options(on), facts=["email_domain"])
    on.upstream.edit_claims = nameless
    on.upstream.answers["/userinfo"] = None

    with pytest.raises(ProviderBroken):
        on.log_in()


def test_an_address_and_its_verification_come_from_one_place(on: Bench) -> None:
    """Otherwise an unverified address of userinfo is vouched for by the ID token's other one."""
    on.build("oidc", options(on, userinfo="yes"))
    on.upstream.person = {"sub": "a", "email": "typed@x.example"}
    on.upstream.edit_claims = lambda claims: claims.update(email="own@x.example", email_verified=True)

    profile = on.log_in()

    assert (profile.email, profile.email_verified) == ("typed@x.example", False)


def test_the_nickname_stands_in_for_a_missing_preferred_username(on: Bench) -> None:
    """Otherwise people of providers that only know nicknames get no suggestion."""
    on.upstream.person["nickname"] = "ada"

    assert on.log_in().handle == "ada"


# --- how the client is shown --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("configured", "offered", "shown"),
    [
        ("auto", None, "basic"),
        ("auto", ["client_secret_post"], "post"),
        ("auto", ["client_secret_post", "client_secret_basic"], "basic"),
        ("auto", ["private_key_jwt"], "basic"),
        ("post", ["client_secret_basic"], "post"),
        ("basic", ["client_secret_post"], "basic"),
    ],
)
def test_the_secret_is_shown_as_configured_or_offered(
    on: Bench, configured: str, offered: list[str] | None, shown: str
) -> None:
    """Otherwise a provider that knows one way only refuses every login."""
    on.build("oidc", options(on, client_auth=configured))
    if offered is not None:
        on.upstream.edit_discovery = lambda d: d.update(token_endpoint_auth_methods_supported=offered)

    on.log_in()

    request = next(seen for seen in on.upstream.seen if seen.path == "/token")
    assert ("authorization" in request.headers) is (shown == "basic")
    assert (b"client_secret" in request.body) is (shown == "post")
