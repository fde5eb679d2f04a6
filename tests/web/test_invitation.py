"""Following an invitation, as a browser does it, and what strangers can do with the address."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest

from identity.accounts.invitation import InvitationRow, InvitationState, link_of
from identity.accounts.inviting import Invite
from identity.accounts.results import By
from identity.config.model import Config
from identity.login.admission import RulesAt, SignUpMode
from identity.login.flow import FOLLOWED_MS
from identity.membership.rules import read_provider_rule
from identity.types import DAY
from tests.support.logins import LoginSite, Visitor, location

OPERATOR = By("operator:ann", why="ticket 4711")
SECRET = "s3cret-" + "x" * 36
RULE = read_provider_rule("provider:github/org=acme")


@dataclass(kw_only=True)
class InvitingSite(LoginSite):
    """A daemon at which one signs up with an invitation."""

    mode: SignUpMode = SignUpMode.INVITED
    at: RulesAt = RulesAt.SIGN_UP

    def config(self) -> Config:
        """Return the configuration."""
        config = super().config()
        rules = (RULE,) if self.mode is SignUpMode.RULES else ()
        accounts = replace(config.accounts, sign_up=self.mode, rules=rules, rules_at=self.at)
        return replace(config, accounts=accounts)

    def invite(self, *groups: str, secret: str = SECRET) -> InvitationRow:
        """Make an invitation."""
        return self.accounts.invite(Invite(uuid4(), secret, OPERATOR, DAY, "Bob", groups)).row

    def state(self, row: InvitationRow) -> InvitationState:
        """Return how far an invitation has come."""
        found = self.store.invitations.read_settled(row.key)
        assert found is not None
        return found.state


@pytest.fixture(scope="module")
def running() -> Iterator[InvitingSite]:
    """Give a daemon."""
    with InvitingSite(logins_per_minute=20) as site:
        yield site


@pytest.fixture
def site(running: InvitingSite) -> InvitingSite:
    """Give the module's daemon with no person known to it."""
    running.start_over()
    running.clock.advance(3 * 60_000)
    return running


def follow(browser: Visitor, secret: str = SECRET) -> bytes:
    """Open the link and see its page."""
    opened = browser.get(link_of("", secret))
    assert (opened.status, location(opened)) == (303, "/invitation"), opened.body
    page = browser.get("/invitation")
    assert page.status == 200, page.body
    return page.body


def test_a_person_with_a_link_signs_up_and_one_without_does_not(site: InvitingSite) -> None:
    """The whole point of it."""
    row = site.invite("staff")
    stranger = site.browser().log_in("eve")
    browser = site.browser()
    page = follow(browser)

    signed = browser.sign_up("ada", username="ada", invitation="yes")

    assert (stranger.status, b"New accounts need an invitation" in stranger.body) == (403, True)
    assert b"/login/github?invitation=yes" in page
    assert signed.status == 303
    assert browser.whoami() == "ada"
    account = site.accounts.account(site.row("github:ada").account_id)
    assert account is not None
    assert account.groups == ("staff",)
    assert site.state(row) is InvitationState.USED
    assert not [name for name in browser.jar.cookies if name.startswith("iddi")]
    assert "invitation-used" in site.actions()


@pytest.mark.threat(69)
def test_opening_the_link_uses_nothing_up(site: InvitingSite) -> None:
    """Programs that look through mail open every link in it, some twice."""
    row = site.invite()
    for method in ("GET", "HEAD", "GET"):
        site.browser().load(method, link_of("", SECRET), (), b"")
    prefetched = site.browser().get(link_of("", SECRET), Sec_Purpose="prefetch")

    assert prefetched.status == 204
    assert site.state(row) is InvitationState.OPEN
    assert site.kept() <= 1  # the counter of the address


@pytest.mark.threat(69)
def test_the_secret_is_in_no_address_but_its_own_and_in_no_log(
    site: InvitingSite, caplog: pytest.LogCaptureFixture
) -> None:
    """A referrer, a screenshot or a log would hand it on."""
    site.invite()
    caplog.set_level("DEBUG")
    browser = site.browser()

    opened = browser.get(link_of("", SECRET))
    page = browser.get("/invitation")
    begun = browser.get("/login/github?invitation=yes")

    shown = repr((opened.headers, page.headers, page.body, begun.headers, begun.body, browser.jar.cookies))
    assert SECRET not in shown
    assert SECRET not in caplog.text
    assert opened.one("Referrer-Policy") in {"no-referrer", "same-origin"}
    assert opened.one("Cache-Control") == "no-store"


