"""The groups of a logged-in person.

Owns how two sources become one list. Pure.

    source                                          | takes effect          | kept in
    ------------------------------------------------+-----------------------+-----------------------
    an operator (`identityd.py groups`)             | at the next check     | the account's row, and
                                                    |                       | the session record
    `[group:…] members`: rules about what a         | at the next login:    | the session, as the
    provider said at the login                      | it is asked then only | facts it said
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from identity.membership.rules import Entrant, FactRule, ProviderRule, any_holds

MOST: Final = 32
"""Groups that an operator can put one account into."""

GroupRules: TypeAlias = Mapping[str, Sequence[ProviderRule | FactRule]]
"""By group, what makes a member of whom a provider speaks."""


class Groups:
    """The configured groups.

    Args:
        rules: who is a member by what a provider said.
    """

    def __init__(self, rules: GroupRules) -> None:
        self._rules = rules
        self.derived: Final = bool(rules)
        """Whether any group follows from what providers say."""
        self._derived = lru_cache(maxsize=4_096)(self._derive)

    def of(self, own: tuple[str, ...], *, provider: str, facts: tuple[str, ...]) -> tuple[str, ...]:
        """Return all groups in alphabetical order: those an operator keeps, and those that follow."""
        return tuple(sorted({*own, *self._derived(provider, facts)}))

    def _derive(self, provider: str, facts: tuple[str, ...]) -> tuple[str, ...]:
        member = Entrant("", provider, (), facts)
        return tuple(group for group, rules in self._rules.items() if any_holds(rules, member))
