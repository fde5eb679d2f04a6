"""A provider's name stands for one issuer, from the first login through it."""

from uuid import uuid4

import pytest

from identity.accounts.store import ProviderPin
from identity.errors import ProviderTrouble, StoreUnavailable
from identity.login.pinning import ProviderPins
from identity.stores.memory import MemoryAccounts
from providers.base import SubjectScope
from tests.support.clock import NOON, ManualClock
from tests.support.contention import WatchedStore
from tests.support.racing import race

GITLAB = SubjectScope("https://gitlab.example", "sub")
STRANGER = SubjectScope("https://gitlab.evil.example", "sub")
OTHER_VALUE = SubjectScope("https://gitlab.example", "email")


class Pinned:
    """A store, and daemons that are configured in different ways."""

    def __init__(self) -> None:
        self.store = WatchedStore(MemoryAccounts(clock=ManualClock()))

    def daemon(self, scope: SubjectScope = GITLAB) -> ProviderPins:
        """Return what one daemon holds the name to."""
        return ProviderPins(self.store.providers, {"gitlab": scope}, clock=ManualClock(), new_uuid=uuid4)

    def pin(self) -> ProviderPin | None:
        """Return the pin."""
        return self.store.providers.rows.read("gitlab")


def test_a_start_pins_nothing() -> None:
    """A typo in the issuer, corrected before anybody logged in, must not need a command to be forgotten."""
    pinned = Pinned()

    assert list(pinned.daemon(STRANGER).problems()) == []

    assert pinned.pin() is None
    assert list(pinned.daemon().problems()) == []


def test_the_first_login_pins_and_later_ones_cost_nothing() -> None:
    """A read more at each login would be a round trip more for everybody."""
    pinned = Pinned()
    daemon = pinned.daemon()

    daemon.hold("gitlab")
    before = pinned.store.reads
    daemon.hold("gitlab")

    found = pinned.pin()
    assert found is not None
    assert (found.issuer, found.subject, found.pinned_at) == (GITLAB.issuer, GITLAB.subject, NOON)
    assert pinned.store.reads == before


def test_what_the_start_compared_costs_the_first_login_nothing() -> None:
    """The two reads of a returning login are a promise, right after a start too."""
    pinned = Pinned()
    pinned.daemon().hold("gitlab")
    restarted = pinned.daemon()
    assert list(restarted.problems()) == []
    before = pinned.store.reads

    restarted.hold("gitlab")

    assert pinned.store.reads == before


@pytest.mark.parametrize("other", [STRANGER, OTHER_VALUE])
def test_a_name_that_means_something_else_is_refused_at_the_start_and_at_a_login(other: SubjectScope) -> None:
    """Otherwise whoever has the same subject at the other issuer is let into these accounts."""
    pinned = Pinned()
    pinned.daemon().hold("gitlab")
    changed = pinned.daemon(other)

    (problem,) = changed.problems()

    assert problem.startswith("[provider:gitlab] ")
    assert other.issuer in problem
    assert "providers release gitlab" in problem
    with pytest.raises(ProviderTrouble) as refused:
        changed.hold("gitlab")
    assert refused.value.detail == problem


def test_of_two_daemons_that_disagree_only_one_pins() -> None:
    """Whoever is second must be refused, not served beside the other."""
    for _ in range(50):
        pinned = Pinned()
        daemons = [pinned.daemon(), pinned.daemon(STRANGER)]

        def holds(me: int, daemons: list[ProviderPins] = daemons) -> bool:
            try:
                daemons[me].hold("gitlab")
            except ProviderTrouble:
                return False
            return True

        outcomes = race(2, holds)

        found = pinned.pin()
        assert found is not None
        assert outcomes == [found.issuer == GITLAB.issuer, found.issuer == STRANGER.issuer]


def test_a_store_that_is_away_is_no_agreement() -> None:
    """Otherwise an outage at the start would let strangers in for the life of the process."""
    pinned = Pinned()
    pinned.daemon().hold("gitlab")
    changed = pinned.daemon(STRANGER)

    class Away:
        def read(self, _: str) -> None:
            raise StoreUnavailable(detail="away")

    rows, changed._rows = changed._rows, Away()  # type: ignore[assignment]
    with pytest.raises(StoreUnavailable):
        changed.hold("gitlab")

    changed._rows = rows
    with pytest.raises(ProviderTrouble):
        changed.hold("gitlab")
