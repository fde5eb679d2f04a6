"""Sign in with Apple, on the web.

The subject is `sub`, the same for every client of one developer team. The traps:

- The answer is posted from Apple's page, which asking for a name or an address requires.
- The name comes once, with a person's first answer, in the field `user`; the caller of `finish` keeps it.
- The client secret is a JWT that we sign ourselves. Cancelling is `user_cancelled_authorize`, without a code.
- `email_verified` and `is_private_email` are true or "true". An address of the relay
  (`…@privaterelay.appleid.com`) is verified like any other and forwards to the person.
- The discovery document named another issuer than the tokens in June 2025, for days, and broke clients that
  compared them (https://developer.apple.com/forums/thread/787645). So the addresses are fixed here, and
  both names are one issuer.

Server-to-server notifications come as `{"payload": "<JWT>"}`. Their claim `events` is JSON in a text, an
object by the documentation; their audience is the App ID that the address was registered for, which need not
be the Services ID. Whatever is not answered with 200 is sent again.
https://developer.apple.com/documentation/signinwithapple/processing-changes-for-sign-in-with-apple-accounts

https://developer.apple.com/documentation/signinwithapple/configuring-your-webpage-for-sign-in-with-apple
https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from options import types
from options.option import option, required
from options.secret import Secret
from providers import untrusted
from providers.assertions import PRIVATE_KEY, JwtSigner, signer
from providers.base import Callback, Http, Provider, ProviderBroken, ProviderProfile, SubjectScope
from providers.discovery import Metadata
from providers.event_receiver import EventReceiver, EventService
from providers.facts import OF_CLAIMS
from providers.kind import ProviderKind, ProviderSettings
from providers.openid import OidcProvider, OidcService
from providers.openid_claims import Claims
from providers.security_events import MOST_EVENTS
from providers.security_notices import SecurityEvent, SecurityEventType
from providers.token_endpoint import Client

_ISSUER: Final = "https://appleid.apple.com"
_OTHER_ISSUER: Final = "https://account.apple.com"
_METADATA: Final = Metadata(
    issuer=_ISSUER,
    authorize_url=f"{_ISSUER}/auth/authorize",
    token_url=f"{_ISSUER}/auth/token",
    jwks_url=f"{_ISSUER}/auth/keys",
    userinfo_url="",
    algorithms=("RS256",),
    client_auth="post",
    names_issuer=False,
    revocation_url=f"{_ISSUER}/auth/revoke",
)
_TEN: Final = types.text("ten letters and digits", pattern="[A-Z0-9]{10}")
_RENEWED_S: Final = 3_600
_NOTIFICATIONS: Final[Mapping[object, SecurityEventType]] = {
    "consent-revoked": SecurityEventType.CONSENT_REVOKED,
    "account-delete": SecurityEventType.ACCOUNT_PURGED,
    "account-deleted": SecurityEventType.ACCOUNT_PURGED,
    "email-enabled": SecurityEventType.EMAIL_ENABLED,
    "email-disabled": SecurityEventType.EMAIL_DISABLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AppleOptions:
    """What an operator says of Apple."""

    client_id: str = required(types.text(), "The Services ID this daemon is registered as.")
    team_id: str = required(_TEN, "The developer team it belongs to.")
    key_id: str = required(_TEN, "The id of the key below.")
    key: Secret = required(PRIVATE_KEY, "The private key for Sign in with Apple, as downloaded (`AuthKey_….p8`).")
    scope: tuple[str, ...] = option(types.words, ("openid", "name", "email"), "What is asked for; `openid` too.")
    security_events: bool = option(
        types.flag,
        False,
        "What Apple says of its accounts (server-to-server notifications) counts; register `/login/<name>/events` "
        "there.",
    )
    security_event_audiences: tuple[str, ...] = option(
        types.words, (), "The App IDs that address is registered for, for which these notices may be as well."
    )


class AppleSecret:
    """The client secret, signed when it is first needed, and again when it is an hour old."""

    def __init__(self, settings: ProviderSettings[AppleOptions], sign: JwtSigner) -> None:
        given = settings.options
        self._claims = {"iss": given.team_id, "sub": given.client_id, "aud": _ISSUER}
        self._clock = settings.site.clock
        self._sign = sign
        self._made = (0, "")

    def __call__(self, _: str) -> str:
        """Return it. An hour that begins ahead of the clock, which was set back, is over."""
        now, (made_at, secret) = self._clock() // 1_000, self._made
        if not secret or not 0 <= now - made_at < _RENEWED_S:
            secret = self._sign.sign({**self._claims, "iat": now, "exp": now + 2 * _RENEWED_S})
            self._made = now, secret
        return secret


class AppleProvider(OidcProvider):
    """Apple, with the name from beside the code."""

    async def finish(self, callback: Callback, http: Http) -> ProviderProfile:
        """Finish as OpenID Connect does. Raises ProviderDenied or ProviderBroken."""
        profile = await super().finish(callback, http)
        return replace(profile, name=profile.name or name_in(callback.params.get("user", "")))


def name_in(user: str) -> str:
    """Return the name in the field `user`, which is not signed: shown, as every name; empty if there is none."""
    try:
        name = untrusted.json_object(user.encode(errors="replace"), "the field user").get("name")
    except ProviderBroken:
        return ""
    parts = [name.get(part) for part in ("firstName", "lastName")] if isinstance(name, Mapping) else []
    return untrusted.shown(" ".join(part for part in parts if isinstance(part, str)))


def payload_in(body: bytes) -> str:
    """Return the token in a notification. Raises ProviderBroken."""
    payload = untrusted.json_object(body, "the notification").get("payload")
    if not isinstance(payload, str):
        raise ProviderBroken("the notification has no payload that is text")
    return payload


def notifications(claims: Claims) -> tuple[SecurityEvent, ...]:
    """Read what a notification says happened. Raises ProviderBroken."""
    told = claims.get("events")
    if isinstance(told, str):
        told = untrusted.json_value(told.encode(errors="replace"), "the claim events")
    events = told if isinstance(told, list) else [told]
    if not 0 < len(events) <= MOST_EVENTS:
        raise ProviderBroken(f"the notification has no events, or more than {MOST_EVENTS}")
    return tuple(_notification(each) for each in events)


def _notification(event: object) -> SecurityEvent:
    if not isinstance(event, Mapping):
        raise ProviderBroken("an event is no object")
    told = event.get("type")
    kind = _NOTIFICATIONS.get(told) if isinstance(told, str) else None
    if kind is None:
        return SecurityEvent(SecurityEventType.UNKNOWN, reason=untrusted.word(told))
    return SecurityEvent(kind, untrusted.subject(event.get("sub")))


_EVENTS: Final = EventService(
    media_type="application/json",
    accepted=200,
    issuers=(_ISSUER, _OTHER_ISSUER),
    key_set=_METADATA.jwks_url,
    expires=True,
    token_of=payload_in,
    read_events=notifications,
)


def build(settings: ProviderSettings[AppleOptions]) -> Provider:
    """Make an Apple provider. Raises BadOptions."""
    given = settings.options
    sign = signer(given.key, algorithm="ES256", key_id=given.key_id, option="key")
    service = OidcService(
        issuer=_ISSUER,
        metadata=_METADATA,
        client_auth="post",
        authorize_params={"response_mode": "form_post"},
        proves_fresh_login=False,
        issuer_of=lambda claims: _OTHER_ISSUER if claims.get("iss") == _OTHER_ISSUER else _ISSUER,
    )
    audiences = (given.client_id, *given.security_event_audiences)
    events = EventReceiver(settings.name, _EVENTS, audiences=audiences, clock=settings.site.clock)
    return AppleProvider(
        settings,
        service,
        client=Client(given.client_id, AppleSecret(settings, sign)),
        security_events=events if given.security_events else None,
    )


KIND: Final = ProviderKind(
    name="apple",
    label="Apple",
    subject="`sub`, for each developer team",
    options=AppleOptions,
    scope=lambda given: SubjectScope(f"{_ISSUER}/{given.team_id}", "sub"),
    build=build,
    facts=OF_CLAIMS,
)
