"""Disabling, unlinking and ending everywhere against logins at the same moment.

Everything is real: the account service, the session service, the order of a login. Whoever wins,
no session of the refused kind may be alive when both are done.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final
from uuid import uuid4

import pytest

from identity.accounts.event_effects import effect_of, worded
from identity.accounts.linking import Refusal
from identity.accounts.results import By, Change, ProviderEvent, Reached, Unlink
from identity.accounts.store import AccountRow
from identity.login.results import LoggedIn, LoginDenied
from identity.types import AccountId
from providers.security_notices import SecurityEvent, SecurityEventType
from tests.races.conftest import Arena
from tests.support.accounts import OPERATOR, PERSON, key
from tests.support.disorder import everything_wrong
from tests.support.login_services import LoginServices
from tests.support.racing import race

ROUNDS: Final = 200
LOGINS: Final = 3


@pytest.fixture
def login_services(arena: Arena) -> LoginServices:
    """Give accounts and sessions."""
    return LoginServices(arena.open_store)


def acts(*each: Callable[[], object]) -> Callable[[int], Any]:
    """Let each runner do one of these."""
    return lambda me: each[me]()


def test_no_session_of_a_disabled_account_survives(login_services: LoginServices, arena: Arena) -> None:
    """A login that overlaps the operator's click would keep the disabled person in."""
    for number in arena.rounds(ROUNDS):
        subject = str(number)
        account_id = login_services.member(subject)
        disable = partial(login_services.accounts.disable, Change(uuid4(), account_id, OPERATOR))

        done, *_ = race(LOGINS + 1, acts(disable, *[partial(login_services.log_in, subject)] * LOGINS))

        assert done == Reached(account_id)
        assert login_services.sessions.devices(account_id) == ()
        assert login_services.log_in(subject) == LoginDenied(Refusal.DISABLED)

    assert everything_wrong(login_services.store, now=login_services.clock()) == []


def test_a_login_that_read_the_account_just_before_it_was_disabled_is_refused(
    login_services: LoginServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one order of steps that matters, every time."""
    account_id = login_services.member("1")
    read = login_services.accounts.account

    def read_and_disable(asked: AccountId) -> AccountRow | None:
        row = read(asked)
        monkeypatch.setattr(login_services.accounts, "account", read)
        login_services.accounts.disable(Change(uuid4(), account_id, OPERATOR))
        return row

    monkeypatch.setattr(login_services.accounts, "account", read_and_disable)

    assert login_services.log_in("1") == LoginDenied(Refusal.DISABLED)

    assert login_services.sessions.devices(account_id) == ()


def test_no_session_of_a_suspended_way_survives(login_services: LoginServices, arena: Arena) -> None:
    """The thief is just logging in when the provider says that the account there is his."""
    event = SecurityEvent(SecurityEventType.ACCOUNT_DISABLED, reason="hijacking")
    for number in arena.rounds(ROUNDS):
        subject = str(number)
        account_id = login_services.member(subject)
        by, at = By("system", why=worded(event)), login_services.clock()
        said = ProviderEvent(uuid4(), account_id, key(subject), effect_of(event), at, by)
        heed = partial(login_services.accounts.heed_provider, said)

        done, again, *_ = race(LOGINS + 2, acts(heed, heed, *[partial(login_services.log_in, subject)] * LOGINS))

        assert done == again == Reached(account_id)
        assert login_services.sessions.devices(account_id) == ()
        assert login_services.log_in(subject) == LoginDenied(Refusal.SUSPENDED)

    assert everything_wrong(login_services.store, now=login_services.clock()) == []


def test_no_session_of_an_unlinked_way_survives_and_the_other_way_works(
    login_services: LoginServices, arena: Arena
) -> None:
    """The thief's identity is taken away while the thief is just logging in."""
    for number in arena.rounds(ROUNDS):
        kept, taken = f"{number}-kept", f"{number}-taken"
        account_id = login_services.member(kept, taken)
        unlink = partial(login_services.accounts.unlink, Unlink(uuid4(), account_id, key(taken), PERSON))

        done, *_ = race(
            4, acts(unlink, *[partial(login_services.log_in, taken)] * 2, partial(login_services.log_in, kept))
        )

        assert done == Reached(account_id)
        assert {device.identity for device in login_services.sessions.devices(account_id)} <= {key(kept)}
        assert not isinstance(login_services.log_in(taken), LoggedIn)
        assert isinstance(login_services.log_in(kept), LoggedIn)

    assert everything_wrong(login_services.store, now=login_services.clock()) == []


def test_after_logging_out_everywhere_only_later_logins_are_in(login_services: LoginServices, arena: Arena) -> None:
    """A phone that was lost a minute ago must not be among the sessions."""
    for number in arena.rounds(ROUNDS):
        subject = str(number)
        account_id = login_services.member(subject)
        before = login_services.log_in(subject)
        assert isinstance(before, LoggedIn)
        end = partial(login_services.accounts.end_everywhere, Change(uuid4(), account_id, PERSON))

        done, *_ = race(LOGINS + 1, acts(end, *[partial(login_services.log_in, subject)] * LOGINS))

        assert done == Reached(account_id)
        assert before.opened.session.id not in {device.id for device in login_services.sessions.devices(account_id)}
        assert isinstance(login_services.log_in(subject), LoggedIn)

    assert everything_wrong(login_services.store, now=login_services.clock()) == []
