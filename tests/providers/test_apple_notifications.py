"""Server-to-server notifications of Apple: which count, and what they say."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from identity.cli.findings import Finding, Level
from identity.cli.provider_trial import ProviderTrial
from providers.base import NoticeRefused
from providers.security_events import MOST_EVENTS
from providers.security_notices import SecurityEvent, TellsSecurityEvents
from tests.providers import test_apple, test_google
from tests.providers.test_security_events import (
    ISSUER,
    ON,
    Change,
    Claims,
    Type,
    headed,
    read,
    receiver,
    said,
    signed,
)
from tests.support.bench import Bench, bench
from tests.support.rerouting import home
from tests.support.signing import rsa_key
from tests.support.upstream import CLIENT_ID


@pytest.fixture
def apple() -> Iterator[Bench]:
    """Return Apple, which tells of security events, and all around it."""
    with bench() as made:
        kit = test_apple.TestApple()
        kit.prepare(made)
        made.build("apple", {**kit.options(made), **ON})
        yield made


TEAM_USER: Final = "001999.0f2e.1234"


def happened(kind: object, **more: object) -> dict[str, object]:
    """Return an event as Apple writes it."""
    return {"type": kind, "sub": TEAM_USER, "event_time": 1_611_765_847_700, **more}


def notification(on: Bench, events: object, change: Change = lambda *_: None) -> str:
    """Return the body of a notification."""
    now = on.clock() // 1000
    claims: Claims = {"iss": "https://appleid.apple.com", "aud": CLIENT_ID, "iat": now, "exp": now + 86_400}
    text = signed(
        on,
        {**claims, "jti": "canary-jti", "events": events},
        lambda header, body: (header.pop("typ"), change(header, body)),
    )
    return json.dumps({"payload": text})


APPLES: Final[dict[str, tuple[object, tuple[SecurityEvent, ...]]]] = {
    "consent in a text": (json.dumps(happened("consent-revoked")), (SecurityEvent(Type.CONSENT_REVOKED, TEAM_USER),)),
    "consent in an object": (happened("consent-revoked"), (SecurityEvent(Type.CONSENT_REVOKED, TEAM_USER),)),
    "an account that is gone": (
        json.dumps(happened("account-delete")),
        (SecurityEvent(Type.ACCOUNT_PURGED, TEAM_USER),),
    ),
    "the same as the documentation has it": (
        json.dumps(happened("account-deleted")),
        (SecurityEvent(Type.ACCOUNT_PURGED, TEAM_USER),),
    ),
    "mail": (
        json.dumps(happened("email-disabled", email="x@privaterelay.appleid.com", is_private_email="true")),
        (SecurityEvent(Type.EMAIL_DISABLED, TEAM_USER),),
    ),
    "mail again": (json.dumps(happened("email-enabled")), (SecurityEvent(Type.EMAIL_ENABLED, TEAM_USER),)),
    "several": (
        json.dumps([happened("email-enabled"), happened("consent-revoked")]),
        (SecurityEvent(Type.EMAIL_ENABLED, TEAM_USER), SecurityEvent(Type.CONSENT_REVOKED, TEAM_USER)),
    ),
    "something new": (json.dumps({"type": "moved"}), (SecurityEvent(Type.UNKNOWN, "", "moved"),)),
    "no type": (json.dumps({"sub": TEAM_USER}), (SecurityEvent(Type.UNKNOWN, "", "(unreadable)"),)),
    "a type that is a list": (json.dumps(happened(["x"])), (SecurityEvent(Type.UNKNOWN, "", "(unreadable)"),)),
}


@pytest.mark.parametrize("case", APPLES)
def test_apple_says_what_happened_and_to_whom(apple: Bench, case: str) -> None:
    """Otherwise who ended the use of this service at Apple stays logged in."""
    events, expected = APPLES[case]

    assert read(apple, notification(apple, events)).events == expected


@pytest.mark.parametrize("audience", [CLIENT_ID, "com.example.app", ["com.example.app"]])
def test_a_notification_is_for_the_app_or_the_services_id(apple: Bench, audience: object) -> None:
    """Apple names the App ID that the address was registered for."""
    body = notification(apple, json.dumps(happened("consent-revoked")), said(aud=audience))

    assert read(apple, body).events


APPLE_REFUSED: Final[dict[str, tuple[Callable[[Bench], str], str]]] = {
    "no JSON": (lambda _: "payload", "invalid_request"),
    "a list": (lambda on: json.dumps([notification(on, "{}")]), "invalid_request"),
    "no payload": (lambda _: "{}", "invalid_request"),
    "a payload that is null": (lambda _: '{"payload": null}', "invalid_request"),
    "a payload that is an object": (lambda _: '{"payload": {"a": 1}}', "invalid_request"),
    "two payloads": (lambda on: f'{{"payload": "a", {notification(on, "{}")[1:]}', "invalid_request"),
    "the bare token": (
        lambda on: json.loads(notification(on, json.dumps(happened("x"))))["payload"],
        "invalid_request",
    ),
    "no events": (lambda on: notification(on, None), "invalid_request"),
    "events that are no JSON": (lambda on: notification(on, "{"), "invalid_request"),
    "events that are a number": (lambda on: notification(on, "7"), "invalid_request"),
    "events that are null": (lambda on: notification(on, "null"), "invalid_request"),
    "an empty list": (lambda on: notification(on, "[]"), "invalid_request"),
    "too many": (lambda on: notification(on, [happened("x")] * (MOST_EVENTS + 1)), "invalid_request"),
    "nobody": (lambda on: notification(on, {"type": "consent-revoked"}), "invalid_request"),
    "a person that is a number": (lambda on: notification(on, happened("consent-revoked", sub=7)), "invalid_request"),
    "another issuer": (lambda on: notification(on, happened("x"), said(iss=ISSUER)), "invalid_issuer"),
    "another team's app": (lambda on: notification(on, happened("x"), said(aud="com.evil")), "invalid_audience"),
    "expired": (lambda on: notification(on, happened("x"), said(exp=on.clock() // 1000 - 61)), "invalid_request"),
    "an end in words": (lambda on: notification(on, happened("x"), said(exp="tomorrow")), "invalid_request"),
}


@pytest.mark.threat(64)
@pytest.mark.parametrize("case", APPLE_REFUSED)
def test_what_is_no_notification_for_us_is_refused_and_fetches_no_keys(apple: Bench, case: str) -> None:
    """Otherwise strangers log people out, or make us ask Apple."""
    make, code = APPLE_REFUSED[case]

    with pytest.raises(NoticeRefused) as raised:
        read(apple, make(apple))

    assert raised.value.said == code
    assert not apple.upstream.calls


@pytest.mark.threat(64)
def test_a_forged_notification_is_refused(apple: Bench) -> None:
    """Otherwise any stranger logs everybody out."""
    genuine = notification(apple, json.dumps(happened("consent-revoked")))
    apple.upstream.signer = rsa_key("forged")

    with pytest.raises(NoticeRefused, match="no key"):
        read(apple, notification(apple, json.dumps(happened("consent-revoked")), headed(kid="rsa-1")))
    assert read(apple, genuine).events


@pytest.mark.parametrize("kind", ["google", "apple"])
def test_without_the_option_nothing_is_told(kind: str) -> None:
    """Whoever did not ask for it must not have an address that ends sessions."""
    with bench() as made:
        kit: Any = test_google.TestGoogle() if kind == "google" else test_apple.TestApple()
        kit.prepare(made)
        assert isinstance(made.provider, TellsSecurityEvents)
        assert made.provider.security_events is None


@pytest.mark.parametrize(("status", "level"), [(200, Level.OK), (500, Level.PROBLEM)])
def test_a_trial_says_whether_notifications_could_be_verified(apple: Bench, status: int, level: Level) -> None:
    """Otherwise the operator who registered the address hears of it when Apple sends the first."""
    if status != 200:
        apple.upstream.statuses[home(test_apple.DOCUMENT["jwks_uri"])] = status
    trial = ProviderTrial(
        apple.provider, apple.http, "https://login.example/callback", issuer=test_apple.DOCUMENT["issuer"]
    )

    async def findings() -> list[Finding]:
        return [each async for each in trial.findings()]

    found = [each.level for each in apple.run(findings()) if "keys for security events" in each.text]
    assert found == [level]


def test_apple_is_answered_as_it_wants_to_be(apple: Bench) -> None:
    """Otherwise a notification that arrived is sent again for days."""
    assert (receiver(apple).media_type, receiver(apple).accepted) == ("application/json", 200)
