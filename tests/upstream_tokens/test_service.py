"""Keeping tokens, and the steps of handing them out: without a provider, and with stores that fail."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from identity.accounts.store import AccountStatus, Suspension
from identity.errors import StoreCorrupt, StoreUnavailable
from identity.types import HOUR, MINUTE, AccountId, IdentityKey
from identity.upstream_tokens.grants import MOST_CHARS
from identity.upstream_tokens.results import (
    DueForRefresh,
    HandedOut,
    LoginDue,
    NotLinked,
)
from identity.upstream_tokens.service import SIGN_UP_MS
from options.secret import Secret
from providers.base import UpstreamGrant
from tests.support.guards import Expectation
from tests.support.token_keeping import GITHUB, GRANT, KEY, OTHER, Keeping, cut_store

ExpectLog = Callable[..., Expectation]


@pytest.fixture
def site() -> Keeping:
    """Give an account whose tokens were kept at a login."""
    made = Keeping()
    made.tokens.keep(KEY, made.account, GRANT)
    return made


def test_a_good_token_is_handed_out_without_a_write(site: Keeping) -> None:
    """The common case; an application asks at every page."""
    before = site.row()

    assert site.tokens.look(site.question()) == HandedOut("canary-access-1", 3600, "mail")
    assert site.row() == before


def test_what_is_left_of_its_life_is_said(site: Keeping) -> None:
    """An application that caches it must know for how long."""
    site.clock.advance(HOUR - 2 * MINUTE)

    assert site.tokens.look(site.question()) == HandedOut("canary-access-1", 120, "mail")


def test_a_provider_whose_tokens_are_not_kept_leaves_no_row(site: Keeping) -> None:
    """Off is off: nothing is stored, and nothing read."""
    site.tokens.keep(GITHUB, site.account, GRANT)

    assert site.store.upstream_tokens.read(GITHUB) is None


@pytest.mark.threat(65)
def test_tokens_are_bound_to_identity_and_account(site: Keeping) -> None:
    """Who can write to the database must not move one person's tokens to another's account."""
    row = site.row()
    moved = replace(row, account_id=AccountId(uuid4()))

    with pytest.raises(StoreCorrupt):
        site.seal.opened(moved)
    with pytest.raises(StoreCorrupt):
        site.seal.opened(replace(row, key=OTHER))
    with pytest.raises(StoreCorrupt):
        site.seal.opened(replace(row, sealed=row.sealed[:-1] + bytes((row.sealed[-1] ^ 1,))))


@pytest.mark.threat(65)
def test_nothing_of_a_token_is_in_the_row(site: Keeping) -> None:
    """A backup, a log of the database, or its reader must not be able to work at the provider."""
    assert b"canary" not in site.row().sealed
    assert "canary" not in repr(site.row())


def test_a_second_login_without_a_refresh_token_keeps_the_first(site: Keeping) -> None:
    """Google sends it with the first consent only."""
    site.tokens.keep(KEY, site.account, UpstreamGrant("canary-access-9", lifetime_s=60))

    assert (site.kept().access_token, site.kept().refresh_token) == ("canary-access-9", "canary-refresh-1")


def test_another_accounts_tokens_are_never_taken_over(site: Keeping) -> None:
    """An identity that an operator moved brings nothing of its former account along."""
    heir = site.made(KEY)

    site.tokens.keep(KEY, heir, UpstreamGrant("canary-access-9"))

    assert site.kept().refresh_token == ""
    assert site.row().account_id == heir


def test_tokens_wait_for_the_account_of_a_newcomer(site: Keeping) -> None:
    """They come before the username is chosen, and not again."""
    key = IdentityKey("google:new")
    site.tokens.keep(key, None, GRANT)
    account = site.account = site.made(key)
    assert site.tokens.look(site.question(identity=key)) == LoginDue()

    site.tokens.keep(key, account, None)
    site.clock.advance(10 * SIGN_UP_MS)

    assert isinstance(site.tokens.look(site.question(identity=key)), DueForRefresh)


def test_tokens_of_a_sign_up_that_is_given_up_expire(site: Keeping) -> None:
    """A stranger must not leave rows by logging in and going away."""
    key = IdentityKey("google:new")
    site.tokens.keep(key, None, GRANT)

    site.clock.advance(SIGN_UP_MS)

    assert site.store.upstream_tokens.read(key) is None


def test_a_sign_up_that_took_too_long_needs_a_login(site: Keeping) -> None:
    """There is nothing to adopt, and nothing is made up."""
    key = IdentityKey("google:new")
    account = site.account = site.made(key)

    site.tokens.keep(key, account, None)

    assert site.store.upstream_tokens.read(key) is None
    assert site.tokens.look(site.question(identity=key)) == LoginDue()


def test_tokens_too_large_are_not_kept_and_it_is_said(site: Keeping, expect_log: ExpectLog) -> None:
    """The login goes on, and the operator knows why the application is refused."""
    with expect_log("identity.upstream_tokens", "tokens-too-large"):
        site.tokens.keep(KEY, site.account, UpstreamGrant("x" * (MOST_CHARS + 1)))

    assert site.kept().access_token == "canary-access-1"


def test_a_store_that_is_away_fails_no_login(site: Keeping, expect_log: ExpectLog) -> None:
    """The tokens of one login are worth less than the login."""
    cut_store(site)

    with expect_log("identity.upstream_tokens", "tokens-not-kept"):
        site.tokens.keep(KEY, site.account, GRANT)


def test_a_row_that_was_tampered_with_is_lost_until_the_next_login(site: Keeping, expect_log: ExpectLog) -> None:
    """Never a token; the operator hears of it, and the login's own tokens take its place."""
    row = site.row()
    site.store.upstream_tokens.replace(replace(row, sealed=b"x" * 80, op=uuid4()), expected=row)
    with expect_log("identity.upstream_tokens", "tokens-corrupt"):
        assert site.tokens.look(site.question()) == LoginDue()
        assert site.tokens.claim(site.due) == LoginDue()

        site.tokens.keep(KEY, site.account, GRANT)

    assert isinstance(site.tokens.look(site.question()), HandedOut)


