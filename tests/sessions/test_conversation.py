"""The conversation of a check, by hand, and through both of its drivers over one scripted store.

Two worlds of the same seed live through the same script: reads that find a node down or a record
corrupt, writes that are lost or whose outcome is unknown. One asks on a thread, one on an event loop.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.sessions.check import Check, Mode, Outcome, Verdict
from identity.sessions.checkers import AsyncChecker, Checker
from identity.sessions.checking import Checking, Conversation, ReadRecords, SwapRecord, TellWatcher
from identity.sessions.minting import Mint
from identity.sessions.planning import RACES
from identity.sessions.record import Record
from identity.sessions.store import Read, SessionStore, Unread, Version, Written
from identity.types import SECOND, AccountId, Host, Locator, Millis
from tests.support.caches import account
from tests.support.daemons import OPEN, Daemons, copy
from tests.support.jars import HOST, NAMES, BrowserJar
from tests.support.waiting import let_others_run

SHOP: Final = Host("shop.example")
APPLIED: Final = "applied"


class Scripted:
    """A session store whose reads and writes go as two scripts say, and then well."""

    def __init__(self, store: SessionStore, *, reads: Sequence[str], writes: Sequence[str]) -> None:
        self._store = store
        self._reads = chain(reads, repeat("found"))
        self._writes = chain(writes, repeat(APPLIED))

    def read_many(self, locators: Collection[Locator]) -> Mapping[Locator, Read]:
        """Read, or fail to."""
        fate = next(self._reads)
        return self._store.read_many(locators) if fate == "found" else dict.fromkeys(locators, Unread(fate))

    def swap(self, locator: Locator, record: Record, *, version: Version, expires_at: Millis) -> Written:
        """Write, or have trouble; where a write is lost to another, that one wrote the same."""
        fate, _, done = next(self._writes).partition(", ")
        written = Written.LOST
        if fate == APPLIED or done:
            written = self._store.swap(locator, record, version=version, expires_at=expires_at)
        return written if fate == APPLIED else Written(fate)


class Awaited:
    """The same store as an event loop meets it."""

    def __init__(self, store: Scripted) -> None:
        self._store = store

    async def read_many(self, locators: Collection[Locator]) -> Mapping[Locator, Read]:
        """Let others run, and read."""
        await let_others_run()
        return self._store.read_many(locators)

    async def swap(self, locator: Locator, record: Record, *, version: Version, expires_at: Millis) -> Written:
        """Let others run, and write."""
        await let_others_run()
        return self._store.swap(locator, record, version=version, expires_at=expires_at)


class Recorder:
    """A watcher that keeps what it hears, word for word."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, tuple[object, ...]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *told: self.heard.append((name, told))


def on_a_thread(checking: Checking, store: Scripted, watcher: Recorder, checks: Sequence[Check]) -> list[Verdict]:
    """Ask as Tornado's handlers do."""
    return Checker(checking, store, watcher).check_many(checks)


def on_a_loop(checking: Checking, store: Scripted, watcher: Recorder, checks: Sequence[Check]) -> list[Verdict]:
    """Ask as a listener on an event loop does."""
    return asyncio.run(AsyncChecker(checking, Awaited(store), watcher).check_many(checks))


Driver = Callable[[Checking, Scripted, Recorder, Sequence[Check]], list[Verdict]]
DRIVERS: Final = (on_a_thread, on_a_loop)


@dataclass(frozen=True, slots=True)
class Asked:
    """One check of a script: whose jar, how, and whether the answer arrives."""

    jar: int
    changes: Mapping[str, object] = field(default_factory=dict)
    arrives: bool = True


Rounds = Sequence[tuple[int, Sequence[Asked]]]
"""Lists of checks, each after so many seconds."""


@dataclass(frozen=True, slots=True)
class Life:
    """Every verdict, and whatever the watcher heard."""

    verdicts: list[Verdict]
    heard: list[tuple[str, tuple[object, ...]]]


def checking_of(daemons: Daemons) -> Checking:
    """Return conversations of this world's keys, time and chance."""
    mint = Mint(lambda: daemons.keys, NAMES, daemons.random.randbytes)
    return Checking(mint, rules=daemons.rules, entry=OPEN, clock=daemons.clock, chance=lambda: daemons.chance)


def world() -> tuple[Daemons, list[BrowserJar]]:
    """Return a daemon, two people's browsers, one that both logged in with, and a thief's."""
    daemons, ada, ben, both = Daemons(), BrowserJar(), BrowserJar(), BrowserJar()
    daemons.login(ada)
    daemons.login(ben, account_id=AccountId(account(2)))
    daemons.login(both, account_id=AccountId(account(3)))
    daemons.login(second := BrowserJar(), account_id=AccountId(account(4)))
    both.cookies |= second.cookies
    return daemons, [ada, ben, both, copy(ada)]


def lived(driver: Driver, rounds: Rounds, reads: Sequence[str] = (), writes: Sequence[str] = ()) -> Life:
    """Live through a script."""
    daemons, jars = world()
    store, watcher, checking = Scripted(daemons.store, reads=reads, writes=writes), Recorder(), checking_of(daemons)
    flags = [""] * len(jars)
    verdicts = []
    for wait_s, asked in rounds:
        daemons.clock.advance(wait_s * SECOND)
        checks = [jars[each.jar].check(flag=flags[each.jar], **each.changes) for each in asked]
        for each, verdict in zip(asked, driver(checking, store, watcher, checks), strict=True):
            verdicts.append(verdict)
            if each.arrives:
                jars[each.jar].apply(verdict.set_cookies)
                flags[each.jar] = verdict.flag
    return Life(verdicts, watcher.heard)


