"""What the account commands ask whoever types them: who, why, and whether really.

Owns the questions on a terminal, and the refusals where nobody is there to answer. Must not
open anything. Invariant: no change without an actor and a reason that fit the audit.
"""

import os
import pwd
import sys
from typing import Final

import click

from identity.cli.saying import say

REASON: Final = 500
"""Most characters of a reason."""
ACTOR: Final = 64


def watched() -> bool:
    """Tell whether somebody is there to be asked."""
    return sys.stdin.isatty()


def actor(given: str | None) -> str:
    """Return who is named in the audit: `--as`, else who called sudo, else the system's user.

    Whoever may write the accounts may write this too: it tells colleagues apart, it proves nothing.

    Raises:
        UsageError: the name is empty, too long, or holds what a log line must not.
    """
    name = given if given is not None else os.environ.get("SUDO_USER") or _system_user()
    if not 1 <= len(name) <= ACTOR or not name.isprintable() or " " in name:
        raise click.UsageError(f"--as: 1 to {ACTOR} printable characters without a space")
    return f"operator:{name}"


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
    text = " ".join(given.split())
    if not 1 <= len(text) <= REASON or not text.isprintable():
        raise click.UsageError(f"--reason: 1 to {REASON} printable characters")
    return text


def may_ask(*, yes: bool) -> None:
    """Refuse early where a confirmation is wanted and nobody can give it. Raises UsageError."""
    if not yes and not watched():
        raise click.UsageError("this takes access away; nobody is at a terminal to confirm it: add --yes")


def confirm(what: str, *, yes: bool) -> None:
    """Show what will happen and ask, unless it was confirmed on the command line. Ends with exit code 1 on no."""
    if yes:
        return
    say(what, err=True)
    if not click.confirm("Do it?", err=True):
        raise click.ClickException("Nothing was changed.")
