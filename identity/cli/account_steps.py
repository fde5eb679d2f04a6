"""The steps that the account commands share: opening, finding, saying how it ended.

Owns the exit codes of `identityd.py accounts` and what is said when something is in the way.
Must not change anything itself.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click

from identity.cli import desk
from identity.cli.saying import say

if TYPE_CHECKING:
    from identity.accounts.finding import Found
    from identity.accounts.linking import Refusal
    from identity.accounts.results import By, EndingOutcome
    from identity.accounts.store import AccountRow
    from identity.errors import StoreError
    from identity.opening import Desk
    from identity.types import IdentityKey

T = TypeVar("T")

UNREACHED: Final = 3
"""Exit code when a change is done and some sessions could not be reached yet."""


@contextmanager
def opened(path: Path) -> Iterator["Desk"]:
    """Open the stores for one command. Ends with exit code 1 when the account store is away."""
    from identity import config, log
    from identity.errors import StoreError
    from identity.opening import now, open_desk

    # The kind `demo` may be named here: nothing is served, and its accounts want looking after too.
    read = config.load(path, environ=os.environ, demo=True)
    # A driver would say the same as the message below, and a traceback with it.
    log.configure(level="error", form="text", secrets=read.secrets(), only="identity")
    with ExitStack() as closing:
        try:
            at = open_desk(read, now, closing)
            at.store.probe()
            yield at
        except StoreError as error:
            kind = read.accounts.store.value
            refuse(f"the account store ({kind}) cannot be used: {_detail(error)}. Nothing was changed.")


def _detail(error: "StoreError") -> str:
    return error.detail or error.code


def attempted(change: Callable[[], T]) -> T:
    """Make a change. Ends with exit code 1 when the store goes away in the middle of it."""
    from identity.errors import StoreError

    try:
        return change()
    except StoreError as error:
        raise click.ClickException(
            f"the account store went away: {_detail(error)}. How far the change got is not known; "
            "give the same command again, it goes on from there."
        ) from None


def by(given: dict[str, Any], *, yes: bool = True) -> "By":
    """Return who asks, and why. Raises UsageError."""
    from identity.accounts.results import By

    desk.may_ask(yes=yes)
    who = desk.actor(given["who"])
    return By(who, why=desk.reason(given["why"]))


def found(at: "Desk", text: str, how: str | None) -> "Found":
    """Return the account that is named. Ends with exit code 1 when there is none, or several."""
    from identity.accounts.finding import Found, find
    from identity.accounts.naming import How
    from identity.cli.account_words import named, not_found, plain

    match find(at.store, text, how=How(how) if how else None):
        case Found(former=True) as found:
            say(f"{plain(text)} is a name that {named(found.account)} gave up.", err=True)
            return found
        case Found() as found:
            return found
        case missed:
            raise click.ClickException(not_found(text, missed))


def identity(at: "Desk", text: str, *, exact: bool, listed: "AccountRow | None" = None) -> "IdentityKey":
    """Return the one identity a text means: where it can mean two, the one that is listed or known.

    Raises:
        UsageError: it means none, or nobody can tell which.
    """
    from identity.accounts.naming import identities
    from identity.cli.account_words import plain

    meant = identities(text, exact=exact)
    if len(meant) > 1:
        known = listed.identities if listed else {key for key in meant if at.store.identities.read_settled(key)}
        meant = tuple(key for key in meant if key in known) or meant
    match meant:
        case (key,):
            return key
        case ():
            raise click.UsageError(
                f"{plain(text)} is no identity: write provider:id, with %, : and control characters "
                "of the id percent-encoded, as identityd shows it"
            )
        case _:
            either = " or ".join(plain(key) for key in meant)
            raise click.UsageError(
                f"{plain(text)} can mean {either}: write the second so, or add --exact for the first"
            )


def known_provider(at: "Desk", key: "IdentityKey", *, force: bool) -> None:
    """Refuse an identity of a provider that is not configured: probably a slip of the fingers."""
    provider = key.partition(":")[0]
    if provider in at.providers or force:
        return
    known = ", ".join(sorted(at.providers)) or "none"
    refuse(
        f"no provider is called {provider}; configured: {known}. Nothing was changed; --force links it all the same."
    )


def ended(at: "Desk", done: "EndingOutcome", row: "AccountRow", what: str, *, key: str = "") -> None:
    """Say how far the sessions were ended; exit code 3 if some were not reached yet."""
    from identity.accounts.linking import Refuse
    from identity.accounts.results import NotEverywhereYet, NotReachedYet, Reached

    which = "the sessions opened through it" if key else "its open sessions"
    match done:
        case Reached():
            say(f"{what}, and {which} have ended.")
        case NotReachedYet() if at.sessions_within:
            say(f"{what}; the running daemon ends {which} within about 5 seconds.")
        case NotReachedYet(detail=detail):
            say(f"{what}.")
            say(
                f"Warning: {which} could not be reached yet ({detail}). The daemon goes on trying, and uses a node "
                "that comes back only when they have ended.",
                err=True,
            )
            raise SystemExit(UNREACHED)
        case NotEverywhereYet(detail=detail):
            say(f"{what}, and {which} have ended.")
            say(
                f"Warning: not every data centre of the account store knows it yet ({detail}). The daemon goes on "
                "telling them; a data centre that returns may let a login in until it has heard.",
                err=True,
            )
            raise SystemExit(UNREACHED)
        case Refuse(reason):
            refused(reason, row, key)


def session_ended(at: "Desk", done: "EndingOutcome", what: str) -> None:
    """Say how far the end of one session got; exit code 3 if it was not reached yet."""
    from identity.accounts.results import NotReachedYet

    match done:
        case NotReachedYet() if at.sessions_within:
            say(f"The running daemon ends {what} within about 5 seconds.")
        case NotReachedYet(detail=detail):
            say(
                f"Warning: {what} could not be reached yet ({detail}). The daemon goes on trying, and uses a node "
                "that comes back only when it has ended.",
                err=True,
            )
            raise SystemExit(UNREACHED)
        case _:
            say(f"{what[0].upper()}{what[1:]} has ended.")


def refused(reason: "Refusal", row: "AccountRow", key: str = "") -> NoReturn:
    """Say why a change was refused. Ends with exit code 1."""
    from identity.cli import account_words as words

    refuse(words.refused(reason, row, key))


def refuse(text: str) -> NoReturn:
    """End with exit code 1."""
    raise click.ClickException(text)
