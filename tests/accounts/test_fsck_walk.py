"""`fsck` as a walk: streaming, given up, killed at its own steps, in front of a store that is away."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from identity.accounts.writing import AccountParts
from identity.errors import StoreUnavailable
from identity.upkeep.fsck import AHEAD, Fsck
from identity.upkeep.mending import Mending
from tests.support.accounts import Registry, Stopped, key
from tests.support.contention import WatchedStore
from tests.support.disorder import MENDED, change_account, long_after, run, steps
from tests.support.wholeness import disagreements


def killed(registry: Registry, checkpoint: str) -> bool:
    """Mend until the checkpoint is reached for the first time, as a kill there would; tell whether it was."""

    def stop(reached: str) -> None:
        if reached == checkpoint:
            raise Stopped

    try:
        run(registry, repair=True, checkpoint=stop)
    except Stopped:
        return True
    return False


@pytest.mark.parametrize(("what", "checkpoint"), [(what, step) for what in MENDED for step in steps(what)])
def test_a_repair_that_is_killed_is_done_by_the_next_one(registry: Registry, what: str, checkpoint: str) -> None:
    """What mends after a crash must not be what a crash breaks."""
    MENDED[what][0](registry)
    long_after(registry)

    assert killed(registry, checkpoint)
    long_after(registry)
    run(registry, repair=True)

    assert disagreements(registry.store) == []
    assert [each for each in run(registry) if each.left] == []


def test_rows_are_read_as_they_are_looked_at(registry: Registry) -> None:
    """A million accounts in memory at once would end the process."""
    for number in range(40):
        registry.member(str(number), f"name{number}")
    handed_out = 0
    identities = registry.store.identities

    class Counted:
        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of any method
            return getattr(identities, name)

        def scan(self) -> Iterator[Any]:
            nonlocal handed_out
            for row in identities.scan():
                handed_out += 1
                yield row

    store: Any = WatchedStore(registry.store)
    store.identities = Counted()

    walk = Fsck(store, clock=registry.clock, mending=None, threads=2).run()
    next(walk)

    assert handed_out == AHEAD * 2
    walk.close()


def test_a_walk_that_is_given_up_takes_no_further_step(registry: Registry) -> None:
    """Ctrl-C must not go on changing accounts behind the prompt."""
    for number in range(40):
        change_account(registry, registry.member(str(number), f"name{number}", f"{number}-2"))
        row = registry.store.identities.read_settled(key(f"{number}-2"))
        assert row is not None
        registry.store.identities.insert(replace(row, key=key(f"{number}-3"), op=uuid4()))
    long_after(registry)
    mending = Mending(AccountParts(registry.store, registry.clock, uuid4, lambda _: None), audit=registry.audit)
    walk = Fsck(registry.store, clock=registry.clock, mending=mending, threads=1).run()

    next(each for each in walk if each.findings)
    walk.close()

    left = [row for row in registry.store.identities.scan() if row.key.endswith("-3")]
    assert 40 - AHEAD - 2 <= len(left) < 40
    run(registry, repair=True)
    assert disagreements(registry.store) == []


def test_a_store_that_is_away_ends_the_walk_with_its_error(registry: Registry) -> None:
    """A walk that skips what it cannot read would call everything in order."""
    registry.member("1", "alice")
    store: Any = WatchedStore(registry.store)

    def away(_: object) -> None:
        raise StoreUnavailable(detail="disk on fire")

    store.accounts.after_read = away

    with pytest.raises(StoreUnavailable, match="disk on fire"):
        list(Fsck(store, clock=registry.clock, mending=None, threads=2).run())
