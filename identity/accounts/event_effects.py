"""What a provider's word about a person's account there means here.

Pure. Owns the table. Invariant: whatever may mean that another person holds the account there ends
sessions, and nothing a provider says gives more access than the person had before it.

| what happened                      | why       | sessions that end            | logins through it       | tokens    |
|------------------------------------|-----------|------------------------------|-------------------------|-----------|
| account-disabled                   | hijacking | all of the account           | suspended               | stay      |
| account-disabled                   | any other | opened through the identity  | suspended               | stay      |
| account-purged                     |           | opened through the identity  | suspended               | forgotten |
| account-enabled                    |           | none                         | resumed                 | stay      |
| account-credential-change-required |           | opened through the identity  | as before               | stay      |
| sessions-revoked                   |           | opened through the identity  | as before               | stay      |
| tokens-revoked                     |           | opened through the identity  | as before               | forgotten |
| consent-revoked                    |           | opened through the identity  | as before               | forgotten |
| token-revoked                      |           | none: it does not say whose  | as before               | stay      |
| email-enabled, email-disabled      |           | none: an address is no key   | as before               | stay      |
| verification, unknown              |           | none                         | as before               | stay      |

A thief who held the account may have opened sessions in other ways too, once he was in: so all end. The
person's own new login is welcome, and brings new tokens, unless it is suspended; then the other ways to log
in remain. Tokens are those kept for applications. A suspended identity's are handed out to none, and stay,
because it may be resumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from providers.security_notices import SecurityEvent, SecurityEventType

HIJACKING: Final = "hijacking"


class EndedByEvent(Enum):
    """Which sessions end."""

    NONE = "none"
    THROUGH_IDENTITY = "through-identity"
    ALL = "all"


class LoginsAfter(Enum):
    """What becomes of logins through the identity."""

    UNCHANGED = "unchanged"
    SUSPENDED = "suspended"
    RESUMED = "resumed"


@dataclass(frozen=True, slots=True)
class EventEffect:
    """What an event means."""

    sessions: EndedByEvent
    logins: LoginsAfter = LoginsAfter.UNCHANGED
    forgets_tokens: bool = False
    """The provider's tokens that are kept for applications are good no more."""

    @property
    def idle(self) -> bool:
        """Tell whether nothing is to be done but to note it."""
        return self.sessions is EndedByEvent.NONE and self.logins is LoginsAfter.UNCHANGED


_NOTED: Final = EventEffect(EndedByEvent.NONE)
_LOGGED_OUT: Final = EventEffect(EndedByEvent.THROUGH_IDENTITY)
_REVOKED: Final = EventEffect(EndedByEvent.THROUGH_IDENTITY, forgets_tokens=True)
_CLOSED: Final = EventEffect(EndedByEvent.THROUGH_IDENTITY, LoginsAfter.SUSPENDED)
_HIJACKED: Final = EventEffect(EndedByEvent.ALL, LoginsAfter.SUSPENDED)
_EFFECTS: Final[Mapping[SecurityEventType, EventEffect]] = {
    SecurityEventType.ACCOUNT_DISABLED: _CLOSED,
    SecurityEventType.ACCOUNT_PURGED: replace(_CLOSED, forgets_tokens=True),
    SecurityEventType.ACCOUNT_ENABLED: EventEffect(EndedByEvent.NONE, LoginsAfter.RESUMED),
    SecurityEventType.CREDENTIAL_CHANGE_REQUIRED: _LOGGED_OUT,
    SecurityEventType.SESSIONS_REVOKED: _LOGGED_OUT,
    SecurityEventType.TOKENS_REVOKED: _REVOKED,
    SecurityEventType.CONSENT_REVOKED: _REVOKED,
    SecurityEventType.TOKEN_REVOKED: _NOTED,
    SecurityEventType.EMAIL_ENABLED: _NOTED,
    SecurityEventType.EMAIL_DISABLED: _NOTED,
    SecurityEventType.VERIFICATION: _NOTED,
    SecurityEventType.UNKNOWN: _NOTED,
}


def effect_of(event: SecurityEvent) -> EventEffect:
    """Return what an event means here."""
    hijacked = event.type is SecurityEventType.ACCOUNT_DISABLED and event.reason == HIJACKING
    return _HIJACKED if hijacked else _EFFECTS[event.type]


def worded(event: SecurityEvent) -> str:
    """Return an event as rows and operators read it, for example `account-disabled (hijacking)`."""
    return f"{event.type.value} ({event.reason})" if event.reason else event.type.value
