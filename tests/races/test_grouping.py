"""Changing an account's groups against logins, other changes of them, and a disable at the same moment."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final
from uuid import uuid4

import pytest

from identity.accounts.results import Change, GroupsChange
from identity.sessions.store import Found
from identity.types import AccountId
from tests.races.conftest import Arena
from tests.support.accounts import OPERATOR
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


def put(services: LoginServices, account_id: AccountId, group: str) -> Callable[[], object]:
    """Return what puts an account into a group."""
    return partial(services.accounts.change_groups, GroupsChange(uuid4(), account_id, OPERATOR, frozenset({group})))


def recorded(services: LoginServices, account_id: AccountId) -> tuple[str, ...]:
    """Return the groups that every check of the account's sessions knows, once all is carried out."""
    services.accounts.retry_revocations()
    read = services.sessions.ticket(account_id).read
    assert isinstance(read, Found)
    return read.record.groups


def test_a_login_at_the_moment_of_a_change_knows_the_new_groups(login_services: LoginServices, arena: Arena) -> None:
    """A session that was opened with the old groups would keep them for as long as it is used."""
    for number in arena.rounds(ROUNDS):
        subject = str(number)
        account_id = login_services.member(subject)

        race(
            LOGINS + 1,
            acts(put(login_services, account_id, "staff"), *[partial(login_services.log_in, subject)] * LOGINS),
        )

        assert recorded(login_services, account_id) == ("staff",)
    assert everything_wrong(login_services.store, now=login_services.clock()) == []


def test_no_change_of_groups_is_lost_to_another(login_services: LoginServices, arena: Arena) -> None:
    """Two operators who each give a right must not take the other's away, nor log the person out."""
    for number in arena.rounds(ROUNDS):
        account_id = login_services.member(str(number))
        login_services.log_in(str(number))

        race(3, acts(*(put(login_services, account_id, group) for group in ("a", "b", "c"))))

        assert recorded(login_services, account_id) == ("a", "b", "c")
        assert len(login_services.sessions.devices(account_id)) == 1
    assert login_services.store.revocations.open() == ()


def test_a_change_of_groups_keeps_no_disabled_person_in(login_services: LoginServices, arena: Arena) -> None:
    """It moves sessions to a new epoch, which is what a disable ends them by (threat 30)."""
    for number in arena.rounds(ROUNDS):
        subject = str(number)
        account_id = login_services.member(subject)
        login_services.log_in(subject)
        disable = partial(login_services.accounts.disable, Change(uuid4(), account_id, OPERATOR))

        race(3, acts(disable, put(login_services, account_id, "staff"), partial(login_services.log_in, subject)))
        login_services.accounts.retry_revocations()

        assert login_services.sessions.devices(account_id) == ()
    assert login_services.store.revocations.open() == ()
