"""Refreshing kept tokens: who asks, what is written, and a store that fails after the provider answered."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from identity.errors import ProviderTrouble
from identity.types import HOUR, SECOND, IdentityKey
from identity.upstream_tokens.grants import MOST_CHARS
from identity.upstream_tokens.results import (
    HandedOut,
    LoginDue,
    Orphaned,
    RefreshClaim,
    Waiting,
)
from identity.upstream_tokens.service import MOST_UNSAVED, REST_MS
from providers.base import ProviderProfile, RenewedGrant, UpstreamGrant
from tests.support.guards import Expectation
from tests.support.token_keeping import GRANT, HOLD_MS, KEY, Keeping, cut_store

ExpectLog = Callable[..., Expectation]
FRESH = RenewedGrant(UpstreamGrant("canary-access-2", "canary-refresh-2", 3600))


@pytest.fixture
def site() -> Keeping:
    """Give an account whose tokens were kept at a login."""
    made = Keeping()
    made.tokens.keep(KEY, made.account, GRANT)
    return made


def claimed(site: Keeping) -> RefreshClaim:
    """Let the access token end, and claim the refresh."""
    site.clock.advance(2 * HOUR)
    found = site.tokens.claim(site.due)
    assert isinstance(found, RefreshClaim)
    return found


# --- the refresh


@pytest.mark.threat(65)
def test_one_caller_of_all_claims_the_refresh(site: Keeping) -> None:
    """Of two refreshes with one token the second ends everything, where tokens rotate."""
    claimed(site)

    waiting = site.daemon().claim(site.due)

    assert waiting == Waiting(HOLD_MS, asking=True)


def test_while_it_is_refreshed_a_token_that_still_is_good_is_used(site: Keeping) -> None:
    """No request needs to wait in the last minute of a token."""
    site.clock.advance(HOUR - 30 * SECOND)
    assert isinstance(site.tokens.claim(site.due), RefreshClaim)

    assert site.daemon().claim(site.due) == HandedOut("canary-access-1", 30, "mail")


def test_a_refresh_is_written_and_handed_out(site: Keeping) -> None:
    """The rotated refresh token above all: the old one is worth nothing any more."""
    found = site.tokens.settle(claimed(site), FRESH)

    assert found == HandedOut("canary-access-2", 3600, "mail")
    assert site.kept().refresh_token == "canary-refresh-2"
    assert site.row().claim is None
    assert site.daemon().look(site.question()) == found


def test_a_refresh_that_brings_no_refresh_token_keeps_the_old_one(site: Keeping) -> None:
    """RFC 6749 §6: it stays good then."""
    site.tokens.settle(claimed(site), RenewedGrant(UpstreamGrant("canary-access-2", lifetime_s=3600)))

    assert site.kept().refresh_token == "canary-refresh-1"


def test_a_refused_refresh_token_is_not_shown_again(site: Keeping) -> None:
    """Each further try would be a call in vain, and looks like an attack there."""
    mine = claimed(site)

    assert site.tokens.refuse(mine) == LoginDue()

    assert site.tokens.look(site.question()) == LoginDue()
    assert site.tokens.claim(site.due) == LoginDue()
    assert site.kept().tokens == ()


def test_after_a_refusal_a_login_makes_it_good_again(site: Keeping) -> None:
    """Logging in is the remedy that the application is told."""
    site.tokens.refuse(claimed(site))

    site.tokens.keep(KEY, site.account, GRANT)

    assert isinstance(site.tokens.look(site.question()), HandedOut)


def test_a_provider_that_failed_is_left_alone_for_a_while(site: Keeping) -> None:
    """It may have exchanged the token; and it is in trouble."""
    site.tokens.rest(claimed(site))

    assert site.tokens.claim(site.due) == Waiting(REST_MS, asking=False)
    site.clock.advance(REST_MS)
    assert isinstance(site.tokens.claim(site.due), RefreshClaim)


def test_a_claim_of_a_daemon_that_died_runs_out(site: Keeping) -> None:
    """Otherwise one kill costs this person every later token."""
    claimed(site)
    site.clock.advance(HOLD_MS)

    assert isinstance(site.daemon().claim(site.due), RefreshClaim)


def test_a_claim_far_ahead_does_not_count(site: Keeping) -> None:
    """A daemon whose clock was wrong must not block the refresh for years."""
    row = site.row()
    site.store.upstream_tokens.replace(replace(row, rests_until=row.kept_at + 1000 * HOUR, op=uuid4()), expected=row)

    assert claimed(site)


@pytest.mark.threat(9)
@pytest.mark.parametrize("said", [("8", ""), ("7", "tenant"), ("", "")])
def test_tokens_of_another_person_are_neither_kept_nor_handed_out(site: Keeping, said: tuple[str, str]) -> None:
    """A provider that mixes people up must not have one work on another's things."""
    who = ProviderProfile(subject=said[0], tenant=said[1], email_verified=False)

    with pytest.raises(ProviderTrouble):
        site.tokens.settle(claimed(site), replace(FRESH, said=who))

    assert site.kept().refresh_token == "canary-refresh-1"
    assert isinstance(site.tokens.claim(site.due), Waiting)


