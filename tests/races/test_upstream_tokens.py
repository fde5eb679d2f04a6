"""Kept tokens under many hands: threads, two daemons over one store, and processes that end at any step."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from identity.accounts.store import AccountStatus, LinkedIdentity, Revocation
from identity.sessions.record import Ended
from identity.stores.sqlite import SqliteAccounts
from identity.types import HOUR, SECOND, IdentityKey
from identity.upstream_tokens.letting_go import LettingGo
from identity.upstream_tokens.results import DueForRefresh, HandedOut, LoginDue, Orphaned, RefreshClaim, TokenQuestion
from identity.upstream_tokens.service import TOKEN_CHECKPOINTS, UpstreamTokens
from identity.web.state.pool import Pool
from identity.web.state.refreshing import Fetched, Refreshing
from providers.base import ProviderBroken
from tests.support.clock import ManualClock
from tests.support.guards import Expectation
from tests.support.token_keeping import HOLD_MS, KEY, OTHER, Keeping, Killed
from tests.support.token_site import KeepingProvider
from tests.support.waiting import until

ROUNDS = 20
THREADS = 16


@pytest.fixture
def provider() -> KeepingProvider:
    """Give a provider whose refresh tokens are good once."""
    return KeepingProvider("google", "Google")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Keeping]:
    """Give an account in a file."""
    clock = ManualClock()
    store = SqliteAccounts(tmp_path / "accounts.db", clock=clock)
    yield Keeping(store, clock)
    store.close()


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Call all of them at the same moment; return what they return."""
    barrier = threading.Barrier(len(calls))

    def called(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever it returns
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return [each.result() for each in [threads.submit(called, call) for call in calls]]


class DaemonLoop:
    """One daemon's event loop on a thread, and its way to hand tokens out."""

    def __init__(self, tokens: UpstreamTokens, provider: KeepingProvider) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self._pool = Pool("accounts", threads=8, waiting=1_000, observe=lambda *_, **__: None)
        self.refreshing = Refreshing(
            tokens, self._pool, providers={"google": provider}, http=lambda _: cast("Any", None)
        )

    def fetch(self, question: TokenQuestion) -> Fetched:
        """Fetch, from any thread."""
        return asyncio.run_coroutine_threadsafe(self.refreshing.fetch(question), self.loop).result(timeout=20)

    def stop(self) -> None:
        """End it."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
        self._pool.close()


def test_of_many_callers_on_two_daemons_one_claims_the_refresh(site: Keeping, provider: KeepingProvider) -> None:
    """Two that both ask the provider with one refresh token lose all of this person's tokens."""
    daemons = [site.daemon(), site.daemon()]
    for _ in range(ROUNDS):
        site.tokens.keep(KEY, site.account, provider.granted())
        site.clock.advance(2 * HOUR)

        found = together(*(lambda at=at: daemons[at % 2].claim(site.due) for at in range(THREADS)))

        assert sum(isinstance(each, RefreshClaim) for each in found) == 1


def test_many_requests_at_two_daemons_make_one_refresh(site: Keeping, provider: KeepingProvider) -> None:
    """The whole way: two event loops, one store, and a provider that revokes everything at a second use."""
    with ExitStack() as stack:
        daemons = [DaemonLoop(site.daemon(), provider) for _ in range(2)]
        for each in daemons:
            stack.callback(each.stop)
        for round_ in range(1, 4):
            site.tokens.keep(KEY, site.account, provider.granted())
            site.clock.advance(2 * HOUR)

            found = together(*(lambda at=at: daemons[at % 2].fetch(site.question()) for at in range(THREADS)))

            assert all(isinstance(each, HandedOut) for each in found)
            assert len({each.access_token for each in found}) == 1
            assert provider.refreshes == round_


def test_a_login_in_the_middle_of_a_refresh_leaves_a_refresh_token_that_is_good(
    site: Keeping, provider: KeepingProvider
) -> None:
    """Whichever writes last, what stands there must be honoured by the provider."""
    for at in range(ROUNDS):
        provider.gives_refresh = True
        site.tokens.keep(KEY, site.account, provider.granted())
        site.clock.advance(2 * HOUR)
        mine = site.tokens.claim(site.due)
        assert isinstance(mine, RefreshClaim)
        renewed = asyncio.run(provider.refresh(mine.grant.refresh_token, cast("Any", None)))
        provider.gives_refresh = at % 2 == 0
        login = provider.granted()

        together(
            lambda mine=mine, renewed=renewed: site.tokens.settle(mine, renewed),
            lambda login=login: site.daemon().keep(KEY, site.account, login),
        )

        assert site.kept().refresh_token in provider.good


def test_an_unlink_in_the_middle_of_a_refresh_leaves_no_good_token_anywhere(
    site: Keeping, provider: KeepingProvider
) -> None:
    """Either the unlink finds the fresh tokens and takes them back, or the refresh finds the link gone and does."""
    let_go = letting_go(site, provider)
    for _ in range(ROUNDS):
        site.change_account(identities={KEY: LinkedIdentity(0, "")})
        provider.taken_back.clear()
        site.tokens.keep(KEY, site.account, provider.granted())
        site.clock.advance(2 * HOUR)
        mine = site.tokens.claim(site.due)
        assert isinstance(mine, RefreshClaim)
        renewed = asyncio.run(provider.refresh(mine.grant.refresh_token, cast("Any", None)))
        site.change_account(identities={})

        settled, _ = together(
            lambda mine=mine, renewed=renewed: site.tokens.settle(mine, renewed), lambda: let_go(unlinked(site))
        )

        left = settled.tokens if isinstance(settled, Orphaned) else ()
        assert site.store.upstream_tokens.read(KEY) is None
        assert renewed.grant.refresh_token in {*provider.taken_back, *left}


def letting_go(
    site: Keeping,
    provider: KeepingProvider,
    told: list[str] | None = None,
    *,
    pause: Callable[[int], None] = lambda _: None,
    fails: list[ProviderBroken] | None = None,
) -> LettingGo:
    """Return what takes tokens back at the scripted provider, after it failed so often."""

    def take_back(_: str, tokens: tuple[str, ...]) -> bool:
        if fails:
            raise fails.pop()
        provider.taken_back += tokens
        return True

    return LettingGo(
        site.store,
        site.seal,
        take_back=take_back,
        pause=pause,
        note=lambda event: (told if told is not None else []).append(event.facts["outcome"]),
        clock=site.clock,
        new_uuid=uuid4,
        checkpoint=site.reach,
    )


def unlinked(site: Keeping, key: IdentityKey = KEY) -> Revocation:
    """Return the revocation of an unlink."""
    return Revocation(uuid4(), site.account, None, 2, int(Ended.UNLINKED), site.clock(), key)


# --- processes that end


def test_every_step_has_its_kill(site: Keeping, provider: KeepingProvider) -> None:
    """A checkpoint that no test visits is one that nobody tried to die at."""
    run_all(site, provider)

    assert set(site.reached) == set(TOKEN_CHECKPOINTS)


def run_all(site: Keeping, provider: KeepingProvider) -> None:
    """Keep, refresh and let go, as one process does."""
    site.tokens.keep(KEY, site.account, provider.granted())
    site.clock.advance(2 * HOUR)
    mine = site.tokens.claim(site.due)
    if isinstance(mine, RefreshClaim):
        renewed = asyncio.run(provider.refresh(mine.grant.refresh_token, cast("Any", None)))
        site.tokens.settle(mine, renewed)
    site.change_account(identities={})
    letting_go(site, provider)(unlinked(site))


@pytest.mark.parametrize("place", ["tokens.kept", "tokens.settled"])
def test_a_process_that_ends_after_a_write_has_lost_nothing(
    site: Keeping, provider: KeepingProvider, place: str
) -> None:
    """The next daemon refreshes with what was written."""
    site.stop_at = place
    with pytest.raises(Killed):
        run_all(site, provider)
    site.stop_at = ""

    site.clock.advance(2 * HOUR)
    mine = site.daemon().claim(site.due)

    assert isinstance(mine, RefreshClaim)
    assert mine.grant.refresh_token in provider.good


def test_a_process_that_ends_with_the_claim_lets_the_next_one_refresh(site: Keeping, provider: KeepingProvider) -> None:
    """It had not asked yet, or had: after the claim has run out it is asked once more, and no earlier."""
    site.stop_at = "tokens.claimed"
    with pytest.raises(Killed):
        run_all(site, provider)
    site.stop_at = ""

    assert not isinstance(site.daemon().claim(site.due), RefreshClaim)
    site.clock.advance(HOLD_MS)
    mine = site.daemon().claim(site.due)

    assert isinstance(mine, RefreshClaim)
    renewed = asyncio.run(provider.refresh(mine.grant.refresh_token, cast("Any", None)))
    assert isinstance(site.tokens.settle(mine, renewed), HandedOut)


def test_a_process_that_ends_after_the_providers_answer_costs_a_login_and_no_more(
    site: Keeping, provider: KeepingProvider
) -> None:
    """The answer is lost with the process. One more try tells whether the provider forgives it; no loop follows."""
    site.tokens.keep(KEY, site.account, provider.granted())
    site.clock.advance(2 * HOUR)
    lost = site.tokens.claim(site.due)
    assert isinstance(lost, RefreshClaim)
    asyncio.run(provider.refresh(lost.grant.refresh_token, cast("Any", None)))
    site.clock.advance(HOLD_MS)
    with ExitStack() as stack:
        daemon = DaemonLoop(site.daemon(), provider)
        stack.callback(daemon.stop)

        found = [daemon.fetch(site.question()) for _ in range(3)]

    assert found == [LoginDue()] * 3
    assert provider.refreshes == 2


@pytest.mark.parametrize("place", ["tokens.taken-back", "tokens.forgotten"])
def test_a_process_that_ends_while_it_lets_go_hands_nothing_out(
    site: Keeping, provider: KeepingProvider, place: str
) -> None:
    """The account decides; the next process, or fsck, removes what is left."""
    site.stop_at = place
    with pytest.raises(Killed):
        run_all(site, provider)
    site.stop_at = ""

    assert not isinstance(site.daemon().look(site.question()), HandedOut | DueForRefresh)
    letting_go(site, provider)(unlinked(site))
    assert site.store.upstream_tokens.read(KEY) is None


# --- what is let go


def test_tokens_are_let_go_of_only_where_the_account_says_so(site: Keeping, provider: KeepingProvider) -> None:
    """A revocation is carried out again, perhaps long after it was undone: each row of the table."""
    let_go = letting_go(site, provider)
    site.tokens.keep(KEY, site.account, provider.granted())
    disabled = Revocation(uuid4(), site.account, None, 2, int(Ended.DISABLED), site.clock())
    everywhere = Revocation(uuid4(), site.account, None, 2, int(Ended.REVOKED), site.clock())
    one = Revocation(uuid4(), site.account, b"s" * 16, 0, int(Ended.UNLINKED), site.clock(), KEY)

    for revocation in (unlinked(site), unlinked(site, OTHER), disabled, everywhere, one):
        let_go(revocation)
    assert site.store.upstream_tokens.read(KEY) is not None

    site.change_account(status=AccountStatus.DISABLED)
    let_go(disabled)
    assert site.store.upstream_tokens.read(KEY) is None


@pytest.mark.parametrize(
    ("fails", "pauses", "outcome"),
    [(0, [], "taken-back"), (2, [SECOND, 2 * SECOND], "taken-back"), (3, [SECOND, 2 * SECOND], "not-taken-back")],
)
def test_a_provider_in_trouble_is_asked_three_times(
    site: Keeping,
    provider: KeepingProvider,
    expect_log: Callable[..., Expectation],
    *,
    fails: int,
    pauses: list[int],
    outcome: str,
) -> None:
    """A moment of trouble must not leave a token good for months; nor may it hold up what comes after."""
    waited: list[int] = []
    told: list[str] = []
    left = [ProviderBroken("answered 503") for _ in range(fails)]
    site.tokens.keep(KEY, site.account, provider.granted())
    site.change_account(identities={})
    expect_log("identity.upstream_tokens", "tokens-not-taken-back", required=outcome == "not-taken-back")

    letting_go(site, provider, told, pause=waited.append, fails=left)(unlinked(site))

    assert (waited, told) == (pauses, [outcome])
    assert site.store.upstream_tokens.read(KEY) is None


def test_tokens_of_another_account_are_left_alone(site: Keeping, provider: KeepingProvider) -> None:
    """The identity was linked elsewhere meanwhile: its tokens are that account's."""
    heir = site.made(KEY)
    site.tokens.keep(KEY, heir, provider.granted())
    site.change_account(identities={})

    letting_go(site, provider)(unlinked(site))

    assert site.row().account_id == heir


def test_tokens_that_nobody_can_read_are_forgotten(site: Keeping, provider: KeepingProvider) -> None:
    """Their key left the ring: there is nothing to show the provider, and no reason to stay."""
    told: list[str] = []
    site.tokens.keep(KEY, site.account, provider.granted())
    site.tokens.refuse(_claimed(site))
    site.change_account(identities={})

    letting_go(site, provider, told)(unlinked(site))

    assert told == ["nothing-to-take-back"]
    assert site.store.upstream_tokens.read(KEY) is None


def _claimed(site: Keeping) -> RefreshClaim:
    site.clock.advance(2 * HOUR)
    found = site.tokens.claim(site.due)
    assert isinstance(found, RefreshClaim)
    return found


def test_a_refresh_whose_link_went_takes_its_tokens_back(site: Keeping, provider: KeepingProvider) -> None:
    """The unlink found the old ones only."""
    site.tokens.keep(KEY, site.account, provider.granted())
    site.clock.advance(2 * HOUR)
    provider.may_answer.clear()
    with ExitStack() as stack:
        daemon = DaemonLoop(site.daemon(), provider)
        stack.callback(daemon.stop)
        threads = stack.enter_context(ThreadPoolExecutor(1))
        asked = threads.submit(daemon.fetch, site.question())
        until(provider.under_way.is_set)
        site.change_account(identities={})
        letting_go(site, provider)(unlinked(site))
        provider.may_answer.set()

        assert asked.result() == LoginDue()

    assert len(provider.taken_back) == 4
