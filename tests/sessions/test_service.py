"""The session service over a store: each corner case of asking that must not log anybody out, or must."""

from collections.abc import Callable

import pytest

from identity.sessions.check import Mode, Outcome
from identity.sessions.planning import Rules
from identity.sessions.record import Copied
from identity.sessions.rotation import RotationPace
from identity.types import SECOND, AccountId, Host, Username
from tests.support.daemons import Daemons, copy, follow, rotate
from tests.support.jars import ACCOUNT, BrowserJar


def test_a_login_is_recognised(daemons: Daemons, jar: BrowserJar) -> None:
    """The one thing applications ask for."""
    verdict = daemons.visit(jar)

    assert (verdict.outcome, verdict.reason, verdict.username, verdict.account_id) == (
        Outcome.OK,
        "current",
        "ada",
        ACCOUNT,
    )


def test_pages_rotate_the_token_and_the_jar_stays_small(daemons: Daemons, jar: BrowserJar) -> None:
    """A cookie that never changes is good for ever once copied."""
    first = set(jar.cookies)

    rotate(daemons, jar, times=20)

    assert not first & set(jar.cookies)
    assert len(jar.cookies) <= 3


def test_a_check_costs_one_read_and_a_rotation_one_write(daemons: Daemons, jar: BrowserJar) -> None:
    """Memcached trips are what a check costs."""
    daemons.store.reads = daemons.store.writes = advances = 0

    for _ in range(10):
        daemons.clock.advance(16 * SECOND)
        advances += daemons.visit(jar).reason == "advance"

    assert (daemons.store.reads, daemons.store.writes) == (10, advances)


def test_a_batch_of_a_thousand_is_one_read(daemons: Daemons, jar: BrowserJar) -> None:
    """Gateways ask in batches; a trip for each would be what they wanted to avoid."""
    daemons.store.reads = 0

    verdicts = daemons.service.check_many([jar.check(mode=Mode.READ_ONLY)] * 1000)

    assert {v.outcome for v in verdicts} == {Outcome.OK}
    assert daemons.store.reads == 1


def test_two_advances_of_one_account_in_a_batch_agree(daemons: Daemons, jar: BrowserJar) -> None:
    """The second must be decided on what the first wrote, or its write undoes nothing but its answer lies."""
    daemons.clock.advance(16 * SECOND)
    daemons.visit(jar)

    first, second = daemons.service.check_many([jar.check(), jar.check()])

    assert (first.reason, second.reason) == ("advance", "current")


def test_two_parallel_requests_both_mint_and_the_browser_lives(daemons: Daemons, jar: BrowserJar) -> None:
    """Two tabs are normal; each answer brings its own cookie."""
    daemons.clock.advance(16 * SECOND)
    check = jar.check()

    one, two = daemons.service.check_many([check])[0], daemons.service.check_many([check])[0]
    assert one.minted
    assert two.minted
    jar.apply(two.set_cookies)
    jar.apply(one.set_cookies)

    rotate(daemons, jar, times=3)


def test_an_answer_that_is_lost_costs_nothing(daemons: Daemons, jar: BrowserJar) -> None:
    """Mobile networks lose answers; the old token must go on working."""
    for _ in range(20):
        daemons.clock.advance(16 * SECOND)
        assert daemons.service.check_many([jar.check()])[0].outcome is Outcome.OK

    rotate(daemons, jar, times=2)


def test_an_answer_a_minute_late_costs_nothing(daemons: Daemons, jar: BrowserJar) -> None:
    """A slow answer only adds its token; it cannot set the newer one back."""
    daemons.clock.advance(16 * SECOND)
    late = daemons.service.check_many([jar.check()])[0]
    rotate(daemons, jar, times=3)

    jar.apply(late.set_cookies)

    rotate(daemons, jar, times=3)


def test_an_answer_delivered_twice_costs_nothing(daemons: Daemons, jar: BrowserJar) -> None:
    """Proxies repeat; a deletion or a token applied twice must be harmless."""
    daemons.clock.advance(16 * SECOND)
    answer = daemons.service.check_many([jar.check()])[0]
    jar.apply(answer.set_cookies)
    rotate(daemons, jar)

    jar.apply(answer.set_cookies)

    rotate(daemons, jar, times=3)


def test_both_servers_advancing_agree(daemons: Daemons, jar: BrowserJar) -> None:
    """The loser of the write must decide again on what the winner wrote."""
    other = daemons.daemon()
    daemons.clock.advance(16 * SECOND)
    daemons.visit(jar)
    check = jar.check()
    daemons.store.before_write = lambda: other.check_many([check])

    verdict = daemons.service.check_many([check])[0]

    assert (verdict.outcome, verdict.reason) == (Outcome.OK, "current")
    jar.apply(verdict.set_cookies)
    rotate(daemons, jar, times=2)