@pytest.mark.parametrize(
    ("secret", "title"),
    [
        ("x", b"This invitation is not known"),
        ("y" * 43, b"This invitation is not known"),
        ("used", b"This invitation was used already"),
        ("revoked", b"This invitation was taken back"),
        ("expired", b"This invitation is over"),
    ],
)
def test_a_link_that_is_worth_nothing_says_why_and_what_next(site: InvitingSite, secret: str, title: bytes) -> None:
    """A person would be sent in circles, or write to support."""
    row = site.invite()
    state = {"used": InvitationState.USED, "revoked": InvitationState.REVOKED}.get(secret, InvitationState.OPEN)
    changed = replace(row, state=state, op=uuid4(), ends_at=row.created_at if secret == "expired" else row.ends_at)
    site.store.invitations.replace(changed, expected=row, expires_at=row.expires_at)

    reply = site.browser().get(link_of("", SECRET if secret in {"used", "revoked", "expired"} else secret))

    assert (reply.status, title in reply.body) == (403, True)
    assert b'href="/login"' in reply.body


@pytest.mark.threat(69)
def test_guesses_from_one_place_are_slowed_and_write_nothing(site: InvitingSite) -> None:
    """A stranger could keep the account store busy."""
    replies = [site.browser().get(link_of("", f"{number:a>43}")) for number in range(25)]

    assert {each.status for each in replies[:20]} == {403}
    assert replies[-1].status == 429
    assert [*site.store.invitations.scan()] == []


def test_a_person_with_an_account_gets_the_groups_and_the_page_says_so_before(site: InvitingSite) -> None:
    """A second account would be made, or the person refused."""
    first = site.invite(secret="f" * 43)
    browser = site.browser()
    follow(browser, "f" * 43)
    browser.sign_up("ada", username="ada", invitation="yes")
    row = site.invite("staff")
    again = site.browser()

    page = follow(again)
    reply = again.log_in("ada", invitation="yes")

    assert b"gets the rights that come with the invitation" in page
    assert reply.status == 303
    assert (site.state(first), site.state(row)) == (InvitationState.USED, InvitationState.USED)
    account = site.accounts.account(site.row("github:ada").account_id)
    assert account is not None
    assert account.groups == ("staff",)


def test_a_login_that_was_begun_elsewhere_uses_nothing_up(site: InvitingSite) -> None:
    """An operator who looked at the page and then logs in as ever would use it up."""
    row = site.invite("staff")
    browser = site.browser()
    follow(browser)

    reply = browser.log_in("eve")

    assert reply.status == 403
    assert site.state(row) is InvitationState.OPEN


def test_an_hour_later_the_link_must_be_opened_again(site: InvitingSite) -> None:
    """A shared computer would keep it for the next person."""
    site.invite()
    browser = site.browser()
    follow(browser)
    site.clock.advance(FOLLOWED_MS)

    begun = browser.get("/login/github?invitation=yes")

    assert (begun.status, location(begun)) == (303, "/invitation")
    assert browser.get("/invitation").status == 403


def test_who_says_no_at_the_provider_comes_back_to_the_invitation(site: InvitingSite) -> None:
    """The way to log in that is chosen next would know nothing of it."""
    site.invite()
    browser = site.browser()
    follow(browser)

    reply = browser.come_back(browser.begin("github", invitation="yes"), error="access_denied")

    assert (reply.status, location(reply)) == (303, "/invitation")


def test_one_that_was_used_while_a_username_was_chosen_makes_no_account(site: InvitingSite) -> None:
    """Two people opened it, and the slower one fills in the form."""
    site.invite()
    slow, fast = site.browser(), site.browser()
    follow(slow)
    follow(fast)
    welcome = slow.get(location(slow.log_in("bob", invitation="yes")))
    fast.sign_up("ada", username="ada", invitation="yes")

    reply = slow.choose(welcome, "bob")

    assert (reply.status, b"This invitation was used already" in reply.body) == (403, True)
    assert len([*site.store.accounts.scan()]) == 1


def test_where_rules_are_asked_at_every_login_an_invited_person_comes_in_again() -> None:
    """They would sign up and be locked out by their second login."""
    with InvitingSite(mode=SignUpMode.RULES, at=RulesAt.LOGIN) as site:
        site.github.people["ada"] = replace(site.github.people["ada"], facts=())
        site.invite()
        browser = site.browser()
        follow(browser)
        browser.sign_up("ada", username="ada", invitation="yes")

        assert site.browser().log_in("ada").status == 303
        assert site.browser().log_in("eve").status == 403


def test_where_sign_up_is_closed_a_link_admits_no_person() -> None:
    """Closed is what an operator writes who wants no more people, whatever links are about."""
    with InvitingSite(mode=SignUpMode.CLOSED) as site:
        row = site.invite("staff")
        browser = site.browser()

        page = follow(browser)
        reply = browser.log_in("ada", invitation="yes")

        assert b"for people who have an account" in page
        assert (reply.status, b"New accounts are not open" in reply.body) == (403, True)
        assert site.state(row) is InvitationState.OPEN
