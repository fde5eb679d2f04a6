"""`sessions list`, `show`, `end`: one account's open sessions, from the command line.

Owns these commands and their manual; what they say is in `session_words.py`, what they share with
`accounts` in `account_steps.py`. They work on the configured stores, beside a daemon that may be
running. Invariant: an end goes through the account service, so it is audited before and after,
and kept to be tried again if the session's node does not answer.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from identity.cli import account_steps as steps
from identity.cli import desk
from identity.cli.options import JSON, YES, account_argument, change_options, config_option
from identity.cli.saying import say

if TYPE_CHECKING:
    from identity.accounts.results import By
    from identity.accounts.store import AccountRow
    from identity.opening import Desk
    from identity.sessions.record import Session
    from identity.types import SessionId

_WITHIN = (
    "the sessions are in the daemon's memory, where no command reaches them; their owner sees them on the "
    "account page, and with [sessions] store = memcached this command does"
)
_FULL = 32
_SHORTEST = 4


@click.command(name="list", short_help="Show where an account is logged in.")
@config_option
@account_argument
@JSON
def list_sessions(path: Path, account: str, how: str | None, *, as_json: bool) -> None:
    """Show the open sessions of ACCOUNT, the newest login first; those of applications below their login.

    The browser and the network are what the session's owner sees on the account page, too; the full
    address of each login is in the audit (`accounts show`).

    \b
    Examples:
      identityd.py sessions list alice
      identityd.py sessions list github:583231 --json
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli import session_words as words

    with steps.opened(path) as at:
        row = steps.found(at, account, how).account
        alive = _alive(at, row)
        say(json.dumps(words.listed_object(row, alive)) if as_json else "\n".join(words.table(row, alive)))


@click.command(short_help="Show everything about a session.")
@config_option
@account_argument
@click.argument("session")
@JSON
def show(path: Path, account: str, how: str | None, session: str, *, as_json: bool) -> None:
    """Show what is known of SESSION of ACCOUNT.

    SESSION is what `sessions list` prints, the whole id (in the audit, too) or its beginning.

    \b
    Example:
      identityd.py sessions show alice 4f1a09c2
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli import session_words as words

    with steps.opened(path) as at:
        row = steps.found(at, account, how).account
        alive = _alive(at, row)
        found = _named(session, row, alive)
        if as_json:
            say(json.dumps(words.session_object(found)))
        else:
            say("\n".join(words.page(found, alive, idle_ms=at.idle_ms)))


@click.command(short_help="End one session of an account, or all.")
@config_option
@account_argument
@click.argument("session", required=False)
@click.option("--all", "everything", is_flag=True, help="End every session of the account.")
@YES
@change_options
def end(path: Path, account: str, how: str | None, session: str | None, **given: Any) -> None:  # noqa: ANN401 - options
    """End SESSION of ACCOUNT, and the applications' sessions below it; or with --all every session.

    The next request of that browser is sent to the login page. Whoever is logged out may log in again
    at once; `accounts disable` is for those who may not. SESSION is as of `sessions show`; while its
    memcached node does not answer, only the whole id (32 digits) says which one is meant.

    With sessions in the daemon's memory the daemon ends them within about 5 seconds, and SESSION must
    be the whole id.

    \b
    Exit codes:
      0    done
      1    refused, not found, or a store is away; the message says which, and whether anything was changed
      2    the configuration or the command line is wrong; nothing was changed
      3    kept to be ended: the session could not be reached yet, the daemon goes on trying

    \b
    Examples:
      identityd.py sessions end alice 4f1a09c2 --reason "ticket 4711: left open in the library"
      identityd.py sessions end alice --all --reason "ticket 4712" --yes
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    if (session is None) is not given["everything"]:
        raise click.UsageError("say which: SESSION, as `sessions list` shows it, or --all")
    by = steps.by(given, yes=given["yes"])
    with steps.opened(path) as at:
        row = steps.found(at, account, how).account
        if session is None:
            _end_all(at, row, by, yes=given["yes"])
        else:
            _end_one(at, row, session, by, yes=given["yes"])


def _end_all(at: "Desk", row: "AccountRow", by: "By", *, yes: bool) -> None:
    from uuid import uuid4

    from identity.accounts.results import Change
    from identity.cli.account_words import named

    desk.confirm(f"Every open session of {named(row)} ends; they may log in again.", yes=yes)
    request = Change(uuid4(), row.key, by)
    done = steps.attempted(lambda: at.accounts.end_everywhere(request))
    steps.ended(at, done, row, f"{named(row)} is logged out everywhere")


def _end_one(at: "Desk", row: "AccountRow", text: str, by: "By", *, yes: bool) -> None:
    from uuid import uuid4

    from identity.accounts.results import EndSession
    from identity.cli.account_words import named
    from identity.cli.session_words import short

    session_id = _meant(at, row, text)
    what = f"session {short(session_id)} of {named(row)}"
    desk.confirm(f"The {what} ends, with those of applications below it.", yes=yes)
    request = EndSession(uuid4(), row.key, session_id, by)
    steps.session_ended(at, steps.attempted(lambda: at.accounts.end_session(request)), what)


def _meant(at: "Desk", row: "AccountRow", text: str) -> "SessionId":
    """Return which session is meant. A whole id is believed where nobody can be asked."""
    from identity.errors import StoreError
    from identity.types import SessionId

    whole = len(text) == _FULL and _is_hex(text)
    if at.sessions is None:
        if not whole:
            steps.refuse(f"{_WITHIN}. To end one anyway give its whole id, as the audit has it, or --all.")
        return SessionId(bytes.fromhex(text))
    try:
        return _named(text, row, at.sessions.alive(row.key)).id
    except StoreError as error:
        if not whole:
            steps.refuse(f"{_trouble(error)} Nothing was changed; a whole id (32 digits) is kept to be ended.")
        return SessionId(bytes.fromhex(text))


def _alive(at: "Desk", row: "AccountRow") -> "tuple[Session, ...]":
    """Return the open sessions. Ends with exit code 1 when nobody can say."""
    from identity.errors import StoreError

    if at.sessions is None:
        steps.refuse(f"{_WITHIN}.")
    try:
        return at.sessions.alive(row.key)
    except StoreError as error:
        steps.refuse(_trouble(error))


def _trouble(error: Exception) -> str:
    from identity.errors import StoreCorrupt

    if isinstance(error, StoreCorrupt):
        return (
            "the account's session record was not written by this installation and is not believed; "
            "`sessions end ACCOUNT --all` replaces it."
        )
    return "the memcached node that holds this account's sessions does not answer; `check-config` says more."


def _named(text: str, row: "AccountRow", alive: "tuple[Session, ...]") -> "Session":
    """Return the open session whose id begins so. Ends with exit code 1 if there is none, or are several."""
    from identity.cli.account_words import named, plain

    if len(text) < _SHORTEST or not _is_hex(text):
        raise click.UsageError(f"SESSION: at least {_SHORTEST} digits of what `sessions list` shows")
    found = [each for each in alive if each.id.hex().startswith(text.lower())]
    if not found:
        steps.refuse(f"{named(row)} has no open session {plain(text)}. Nothing was changed.")
    if len(found) > 1:
        steps.refuse(f"{len(found)} open sessions begin with {plain(text)}; give more of it. Nothing was changed.")
    return found[0]


def _is_hex(text: str) -> bool:
    return all(c in "0123456789abcdefABCDEF" for c in text)
