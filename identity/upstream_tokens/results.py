"""What the service of kept tokens is asked and what it answers; every expected outcome is a value here."""

from dataclasses import dataclass, field
from typing import TypeAlias

from identity.accounts.store import KeptTokens
from identity.types import AccountId, IdentityKey, Millis
from identity.upstream_tokens.grants import KeptGrant


@dataclass(frozen=True, slots=True)
class TokenQuestion:
    """Whose access token is wanted, and of which provider."""

    account_id: AccountId
    provider: str
    identity: IdentityKey
    """What the session was opened through; of several links to the provider this one counts."""


@dataclass(frozen=True, slots=True)
class HandedOut:
    """An access token that is good."""

    access_token: str = field(repr=False)
    expires_in_s: int | None
    """None: the provider does not say."""
    scope: str


@dataclass(frozen=True, slots=True)
class DueForRefresh:
    """A fresh one must be had from the provider; `claim` says who gets it."""

    key: IdentityKey
    account_id: AccountId


@dataclass(frozen=True, slots=True)
class NotLinked:
    """The account has no way to log in with this provider."""


@dataclass(frozen=True, slots=True)
class LoginDue:
    """Nothing usable is kept: the person must log in with the provider again."""


@dataclass(frozen=True, slots=True)
class RefreshClaim:
    """The caller, and no other on any daemon, asks the provider now."""

    row: KeptTokens
    grant: KeptGrant


@dataclass(frozen=True, slots=True)
class Waiting:
    """The provider is not to be asked now."""

    ms: Millis
    """For so long at most."""
    asking: bool
    """Another caller is asking it; if not, it failed a moment ago."""


@dataclass(frozen=True, slots=True)
class Orphaned:
    """The link went while its tokens were refreshed; the fresh ones are to be taken back."""

    tokens: tuple[str, ...] = field(repr=False)


Looked: TypeAlias = HandedOut | DueForRefresh | NotLinked | LoginDue
ClaimOutcome: TypeAlias = RefreshClaim | HandedOut | Waiting | LoginDue
Settled: TypeAlias = HandedOut | Orphaned
