"""What the session commands say of open sessions.

A session's id tells which one is meant and opens nothing; tokens are not here to be shown.
"""

from typing import Final

from identity.admin.results import SessionList, SessionShown
from identity.cli.account_sentences import named, plain, short
from identity.cli.saying import aligned
from identity.clock import moment
from identity.sessions.record import Session

_HEAD: Final = ("session", "opened", "last used", "browser", "from", "host", "way")


def table(listed: SessionList) -> list[str]:
    """Return the lines of `list`."""
    if not listed.sessions:
        return [f"{named(listed.account)} is logged in nowhere."]
    return aligned([_HEAD, *map(_row, listed.sessions)])


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


def page(shown: SessionShown) -> list[str]:
    """Return the lines of `show`."""
    session = shown.session
    return [
        f"session      {session.id.hex()}",
        f"kind         {_kind(session)}",
        f"host         {plain(session.host)}",
        f"opened       {moment(session.created_at)}",
        f"last used    {moment(session.active_at)}",
        f"ends         {moment(shown.ends_at)} unless it is used, {moment(session.ends_at)} at the latest",
        f"browser      {plain(session.agent) or 'unknown'}",
        f"from         {plain(session.address) or 'unknown'}",
        f"way          {plain(session.identity)}, proven at {moment(session.auth_at)}",
        f"stays        {'until it ends' if session.persistent else 'until the browser is closed'}",
        *([_DOUBTFUL] if session.doubtful else []),
        *_below(shown),
    ]


def _below(shown: SessionShown) -> list[str]:
    return [
        f"{'below' if not at else '':<13}{short(each.id)}  {plain(each.host)}" for at, each in enumerate(shown.below)
    ]


_DOUBTFUL: Final = (
    "doubtful     a session below it was used in two places; it leads to no application until the next login"
)


def _kind(session: Session) -> str:
    return f"application, below login {short(session.login)}" if session.login else "login"
