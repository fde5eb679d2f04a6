"""Who may enter which application.

Owns the decision that every way of asking about a session goes through (`sessions.checking`), and that a
start code needs too. Pure: everything it looks at is in the session record, so it costs no read. Invariant:
an application without rules lets every logged-in person in, and no rule can make a session count that does not.

    the application's `allow`                    | the person       | may enter
    ---------------------------------------------+------------------+-----------
    left out, or with `everyone`                 | any              | yes
    rules, one of which holds (`membership`)     |                  | yes
    rules, none of which holds                   |                  | no
    the login host itself asks, no application   | any              | yes
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from identity.applications.application import Application
from identity.membership.groups import Groups
from identity.membership.rules import PUBLIC, Entrant, any_holds
from identity.sessions.record import Record, Session
from identity.types import ClientId

_FOLDED: Final = 4_096
"""Usernames that are kept folded."""


class EntryRules:
    """The applications' rules.

    Args:
        applications: whose rules they are.
        groups: derives groups.
        fold: what makes usernames equal in any case.
    """

    def __init__(self, applications: Iterable[Application], *, groups: Groups, fold: Callable[[str], str]) -> None:
        self._rules = {app.id: app.allow for app in applications if app.allow != PUBLIC}
        self._groups = groups
        self._fold = lru_cache(maxsize=_FOLDED)(fold)

    def groups(self, record: Record, session: Session) -> tuple[str, ...]:
        """Return all groups of the person, in alphabetical order."""
        if not self._groups.derived:
            return record.groups
        return self._groups.of(record.groups, provider=_provider(session), facts=session.facts)

    def may_enter(self, client: str, record: Record, session: Session, *, groups: tuple[str, ...]) -> bool:
        """Tell whether the person, of these groups, may enter the application; no client is the login host itself."""
        rules = self._rules.get(ClientId(client))
        if rules is None:
            return True
        entrant = Entrant(self._fold(record.username), _provider(session), groups, session.facts)
        return any_holds(rules, entrant)


def _provider(session: Session) -> str:
    return session.identity.partition(":")[0]
