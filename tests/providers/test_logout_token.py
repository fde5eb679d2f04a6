"""Logout tokens of OpenID providers (OpenID Connect Back-Channel Logout 1.0): which ones count."""

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest

from providers.base import EndsSessions, LogoutNotice, NoticeRefused, ProviderBroken, TellsLogouts
from providers.logout_token import EVENT, OLDEST_S
from tests.providers.test_oidc import DISCOVERY, options
from tests.support.bench import Bench, bench
from tests.support.signing import b64, ecdsa_key, rsa_key, signed_with_text, unsigned
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET

Claims = dict[str, Any]
SUBJECT: Final = "248289761001"


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return an OpenID provider that tells of logouts, and all around it."""
    with bench() as made:
        made.build("oidc", options(made, backchannel_logout="yes"))
        yield made


def token(on: Bench, change: Callable[[Claims, Claims], object] = lambda *_: None) -> str:
    """Return a logout token as the provider signs it, after `change` had its header and claims."""
    now = on.clock() // 1000
    header = {"alg": on.upstream.signer.alg, "kid": on.upstream.signer.kid, "typ": "logout+jwt"}
    claims: Claims = {"iss": on.upstream.url, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": "canary-jti"}
    claims |= {"sub": SUBJECT, "sid": "there-1", "events": {EVENT: {}}}
    change(header, claims)
    return on.upstream.signer.sign(header, {name: value for name, value in claims.items() if value is not None})


def notice(on: Bench, text: str) -> LogoutNotice:
    """Let the provider read a token."""
    assert isinstance(on.provider, TellsLogouts)
    return on.run(on.provider.read_logout(text, on.http))


def said(**claims: object) -> Callable[[Claims, Claims], object]:
    """Return what makes a token say this; None leaves a claim out."""
    return lambda _, before: before.update(claims)


def headed(**members: object) -> Callable[[Claims, Claims], object]:
    """Return what gives a token such a header."""
    return lambda header, _: header.update(members)


COUNTING: Final = {
    "a person and a session": (said(), SUBJECT, "there-1"),
    "a person": (said(sid=None), SUBJECT, ""),
    "a session": (said(sub=None), "", "there-1"),
    "for several": (said(aud=[CLIENT_ID]), SUBJECT, "there-1"),
    "of type JWT": (headed(typ="JWT"), SUBJECT, "there-1"),
    "of type application/logout+jwt": (headed(typ="application/logout+jwt"), SUBJECT, "there-1"),
    "with further claims and events": (said(more=1, events={EVENT: {"a": 1}, "urn:b": {}}), SUBJECT, "there-1"),
}


@pytest.mark.parametrize("case", COUNTING)
def test_a_genuine_token_names_who_logged_out(on: Bench, case: str) -> None:
    """Otherwise who logs out at the provider stays logged in here."""
    change, subject, session = COUNTING[case]
    read = notice(on, token(on, change))

    assert (read.id, read.subject, read.session) == ("canary-jti", subject, session)
    assert read.counts_until > on.clock() // 1000 + OLDEST_S


REFUSED: Final[dict[str, tuple[Callable[[Claims, Claims], object], str]]] = {
    "another issuer": (said(iss="https://other.example"), "another issuer"),
    "no issuer": (said(iss=None), "another issuer"),
    "another client": (said(aud="other"), "another client"),
    "no client": (said(aud=None), "another client"),
    "several clients, none of them named": (said(aud=[CLIENT_ID, "other"]), "another client"),
    "no end": (said(exp=None), "expired"),
    "no beginning": (said(iat=None), "from the future"),
    "a nonce": (said(nonce="n"), "nonce"),
    "an empty nonce": (lambda _, claims: claims.update(nonce=""), "nonce"),
    "no events": (said(events=None), "no logout event"),
    "events in a list": (said(events=[EVENT]), "no logout event"),
    "another event": (said(events={"urn:other": {}}), "no logout event"),
    "an event that is no object": (said(events={EVENT: "yes"}), "no logout event"),
    "nobody": (said(sub=None, sid=None), "neither a person nor a session"),
    "a person that is a number": (said(sub=7), "subject"),
    "a session that is a number": (said(sid=7), "sid"),
    "a session of 300 characters": (said(sid="s" * 300), "sid"),
    "no id": (said(jti=None), "jti"),
    "an id of 300 characters": (said(jti="j" * 300), "jti"),
    "the type of an access token": (headed(typ="at+jwt"), "of type"),
    "an extension": (headed(crit=["exp"]), "extensions"),
}


@pytest.mark.threat(62)
@pytest.mark.parametrize("case", REFUSED)
def test_a_token_that_does_not_count_is_refused(on: Bench, case: str) -> None:
    """Otherwise another client's token, or an ID token, logs people out (Back-Channel Logout §2.6)."""
    change, why = REFUSED[case]

    with pytest.raises(NoticeRefused, match=why):
        notice(on, token(on, change))


@pytest.mark.threat(62)
def test_a_token_counts_for_a_time(on: Bench) -> None:
    """Otherwise one that was found in a log a year later logs its owner out, its id long forgotten."""
    expired, old = token(on), token(on, lambda _, claims: claims.update(exp=claims["exp"] + 10 * OLDEST_S))
    coming = token(on, lambda _, claims: claims.update(iat=claims["iat"] + 61))

    with pytest.raises(NoticeRefused, match="from the future"):
        notice(on, coming)
    on.clock.advance(181_000)
    with pytest.raises(NoticeRefused, match="expired"):
        notice(on, expired)
    assert notice(on, old).subject == SUBJECT
    on.clock.advance(OLDEST_S * 1000)
    with pytest.raises(NoticeRefused, match="older than a day"):
        notice(on, old)


