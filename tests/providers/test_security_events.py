"""Security events of Google (RFC 8417, RFC 8935): which notices count, and what they say."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from providers.base import NoticeRefused, ProviderBroken
from providers.security_events import MOST_EVENTS, OLDEST_S
from providers.security_notices import (
    SecurityEvent,
    SecurityEventReceiver,
    SecurityEventType,
    SecurityNotice,
    TellsSecurityEvents,
)
from tests.providers import test_google
from tests.support.bench import Bench, bench
from tests.support.rerouting import home
from tests.support.signing import b64, ecdsa_key, rsa_key, signed_with_text, unsigned
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET

Claims = dict[str, Any]
Change = Callable[[Claims, Claims], object]
Type = SecurityEventType
ISSUER: Final = "https://accounts.google.com/"
CONFIGURATION: Final = home("https://accounts.google.com/.well-known/risc-configuration")
KEYS: Final = home(test_google.DOCUMENT["jwks_uri"])
RISC: Final = "https://schemas.openid.net/secevent/risc/event-type/"
OAUTH: Final = "https://schemas.openid.net/secevent/oauth/event-type/"
ADA: Final = {"subject_type": "iss-sub", "iss": ISSUER, "sub": "7375626A656374"}
SUB: Final = "7375626A656374"
ON: Final = {"security_events": "yes", "security_event_audiences": "other-client com.example.app"}


@pytest.fixture
def google() -> Iterator[Bench]:
    """Return Google, which tells of security events, and all around it."""
    with bench() as made:
        kit = test_google.TestGoogle()
        kit.prepare(made)
        made.build("google", {**kit.options(made), **ON})
        made.upstream.places |= {CONFIGURATION: "discovery"}
        made.upstream.edit_discovery = lambda document: document.update(issuer=ISSUER)
        yield made


def receiver(on: Bench) -> SecurityEventReceiver:
    """Return what reads the notices of the provider."""
    assert isinstance(on.provider, TellsSecurityEvents)
    assert on.provider.security_events is not None
    return on.provider.security_events


def read(on: Bench, body: str | bytes) -> SecurityNotice:
    """Let the provider read the body of a request."""
    raw = body.encode() if isinstance(body, str) else body
    return on.run(receiver(on).read(raw, on.http))


def signed(on: Bench, claims: Claims, change: Change) -> str:
    """Sign claims as the upstream does, after `change` had header and claims; None leaves a claim out."""
    header = {"alg": on.upstream.signer.alg, "kid": on.upstream.signer.kid, "typ": "secevent+jwt"}
    change(header, claims)
    kept = [{name: value for name, value in each.items() if value is not None} for each in (header, claims)]
    return on.upstream.signer.sign(*kept)


def claims_of(on: Bench) -> Claims:
    """Return what a notice of Google says."""
    events = {f"{RISC}account-disabled": {"subject": dict(ADA), "reason": "hijacking"}}
    return {"iss": ISSUER, "aud": CLIENT_ID, "iat": on.clock() // 1000, "jti": "canary-jti", "events": events}


def token(on: Bench, change: Change = lambda *_: None) -> str:
    """Return a notice as Google sends it."""
    return signed(on, claims_of(on), change)


def said(**claims: object) -> Change:
    """Return what makes a token say this; None leaves a claim out."""
    return lambda _, before: before.update(claims)


def headed(**members: object) -> Change:
    """Return what gives a token such a header; None leaves a member out."""
    return lambda header, _: header.update(members)


def told(kind: str, payload: object, **claims: object) -> Change:
    """Return what makes a token tell of one event."""
    return said(events={kind: payload}, **claims)


def about(**subject: object) -> Change:
    """Return what makes a token be about this subject."""
    return told(f"{RISC}sessions-revoked", {"subject": subject})


EVENTS: Final[dict[str, tuple[Change, tuple[SecurityEvent, ...]]]] = {
    "a hijacked account": (said(), (SecurityEvent(Type.ACCOUNT_DISABLED, SUB, "hijacking"),)),
    "a bulk account": (
        told(f"{RISC}account-disabled", {"subject": ADA, "reason": "bulk-account"}),
        (SecurityEvent(Type.ACCOUNT_DISABLED, SUB, "bulk-account"),),
    ),
    "no reason": (told(f"{RISC}account-disabled", {"subject": ADA}), (SecurityEvent(Type.ACCOUNT_DISABLED, SUB),)),
    "a null reason": (
        told(f"{RISC}account-disabled", {"subject": ADA, "reason": None}),
        (SecurityEvent(Type.ACCOUNT_DISABLED, SUB),),
    ),
    "a reason in words": (
        told(f"{RISC}account-disabled", {"subject": ADA, "reason": "<b>it was\nhim</b>"}),
        (SecurityEvent(Type.ACCOUNT_DISABLED, SUB, "(unreadable)"),),
    ),
    "an account that is open again": (
        told(f"{RISC}account-enabled", {"subject": ADA}),
        (SecurityEvent(Type.ACCOUNT_ENABLED, SUB),),
    ),
    "a purged account": (told(f"{RISC}account-purged", {"subject": ADA}), (SecurityEvent(Type.ACCOUNT_PURGED, SUB),)),
    "sessions": (told(f"{RISC}sessions-revoked", {"subject": ADA}), (SecurityEvent(Type.SESSIONS_REVOKED, SUB),)),
    "tokens": (told(f"{OAUTH}tokens-revoked", {"subject": ADA}), (SecurityEvent(Type.TOKENS_REVOKED, SUB),)),
    "a credential": (
        told(f"{RISC}account-credential-change-required", {"subject": ADA}),
        (SecurityEvent(Type.CREDENTIAL_CHANGE_REQUIRED, SUB),),
    ),
    "one token, which names no person": (
        told(f"{OAUTH}token-revoked", {"subject": {"subject_type": "oauth_token", "token": "hash"}}),
        (SecurityEvent(Type.TOKEN_REVOKED),),
    ),
    "a trial": (told(f"{RISC}verification", {"state": "hello-1"}), (SecurityEvent(Type.VERIFICATION, "", "hello-1"),)),
    "a trial without a state": (told(f"{RISC}verification", {}), (SecurityEvent(Type.VERIFICATION),)),
    "something new": (
        told(f"{RISC}identifier-changed", None),
        (SecurityEvent(Type.UNKNOWN, "", "identifier-changed"),),
    ),
    "something of another's": (told("urn:x y", 7), (SecurityEvent(Type.UNKNOWN, "", "(unreadable)"),)),
    "a type of another vocabulary": (
        told(f"{OAUTH}sessions-revoked", {"subject": ADA}),
        (SecurityEvent(Type.UNKNOWN, "", "sessions-revoked"),),
    ),
    "several": (
        said(events={"urn:new": {}, f"{RISC}sessions-revoked": {"subject": ADA}}),
        (SecurityEvent(Type.UNKNOWN, "", "urn:new"), SecurityEvent(Type.SESSIONS_REVOKED, SUB)),
    ),
    "claims of an ID token": (
        about(subject_type="id_token_claims", iss=ISSUER, sub=SUB, email="eve@evil.example"),
        (SecurityEvent(Type.SESSIONS_REVOKED, SUB),),
    ),
    "a format of RFC 9493": (
        about(format="iss_sub", iss=ISSUER, sub=SUB),
        (SecurityEvent(Type.SESSIONS_REVOKED, SUB),),
    ),
    "a subject of the token": (
        told(f"{RISC}sessions-revoked", {}, sub_id={"format": "iss_sub", "iss": ISSUER, "sub": SUB}),
        (SecurityEvent(Type.SESSIONS_REVOKED, SUB),),
    ),
    "the issuer of ID tokens": (about(**ADA | {"iss": ISSUER[:-1]}), (SecurityEvent(Type.SESSIONS_REVOKED, SUB),)),
    "no name of the format": (about(iss=ISSUER, sub=SUB), (SecurityEvent(Type.SESSIONS_REVOKED, SUB),)),
    "a person of another issuer": (
        about(**ADA | {"iss": "https://evil.example/"}),
        (SecurityEvent(Type.SESSIONS_REVOKED),),
    ),
    "an address, which is no key": (
        about(subject_type="email", email="ada@example.org"),
        (SecurityEvent(Type.SESSIONS_REVOKED),),
    ),
    "an address beside what would be one": (
        about(subject_type="email", email="ada@example.org", iss=ISSUER, sub=SUB),
        (SecurityEvent(Type.SESSIONS_REVOKED),),
    ),
}


@pytest.mark.parametrize("case", EVENTS)
def test_google_says_what_happened_and_to_whom(google: Bench, case: str) -> None:
    """Otherwise an event is taken for another, or for another person's."""
    change, events = EVENTS[case]

    notice = read(google, token(google, change))

    assert (notice.id, notice.events) == ("canary-jti", events)
    assert notice.happened_at == google.clock() // 1000
    assert notice.counts_until > google.clock() // 1000 + OLDEST_S