checks = st.builds(
    Asked,
    jar=st.integers(0, 3),
    changes=st.fixed_dictionaries(
        {
            "host": st.sampled_from([HOST, HOST, HOST, SHOP]),
            "mode": st.sampled_from([Mode.BROWSER, Mode.BROWSER, *Mode]),
            "navigation": st.booleans(),
        }
    ),
    arrives=st.sampled_from([True, True, False]),
)
rounds_of_checks = st.lists(st.tuples(st.sampled_from([0, 5, 16, 16, 400]), st.lists(checks, max_size=4)), max_size=12)
fates_of_reads = st.lists(st.sampled_from(["found", "found", *(unread.value for unread in Unread)]), max_size=8)
fates_of_writes = st.lists(st.sampled_from([APPLIED, "lost", "lost, done", "unknown", "unknown, done"]), max_size=12)


@given(rounds_of_checks, fates_of_reads, fates_of_writes)
@settings(max_examples=150, deadline=None)
def test_a_thread_and_an_event_loop_come_to_the_same(
    rounds: list[tuple[int, list[Asked]]], reads: list[str], writes: list[str]
) -> None:
    """Otherwise who is logged in depends on which listener a proxy asks, and a copy is told of by one of them only."""
    assert lived(on_a_thread, rounds, reads, writes) == lived(on_a_loop, rounds, reads, writes)


@pytest.mark.parametrize("driver", DRIVERS)
def test_either_driver_answers_and_tells(driver: Driver) -> None:
    """Otherwise two drivers that both do nothing would pass for equal."""
    pages = [(16, [Asked(0)]) for _ in range(4)]
    theft = [(16, [Asked(3)]), (1, [Asked(3)])]
    abroad, late = (0, [Asked(1, {"host": SHOP})]), [(400, [Asked(1)]), (16, [Asked(1)])]

    life = lived(driver, [*pages, *theft, abroad, *late])

    assert [(verdict.outcome, verdict.reason) for verdict in life.verdicts] == [
        (Outcome.OK, "current"),
        (Outcome.OK, "advance"),
        (Outcome.OK, "advance"),
        (Outcome.OK, "advance"),
        (Outcome.BOUNCE, "stale"),
        (Outcome.LOGIN, "reuse"),
        (Outcome.LOGIN, "foreign"),
        (Outcome.OK, "current"),
        (Outcome.OK, "advance"),
    ]
    assert [name for name, _ in life.heard] == ["ended", "foreign", "compare_due"]


@pytest.fixture
def advancing(daemons: Daemons, jar: BrowserJar) -> Iterator[Conversation[list[Verdict]]]:
    """A conversation about a browser whose next page moves the line and mints."""
    daemons.clock.advance(16 * SECOND)
    daemons.visit(jar)
    daemons.clock.advance(16 * SECOND)
    conversation = checking_of(daemons).begin([jar.check()])
    yield conversation
    conversation.close()


def test_no_token_is_made_before_its_write_is_applied(daemons: Daemons, advancing: Conversation[list[Verdict]]) -> None:
    """A child of a line that did not move logs its browser out a rotation later."""
    read = next(advancing)
    assert isinstance(read, ReadRecords)
    drawn = daemons.random.getstate()
    swap = advancing.send(daemons.store.read_many(read.locators))
    assert isinstance(swap, SwapRecord)
    assert daemons.random.getstate() == drawn

    with pytest.raises(StopIteration) as over:
        advancing.send(Written.APPLIED)

    assert over.value.value[0].minted
    assert daemons.random.getstate() != drawn


def test_races_that_are_lost_end_in_an_answer_without_cookies(
    daemons: Daemons, advancing: Conversation[list[Verdict]]
) -> None:
    """Otherwise two busy tabs keep each other's threads deciding for ever, or one is given a token it may not have."""
    wanted: object = next(advancing)
    for _ in range(RACES):
        assert isinstance(wanted, ReadRecords)
        assert isinstance(advancing.send(daemons.store.read_many(wanted.locators)), SwapRecord)
        try:
            wanted = advancing.send(Written.LOST)
        except StopIteration as over:
            [verdict] = over.value
            break
    else:
        pytest.fail("it went on")

    assert (verdict.outcome, verdict.reason, verdict.set_cookies) == (Outcome.OK, "advance", ())


def test_nothing_is_wanted_for_a_browser_without_cookies(daemons: Daemons) -> None:
    """Otherwise every visitor who never logged in costs a trip to memcached."""
    with pytest.raises(StopIteration) as over:
        next(checking_of(daemons).begin([BrowserJar().check()]))

    assert [verdict.reason for verdict in over.value.value] == ["anonymous"]


def test_a_corrupt_record_is_told(daemons: Daemons, jar: BrowserJar) -> None:
    """Otherwise somebody who writes to memcached is never noticed."""
    conversation, watcher = checking_of(daemons).begin([jar.check()]), Recorder()
    read = next(conversation)
    assert isinstance(read, ReadRecords)

    told = conversation.send(dict.fromkeys(read.locators, Unread.CORRUPT))

    assert isinstance(told, TellWatcher)
    told.what(watcher)
    assert watcher.heard == [("corrupt", ())]
    with pytest.raises(StopIteration) as over:
        conversation.send(None)
    assert over.value.value[0].reason == "store-corrupt"
