"""`fsck --repair` beside people who sign up, link and unlink at the same moment, with real threads.

Its clock is ahead, so that nothing is young to it: it judges what was begun a moment ago, which
the half hour's rest keeps it from in life.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from identity.accounts.results import Linked, Reached, SignedUp
from identity.stores.memory import MemoryAccounts
from identity.stores.sqlite import SqliteAccounts
from identity.types import Millis
from identity.upkeep.diagnosis import REST_MS, Fault
from identity.upkeep.fsck import Inconsistency
from identity.upkeep.mending import REPAIR_CHECKPOINTS
from tests.support.accounts import Registry
from tests.support.clock import NOON, ManualClock
from tests.support.disorder import MENDED, long_after, run, steps
from tests.support.racing import race
from tests.support.sources import ROOT
from tests.support.wholeness import disagreements

ROUNDS: Final = 60
UNDER_WAY: Final = {
    Fault.UNFINISHED,
    Fault.CLAIM_OUTLIVED,
    Fault.NAME_CLAIM_OUTLIVED,
    Fault.LEFTOVER_IDENTITY,
    Fault.REVOCATION_ABANDONED,
    Fault.REVOCATION_WAITING,
}
"""What work under way looks like to somebody without patience. Everything else would be a false alarm."""

KILLED: Final = {
    "trail.begun": "an unlink cut short",
    "repair.removed": "an unlink cut short",
    "repair.restored": "a link without its row",
    "repair.owned": "a name without its row",
    "complete.account-written": "a sign-up cut short",
    "complete.name-owned": "a sign-up cut short",
    "complete.finished": "a sign-up cut short",
    "ending.revocation-kept": "a way that is another's",
    "ending.account-changed": "a way that is another's",
    "trail.ended": "a way that is another's",
    "invitation.claimant-stopped": "an invitation whose sign-up was cut short",
}
"""Every step of a repair, and a repair that takes it."""

Open = Callable[[], Registry]


class TickingClock:
    """A clock that goes on by a millisecond with each look, as real work does."""

    def __init__(self) -> None:
        self._ticks = count(NOON)

    def __call__(self) -> Millis:
        """Return the time."""
        return next(self._ticks)


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Give a function that opens a service on an empty store."""
    files: list[SqliteAccounts] = []

    def open_() -> Registry:
        clock = TickingClock()
        if request.param == "memory":
            memory = MemoryAccounts(clock=clock)
            return Registry(memory, audit=memory.audit, clock=clock)
        while files:
            files.pop().close()
        path = tmp_path / "accounts.sqlite"
        path.unlink(missing_ok=True)
        files.append(SqliteAccounts(path, clock=clock))
        return Registry(files[-1], audit=files[-1].audit, clock=clock)

    yield open_
    for file in files:
        file.close()


def impatient(registry: Registry) -> list[Inconsistency]:
    """Mend three times in a row, as if everything were old."""
    return [
        finding
        for _ in range(3)
        for finding in run(registry, repair=True, clock=lambda: registry.clock() + REST_MS + 1_000)
    ]


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Let all of them happen at the same moment."""
    return race(len(acts), lambda me: acts[me]())


def whole(registry: Registry) -> bool:
    """Mend what the round left, and tell whether everything agrees then."""
    impatient(registry)
    return disagreements(registry.store) == []


def test_people_who_change_different_things_get_what_they_were_told(opened: Open) -> None:
    """A repair would undo what somebody did a moment before."""
    for _ in range(ROUNDS):
        registry = opened()
        alice = registry.member("1", "alice", "2")

        signed_up, linked, unlinked, *found = at_once(
            partial(registry.sign_up, "7", "bob"),
            partial(registry.link, alice, "3"),
            partial(registry.unlink, alice, "2"),
            partial(impatient, registry),
            partial(impatient, registry),
        )

        assert (linked, unlinked) == (Linked(alice), Reached(alice))
        assert isinstance(signed_up, SignedUp)
        assert {finding.diagnosis.fault for each in found for finding in each} <= UNDER_WAY
        assert whole(registry)
        assert registry.log_in("1") == registry.log_in("3") == alice
        assert registry.log_in("7") == signed_up.account_id
        assert registry.log_in("2") is None


def test_people_who_want_one_identity_end_with_rows_that_agree(opened: Open) -> None:
    """One identity linked, unlinked, signed up and mended at once must lead to one account or none."""
    for _ in range(ROUNDS):
        registry = opened()
        alice, carol = registry.member("1", "alice", "2"), registry.member("5", "carol")

        *_, found = at_once(
            partial(registry.unlink, alice, "2"),
            partial(registry.link, alice, "2"),
            partial(registry.link, carol, "2"),
            partial(registry.sign_up, "2", "bob"),
            partial(impatient, registry),
        )

        assert {finding.diagnosis.fault for finding in found} <= UNDER_WAY
        assert whole(registry)
        assert (registry.log_in("1"), registry.log_in("5")) == (alice, carol)


@pytest.mark.parametrize("what", ["a sign-up cut short", "a link cut short", "an unlink cut short"])
def test_a_person_who_comes_back_during_the_repair_is_not_in_its_way(opened: Open, what: str) -> None:
    """The login that finishes a change, the person who repeats it, and two repairs, all at once."""
    for _ in range(ROUNDS // 3):
        registry = opened()
        MENDED[what][0](registry)

        at_once(
            partial(registry.log_in, "1"),
            partial(registry.log_in, "2"),
            partial(registry.sign_up, "2", "bob"),
            partial(impatient, registry),
            partial(impatient, registry),
        )

        assert whole(registry)
        assert registry.log_in("1") is not None


@pytest.mark.parametrize("what", list(MENDED))
def test_several_repairs_at_once_are_as_good_as_one(opened: Open, what: str) -> None:
    """Two operators, or a nightly run on each of two machines."""
    for _ in range(ROUNDS // 6):
        registry = opened()
        MENDED[what][0](registry)

        at_once(*(partial(impatient, registry) for _ in range(3)))

        assert whole(registry)
        assert not any(finding.left for finding in impatient(registry))


@pytest.mark.parametrize("checkpoint", list(KILLED))
def test_a_repair_that_is_killed_leaves_what_the_next_one_mends(tmp_path: Path, checkpoint: str) -> None:
    """The power fails a second time, while an operator mends what the first time left."""
    path, clock = tmp_path / "accounts.sqlite", ManualClock()
    store = SqliteAccounts(path, clock=clock)
    registry = Registry(store, audit=store.audit, clock=clock)
    MENDED[KILLED[checkpoint]][0](registry)
    long_after(registry)
    command = [sys.executable, "-m", "tests.support.dying", str(path), "repair", checkpoint, str(clock())]

    child = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60)

    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    long_after(registry)
    assert not any(finding.left for finding in run(registry, repair=True))
    assert disagreements(store) == []
    store.close()


def test_every_step_that_a_repair_takes_is_killed_here() -> None:
    """A step without a kill test is a step nobody knows to be safe."""
    assert {step for what in MENDED for step in steps(what)} == set(KILLED) >= set(REPAIR_CHECKPOINTS)