FORGED: Final[dict[str, Callable[[Bench], str]]] = {
    "nothing": lambda _: "",
    "no JWS": lambda _: "a.b",
    "an encrypted one": lambda _: "a.b.c.d.e",
    "no signature": lambda on: f"{unsigned({'alg': 'none'}, claims_of(on))}.",
    "another key": lambda on: rsa_key("rsa-1-forged").sign({"alg": "RS256", "kid": "rsa-1"}, claims_of(on)),
    "an unknown key": lambda on: ecdsa_key("unknown").sign({"alg": "ES256", "kid": "unknown"}, claims_of(on)),
    "our own secret": lambda on: signed_with_text({"alg": "HS256"}, claims_of(on), CLIENT_SECRET.encode()),
    "a changed payload": lambda on: replaced(token(on)),
}


def claims_of(on: Bench) -> Claims:
    """Return what an honest token says."""
    kept: list[Claims] = []
    token(on, lambda _, claims: kept.append(dict(claims)))
    return kept[0]


def replaced(text: str) -> str:
    """Return a token with a signature of another payload."""
    head, _, signature = text.split(".")
    return f"{head}.{b64(b'{}')}.{signature}"


@pytest.mark.threat(62)
@pytest.mark.parametrize("case", FORGED)
def test_a_forged_token_is_refused(on: Bench, case: str) -> None:
    """Otherwise any stranger logs everybody out."""
    with pytest.raises(NoticeRefused):
        notice(on, FORGED[case](on))


@pytest.mark.threat(62)
def test_what_is_not_for_us_fetches_no_keys(on: Bench) -> None:
    """Otherwise strangers make this daemon ask its provider as often as they like."""
    for change, _ in REFUSED.values():
        with pytest.raises(NoticeRefused):
            notice(on, token(on, change))

    assert on.upstream.calls == {DISCOVERY: 1}


def test_a_provider_whose_keys_cannot_be_fetched_is_in_trouble(on: Bench) -> None:
    """Otherwise its token is called forged, and an operator looks in the wrong place."""
    text = token(on)
    on.upstream.statuses["/jwks"] = 500

    with pytest.raises(ProviderBroken) as raised:
        notice(on, text)
    assert not isinstance(raised.value, NoticeRefused)


@pytest.mark.threat(62)
def test_a_logout_token_is_no_id_token(on: Bench) -> None:
    """Otherwise a token that providers send about logs a person in."""
    on.upstream.edit_token = lambda _: token(on)

    with pytest.raises(ProviderBroken):
        on.log_in()


def test_a_login_keeps_what_the_provider_calls_its_session(on: Bench) -> None:
    """Otherwise logging out on one device logs out on all."""
    on.upstream.person["sid"] = "there-1"
    assert on.log_in().session == "there-1"

    on.upstream.person["sid"] = ["no", "text"]
    assert on.log_in().session == ""

    on.build("oidc", options(on), name="without")
    on.upstream.person["sid"] = "there-1"
    assert on.log_in().session == ""
    assert isinstance(on.provider, TellsLogouts)
    assert not on.provider.tells_logouts


def end_session(on: Bench, address: object) -> None:
    """Let discovery name an address for logging out there."""
    on.upstream.edit_discovery = lambda document: document.update(end_session_endpoint=address)


def leave(on: Bench, **more: str) -> str:
    """Return where a browser goes to log out there."""
    on.build("oidc", options(on, logout_at_provider="offer", **more))
    assert isinstance(on.provider, EndsSessions)
    return on.run(on.provider.logout_location("https://login.example/logged-out", on.http))


def test_a_browser_is_led_to_the_providers_logout(on: Bench) -> None:
    """RP-Initiated Logout 1.0 §2: without the client's id the provider leads nobody back."""
    end_session(on, f"{on.upstream.url}/end?tenant=a")

    address, _, query = leave(on).partition("?")

    assert address == f"{on.upstream.url}/end"
    assert dict(parse_qsl(query)) == {
        "tenant": "a",
        "client_id": CLIENT_ID,
        "post_logout_redirect_uri": "https://login.example/logged-out",
        "state": "under-test",
    }


def test_the_provider_is_shown_the_id_token_of_the_login_that_ends(on: Bench) -> None:
    """RP-Initiated Logout 1.0 §2: without it many providers ask once more, and the certification wants it."""
    end_session(on, f"{on.upstream.url}/end")
    issued: list[str] = []
    on.upstream.edit_token = lambda token: issued.append(token) or token  # type: ignore[func-returns-value]
    leave(on)
    profile = on.log_in()
    assert profile.id_token == issued[-1]
    assert profile.id_token not in repr(profile)
    assert isinstance(on.provider, EndsSessions)

    address = on.run(on.provider.logout_location("https://login.example/logged-out", on.http, hint=issued[-1]))

    assert dict(parse_qsl(urlsplit(address).query))["id_token_hint"] == issued[-1]


def test_nothing_is_kept_of_an_id_token_where_people_do_not_log_out_there(on: Bench) -> None:
    """What is not needed must not lie in browsers."""
    on.build("oidc", options(on))
    assert on.log_in().id_token == ""


def test_a_provider_without_such_an_address_is_in_order(on: Bench) -> None:
    """Logging in must not depend on it."""
    assert leave(on) == ""
    assert on.log_in().subject == SUBJECT


@pytest.mark.threat(2)
@pytest.mark.parametrize("address", ["https://evil.example/end", "javascript:alert(1)", 7])
def test_an_address_elsewhere_is_refused_like_every_other(on: Bench, address: object) -> None:
    """A poisoned document would lead people to a page that asks for their password again."""
    end_session(on, address)

    with pytest.raises(ProviderBroken, match="end_session_endpoint"):
        leave(on)
    on.build("oidc", options(on))
    assert on.log_in().subject == SUBJECT
