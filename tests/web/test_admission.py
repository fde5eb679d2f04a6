"""Who may have an account, as a browser meets it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from identity.config.model import Config
from identity.login.admission import RulesAt, SignUpMode
from identity.membership.rules import read_provider_rule
from tests.support.logins import LoginSite

RULE = read_provider_rule("provider:github/org=acme")
DOMAIN = read_provider_rule("provider:*/email_domain=example.com")


@dataclass(kw_only=True)
class AdmittingSite(LoginSite):
    """A daemon whose operator says who may have an account."""

    mode: SignUpMode = SignUpMode.RULES
    at: RulesAt = RulesAt.SIGN_UP

    def config(self) -> Config:
        """Return the configuration."""
        config = super().config()
        accounts = replace(config.accounts, sign_up=self.mode, rules=(RULE, DOMAIN), rules_at=self.at)
        return replace(config, accounts=accounts)

    def say(self, code: str, **changes: object) -> None:
        """Let GitHub say something of a person."""
        self.github.people[code] = replace(self.github.people[code], **changes)  # type: ignore[arg-type]


@contextmanager
def admitting(mode: SignUpMode, at: RulesAt = RulesAt.SIGN_UP) -> Iterator[AdmittingSite]:
    """Run one."""
    with AdmittingSite(mode=mode, at=at) as site:
        yield site


def test_a_person_of_whom_a_rule_holds_signs_up() -> None:
    """Otherwise the rules shut everybody out."""
    with admitting(SignUpMode.RULES) as site:
        site.say("ada", facts=(("org", "acme"),))
        site.browser().sign_up("ada", username="ada")

        assert site.row("github:ada").account_id


@pytest.mark.threat(13)
@pytest.mark.threat(14)
@pytest.mark.threat(16)
def test_a_stranger_is_told_so_and_leaves_nothing_behind() -> None:
    """With a public provider everybody on the internet would have an account here."""
    with admitting(SignUpMode.RULES) as site:
        site.say("eve", facts=(("org", "evil"),), email="eve@example.com", email_verified=False)

        reply = site.browser().log_in("eve")

        assert (reply.status, b"This login is not for everybody" in reply.body) == (403, True)
        assert not [*site.store.identities.scan()]
        assert site.events[-1].action == "login-refused"
        assert site.events[-1].facts["reason"] == "not-admitted"


def test_a_verified_address_of_the_domain_admits() -> None:
    """Admission may look at the domain of an address; who the person is, never."""
    with admitting(SignUpMode.RULES) as site:
        site.say("ada", email="ada@Example.com", email_verified=True)
        site.browser().sign_up("ada", username="ada")

        assert site.row("github:ada").account_id


def test_when_sign_up_is_closed_those_who_have_an_account_log_in() -> None:
    """Closing it must not close the door behind the people who are there."""
    with admitting(SignUpMode.OPEN) as site:
        site.browser().sign_up("ada", username="ada")
        rules = replace(site.logins.rules, admission=replace(site.logins.rules.admission, mode=SignUpMode.CLOSED))
        dependencies = site.logins._dependencies
        object.__setattr__(dependencies, "rules", rules)

        assert site.browser().log_in("ada").status == 303
        reply = site.browser().log_in("bob")
        assert (reply.status, b"New accounts are not open" in reply.body) == (403, True)


def test_a_person_who_left_is_refused_at_the_next_login_where_rules_are_asked_then() -> None:
    """Whoever left the organisation would go on logging in for ever."""
    with admitting(SignUpMode.RULES, RulesAt.LOGIN) as site:
        site.say("ada", facts=(("org", "acme"),))
        site.browser().sign_up("ada", username="ada")
        assert site.browser().log_in("ada").status == 303
        site.say("ada", facts=())

        assert site.browser().log_in("ada").status == 403