@pytest.mark.parametrize("applied", [True, False], ids=["it was applied", "it was not"])
def test_an_advance_of_unknown_outcome_accepts_without_cookies(
    daemons: Daemons, jar: BrowserJar, *, applied: bool
) -> None:
    """Minting or deleting on a guess is how a network fault becomes a logout."""
    daemons.clock.advance(16 * SECOND)
    daemons.visit(jar)
    daemons.store.unknown = [applied]

    verdict = daemons.visit(jar)

    assert (verdict.outcome, verdict.set_cookies) == (Outcome.OK, ())
    rotate(daemons, jar, times=3)


@pytest.mark.threat(31)
def test_of_two_holders_one_line_is_left(daemons: Daemons, jar: BrowserJar) -> None:
    """A grace window that issues a fresh token to each would keep both for ever."""
    thief = copy(jar)
    rotate(daemons, jar, times=2)

    reasons = follow(daemons, thief)

    assert reasons == ["stale", "reuse"]
    assert daemons.heard.ends[0][1] is Copied.STALE_COPY


def test_two_holders_within_the_grace_do_not_both_live_on(daemons: Daemons, jar: BrowserJar) -> None:
    """The thief who keeps up is served at most until the line has moved past him and the grace is over."""
    thief = copy(jar)
    alive = {"user": True, "thief": True}
    for _ in range(12):
        daemons.clock.advance(8 * SECOND)
        for name, browser in (("user", jar), ("thief", thief)):
            if alive[name]:
                alive[name] = follow(daemons, browser)[-1] in ("current", "advance", "straggler")
        if not all(alive.values()):
            break

    assert not all(alive.values())


def test_a_replayed_header_is_refused_without_disturbing_the_user(daemons: Daemons, jar: BrowserJar) -> None:
    """A thief with the header alone has no marker, so the user's session need not end."""
    header = jar.check()
    rotate(daemons, jar, times=2)

    for _ in range(10):
        first = daemons.service.check_many([header])[0]
        assert first.outcome is Outcome.BOUNCE

    rotate(daemons, jar, times=2)


def test_the_victim_hears_of_it_after_the_next_login(daemons: Daemons, jar: BrowserJar) -> None:
    """Before the login the reader may be the thief."""
    thief = copy(jar)
    rotate(daemons, jar, times=2)
    follow(daemons, thief, agent="curl", address="198.51.100.0/24")

    assert daemons.visit(jar).reason == "reuse"
    opened = daemons.login(jar)

    assert [(n.reason, n.agent, n.other_agent) for n in opened.notices] == [(Copied.STALE_COPY, "Firefox on Linux", "")]


def test_a_jar_rolled_back_by_a_crash_ends_in_a_login_not_an_error(daemons: Daemons, jar: BrowserJar) -> None:
    """A crash can set the browser's disk back; the person logs in again and goes on."""
    before = dict(jar.cookies)
    rotate(daemons, jar, times=2)
    jar.cookies = before

    assert follow(daemons, jar) == ["stale", "reuse"]
    daemons.login(jar)

    rotate(daemons, jar)


def test_with_settle_a_crash_within_it_costs_nothing() -> None:
    """20 s of settling is longer than a browser waits before it writes its cookies."""
    daemons = Daemons(rules=Rules(pace=RotationPace(settle_ms=20 * SECOND)))
    jar = BrowserJar()
    daemons.login(jar)
    rotate(daemons, jar, times=3)
    saved = dict(jar.cookies)
    daemons.clock.advance(16 * SECOND)
    daemons.visit(jar)
    jar.cookies = saved

    assert daemons.visit(jar).outcome is Outcome.OK


@pytest.mark.parametrize("skew_ms", [60_000, -60_000, 600_000])
def test_a_server_with_a_wrong_clock_logs_nobody_out(daemons: Daemons, jar: BrowserJar, skew_ms: int) -> None:
    """Clocks are minutes off somewhere; no decision of safety may depend on them."""
    wrong = daemons.daemon(skew_ms=skew_ms)
    for n in range(40):
        daemons.clock.advance(9 * SECOND)
        service = wrong if n % 3 == 0 else daemons.service
        verdict = daemons.visit(jar, service=service)
        while verdict.outcome is Outcome.BOUNCE:
            verdict = daemons.visit(jar, service=service, flag=verdict.flag)
        assert verdict.outcome is Outcome.OK


def test_a_websocket_never_ends_a_session(daemons: Daemons, jar: BrowserJar) -> None:
    """A handshake follows no redirect, so nothing can be proven with it."""
    thief = copy(jar)
    rotate(daemons, jar, times=2)

    verdict = daemons.visit(thief, mode=Mode.WEBSOCKET)

    assert (verdict.outcome, verdict.reason, verdict.set_cookies) == (Outcome.LOGIN, "stale", ())
    rotate(daemons, jar)


def test_a_prefetch_is_handed_no_token(daemons: Daemons, jar: BrowserJar) -> None:
    """Its answer may never be used; the token would be lost."""
    daemons.clock.advance(16 * SECOND)

    assert daemons.visit(jar, may_mint=False).set_cookies == ()


def test_a_store_that_is_away_is_retry_and_keeps_every_name(daemons: Daemons, jar: BrowserJar) -> None:
    """An outage must never look like a logout."""
    before = dict(jar.cookies)
    daemons.store.away = True

    verdict = daemons.visit(jar)

    assert (verdict.outcome, verdict.reason) == (Outcome.RETRY, "store-down")
    assert jar.cookies == before
    daemons.store.away = False
    assert daemons.visit(jar).outcome is Outcome.OK


