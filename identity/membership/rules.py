"""Rules of the configuration about a logged-in person, and whether they hold.

Owns the words and what each asks. Pure. Rules are alternatives: one that holds is enough.

    word                        | holds of
    ----------------------------+----------------------------------------------------------------
    `everyone`                  | every logged-in person
    `user:ann`                  | the account of this username, in any case
    `group:staff`               | members of the group, wherever their membership comes from
    `provider:google`           | a session that was opened through this provider
    `provider:google/hd=a.com`  | a session that was opened through it, of whose person it said so then
    `provider:*/tenant=1b1f…`   | the same, whichever provider it was
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from identity.membership.facts import Fact, read_fact

EVERYONE: Final = "everyone"
_GROUP: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_PROVIDER: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_USER: Final = re.compile(r"[^\s,:]{1,64}")


@dataclass(frozen=True, slots=True)
class Entrant:
    """Who wants to enter."""

    username_key: str
    """Folded, so that it is compared in any case."""
    provider: str
    """Through which the session was opened."""
    groups: Collection[str]
    facts: Collection[str]
    """What the provider said then, as of `facts.kept`."""


@dataclass(frozen=True, slots=True)
class Everyone:
    """Holds of every logged-in person."""

    def holds(self, entrant: Entrant) -> bool:  # noqa: ARG002, as the others
        """Tell whether it holds."""
        return True

    def __str__(self) -> str:
        return EVERYONE


@dataclass(frozen=True, slots=True)
class UserRule:
    """Holds of one account."""

    username_key: str

    def holds(self, entrant: Entrant) -> bool:
        """Tell whether it holds."""
        return entrant.username_key == self.username_key

    def __str__(self) -> str:
        return f"user:{self.username_key}"


@dataclass(frozen=True, slots=True)
class GroupRule:
    """Holds of a group's members."""

    group: str

    def holds(self, entrant: Entrant) -> bool:
        """Tell whether it holds."""
        return self.group in entrant.groups

    def __str__(self) -> str:
        return f"group:{self.group}"


@dataclass(frozen=True, slots=True)
class ProviderRule:
    """Holds of sessions that were opened through one provider."""

    provider: str

    def holds(self, entrant: Entrant) -> bool:
        """Tell whether it holds."""
        return entrant.provider == self.provider

    def __str__(self) -> str:
        return f"provider:{self.provider}"


@dataclass(frozen=True, slots=True)
class FactRule:
    """Holds of sessions in whose login a provider said something."""

    fact: Fact

    def holds(self, entrant: Entrant) -> bool:
        """Tell whether it holds."""
        return str(self.fact) in entrant.facts

    def __str__(self) -> str:
        return f"provider:{self.fact}"


MemberRule: TypeAlias = Everyone | UserRule | GroupRule | ProviderRule | FactRule
PUBLIC: Final[tuple[MemberRule, ...]] = (Everyone(),)


def any_holds(rules: Iterable[MemberRule], entrant: Entrant) -> bool:
    """Tell whether one of the rules holds."""
    return any(rule.holds(entrant) for rule in rules)


def facts_asked(rules: Iterable[MemberRule]) -> Iterator[Fact]:
    """Yield the facts that rules ask about."""
    return (rule.fact for rule in rules if isinstance(rule, FactRule))


def read_rule(text: str, *, fold: Callable[[str], str]) -> MemberRule:
    """Read one word. Raises ValueError with a sentence that says what to write."""
    if text == EVERYONE:
        return Everyone()
    kind, _, rest = text.partition(":")
    if kind == "user" and _USER.fullmatch(rest):
        return UserRule(fold(rest))
    if kind == "group":
        return GroupRule(read_group(rest))
    if kind == "provider":
        return read_provider_rule(text)
    raise ValueError(
        f"{text!r} is not one of: everyone, user:NAME, group:NAME, provider:NAME, provider:NAME/FACT=VALUE"
    )


def read_provider_rule(text: str) -> ProviderRule | FactRule:
    """Read a word about providers. Raises ValueError with a sentence that says what to write."""
    kind, _, rest = text.partition(":")
    if kind != "provider":
        raise ValueError(f"{text!r} is not provider:NAME or provider:NAME/FACT=VALUE")
    if _PROVIDER.fullmatch(rest):
        return ProviderRule(rest)
    return FactRule(read_fact(rest))


def read_group(text: str) -> str:
    """Return a group's name. Raises ValueError with a sentence that says what to write."""
    if not _GROUP.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a group: a-z, 0-9 and -, at most 32 characters")
    return text
