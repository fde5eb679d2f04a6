"""The operator's settings that every step of a login depends on."""

from collections.abc import Callable
from dataclasses import dataclass, field

from identity.accounts.usernames import NamePolicy
from identity.errors import NotFound
from identity.login.admission import Admission
from identity.login.staying import Stay
from identity.membership.facts import Asked


@dataclass(frozen=True, slots=True)
class LoginRules:
    """The operator's settings that logins depend on."""

    public_url: str
    """Scheme and host of the login host, without a trailing slash."""
    enabled: Callable[[str], bool]
    """Tells whether a provider of this name is configured and switched on."""
    origins: frozenset[str] = frozenset()
    """Scheme and host of applications a login may lead to."""
    stay: Stay = Stay.ASK
    """Whether logins outlive the browser."""
    admission: Admission = field(default_factory=Admission)
    """Who may have an account."""
    facts: Asked = ()
    """What rules ask about; nothing else that a provider says is kept for them."""
    names: NamePolicy = field(default_factory=NamePolicy)
    """Which usernames may be chosen; for the form, the account service decides."""


def provider_unknown() -> NotFound:
    """Return the error for a provider that is not configured, or was switched off (THREATS 22)."""
    public = "There is no login provider of this name here, or it was switched off. Choose another way to log in."
    return NotFound("provider-unknown", public=public)