COUNTING: Final[dict[str, Change]] = {
    "for several clients": said(aud=["unknown", CLIENT_ID]),
    "for another client of the project": said(aud="other-client"),
    "of the issuer without its slash": said(iss=ISSUER[:-1]),
    "of type JWT": headed(typ="JWT"),
    "without a type": headed(typ=None),
    "without a key's id": headed(kid=None),
    "expired long ago, as Google's never do": said(exp=1),
    "with further claims": said(txn="1", sub="x", azp="y"),
}


@pytest.mark.parametrize("case", COUNTING)
def test_a_genuine_token_of_google_counts(google: Bench, case: str) -> None:
    """Otherwise a hijacked account's notice is sent for days, and nothing ends."""
    assert read(google, token(google, COUNTING[case])).events[0].subject == SUB


def test_the_time_is_that_of_the_event(google: Bench) -> None:
    """Otherwise a notice that was made late undoes what happened since."""
    now = google.clock() // 1000

    assert read(google, token(google, said(toe=now - 500))).happened_at == now - 500
    for nonsense in (now + 500, -1, "x", None, True):
        assert read(google, token(google, said(toe=nonsense))).happened_at == now


REFUSED: Final[dict[str, tuple[Change, str]]] = {
    "another issuer": (said(iss="https://evil.example/"), "invalid_issuer"),
    "a longer issuer": (said(iss=f"{ISSUER}/"), "invalid_issuer"),
    "the issuer of old ID tokens": (said(iss="accounts.google.com"), "invalid_issuer"),
    "a list of issuers": (said(iss=[ISSUER]), "invalid_issuer"),
    "no issuer": (said(iss=None), "invalid_issuer"),
    "another client": (said(aud="other"), "invalid_audience"),
    "no client": (said(aud=None), "invalid_audience"),
    "an empty list of clients": (said(aud=[]), "invalid_audience"),
    "clients that are no text": (said(aud=[{"x": 1}, 7, None, [CLIENT_ID]]), "invalid_audience"),
    "too many clients": (said(aud=[CLIENT_ID] * 51), "invalid_audience"),
    "no time": (said(iat=None), "invalid_request"),
    "a time in words": (said(iat="now"), "invalid_request"),
    "no id": (said(jti=None), "invalid_request"),
    "an empty id": (lambda _, claims: claims.update(jti=""), "invalid_request"),
    "an id that is a number": (said(jti=7), "invalid_request"),
    "an id of 300 characters": (said(jti="j" * 300), "invalid_request"),
    "no events": (said(events=None), "invalid_request"),
    "empty events": (said(events={}), "invalid_request"),
    "events in a list": (said(events=[RISC]), "invalid_request"),
    "events in a text": (said(events=json.dumps({f"{RISC}sessions-revoked": {"subject": ADA}})), "invalid_request"),
    "too many events": (said(events={f"urn:{n}": {} for n in range(MOST_EVENTS + 1)}), "invalid_request"),
    "an event that is null": (told(f"{RISC}sessions-revoked", None), "invalid_request"),
    "an event in a list": (told(f"{RISC}sessions-revoked", [ADA]), "invalid_request"),
    "nobody": (told(f"{RISC}sessions-revoked", {}), "invalid_request"),
    "a null subject": (told(f"{RISC}sessions-revoked", {"subject": None}), "invalid_request"),
    "a subject that is text": (told(f"{RISC}sessions-revoked", {"subject": SUB}), "invalid_request"),
    "a subject without an id": (about(subject_type="iss-sub", iss=ISSUER), "invalid_request"),
    "an id of a subject that is a number": (about(**ADA | {"sub": 7}), "invalid_request"),
    "an id of a subject that is too long": (about(**ADA | {"sub": "s" * 300}), "invalid_request"),
    "the type of an access token": (headed(typ="at+jwt"), "invalid_request"),
    "the type of a logout token": (headed(typ="logout+jwt"), "invalid_request"),
    "an extension": (headed(crit=["exp"]), "invalid_request"),
    "an unencoded payload": (headed(b64=False), "invalid_request"),
}


