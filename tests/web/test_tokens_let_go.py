"""What becomes of kept tokens when a link or an account goes, and when a person only logs out."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from identity.accounts.results import By, Change, LinkRequest, Unlink
from identity.types import IdentityKey
from tests.support.guards import Expectation
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
