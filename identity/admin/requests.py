"""What the operator's service is asked.

Owns one frozen value for each operation, and what fits the audit as an operator's name and reason.
Every request says who asks; `by.why` is empty where nothing is changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

from identity.accounts.results import By
from identity.admin.naming import How
from identity.admin.results import Effect
from identity.errors import BadInput

ACTOR_CHARS: Final = 64
REASON_CHARS: Final = 500

Told: TypeAlias = Callable[[Effect], None]
"""Hears what is about to be changed, and stops it by raising."""


@dataclass(frozen=True, slots=True)
class AccountName:
    """How an operator names an account."""

    text: str
    how: How | None = None
    """As what the text is to be read; None for whatever it can mean."""


@dataclass(frozen=True, slots=True)
class IdentityName:
    """How an operator names an identity."""

    text: str
    exact: bool = False
    """Spelt exactly as identityd shows it."""


@dataclass(frozen=True, slots=True)
class AccountQuestion:
    """An account to be found, or its sessions to be listed."""

    account: AccountName
    by: By


@dataclass(frozen=True, slots=True)
class ListAccounts:
    """A page of accounts whose username begins so: at most `limit`, those behind the name `after`."""

    prefix: str
    after: str | None
    limit: int
    by: By


@dataclass(frozen=True, slots=True)
class ApplicationsQuestion:
    """The registered applications to be listed."""

    by: By


@dataclass(frozen=True, slots=True)
class InspectAccount:
    """An account to be shown with so many of its latest audit rows."""

    account: AccountName
    by: By
    events: int


@dataclass(frozen=True, slots=True)
class SessionQuestion:
    """A session to be shown; `session` is the beginning of its id in hex."""

    account: AccountName
    session: str
    by: By


@dataclass(frozen=True, slots=True)
class ChangeAccount:
    """An account to be disabled, enabled, or logged out everywhere. `id` is kept for a retry."""

    id: UUID
    account: AccountName
    by: By


@dataclass(frozen=True, slots=True)
class ChangeAccountGroups:
    """Groups an account is to be put into and taken out of. `id` is kept for a retry."""

    id: UUID
    account: AccountName
    by: By
    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GroupQuestion:
    """The accounts in a group to be listed."""

    group: str
    by: By


@dataclass(frozen=True, slots=True)
class LinkIdentity:
    """An identity to be given to an account. `id` is kept for a retry."""

    id: UUID
    account: AccountName
    identity: IdentityName
    label: str
    any_provider: bool
    """Link it although no provider of that name is configured."""
    by: By


@dataclass(frozen=True, slots=True)
class UnlinkIdentity:
    """An identity to be taken from an account. `id` is kept for a retry."""

    id: UUID
    account: AccountName
    identity: IdentityName
    by: By


@dataclass(frozen=True, slots=True)
class EndOneSession:
    """A session to be ended with those below it; `session` is (the beginning of) its id in hex."""

    id: UUID
    account: AccountName
    session: str
    by: By


def actor(name: str) -> str:
    """Return how the audit names an operator. Raises BadInput `bad-operator-name`."""
    if not 1 <= len(name) <= ACTOR_CHARS or not name.isprintable() or " " in name:
        raise BadInput("bad-operator-name", public=f"1 to {ACTOR_CHARS} printable characters without a space")
    return f"operator:{name}"


def reason(text: str) -> str:
    """Return a reason in one line. Raises BadInput `bad-reason`."""
    line = " ".join(text.split())
    if not 1 <= len(line) <= REASON_CHARS or not line.isprintable():
        raise BadInput("bad-reason", public=f"1 to {REASON_CHARS} printable characters")
    return line