@pytest.mark.threat(64)
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_for_us_is_refused_and_fetches_no_keys(google: Bench, case: str) -> None:
    """Otherwise another project's notice, or an ID token, logs people out, or strangers make us ask Google."""
    change, code = REFUSED[case]

    with pytest.raises(NoticeRefused) as raised:
        read(google, token(google, change))

    assert raised.value.said == code
    assert "canary" not in str(raised.value)
    assert not google.upstream.calls


@pytest.mark.threat(64)
def test_a_token_counts_for_a_week(google: Bench) -> None:
    """Otherwise one that was found in a log a year later logs its owner out, its id long forgotten."""
    old, coming = token(google), token(google, lambda _, claims: claims.update(iat=claims["iat"] + 61))

    with pytest.raises(NoticeRefused, match="from the future"):
        read(google, coming)
    google.clock.advance(OLDEST_S * 1000)
    assert read(google, old).events
    google.clock.advance(1_000)
    with pytest.raises(NoticeRefused, match="older than 7 days"):
        read(google, old)


def tampered(text: str) -> str:
    """Return a token with a signature of another payload."""
    head, _, signature = text.split(".")
    return f"{head}.{b64(json.dumps({'iss': ISSUER}).encode())}.{signature}"


def on_behalf(on: Bench, key: Any, **header: object) -> str:  # noqa: ANN401 - of any algorithm
    """Return what another key signs."""
    return str(key.sign({"alg": key.alg, "kid": key.kid, **header}, claims_of(on)))


