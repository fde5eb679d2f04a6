"""What the account commands ask the operator: who, why, and whether really.

Owns the questions on a terminal, and the refusals where there is no terminal to answer on. Must not
open anything. Invariant: no change without an actor and a reason that fit the audit.
"""

import os
import pwd
import sys

import click

from identity.cli.failing import NOT_CONFIRMED, CommandFailed, MisusedCommand
from identity.cli.saying import say


def watched() -> bool:
    """Tell whether an operator is at a terminal to be asked."""
    return sys.stdin.isatty()


def actor(given: str | None) -> str:
    """Return who is named in the audit: `--as`, else who called sudo, else the system's user.

    An operator who may write the accounts may write this too: it tells colleagues apart, it proves nothing.

    Raises:
        UsageError: the name is empty, too long, or holds what a log line must not.
    """
    from identity.admin import requests
    from identity.errors import BadInput

    try:
        return requests.actor(given if given is not None else shell_user())
    except BadInput as error:
        raise click.UsageError(f"--as: {error.public}") from None


def shell_user() -> str:
    """Return who called sudo, else the system's user."""
    return os.environ.get("SUDO_USER") or _system_user()


def _system_user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def reason(given: str | None) -> str:
    """Return why, in one line; asks on a terminal. Raises UsageError."""
    if given is None and watched():
        given = str(click.prompt("Why? (goes into the audit)", err=True))
    if given is None:
        raise click.UsageError('a change needs a reason for the audit: add --reason "…"')
    from identity.admin import requests
    from identity.errors import BadInput

    try:
        return requests.reason(given)
    except BadInput as error:
        raise click.UsageError(f"--reason: {error.public}") from None


def may_ask(*, yes: bool) -> None:
    """Refuse early where a confirmation is wanted and there is no terminal. Raises UsageError."""
    if not yes and not watched():
        raise MisusedCommand("this takes access away; nobody is at a terminal to confirm it: add --yes", NOT_CONFIRMED)


def confirm(what: str, *, yes: bool) -> None:
    """Show what will happen and ask, unless it was confirmed on the command line. Ends with exit code 1 on no."""
    if yes:
        return
    say(what, err=True)
    if not click.confirm("Do it?", err=True):
        raise CommandFailed("Nothing was changed.", NOT_CONFIRMED)
