"""Kept tokens: how long they are good, and what becomes of them; one case for each row of the tables."""

from dataclasses import replace

import pytest

from identity.types import DAY, HOUR, SECOND
from identity.upstream_tokens import grants
from identity.upstream_tokens.grants import ASSUMED_MS, MARGIN_MS, MOST_CHARS, Freshness, KeptGrant, freshness
from providers.base import UpstreamGrant
from tests.support.clock import NOON

HOUR_LONG = KeptGrant("access", "refresh", "mail", NOON, NOON + HOUR)
FOREVER = KeptGrant("access", "", "mail", NOON, None)
UNSAID = replace(FOREVER, refresh_token="refresh")
ONCE = replace(HOUR_LONG, refresh_token="")
BRIEF = KeptGrant("access", "refresh", "mail", NOON, NOON + 10 * SECOND)


@pytest.mark.parametrize(
    ("grant", "later", "expected"),
    [
        (replace(HOUR_LONG, access_token=""), 0, Freshness.LOST),
        (FOREVER, 1000 * DAY, Freshness.GOOD),
        (UNSAID, ASSUMED_MS - 1, Freshness.GOOD),
        (UNSAID, ASSUMED_MS, Freshness.AGEING),
        (HOUR_LONG, 0, Freshness.GOOD),
        (HOUR_LONG, HOUR - MARGIN_MS - 1, Freshness.GOOD),
        (HOUR_LONG, HOUR - MARGIN_MS, Freshness.AGEING),
        (HOUR_LONG, HOUR - 1, Freshness.AGEING),
        (HOUR_LONG, HOUR, Freshness.OVER),
        (ONCE, HOUR - 1, Freshness.GOOD),
        (ONCE, HOUR, Freshness.LOST),
        (BRIEF, 5 * SECOND - 1, Freshness.GOOD),
        (BRIEF, 5 * SECOND, Freshness.AGEING),
        (HOUR_LONG, -DAY, Freshness.GOOD),
    ],
    ids=range(14),
)
def test_what_can_be_done_with_an_access_token(grant: KeptGrant, later: int, expected: Freshness) -> None:
    """Refreshed too early it costs a call each time; too late, the application is refused at the provider."""
    assert freshness(grant, NOON + later) is expected


def test_an_answer_without_a_refresh_token_keeps_the_one_there_was() -> None:
    """Google sends one with the first consent only: the second login would cost every later refresh."""
    second = KeptGrant("new", "", "", NOON + DAY, NOON + DAY + HOUR)

    kept = grants.followed(HOUR_LONG, second)

    assert kept == replace(second, refresh_token="refresh", scope="mail")


def test_an_answer_with_a_refresh_token_replaces_the_one_there_was() -> None:
    """The old one may be worth nothing from then on."""
    second = KeptGrant("new", "newer", "all", NOON, None)

    assert grants.followed(HOUR_LONG, second) == second


def test_a_login_with_a_refresh_token_of_its_own_is_left_as_it_is() -> None:
    """What a refresh of the older one brings belongs to a grant that was replaced."""
    there = replace(HOUR_LONG, refresh_token="of the login")

    assert grants.overtaken(HOUR_LONG, replace(HOUR_LONG, refresh_token="rotated"), there) is None


def test_a_login_without_one_gets_what_the_refresh_brought() -> None:
    """It kept the refresh token that the provider has just exchanged: worth nothing, the new one must follow."""
    fresh = KeptGrant("fresh", "rotated", "", NOON + 2, NOON + 2 * HOUR)

    assert grants.overtaken(HOUR_LONG, fresh, HOUR_LONG) == replace(fresh, scope="mail")


def test_a_login_whose_token_lasts_longer_keeps_it() -> None:
    """The application must not get a token that ends sooner than the one there was."""
    there = replace(HOUR_LONG, access_token="of the login", expires_at=NOON + DAY)
    fresh = KeptGrant("fresh", "rotated", "", NOON, NOON + HOUR)

    assert grants.overtaken(HOUR_LONG, fresh, there) == replace(there, refresh_token="rotated")


def test_a_lifetime_is_counted_from_the_answer() -> None:
    """From anywhere else the margin would be wrong by the time of the call."""
    kept = grants.received(UpstreamGrant("a", "r", 3600, "mail"), NOON)

    assert kept == KeptGrant("a", "r", "mail", NOON, NOON + HOUR)


def test_an_unsaid_lifetime_stays_unsaid() -> None:
    """An invented end would have the application throw a good token away."""
    kept = grants.received(UpstreamGrant("a"), NOON)

    assert kept == KeptGrant("a", "", "", NOON, None)


def test_what_is_too_large_is_not_kept() -> None:
    """A provider must not decide how large our rows become."""
    assert grants.received(UpstreamGrant("a" * MOST_CHARS, "r"), NOON) is None
    assert grants.received(UpstreamGrant("a" * (MOST_CHARS - 1), "r"), NOON) is not None


@pytest.mark.parametrize("grant", [HOUR_LONG, FOREVER, grants.lost(HOUR_LONG, NOON)], ids=["hour", "forever", "lost"])
def test_a_grant_survives_its_bytes(grant: KeptGrant) -> None:
    """A field that is lost there is lost with every restart."""
    assert grants.unpack(grants.pack(grant)) == grant


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'["a","b","c",1]', b'["a","b","c",1,"x"]', b"[1,2,3,4,5]", b"x", b"null"]
)
def test_bytes_that_are_no_grant_are_refused(body: bytes) -> None:
    """What another release wrote must be an error, not half a grant."""
    with pytest.raises(ValueError, match=r".*"):
        grants.unpack(body)


def test_a_grant_shows_no_token() -> None:
    """It gets into tracebacks."""
    assert "canary" not in repr(KeptGrant("canary-1", "canary-2", "", 0, None))
