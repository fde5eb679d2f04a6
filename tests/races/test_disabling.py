"""Disabling, unlinking and ending everywhere against logins at the same moment.

Everything is real: the account service, the session service, the order of a login. Whoever wins,
no session of the refused kind may be alive when both are done.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final
from uuid import uuid4

import pytest

from identity.accounts.linking import Refusal
from identity.accounts.results import Change, Link, Linked, Reached, SignedUp, SignUp, Unlink
from identity.accounts.service import AccountService
from identity.accounts.store import AccountRow
from identity.accounts.usernames import NamePolicy
from identity.errors import StoreUnavailable
from identity.login.entering import Entering
from identity.login.flow import Person
from identity.login.results import Refused, SignedIn, Visit
from identity.stores.memory import MemoryAccounts
from identity.types import AccountId
from identity.watching import end_sessions
from tests.support.accounts import OPERATOR, PERSON, key
from tests.support.daemons import Daemons
from tests.support.jars import BrowserJar
from tests.support.racing import race

ROUNDS: Final = 60
LOGINS: Final = 3
ADA: Final = Person("ada", "Ada", "", email_verified=False, picture="", auth_at=1)


def _uncounted(_name: str, /, **_labels: str) -> None:
    """Count nothing."""


class House:
    """Accounts and sessions in memory, wired as the daemon wires them."""

    def __init__(self) -> None:
        self.daemons = Daemons()
        clock = self.daemons.clock
        store = MemoryAccounts(clock=clock)
        self.sessions = self.daemons.service
        self.accounts = AccountService(
            store,
            audit=store.audit,
            note=lambda _: None,
            clock=clock,
            new_uuid=uuid4,
            end_sessions=end_sessions(self.sessions),
            policy=NamePolicy(),
            checkpoint=lambda _: None,
        )
        self._entering = Entering(
            self.accounts,
            self.sessions,
            clock=clock,
            random_bytes=self.daemons.random.randbytes,
            note=lambda _: None,
            count=_uncounted,
        )

    def member(self, subject: str, *further: str) -> AccountId:
        """Make an account; `further` identities are linked."""
        made = self.accounts.sign_up(SignUp(uuid4(), key(subject), f"name{subject}", "", PERSON))
        assert isinstance(made, SignedUp)
        for each in further:
            self.link(made.account_id, each)
        return made.account_id

    def log_in(self, subject: str) -> object:
        """Log in with a browser of one's own; four lost races are an answer too."""
        visit = Visit(BrowserJar().check(), "192.0.2.1", "r")
        try:
            return self._entering.enter(key(subject), "p", ADA, return_to="/", visit=visit)
        except StoreUnavailable:
            return None

    def link(self, account_id: AccountId, subject: str) -> None:
        """Link one more identity."""
        linked = self.accounts.link(Link(uuid4(), account_id, key(subject), "", PERSON))
        assert isinstance(linked, Linked)


@pytest.fixture
def house() -> House:
    """Give accounts and sessions."""
    return House()


def acts(*each: Callable[[], object]) -> Callable[[int], Any]:
    """Let each runner do one of these."""
    return lambda me: each[me]()


def test_no_session_of_a_disabled_account_survives(house: House) -> None:
    """A login that overlaps the operator's click would keep the disabled person in."""
    for number in range(ROUNDS):
        subject = str(number)
        account_id = house.member(subject)
        disable = partial(house.accounts.disable, Change(uuid4(), account_id, OPERATOR))

        done, *_ = race(LOGINS + 1, acts(disable, *[partial(house.log_in, subject)] * LOGINS))

        assert done == Reached(account_id)
        assert house.sessions.devices(account_id) == ()
        assert house.log_in(subject) == Refused(Refusal.DISABLED)


def test_a_login_that_read_the_account_just_before_it_was_disabled_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one order of steps that matters, every time."""
    account_id = house.member("1")
    read = house.accounts.account

    def read_and_disable(asked: AccountId) -> AccountRow | None:
        row = read(asked)
        monkeypatch.setattr(house.accounts, "account", read)
        house.accounts.disable(Change(uuid4(), account_id, OPERATOR))
        return row

    monkeypatch.setattr(house.accounts, "account", read_and_disable)

    assert house.log_in("1") == Refused(Refusal.DISABLED)

    assert house.sessions.devices(account_id) == ()


def test_no_session_of_an_unlinked_way_survives_and_the_other_way_works(house: House) -> None:
    """The thief's identity is taken away while the thief is just logging in."""
    for number in range(ROUNDS):
        kept, taken = f"{number}-kept", f"{number}-taken"
        account_id = house.member(kept, taken)
        unlink = partial(house.accounts.unlink, Unlink(uuid4(), account_id, key(taken), PERSON))

        done, *_ = race(4, acts(unlink, *[partial(house.log_in, taken)] * 2, partial(house.log_in, kept)))

        assert done == Reached(account_id)
        assert {device.identity for device in house.sessions.devices(account_id)} <= {key(kept)}
        assert not isinstance(house.log_in(taken), SignedIn)
        assert isinstance(house.log_in(kept), SignedIn)


def test_after_logging_out_everywhere_only_later_logins_are_in(house: House) -> None:
    """A phone that was lost a minute ago must not be among the sessions."""
    for number in range(ROUNDS):
        subject = str(number)
        account_id = house.member(subject)
        before = house.log_in(subject)
        assert isinstance(before, SignedIn)
        end = partial(house.accounts.end_everywhere, Change(uuid4(), account_id, PERSON))

        done, *_ = race(LOGINS + 1, acts(end, *[partial(house.log_in, subject)] * LOGINS))

        assert done == Reached(account_id)
        assert before.opened.session.id not in {device.id for device in house.sessions.devices(account_id)}
        assert isinstance(house.log_in(subject), SignedIn)
