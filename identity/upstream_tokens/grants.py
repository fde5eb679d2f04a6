"""Tokens as they are kept: how long they are good, and what becomes of them at a login and at a refresh.

Pure. Owns the sealed bytes and the table of `freshness`. Invariant: a refresh token is replaced, never
dropped, by an answer that does not bring another: Google sends one with the first consent only.
"""

import json
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from identity.types import HOUR, MINUTE, SECOND, Millis
from providers.base import UpstreamGrant

MARGIN_MS: Final[Millis] = MINUTE
"""So long before its end an access token is refreshed, or half of its life if that is less."""
ASSUMED_MS: Final[Millis] = HOUR
"""How old an access token whose life is not said may become before it is refreshed, if it can be."""
MOST_CHARS: Final = 16_384
"""Of all texts of a grant together; a larger one is not kept."""


@dataclass(frozen=True, slots=True)
class KeptGrant:
    """The tokens of one login, as they are at present."""

    access_token: str = field(repr=False)
    """Empty: only another login brings one."""
    refresh_token: str = field(repr=False)
    """Empty: there is none."""
    scope: str
    issued_at: Millis
    expires_at: Millis | None
    """None: the provider does not say."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """What can be taken back, the refresh token first: most services take the others back with it."""
        return tuple(filter(None, (self.refresh_token, self.access_token)))


class Freshness(Enum):
    """What can be done with an access token."""

    GOOD = "good"
    AGEING = "ageing"
    """It is usable, and a fresh one is due."""
    OVER = "over"
    """It is not usable; a fresh one can be had."""
    LOST = "lost"
    """Only another login helps."""


def freshness(grant: KeptGrant, now: Millis) -> Freshness:
    """Say what can be done with an access token. The first match wins.

    | access token | its end                                  | refresh token | result |
    |--------------|------------------------------------------|---------------|--------|
    | none         |                                          | any           | lost   |
    | there        | not said                                 | none          | good   |
    | there        | not said; issued within the assumed time | there         | good   |
    | there        | not said; issued before                  | there         | ageing |
    | there        | further ahead than the margin            | any           | good   |
    | there        | ahead                                    | none          | good   |
    | there        | ahead                                    | there         | ageing |
    | there        | past                                     | there         | over   |
    | there        | past                                     | none          | lost   |
    """
    if not grant.access_token:
        return Freshness.LOST
    renewable = bool(grant.refresh_token)
    if grant.expires_at is None:
        return Freshness.AGEING if renewable and now - grant.issued_at >= ASSUMED_MS else Freshness.GOOD
    if now >= grant.expires_at:
        return Freshness.OVER if renewable else Freshness.LOST
    margin = min(MARGIN_MS, (grant.expires_at - grant.issued_at) // 2)
    return Freshness.AGEING if renewable and grant.expires_at - now <= margin else Freshness.GOOD


def received(grant: UpstreamGrant, now: Millis) -> KeptGrant | None:
    """Return what a provider granted as it is kept; None if it is too large to be kept."""
    if len(grant.access_token) + len(grant.refresh_token) + len(grant.scope) > MOST_CHARS:
        return None
    expires_at = None if grant.lifetime_s is None else now + grant.lifetime_s * SECOND
    return KeptGrant(grant.access_token, grant.refresh_token, grant.scope, now, expires_at)


def followed(before: KeptGrant, after: KeptGrant) -> KeptGrant:
    """Return what is kept when a later answer comes: what it does not bring stays."""
    return replace(after, refresh_token=after.refresh_token or before.refresh_token, scope=after.scope or before.scope)


def overtaken(asked_with: KeptGrant, fresh: KeptGrant, there: KeptGrant) -> KeptGrant | None:
    """Return what is kept when a login wrote while a refresh was under way; None leaves what the login wrote.

    | the login brought a refresh token | kept                                                              |
    |-----------------------------------|-------------------------------------------------------------------|
    | of its own                        | the login's                                                       |
    | none, so the old one stands there | what the refresh brought, with the access token that lasts longer |
    """
    if there.refresh_token != asked_with.refresh_token:
        return None
    renewed = followed(there, fresh)
    longer = (there.expires_at or 0) > (fresh.expires_at or 0)
    return replace(there, refresh_token=renewed.refresh_token) if longer else renewed


def lost(grant: KeptGrant, now: Millis) -> KeptGrant:
    """Return the mark that only another login helps."""
    return KeptGrant("", "", grant.scope, now, None)


def pack(grant: KeptGrant) -> bytes:
    """Return the bytes to be sealed."""
    values = [grant.access_token, grant.refresh_token, grant.scope, grant.issued_at, grant.expires_at]
    return json.dumps(values, separators=(",", ":")).encode()


def unpack(body: bytes) -> KeptGrant:
    """Return the grant. Raises ValueError for anything `pack` does not write."""
    values = json.loads(body)
    match values:
        case [str(access), str(refresh), str(scope), int(issued_at), int() | None as expires_at]:
            return KeptGrant(access, refresh, scope, issued_at, expires_at)
    raise ValueError("not a kept grant")
