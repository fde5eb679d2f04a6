"""Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4): whether one is genuine, for us, and still counts.

Pure. A token is read and its signature verified as an ID token's is (`idtoken`); here its claims are held
against §2.6. Neither can pass for the other: a logout token has an event and no nonce.
"""

from collections.abc import Mapping
from typing import Final

from providers.base import LogoutNotice, NoticeRefused
from providers.idtoken import SKEW_S, Unverified, check_parties, check_times
from providers.untrusted import given, seconds, subject

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
TYPES: Final = frozenset({"jwt", "logout+jwt"})
WHAT: Final = "the logout token"
OLDEST_S: Final = 86_400
"""Since a token was issued. Its id is remembered as long, so a copy of it never counts a second time."""
_LONGEST: Final = 255


def session_of(claims: Mapping[str, object]) -> str:
    """Return what the provider calls its own session (`sid`); empty if it says nothing that can be kept."""
    value = claims.get("sid")
    return value if isinstance(value, str) and len(value.encode(errors="replace")) <= _LONGEST else ""


def notice_of(token: Unverified, *, issuer: str, client_id: str, now: int) -> LogoutNotice:
    """Hold the claims of a verified token against §2.6. Raises ProviderBroken; `now` is in seconds."""
    claims = token.claims
    check_parties(token, issuer, client_id)
    check_times(token, now)
    issued_at = seconds(claims.get("iat")) or 0
    if issued_at + OLDEST_S < now:
        raise NoticeRefused(f"{WHAT} is older than a day")
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(EVENT), Mapping):
        raise NoticeRefused(f"{WHAT} has no logout event")
    if "nonce" in claims:
        raise NoticeRefused(f"{WHAT} has a nonce, so it may be an ID token")
    name = claims.get("jti")
    if not isinstance(name, str) or not 0 < len(name.encode(errors="replace")) <= _LONGEST:
        raise NoticeRefused(f"{WHAT} has no id (jti) that can be remembered")
    session = session_of(claims)
    if given(claims.get("sid")) and not session:
        raise NoticeRefused(f"{WHAT} names no session (sid) that can be known")
    person = subject(claims["sub"]) if given(claims.get("sub")) else ""
    if not (person or session):
        raise NoticeRefused(f"{WHAT} names neither a person nor a session")
    return LogoutNotice(name, person, session, counts_until=issued_at + OLDEST_S + 2 * SKEW_S)