# --- whose tokens


def test_an_account_without_a_link_to_the_provider_is_told_so(site: Keeping) -> None:
    """The application then offers to link one, not to log in again."""
    assert site.tokens.look(site.question("gitlab")) == NotLinked()


def test_an_unlinked_identity_gives_no_token_although_its_row_is_there(site: Keeping) -> None:
    """D6: what counts is the account; the row may be left by a process that was killed."""
    site.change_account(identities={})

    assert site.tokens.look(site.question()) == NotLinked()


@pytest.mark.parametrize("status", [AccountStatus.DISABLED, AccountStatus.MERGED, AccountStatus.MERGING])
def test_an_account_that_is_closed_gives_no_token(site: Keeping, status: AccountStatus) -> None:
    """A session may live for a moment after a disable; its tokens must not."""
    site.change_account(status=status)

    assert site.tokens.look(site.question()) == NotLinked()


def test_a_link_that_its_provider_suspended_gives_no_token(site: Keeping) -> None:
    """The provider says that the account there is not the person's any more, or not safe."""
    site.change_account(suspensions={KEY: Suspension(site.clock(), "hijacking")})

    assert site.tokens.look(site.question()) == LoginDue()


def test_the_sessions_own_link_comes_before_an_older_one(site: Keeping) -> None:
    """With two accounts at Google, the one this person is logged in with is meant."""
    account = site.account = site.made(KEY, OTHER)
    site.tokens.keep(KEY, account, GRANT)
    site.tokens.keep(OTHER, account, UpstreamGrant("canary-of-the-other"))

    assert site.tokens.look(site.question(identity=OTHER)) == HandedOut("canary-of-the-other", None, "")
    found = site.tokens.look(site.question(identity=GITHUB))
    assert isinstance(found, HandedOut)
    assert found.access_token == "canary-access-1"


def test_a_link_whose_tokens_are_lost_gives_way_to_another(site: Keeping) -> None:
    """The application asked for the provider; one that works is better than a login."""
    account = site.account = site.made(KEY, OTHER)
    site.tokens.keep(OTHER, account, UpstreamGrant("canary-of-the-other"))

    assert site.tokens.look(site.question()) == HandedOut("canary-of-the-other", None, "")


# --- keys that change


def test_an_older_seal_is_read_and_renewed_when_a_token_is_fetched(site: Keeping) -> None:
    """A key ring rolls; what is in use must not be lost with the key that leaves."""
    site.ring = site.ring.with_key(Secret(b"n" * 32), now=site.clock())
    site.clock.advance(11 * MINUTE)

    assert isinstance(site.tokens.look(site.question()), HandedOut)

    assert site.row().sealed[1] == 2
    site.ring = site.ring.without({1})
    assert isinstance(site.tokens.look(site.question()), HandedOut)


def test_what_a_lost_key_sealed_needs_a_login(site: Keeping) -> None:
    """Nothing can read it any more; the person gets a way on instead of an error for ever."""
    site.ring = site.ring.with_key(Secret(b"n" * 32), now=site.clock()).without({1})

    assert site.tokens.look(site.question()) == LoginDue()


def test_a_key_that_this_daemon_has_not_read_is_waited_for(site: Keeping) -> None:
    """It reads the ring in a moment; until then 503, and nothing is thrown away."""
    old = site.ring
    site.ring = site.ring.with_key(Secret(b"n" * 32), now=site.clock())
    site.clock.advance(11 * MINUTE)
    site.tokens.keep(KEY, site.account, GRANT)
    site.ring = old

    with pytest.raises(StoreUnavailable, match="newer-key"):
        site.tokens.look(site.question())
