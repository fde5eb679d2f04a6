"""The options about who is a member of what, and who may enter.

Owns the sections `[group:…]` and the types of options that hold rules. What a rule means is
`identity.membership`'s; whether what it names is configured, `entry`'s.
"""

from dataclasses import dataclass
from typing import Final

from identity.accounts.usernames import fold
from identity.membership.rules import FactRule, MemberRule, ProviderRule, read_provider_rule, read_rule
from options.option import option
from options.types import OptionType, many

MOST_RULES: Final = 64
"""Rules of one option; each is looked at in each check."""


def _read_rule(text: str) -> MemberRule:
    return read_rule(text, fold=fold)


def _few(kind: OptionType[tuple[MemberRule, ...]]) -> OptionType[tuple[MemberRule, ...]]:
    def read(given: str) -> tuple[MemberRule, ...]:
        found = kind.read(given)
        if not found:
            raise ValueError("needs at least one rule; write everyone to let every logged-in person in")
        if len(found) > MOST_RULES:
            raise ValueError(f"has more than {MOST_RULES} rules; make a group of them")
        return found

    return OptionType(kind.name, read)


entry_rules: Final = _few(many("rules", _read_rule))
provider_rules: Final = many("provider rules", read_provider_rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSection:
    """One `[group:<name>]`: a group whose members follow from what providers say at a login."""

    members: tuple[ProviderRule | FactRule, ...] = option(
        provider_rules,
        (),
        "Who is a member, as provider:NAME or provider:NAME/FACT=VALUE, for example provider:google/hd=example.com; "
        "others are added with `identityd.py groups`.",
    )