FORGED: Final[dict[str, tuple[Callable[[Bench], str | bytes], str]]] = {
    "nothing": (lambda _: "", "invalid_request"),
    "no JWS": (lambda _: "a.b", "invalid_request"),
    "an encrypted one": (lambda _: "a.b.c.d.e", "invalid_request"),
    "no text": (lambda _: b"\xff\xfe.\x00.\x00", "invalid_request"),
    "a form": (lambda on: f"token={token(on)}", "invalid_request"),
    "JSON": (lambda on: json.dumps({"payload": token(on)}), "invalid_request"),
    "no signature": (lambda on: f"{unsigned({'alg': 'none'}, claims_of(on))}.", "invalid_request"),
    "our own secret": (
        lambda on: signed_with_text({"alg": "HS256"}, claims_of(on), CLIENT_SECRET.encode()),
        "invalid_request",
    ),
    "the public key as a secret": (
        lambda on: signed_with_text({"alg": "HS256", "kid": "rsa-1"}, claims_of(on), on.upstream.signer.public_pem()),
        "invalid_request",
    ),
    "another key under the same name": (
        lambda on: on_behalf(on, rsa_key("rsa-1-forged"), kid=on.upstream.signer.kid),
        "authentication_failed",
    ),
    "an unknown key": (lambda on: on_behalf(on, ecdsa_key("unknown")), "invalid_key"),
    "another algorithm under the same name": (
        lambda on: on_behalf(on, ecdsa_key("e"), kid=on.upstream.signer.kid),
        "invalid_key",
    ),
    "a changed payload": (lambda on: tampered(token(on)), "invalid_audience"),
}


