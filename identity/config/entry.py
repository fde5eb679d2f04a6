"""Who may enter which application, as it is configured, and whether the rules can be meant so.

Owns one function per check, as `rules.py`, of which these are a part. Pure.
"""

from collections.abc import Iterator
from typing import Final

from identity.accounts.usernames import fold
from identity.applications.application import Application
from identity.applications.entry import EntryRules
from identity.config.model import Config
from identity.login.admission import Admission, SignUpMode
from identity.membership.facts import ANY, CLAIM, MOST, Fact
from identity.membership.groups import Groups
from identity.membership.rules import PUBLIC, FactRule, MemberRule, ProviderRule
from identity.membership.rules import facts_asked as rules_facts
from providers import REGISTRY

_WRITTEN: Final = frozenset(f"{CLAIM}{name}" for name in ("email", "upn", "preferred_username", "unique_name"))
"""Claims that name a person, and that no provider promises to have checked."""


def entry_rules(config: Config) -> EntryRules:
    """Return who may enter which application."""
    return EntryRules(config.apps, groups=Groups(config.groups), fold=fold)


def facts_asked(config: Config) -> tuple[tuple[Fact, ...], ...]:
    """Return the facts that rules ask about, for each option that holds rules."""
    return tuple(facts for _, rules in _everywhere(config) if (facts := tuple(rules_facts(rules))))


def admission(config: Config) -> Admission:
    """Return who may have an account."""
    return Admission(config.accounts.sign_up, config.accounts.rules, config.accounts.rules_at, config.accounts.approval)


def sign_up_rules(config: Config) -> Iterator[str]:
    """Rules without their mode look as if they kept strangers out; the mode without rules lets in no person."""
    accounts = config.accounts
    if accounts.sign_up is SignUpMode.RULES and not accounts.rules:
        yield "[accounts] rules: is missing; sign_up = rules needs at least one, like provider:google/hd=example.com"
    if accounts.rules and accounts.sign_up is not SignUpMode.RULES:
        yield f"[accounts] sign_up: is {accounts.sign_up.value}, so rules are never asked; write sign_up = rules"
    if accounts.approval and accounts.sign_up in {SignUpMode.INVITED, SignUpMode.CLOSED}:
        mode = accounts.sign_up.value
        yield f"[accounts] approval: no person waits for it with sign_up = {mode}; write no, or sign_up = rules"


def sayable_facts(config: Config) -> Iterator[str]:
    """A rule about what a provider never says holds of no person."""
    kinds = {section.name: REGISTRY[section.kind] for section in config.providers}
    for where, rules in _everywhere(config):
        for fact in rules_facts(rules):
            kind = kinds.get(fact.provider)
            said = CLAIM if fact.name.startswith(CLAIM) else fact.name
            if kind and said not in kind.facts:
                says = f"only {', '.join(kind.facts)}" if kind.facts else "nothing of the kind"
                yield f"{where}: {fact} asks what {fact.provider} (kind = {kind.name}) never says: it says {says}"


def open_to_all(config: Config) -> Iterator[str]:
    """With a public provider all the world has an account here, and enters what has no rule."""
    public = [each.name for each in config.providers if each.enabled and REGISTRY[each.kind].open_to_all(each.options)]
    if config.demo or not public or config.accounts.sign_up is not SignUpMode.OPEN or config.accounts.approval:
        return
    for app in config.apps:
        if app.allow == PUBLIC:
            yield (
                f"[app:{app.id}] allow: is left out, so everybody who can log in at {' or '.join(public)} may enter; "
                "write who may, or [accounts] sign_up = rules or invited, or approval = yes (docs/configuration.md)"
            )


def unheard_rules(config: Config) -> Iterator[str]:
    """A proxy names a host and no application: of several on one host the first one's rules answer it."""
    first: dict[str, Application] = {}
    for app in config.apps:
        for host in app.hosts:
            owner = first.setdefault(host, app)
            if owner.allow != app.allow:
                yield (
                    f"[app:{app.id}] allow: a proxy that asks about {host} is answered by the rules of "
                    f"[app:{owner.id}], which has the host before it; give each its own"
                )


def more_than_is_kept(config: Config) -> Iterator[str]:
    """Of what a provider says in one login so much is kept; beyond it a rule holds of no person, who sees no reason."""
    asked = facts_asked(config)
    for provider in (each.name for each in config.providers if each.enabled):
        lists = sum(any(fact.provider in (ANY, provider) for fact in facts) for facts in asked)
        if lists > MOST:
            yield (
                f"[accounts], [app:…], [group:…]: {lists} lists of rules ask what {provider} says, and {MOST} answers "
                "of one login are kept, in this order; a person of whom more hold is not known to be in the last ones"
            )


def unproven_claims(config: Config) -> Iterator[str]:
    """Where all the world has accounts, an administrator of a tenant of his own writes any address (nOAuth)."""
    public = {each.name for each in config.providers if each.enabled and REGISTRY[each.kind].open_to_all(each.options)}
    named = {ANY, *public} if public else public
    for where, rules in _everywhere(config):
        for fact in rules_facts(rules):
            if fact.name in _WRITTEN and fact.provider in named:
                yield (
                    f"{where}: {fact} is what the person, or an administrator of a tenant of theirs, wrote, and proves "
                    "nothing where all the world has accounts; ask for email_domain, tenant, hd or user:NAME"
                )


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
    """Yield every option that holds rules: who may have an account, then who may enter what."""
    yield "[accounts] rules", config.accounts.rules
    for app in config.apps:
        yield f"[app:{app.id}] allow", app.allow
    for name, members in config.groups.items():
        yield f"[group:{name}] members", members
