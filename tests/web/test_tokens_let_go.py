"""What becomes of kept tokens when a link or an account goes, and when a person only logs out."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from identity.accounts.results import By, Change, LinkRequest, Unlink
from identity.errors import StoreUnavailable
from identity.types import IdentityKey
from providers.security_notices import SecurityEvent, SecurityEventType, SecurityNotice
from tests.support.browser import Reply
from tests.support.guards import Expectation
from tests.support.scripted import ScriptedEvents
from tests.support.token_site import TokenSite, said
from tests.support.waiting import until

ExpectLog = Callable[..., Expectation]


@pytest.fixture
def site(token_site: TokenSite) -> TokenSite:
    """Give the daemon, empty."""
    return token_site


@pytest.mark.threat(30)
def test_after_a_disable_no_token_is_handed_out(site: TokenSite) -> None:
    """A disabled person must not go on working through an application."""
    jar = site.member()
    site.accounts.disable(Change(uuid4(), site.row("google:ada").account_id, By("operator:test")))

    answer = site.fetch(jar)

    assert said(answer) == (401, "disabled")
    until(lambda: site.keeper.taken_back == ["canary-refresh-0", "canary-access-0"])
    until(lambda: site.store.upstream_tokens.read(IdentityKey("google:ada")) is None)
    assert ("tokens-forgotten", "taken-back") in [(e.action, e.facts.get("outcome")) for e in site.events]


@pytest.mark.threat(23)
def test_an_unlink_takes_the_tokens_along(site: TokenSite) -> None:
    """What was unlinked must not be used in the person's name, here or there."""
    browser = site.browser()
    browser.sign_up("bob")
    account = site.row("github:bob").account_id
    key = IdentityKey("google:bob")
    site.accounts.link(LinkRequest(uuid4(), account, key, "", By("operator:test")))
    other = site.browser()
    other.log_in("bob", provider="google")
    assert site.fetch(browser.jar).status == 200

    site.accounts.unlink(Unlink(uuid4(), account, key, By("operator:test")))

    assert said(site.fetch(browser.jar)) == (404, "not-linked")
    until(lambda: site.store.upstream_tokens.read(key) is None)
    assert site.keeper.taken_back == ["canary-refresh-0", "canary-access-0"]


def test_a_provider_that_cannot_take_tokens_back_does_not_keep_them_here(
    site: TokenSite, expect_log: ExpectLog
) -> None:
    """The unlink is done whatever the provider does; the audit says that the tokens live on there."""
    site.member()
    account = site.row("google:ada").account_id
    with expect_log("identity.upstream_tokens", "tokens-not-taken-back"):
        site.failing(times=3)
        site.accounts.disable(Change(uuid4(), account, By("operator:test")))
        until(lambda: site.store.upstream_tokens.read(IdentityKey("google:ada")) is None)

    assert [e.facts["outcome"] for e in site.events if e.action == "tokens-forgotten"] == ["not-taken-back"]


def test_logging_out_takes_no_token_back(site: TokenSite) -> None:
    """A nightly job of the application, and the next login, go on with them."""
    jar = site.member()
    site.accounts.end_everywhere(Change(uuid4(), site.row("google:ada").account_id, By("self")))

    assert said(site.fetch(jar)) == (401, "revoked")
    assert site.store.upstream_tokens.read(IdentityKey("google:ada")) is not None
    assert site.keeper.taken_back == []


def tell(site: TokenSite, kind: SecurityEventType, *, earlier_s: int = 0) -> Reply:
    """Let the provider say what happened to Ada's account there."""
    now = site.clock() // 1000
    told = SecurityNotice(uuid4().hex, (SecurityEvent(kind, "ada"),), now - earlier_s, now + 86_400)
    site.keeper.security_events = ScriptedEvents()
    site.keeper.security_events.notices["told"] = told
    headers = {"Content-Type": "application/secevent+jwt"}
    return site.public("POST", "/login/google/events", headers=headers, body=b"told")


@pytest.mark.parametrize(
    "kind", [SecurityEventType.TOKENS_REVOKED, SecurityEventType.CONSENT_REVOKED, SecurityEventType.ACCOUNT_PURGED]
)
def test_tokens_that_their_provider_says_have_ended_are_forgotten(site: TokenSite, kind: SecurityEventType) -> None:
    """An application would go on with a consent that its person withdrew, until the token runs out."""
    site.member()
    account = site.row("google:ada").account_id
    site.accounts.link(LinkRequest(uuid4(), account, IdentityKey("github:ada"), "", By("self")))
    other = site.browser()
    other.log_in("ada", provider="github")
    assert site.fetch(other.jar).status == 200

    assert tell(site, kind).status == 202

    assert site.store.upstream_tokens.read(IdentityKey("google:ada")) is None
    assert said(site.fetch(other.jar)) == (409, "provider-login-needed")
    assert site.keeper.taken_back == []
    assert ("tokens-forgotten", "ended-there", kind.value) in [
        (e.action, e.facts.get("outcome"), e.facts.get("reason")) for e in site.events
    ]


@pytest.mark.parametrize("kind", [SecurityEventType.SESSIONS_REVOKED, SecurityEventType.TOKEN_REVOKED])
def test_a_word_about_sessions_takes_no_tokens(site: TokenSite, kind: SecurityEventType) -> None:
    """A nightly job would stop because its person logged out everywhere."""
    site.member()

    assert tell(site, kind).status == 202

    assert site.store.upstream_tokens.read(IdentityKey("google:ada")) is not None


def test_a_late_word_takes_no_tokens_of_a_login_since(site: TokenSite) -> None:
    """The person has consented again; the application would ask once more for nothing."""
    site.member()

    assert tell(site, SecurityEventType.CONSENT_REVOKED, earlier_s=60).status == 202

    assert site.store.upstream_tokens.read(IdentityKey("google:ada")) is not None


def test_a_notice_whose_tokens_could_not_be_forgotten_is_sent_again(
    site: TokenSite, monkeypatch: pytest.MonkeyPatch, expect_log: ExpectLog
) -> None:
    """The account store was away at that moment; the tokens must not stay for it."""
    site.member()
    with monkeypatch.context() as away:

        def unavailable(_: object) -> None:
            raise StoreUnavailable(detail="away")

        away.setattr(site.store.upstream_tokens, "delete", unavailable)
        with expect_log("identity.web", "store-unavailable"):
            assert tell(site, SecurityEventType.TOKENS_REVOKED).status == 503

    assert tell(site, SecurityEventType.TOKENS_REVOKED).status == 202
    assert site.store.upstream_tokens.read(IdentityKey("google:ada")) is None
