"""What the login service is given and what it answers.

Owns the values between the handlers and the service; every expected outcome is one of them and is
consumed with `match`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from identity.accounts.cases import AlreadyLinked
from identity.accounts.linking import Refusal
from identity.accounts.usernames import NameProblem
from identity.login.flow import Flow, SignUpRecord
from identity.sessions.check import Check
from identity.sessions.service import Opened
from identity.types import Username
from providers.base import LoginStart


@dataclass(frozen=True, slots=True)
class Visit:
    """The request a step came with."""

    jar: Check
    """The browser's cookies; its agent and address are summaries, as sessions keep them."""
    address: str
    """The full address, for the audit."""
    request_id: str


@dataclass(frozen=True, slots=True)
class Started:
    """A login about to be sent to its provider."""

    flow: Flow
    start: LoginStart


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The session is open."""

    opened: Opened
    return_to: str


@dataclass(frozen=True, slots=True)
class NeedsUsername:
    """The identity leads to no account yet: a sign-up was begun for this browser."""

    reference: str = field(repr=False)
    """Names the sign-up; worth nothing without the binding cookie."""
    binding: str = field(repr=False)
    """What that cookie must hold: the sign-up, sealed."""


@dataclass(frozen=True, slots=True)
class ConfirmLink:
    """The identity is free: its person must confirm that it becomes one more way to log in."""

    reference: str = field(repr=False)
    """Names the link; worth nothing without the binding cookie and the session."""
    binding: str = field(repr=False)
    """What that cookie must hold: the link, sealed."""


@dataclass(frozen=True, slots=True)
class LoginDenied:
    """The person was proven and may not log in."""

    reason: Refusal


@dataclass(frozen=True, slots=True)
class LoginBusy:
    """The same identity is being dealt with in another window; try again in half a minute."""


@dataclass(frozen=True, slots=True)
class OtherAccount:
    """The person was proven, and is not the one who had to prove to be there; the session is as it was."""


@dataclass(frozen=True, slots=True)
class UsernameForm:
    """What the username form shows first."""

    record: SignUpRecord
    suggestion: Username | None
    """None if nothing that the provider calls the person can be one."""


@dataclass(frozen=True, slots=True)
class AskAgain:
    """The name cannot be had; the sign-up goes on and these names were free a moment ago."""

    record: SignUpRecord
    problem: NameProblem | None
    """None: another person has the name."""
    alternatives: Sequence[Username] = ()


LinkBegun: TypeAlias = ConfirmLink | AlreadyLinked | LoginDenied | LoginBusy
Finished: TypeAlias = LoggedIn | NeedsUsername | OtherAccount | LinkBegun
Chosen: TypeAlias = LoggedIn | AskAgain | LoginDenied | LoginBusy