def test_a_store_restarted_empty_asks_for_a_login_once(daemons: Daemons, jar: BrowserJar) -> None:
    """What memcached forgot is gone, and the dead names with it."""
    daemons.cache.__init__(clock=daemons.clock)  # type: ignore[misc]

    verdict = daemons.visit(jar)

    assert (verdict.outcome, verdict.reason) == (Outcome.LOGIN, "lost")
    assert jar.cookies == {}


def test_thirty_dead_names_go_away_while_the_session_goes_on(daemons: Daemons) -> None:
    """Sessions of earlier weeks must not fill the header for ever."""
    jar = BrowserJar()
    for n in range(10):
        old = BrowserJar()
        daemons.login(old, account_id=AccountId(ACCOUNT.__class__(int=100 + n)))
        jar.cookies.update(old.cookies)
    daemons.cache.__init__(clock=daemons.clock)  # type: ignore[misc]
    mine = BrowserJar()
    daemons.login(mine)
    jar.cookies.update(mine.cookies)

    rotate(daemons, jar, times=4)

    assert len(jar.cookies) <= 3


def test_eight_planted_names_stop_neither_rotation_nor_detection(daemons: Daemons, jar: BrowserJar) -> None:
    """A sibling host can plant cookies of any name; the victim must stay protected."""
    jar.cookies.update({f"__Host-idd-planted{n}": "x" for n in range(8)})
    thief = copy(jar)

    rotate(daemons, jar, times=4)

    assert not any("planted" in name for name in jar.cookies)
    assert follow(daemons, thief)[-1] == "reuse"


def test_a_second_login_in_one_browser_replaces_the_first(daemons: Daemons, jar: BrowserJar) -> None:
    """One browser has one session, whatever late answers of the first still arrive."""
    daemons.clock.advance(16 * SECOND)
    late = daemons.service.check_many([jar.check()])[0]
    first = late.session_id

    opened = daemons.login(jar)
    jar.apply(late.set_cookies)

    verdict = daemons.visit(jar)
    assert verdict.session_id == opened.session.id != first
    assert len(daemons.service.devices(ACCOUNT)) == 1
    rotate(daemons, jar, times=2)


def test_two_live_sessions_in_one_jar_become_one(daemons: Daemons, jar: BrowserJar) -> None:
    """A login elsewhere whose cookies were merged in must not stay as a cookie that never changes."""
    other = BrowserJar()
    daemons.clock.advance(SECOND)
    newer = daemons.login(other)
    jar.cookies.update(other.cookies)

    daemons.visit(jar)

    assert [s.id for s in daemons.service.devices(ACCOUNT)] == [newer.session.id]


def test_a_login_as_somebody_else_ends_the_first_accounts_session(daemons: Daemons, jar: BrowserJar) -> None:
    """The next person at a shared computer must not leave the first one's session open."""
    daemons.login(jar, account_id=AccountId(ACCOUNT.__class__(int=8)), username=Username("bob"))

    assert daemons.service.devices(ACCOUNT) == ()
    assert daemons.visit(jar).username == "bob"


@pytest.mark.parametrize("seed", range(6))
def test_a_login_is_newer_than_what_it_takes_the_place_of_whatever_a_clock_says(seed: int) -> None:
    """A person would log in as Bob and still be shown as Ada, whose session could not be ended at once."""
    daemons, jar, bob = Daemons(seed=seed), BrowserJar(), AccountId(ACCOUNT.__class__(int=8))
    daemons.login(jar)
    late = dict(jar.cookies)
    behind = daemons.daemon(skew_ms=-5 * SECOND)
    daemons.store.before_write = lambda: setattr(daemons.store, "before_write", cut_off(daemons))

    opened = daemons.login(jar, service=behind, account_id=bob, username=Username("bob"))

    daemons.store.away = False
    jar.cookies.update(late)
    assert daemons.service.devices(ACCOUNT) != ()
    assert daemons.visit(jar).session_id == opened.session.id


def cut_off(daemons: Daemons) -> Callable[[], None]:
    """Return what takes the store away before a write."""
    return lambda: setattr(daemons.store, "away", True)


@pytest.mark.threat(26)
def test_a_new_login_has_a_new_session_id_and_tokens(daemons: Daemons, jar: BrowserJar) -> None:
    """A session fixed by an attacker before the login must not become the victim's."""
    planted = dict(jar.cookies)

    opened = daemons.login(jar)

    assert not set(planted) & set(jar.cookies)
    assert opened.session.id not in {e[0] for e in daemons.heard.ends}


def test_a_token_of_another_host_is_anonymous_and_reported(daemons: Daemons, jar: BrowserJar) -> None:
    """A token copied to another application's host must not work there."""
    verdict = daemons.visit(jar, host=Host("other.example"))

    assert (verdict.outcome, verdict.reason, verdict.set_cookies) == (Outcome.LOGIN, "foreign", ())
    assert len(daemons.heard.foreigners) == 1
