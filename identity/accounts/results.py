"""What the account service is asked and what it answers.

Owns the requests and the outcomes; every expected outcome is a value here, consumed with `match`.
"""

from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from identity.accounts.event_effects import EventEffect
from identity.accounts.linking import Refuse
from identity.accounts.usernames import NameRefused
from identity.types import AccountId, IdentityKey, Millis, SessionId, Username


@dataclass(frozen=True, slots=True)
class By:
    """Who asks, for the audit. `actor` is `self`, `system`, or `operator:<name>`."""

    actor: str
    address: str = ""
    request_id: str = ""
    why: str = ""
    """The reason an operator gave."""


@dataclass(frozen=True, slots=True)
class SignUp:
    """A proven identity that chose a username.

    `key` and `label` come from the record kept when the provider vouched for them, never from the
    browser. `claim` lives in that record too and stays the same when a name is asked for again.
    """

    claim: UUID
    key: IdentityKey
    username: str
    label: str
    by: By
    invitation: str = ""
    """Key of the one that the person followed."""
    waits: bool = False
    """An operator has to approve it; never with an invitation."""


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """A proven identity to be added to an account. `claim` is made once and kept for a retry."""

    claim: UUID
    account_id: AccountId
    key: IdentityKey
    label: str
    by: By


@dataclass(frozen=True, slots=True)
class Unlink:
    """An identity to be taken from an account. `id` is made once and kept for a retry."""

    id: UUID
    account_id: AccountId
    key: IdentityKey
    by: By


@dataclass(frozen=True, slots=True)
class Change:
    """An account to be disabled, enabled, or logged out everywhere. `id` is kept for a retry."""

    id: UUID
    account_id: AccountId
    by: By


@dataclass(frozen=True, slots=True)
class GroupsChange:
    """Groups an account is to be put into and taken out of. `id` is kept for a retry."""

    id: UUID
    account_id: AccountId
    by: By
    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()

    @property
    def words(self) -> tuple[str, ...]:
        """Each group with a + before it if the account is put into it, a - if it is taken out."""
        return (*(f"+{name}" for name in sorted(self.add)), *(f"-{name}" for name in sorted(self.remove)))


@dataclass(frozen=True, slots=True)
class SessionEndRequest:
    """One session to be ended, with what is below it. `id` is kept for a retry."""

    id: UUID
    account_id: AccountId
    session: SessionId
    by: By


@dataclass(frozen=True, slots=True)
class ProviderLogout:
    """What a provider says is over: one session, or all that were opened through an identity."""

    id: UUID
    account_id: AccountId
    by: By
    key: IdentityKey | None = None
    session: SessionId | None = None


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """What a provider says of the account there that an identity stands for. `id` is the same for a retry."""

    id: UUID
    account_id: AccountId
    key: IdentityKey
    effect: EventEffect
    at: Millis
    """When it happened there."""
    by: By
    """`why` is the event, as a suspension names it."""


@dataclass(frozen=True, slots=True)
class SignedUp:
    """The account exists and may log in."""

    account_id: AccountId
    username: Username


@dataclass(frozen=True, slots=True)
class AlreadyKnown:
    """The identity leads to this account already: go on as at a login, nothing was made."""

    account_id: AccountId


@dataclass(frozen=True, slots=True)
class NameTaken:
    """Another person has the name. The identity stays claimed; ask again, these were free a moment ago."""

    username: Username
    alternatives: tuple[Username, ...]


@dataclass(frozen=True, slots=True)
class BeingFinished:
    """The same identity is being dealt with in another window; try again in half a minute."""

    @property
    def word(self) -> str:
        """As the audit spells it."""
        return "being-finished"


SignUpOutcome: TypeAlias = SignedUp | AlreadyKnown | NameTaken | NameRefused | BeingFinished | Refuse


@dataclass(frozen=True, slots=True)
class Linked:
    """The identity is a way to log in to the account now, or was before."""

    account_id: AccountId

    @property
    def word(self) -> str:
        """As the audit spells it."""
        return "linked"


LinkOutcome: TypeAlias = Linked | BeingFinished | Refuse


@dataclass(frozen=True, slots=True)
class Reached:
    """Done, and the sessions concerned are over."""

    account_id: AccountId

    @property
    def word(self) -> str:
        """As the audit spells it."""
        return "done"


@dataclass(frozen=True, slots=True)
class NotReachedYet:
    """Done, new logins are refused; ending the open sessions is tried again until it succeeds."""

    account_id: AccountId
    detail: str = field(compare=False)
    """What did not answer; for operators."""

    @property
    def word(self) -> str:
        """As the audit spells it."""
        return "sessions-not-reached"


@dataclass(frozen=True, slots=True)
class NotEverywhereYet:
    """Done, and the open sessions are over; a data centre that is away may not know it when it returns.

    It is told again and again until it does; only its own logins could pass until then.
    """

    account_id: AccountId
    detail: str = field(compare=False)
    """What did not answer; for operators."""

    @property
    def word(self) -> str:
        """As the audit spells it."""
        return "not-everywhere-yet"


EndingOutcome: TypeAlias = Reached | NotReachedYet | NotEverywhereYet | Refuse


@dataclass(frozen=True, slots=True)
class Enabled:
    """The account may log in."""

    account_id: AccountId

    @property
    def word(self) -> str:
        """As the audit spells it."""
        return "enabled"


EnableOutcome: TypeAlias = Enabled | Refuse
