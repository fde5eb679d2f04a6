"""What the session commands say: lines for people, objects for programs.

Owns every sentence about a session and the field names of `--json` (docs/operations.md lists
them). A session's id tells which one is meant and opens nothing; tokens are not here to be shown.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from identity.accounts.store import AccountRow
from identity.cli.account_words import named, plain
from identity.cli.files import moment
from identity.sessions.record import Session
from identity.types import Millis, SessionId

_SHOWN: Final = 8
_HEAD: Final = ("session", "opened", "last used", "browser", "from", "host", "way")


def short(session: SessionId) -> str:
    """Return how sentences speak of a session: enough of its id to tell a few dozen apart."""
    return session.hex()[:_SHOWN]


def table(account: AccountRow, alive: Sequence[Session]) -> list[str]:
    """Return the lines of `list`."""
    if not alive:
        return [f"{named(account)} is logged in nowhere."]
    rows = [_HEAD, *(_row(session) for session in ordered(alive))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def ordered(alive: Sequence[Session]) -> Iterator[Session]:
    """Yield the logins as they come, each with the sessions below it behind it."""
    for login in alive:
        if login.login is None:
            yield login
            yield from (each for each in alive if each.login == login.id)


def _row(session: Session) -> tuple[str, ...]:
    return (
        f"{'  ' if session.login else ''}{short(session.id)}",
        moment(session.created_at),
        moment(session.active_at),
        plain(session.agent) or "unknown",
        plain(session.address) or "unknown",
        plain(session.host),
        plain(session.identity),
    )


def page(session: Session, alive: Sequence[Session], *, idle_ms: Millis) -> list[str]:
    """Return the lines of `show`."""
    below = [each for each in alive if each.login == session.id]
    ends = min(session.ends_at, session.active_at + idle_ms)
    return [
        f"session      {session.id.hex()}",
        f"kind         {_kind(session)}",
        f"host         {plain(session.host)}",
        f"opened       {moment(session.created_at)}",
        f"last used    {moment(session.active_at)}",
        f"ends         {moment(ends)} unless it is used, {moment(session.ends_at)} at the latest",
        f"browser      {plain(session.agent) or 'unknown'}",
        f"from         {plain(session.address) or 'unknown'}",
        f"way          {plain(session.identity)}, proven at {moment(session.auth_at)}",
        f"stays        {'until it ends' if session.persistent else 'until the browser is closed'}",
        *([_DOUBTFUL] if session.doubtful else []),
        *(f"{'below' if not at else '':<13}{short(each.id)}  {plain(each.host)}" for at, each in enumerate(below)),
    ]


_DOUBTFUL: Final = (
    "doubtful     a session below it was used in two places; it leads to no application until the next login"
)


def _kind(session: Session) -> str:
    return f"application, below login {short(session.login)}" if session.login else "login"


def listed_object(account: AccountRow, alive: Sequence[Session]) -> dict[str, Any]:
    """Return the object of `list --json`."""
    return {
        "account_id": str(account.key),
        "username": account.username,
        "sessions": [session_object(session) for session in ordered(alive)],
    }


def session_object(session: Session) -> dict[str, Any]:
    """Return the object of `show --json`, and each of those of `list --json`."""
    return {
        "session": session.id.hex(),
        "login": session.login.hex() if session.login else None,
        "host": session.host,
        "opened_at": moment(session.created_at),
        "active_at": moment(session.active_at),
        "authenticated_at": moment(session.auth_at),
        "ends_at": moment(session.ends_at),
        "identity": session.identity,
        "browser": session.agent,
        "from": session.address,
        "persistent": session.persistent,
        "doubtful": session.doubtful,
    }
