"""Security event tokens (RFC 8417): whether one is for us, still counts, and what it says happened.

Pure. A token is read and its signature verified as an ID token's is (`idtoken`). Neither can pass for
the other: an ID token has no events, and what has no nonce is no login. The codes of refusals are
those of RFC 8935 §2.4. Event types are those of OpenID RISC 1.0 and OAuth, as Google sends them.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from providers.base import NoticeRefused, ProviderBroken
from providers.idtoken import SKEW_S, Unverified, read
from providers.jwks import ALGORITHMS
from providers.security_notices import SecurityEvent, SecurityEventType, SecurityNotice
from providers.untrusted import given, seconds, subject, word

OLDEST_S: Final = 7 * 86_400
"""Since a token was issued, so that one which could not be delivered for days still counts. Its id is
remembered as long, so a copy of it never counts a second time."""
MOST_EVENTS: Final = 20
"""In one token; a provider sends one."""
WHAT: Final = "the security event token"
INVALID_REQUEST: Final = "invalid_request"
INVALID_KEY: Final = "invalid_key"
INVALID_ISSUER: Final = "invalid_issuer"
INVALID_AUDIENCE: Final = "invalid_audience"
AUTHENTICATION_FAILED: Final = "authentication_failed"

_TYPES: Final = frozenset({"jwt", "secevent+jwt"})
_LONGEST_ID: Final = 255
_MOST_AUDIENCES: Final = 50
_RISC: Final = "https://schemas.openid.net/secevent/risc/event-type/"
_OAUTH: Final = "https://schemas.openid.net/secevent/oauth/event-type/"
_EVENTS: Final[Mapping[str, SecurityEventType]] = {
    f"{_RISC}sessions-revoked": SecurityEventType.SESSIONS_REVOKED,
    f"{_OAUTH}tokens-revoked": SecurityEventType.TOKENS_REVOKED,
    f"{_OAUTH}token-revoked": SecurityEventType.TOKEN_REVOKED,
    f"{_RISC}account-disabled": SecurityEventType.ACCOUNT_DISABLED,
    f"{_RISC}account-enabled": SecurityEventType.ACCOUNT_ENABLED,
    f"{_RISC}account-purged": SecurityEventType.ACCOUNT_PURGED,
    f"{_RISC}account-credential-change-required": SecurityEventType.CREDENTIAL_CHANGE_REQUIRED,
    f"{_RISC}verification": SecurityEventType.VERIFICATION,
}
_BY_ISSUER: Final = frozenset({"", "iss-sub", "id-token-claims"})
"""Subject formats with `iss` and `sub`; one that is not named is taken for the first."""

Claims: TypeAlias = Mapping[str, object]
EventsReader: TypeAlias = Callable[[Claims], tuple[SecurityEvent, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSet:
    """What the claims of a token for us must say."""

    issuers: Collection[str]
    audiences: Collection[str]
    now: int
    """Unix seconds."""
    expires: bool
    """Whether `exp` counts. Google's tokens tell of the past and do not expire."""


def refused(why: str, code: str = INVALID_REQUEST) -> NoticeRefused:
    """Return the error for what is refused, with a code of RFC 8935."""
    return NoticeRefused(why, said=code)


def read_set(text: str) -> Unverified:
    """Take a token apart. Raises NoticeRefused."""
    try:
        return read(text, ALGORITHMS, WHAT, types=_TYPES)
    except ProviderBroken as fault:
        raise refused(str(fault)) from None


def notice_of(token: Unverified, expected: ExpectedSet, read_events: EventsReader) -> SecurityNotice:
    """Hold the claims of a token against what is expected, and read its events. Raises NoticeRefused."""
    claims = token.claims
    if claims.get("iss") not in expected.issuers:
        raise refused(f"{WHAT} is of another issuer", INVALID_ISSUER)
    if not _is_for(claims.get("aud"), expected.audiences):
        raise refused(f"{WHAT} is for another client", INVALID_AUDIENCE)
    issued_at = _issued_at(claims, expected)
    name = claims.get("jti")
    if not isinstance(name, str) or not 0 < len(name.encode(errors="replace")) <= _LONGEST_ID:
        raise refused(f"{WHAT} has no id (jti) that can be remembered")
    try:
        events = read_events(claims)
    except NoticeRefused:
        raise
    except ProviderBroken as fault:
        raise refused(str(fault)) from None
    happened_at = seconds(claims.get("toe"))
    if happened_at is None or happened_at > issued_at:
        happened_at = issued_at
    return SecurityNotice(name, events, happened_at, counts_until=issued_at + OLDEST_S + 2 * SKEW_S)


def risc_events(claims: Claims, issuers: Collection[str]) -> tuple[SecurityEvent, ...]:
    """Read the events of OpenID RISC. Raises ProviderBroken; `issuers` are the spellings of the provider's own."""
    events = claims.get("events")
    if not isinstance(events, Mapping) or not 0 < len(events) <= MOST_EVENTS:
        raise refused(f"{WHAT} has no events, or more than {MOST_EVENTS}")
    return tuple(_risc_event(name, payload, claims, issuers) for name, payload in events.items())


def _risc_event(name: str, payload: object, claims: Claims, issuers: Collection[str]) -> SecurityEvent:
    kind = _EVENTS.get(name)
    if kind is None:
        return SecurityEvent(SecurityEventType.UNKNOWN, reason=word(name.rpartition("/")[2]))
    if not isinstance(payload, Mapping):
        raise refused(f"the event {kind.value} is no object")
    if kind is SecurityEventType.VERIFICATION:
        return SecurityEvent(kind, reason=_word(payload.get("state")))
    # RFC 9493 has the subject in the token, RISC in the event.
    named = payload["subject"] if given(payload.get("subject")) else claims.get("sub_id")
    if not isinstance(named, Mapping):
        raise refused(f"the event {kind.value} has no subject")
    return SecurityEvent(kind, _person(named, issuers), _word(payload.get("reason")))


def _person(named: Claims, issuers: Collection[str]) -> str:
    """Return the `sub` of whom a subject names (RFC 9493 §3.2.5); empty if it names no person of this issuer."""
    told = named["subject_type"] if given(named.get("subject_type")) else named.get("format")
    form = told.replace("_", "-") if isinstance(told, str) else "" if told is None else "unreadable"
    if form not in _BY_ISSUER or named.get("iss") not in issuers:
        return ""
    return subject(named.get("sub"))


def _word(value: object) -> str:
    return word(value) if given(value) else ""


def _is_for(audience: object, audiences: Collection[str]) -> bool:
    named = audience if isinstance(audience, list) else [audience]
    return len(named) <= _MOST_AUDIENCES and any(isinstance(each, str) and each in audiences for each in named)


def _issued_at(claims: Claims, expected: ExpectedSet) -> int:
    issued_at, now = seconds(claims.get("iat")), expected.now
    if issued_at is None or issued_at - SKEW_S > now:
        raise refused(f"{WHAT} is from the future, or does not say when it was issued")
    if issued_at + OLDEST_S < now:
        raise refused(f"{WHAT} is older than {OLDEST_S // 86_400} days")
    if expected.expires and given(claims.get("exp")):
        expires_at = seconds(claims["exp"])
        if expires_at is None or expires_at + SKEW_S <= now:
            raise refused(f"{WHAT} is expired")
    return issued_at
