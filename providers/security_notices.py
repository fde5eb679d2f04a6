"""What providers say of their people's accounts, for those who read it and those who do what it asks for.

As `base`, for the providers that tell of more than logins: the events, one notice, and what a provider has
to have. Nothing here knows how any of them says it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from providers.base import Http


class SecurityEventType(Enum):
    """What happened at a provider to a person's account there, whatever the provider calls it."""

    SESSIONS_REVOKED = "sessions-revoked"
    TOKENS_REVOKED = "tokens-revoked"
    TOKEN_REVOKED = "token-revoked"  # noqa: S105 - a word, no secret
    """One token of several."""
    CONSENT_REVOKED = "consent-revoked"
    """The person does not want to log in here with that account any more."""
    CREDENTIAL_CHANGE_REQUIRED = "account-credential-change-required"
    ACCOUNT_DISABLED = "account-disabled"
    ACCOUNT_ENABLED = "account-enabled"
    ACCOUNT_PURGED = "account-purged"
    EMAIL_ENABLED = "email-enabled"
    EMAIL_DISABLED = "email-disabled"
    """Mail to the address that hides the person's own does not arrive any more."""
    VERIFICATION = "verification"
    """Nothing: an operator had the provider try whether its notices arrive."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """One thing that happened."""

    type: SecurityEventType
    subject: str = ""
    """To whose account; empty if the provider names the person in no way that logins do."""
    reason: str = ""
    """One harmless word of the provider's."""


@dataclass(frozen=True, slots=True)
class SecurityNotice:
    """A provider says what happened; verified."""

    id: str
    """Names this notice among all of the provider's."""
    events: tuple[SecurityEvent, ...]
    happened_at: int
    """Unix seconds."""
    counts_until: int
    """Unix seconds, to which its id is remembered; after that the provider refuses it as too old."""


class SecurityEventReceiver(Protocol):
    """Reads what one provider's server sends about its people's accounts."""

    @property
    def media_type(self) -> str:
        """What it is sent as."""
        ...

    @property
    def accepted(self) -> int:
        """The HTTP status that tells the provider not to send it again."""
        ...

    async def rehearse(self, http: Http) -> None:
        """Fetch what is needed to verify one. Raises ProviderBroken."""
        ...

    async def read(self, body: bytes, http: Http) -> SecurityNotice:
        """Verify a notice. Raises NoticeRefused, and ProviderBroken if the keys cannot be fetched.

        `said` of a NoticeRefused is the error code of RFC 8935 §2.4.
        """
        ...


@runtime_checkable
class TellsSecurityEvents(Protocol):
    """A provider that may tell us what happens to its people's accounts."""

    @property
    def security_events(self) -> SecurityEventReceiver | None:
        """What reads them; None if the operator does not want to hear of them."""
        ...