@pytest.mark.threat(64)
@pytest.mark.parametrize("case", FORGED)
def test_a_forged_token_is_refused(google: Bench, case: str) -> None:
    """Otherwise any stranger logs everybody out, and locks everybody out."""
    make, code = FORGED[case]

    with pytest.raises(NoticeRefused) as raised:
        read(google, make(google))

    assert raised.value.said == code


@pytest.mark.threat(64)
def test_unknown_keys_cause_few_fetches_and_none_that_a_login_waits_for(google: Bench) -> None:
    """Otherwise strangers make this daemon ask Google as often as they like, or use up what logins may ask."""
    for number in range(50):
        with pytest.raises(NoticeRefused):
            read(google, on_behalf(google, ecdsa_key("unknown"), kid=f"k{number}"))

    assert google.upstream.calls == {CONFIGURATION: 2, KEYS: 2}
    google.upstream.edit_discovery = lambda _: None
    google.upstream.person["sub"] = SUB
    assert google.log_in().subject == SUB


def test_a_new_key_is_found_at_the_first_token_it_signs(google: Bench) -> None:
    """Otherwise notices are refused for an hour after Google changed its keys."""
    assert read(google, token(google)).events
    new = rsa_key("rsa-2")
    google.upstream.signer = new
    google.upstream.keys[:] = [new]

    assert read(google, token(google)).events


@pytest.mark.parametrize("path", [CONFIGURATION, KEYS])
def test_a_google_whose_keys_cannot_be_fetched_is_in_trouble(google: Bench, path: str) -> None:
    """Otherwise its notice is called forged, and is not sent again."""
    google.upstream.statuses[path] = 500

    with pytest.raises(ProviderBroken) as raised:
        read(google, token(google))
    assert not isinstance(raised.value, NoticeRefused)


@pytest.mark.threat(64)
@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example/"},
        {"issuer": None},
        {"jwks_uri": "https://evil.example/keys"},
        {"jwks_uri": "http://www.googleapis.com/oauth2/v3/certs"},
        {"jwks_uri": None},
    ],
)
def test_a_configuration_that_leads_elsewhere_is_not_followed(google: Bench, change: dict[str, object]) -> None:
    """Otherwise whoever poisons one document signs notices."""
    google.upstream.edit_discovery = lambda document: document.update({"issuer": ISSUER, **change})

    with pytest.raises(ProviderBroken) as raised:
        read(google, token(google))

    assert not isinstance(raised.value, NoticeRefused)
    assert KEYS not in google.upstream.calls


@pytest.mark.threat(64)
def test_a_security_event_token_is_no_id_token(google: Bench) -> None:
    """Otherwise a token that Google sends about logs a person in."""
    google.upstream.edit_discovery = lambda _: None
    google.upstream.edit_token = lambda _: token(google, said(iss=ISSUER[:-1], sub=SUB))

    with pytest.raises(ProviderBroken):
        google.log_in()


def test_google_is_answered_as_it_wants_to_be(google: Bench) -> None:
    """Otherwise a notice that arrived is sent again for days."""
    assert (receiver(google).media_type, receiver(google).accepted) == ("application/secevent+jwt", 202)
