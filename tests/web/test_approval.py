"""Sign-ups that wait for an operator, as a browser meets them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest

from identity.accounts import approval
from identity.accounts.invitation import link_of
from identity.accounts.inviting import Invite
from identity.accounts.results import By, Change
from identity.config.model import Config
from identity.types import DAY
from tests.support.browser import Reply
from tests.support.logins import LoginSite, location

OPERATOR = By("operator:ann", why="ticket 4711")


@dataclass(kw_only=True)
class ApprovingSite(LoginSite):
    """A daemon whose operators look at each new account."""

    def config(self) -> Config:
        """Return the configuration."""
        config = super().config()
        return replace(config, accounts=replace(config.accounts, approval=True))

    def change(self, key: str) -> Change:
        """Make an operator's request about the account of an identity."""
        return Change(uuid4(), self.row(key).account_id, OPERATOR)


@pytest.fixture(scope="module")
def running() -> Iterator[ApprovingSite]:
    """Give a daemon."""
    with ApprovingSite() as site:
        yield site


@pytest.fixture
def site(running: ApprovingSite) -> ApprovingSite:
    """Give the module's daemon with no person known to it."""
    running.start_over()
    return running


def waits(reply: Reply) -> bool:
    """Tell whether the page says so."""
    return reply.status == 403 and b"Your account waits for approval" in reply.body


def test_a_person_who_signed_up_waits_until_an_operator_approves(site: ApprovingSite) -> None:
    """A stranger would be in every application before anybody looked."""
    browser = site.browser()
    welcome = browser.get(location(browser.log_in("ada")))

    signed = browser.choose(welcome, "ada")

    assert b"approve each new account" in welcome.body
    assert waits(signed)
    assert browser.whoami() is None
    assert browser.tokens == {}
    assert waits(browser.log_in("ada"))
    assert browser.tokens == {}
    assert [each.account.username for each in site.accounts.waiting()] == ["ada"]
    site.accounts.approve(site.change("github:ada"))
    assert browser.log_in("ada").status == 303
    assert browser.whoami() == "ada"


def test_a_rejected_person_hears_so_and_keeps_the_name_from_others(site: ApprovingSite) -> None:
    """They would sign up again and again under the same name, and be let in by the third operator."""
    site.browser().sign_up("ada", username="ada")
    site.accounts.reject(site.change("github:ada"))

    reply = site.browser().log_in("ada")
    other = site.browser().sign_up("bob", username="ada")

    assert (reply.status, b"Your account was not approved" in reply.body) == (403, True)
    assert other.status == 409
    site.accounts.enable(site.change("github:ada"))
    assert site.browser().log_in("ada").status == 303


def test_an_invited_person_waits_for_nobody(site: ApprovingSite) -> None:
    """An operator has said yes to them already."""
    secret = "s3cret-" + "x" * 36
    site.accounts.invite(Invite(uuid4(), secret, OPERATOR, DAY))
    browser = site.browser()
    browser.get(link_of("", secret))

    assert browser.sign_up("ada", username="ada", invitation="yes").status == 303
    assert browser.whoami() == "ada"
    assert site.accounts.waiting() == ()


@pytest.mark.threat(71)
def test_when_as_many_wait_as_may_the_next_is_refused_and_leaves_nothing(
    site: ApprovingSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of strangers would fill the store and bury the people who belong here."""
    monkeypatch.setattr(approval, "MOST_WAITING", 1)
    site.browser().sign_up("ada", username="ada")

    reply = site.browser().sign_up("bob", username="bob")

    assert (reply.status, b"No more requests are taken" in reply.body) == (403, True)
    assert [each.username for each in site.store.accounts.scan()] == ["ada"]
    site.accounts.approve(site.change("github:ada"))
    site.clock.advance(31_000)
    assert waits(site.browser().sign_up("bob", username="bob"))


def test_neither_enable_nor_a_change_of_groups_lets_a_waiting_account_in(site: ApprovingSite) -> None:
    """The list would be passed by a command that looks harmless."""
    browser = site.browser()
    browser.sign_up("ada", username="ada")

    refused = site.accounts.enable(site.change("github:ada"))

    assert refused.word == "awaiting-approval"
    assert waits(browser.log_in("ada"))