def test_tokens_of_the_same_person_pass(site: Keeping) -> None:
    """Most OpenID providers say whose they are."""
    who = ProviderProfile(subject="7", email_verified=False)

    assert isinstance(site.tokens.settle(claimed(site), replace(FRESH, said=who)), HandedOut)


def test_a_refresh_that_is_too_large_is_an_error(site: Keeping) -> None:
    """Half of it kept would be worse than none."""
    with pytest.raises(ProviderTrouble):
        site.tokens.settle(claimed(site), RenewedGrant(UpstreamGrant("x" * (MOST_CHARS + 1))))


def test_a_link_that_went_while_it_was_refreshed_gets_its_tokens_taken_back(site: Keeping) -> None:
    """The unlink took back the old ones; the new ones would live on."""
    mine = claimed(site)
    site.store.upstream_tokens.delete(site.row())

    found = site.tokens.settle(mine, FRESH)

    assert found == Orphaned(("canary-refresh-2", "canary-access-2"))
    assert site.store.upstream_tokens.read(KEY) is None


def test_a_login_while_it_is_refreshed_keeps_what_it_brought(site: Keeping) -> None:
    """Its own refresh token is the newer grant."""
    mine = claimed(site)
    site.tokens.keep(KEY, site.account, UpstreamGrant("canary-access-9", "canary-refresh-9", 3600))

    found = site.tokens.settle(mine, FRESH)

    assert isinstance(found, HandedOut)
    assert site.kept().refresh_token == "canary-refresh-9"


def test_a_login_without_a_refresh_token_gets_the_rotated_one(site: Keeping) -> None:
    """Otherwise it keeps one that the provider has just exchanged."""
    mine = claimed(site)
    site.tokens.keep(KEY, site.account, UpstreamGrant("canary-access-9", lifetime_s=60))

    site.tokens.settle(mine, FRESH)

    assert (site.kept().access_token, site.kept().refresh_token) == ("canary-access-2", "canary-refresh-2")


def test_a_refusal_does_not_undo_a_login_that_came_meanwhile(site: Keeping) -> None:
    """The refused token is not the one that stands there any more."""
    mine = claimed(site)
    site.tokens.keep(KEY, site.account, UpstreamGrant("canary-access-9", "canary-refresh-9", 3600))

    site.tokens.refuse(mine)

    assert site.kept().refresh_token == "canary-refresh-9"


# --- a store that fails after the provider answered


def test_fresh_tokens_outlive_the_stores_absence(site: Keeping, expect_log: ExpectLog) -> None:
    """The provider has exchanged the old refresh token: losing the new one costs the person a login."""
    mine = claimed(site)
    mend = cut_store(site)

    with expect_log("identity.upstream_tokens", "tokens-not-written"):
        found = site.tokens.settle(mine, FRESH)
    mend()
    site.tokens.save_all()

    assert found == HandedOut("canary-access-2", 3600, "mail")
    assert site.kept().refresh_token == "canary-refresh-2"


def test_fresh_tokens_are_written_before_the_next_request_reads(site: Keeping, expect_log: ExpectLog) -> None:
    """Otherwise that request would find the old one, and show it again."""
    mine = claimed(site)
    mend = cut_store(site)
    with expect_log("identity.upstream_tokens", "tokens-not-written"):
        site.tokens.settle(mine, FRESH)
    mend()

    assert site.tokens.look(site.question()) == HandedOut("canary-access-2", 3600, "mail")


def test_what_waits_for_the_store_is_bounded(site: Keeping, expect_log: ExpectLog) -> None:
    """A long outage must not fill the memory."""
    mine = claimed(site)
    site.tokens._unsaved = {IdentityKey(f"google:x{at}"): (mine, site.kept()) for at in range(MOST_UNSAVED)}
    cut_store(site)

    with expect_log("identity.upstream_tokens", "lost"):
        site.tokens.settle(mine, FRESH)

    assert len(site.tokens._unsaved) == MOST_UNSAVED
