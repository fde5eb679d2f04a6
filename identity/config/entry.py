"""Who may enter which application, as it is configured, and whether the rules can be meant so.

Owns one function per check, as `rules.py`, of which these are a part. Pure.
"""

from collections.abc import Iterator

from identity.accounts.usernames import fold
from identity.applications.entry import EntryRules
from identity.config.model import Config
from identity.membership.facts import ANY
from identity.membership.groups import Groups
from identity.membership.rules import FactRule, MemberRule, ProviderRule


def entry_rules(config: Config) -> EntryRules:
    """Return who may enter which application."""
    return EntryRules(config.apps, groups=Groups(config.groups), fold=fold)


def known_providers(config: Config) -> Iterator[str]:
    """A rule about a provider that is not there holds of no person, and looks as if it did."""
    known = {section.name for section in config.providers}
    for where, rules in _everywhere(config):
        for rule in rules:
            named = rule.provider if isinstance(rule, ProviderRule) else ""
            named = rule.fact.provider if isinstance(rule, FactRule) and rule.fact.provider != ANY else named
            if named and named not in known:
                there = f"there are {', '.join(sorted(known))}" if known else "there is none"
                yield f"{where}: {rule} names no configured provider; {there}"


def _everywhere(config: Config) -> Iterator[tuple[str, tuple[MemberRule, ...]]]:
    """Yield every option that holds rules."""
    for app in config.apps:
        yield f"[app:{app.id}] allow", app.allow
    for name, members in config.groups.items():
        yield f"[group:{name}] members", members
