"""From a proven identity to a session: the order of the reads, and what happens in between."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

import pytest

from identity.accounts.linking import ChooseName, Refusal, Unknown
from identity.accounts.store import AccountRow, AccountStatus, IdentityRow, IdentityState, LinkedIdentity
from identity.errors import StoreUnavailable
from identity.login.entering import Entered
from identity.login.flow import ProvenPerson
from identity.login.results import LoggedIn, LoginBusy, LoginDenied, Visit
from identity.sessions.check import Check, Opening
from identity.types import AccountId, IdentityKey, Username
from providers.base import Profile
from tests.support.clock import NOON
from tests.support.logins import LoginSite

KEY = IdentityKey("github:ada")
ACCOUNT = AccountId(UUID(int=7))
PERSON = ProvenPerson(
    identity=KEY, provider="github", auth_at=NOON, handle="ada", said=Profile(name="Ada", email_verified=False)
)
IDENTITY = IdentityRow(KEY, Username("ada"), ACCOUNT, IdentityState.ACTIVE, UUID(int=1), NOON, UUID(int=2))
WAYS = {KEY: LinkedIdentity(NOON, "ada")}
ROW = AccountRow(ACCOUNT, Username("ada"), AccountStatus.ACTIVE, 1, 1, UUID(int=3), NOON, WAYS)
T = TypeVar("T")


@pytest.fixture
def site() -> LoginSite:
    """Give the services and stores of a daemon that is not started."""
    return LoginSite()


def store(site: LoginSite, identity: IdentityRow = IDENTITY, account: AccountRow | None = ROW) -> None:
    """Put an index row and an account into the store."""
    site.store.identities.insert(identity)
    if account:
        site.store.accounts.insert(account)


def visit(site: LoginSite) -> Visit:
    """Return a request of a browser without cookies."""
    jar = Check(cookies=(), host=site.host, agent="Firefox on Linux", address="192.0.2.x")
    return Visit(jar, "192.0.2.7", "r-1")


def enter(site: LoginSite) -> Entered:
    """Enter as Ada."""
    return site.entering.enter(PERSON, return_to="/account", visit=visit(site))


@contextmanager
def between_the_reads(site: LoginSite, act: Callable[[], object]) -> Iterator[None]:
    """Do something each time an account was read and its session is not yet open."""
    read = site.accounts.account

    def account(account_id: AccountId) -> AccountRow | None:
        row = read(account_id)
        act()
        return row

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.accounts, "account", account)
        yield


def noted(order: list[str], name: str, call: Callable[[AccountId], T]) -> Callable[[AccountId], T]:
    """Return the call, noting when it is made."""

    def made(account_id: AccountId) -> T:
        order.append(name)
        return call(account_id)

    return made


def log_in_elsewhere(site: LoginSite) -> None:
    """Open a session of the same account in another browser."""
    opening = Opening(ACCOUNT, Username("ada"), 1, KEY, NOON, site.host, "Chrome on Windows", "198.51.100.x")
    site.sessions.open(opening, ticket=site.sessions.ticket(ACCOUNT), jar=Check(cookies=(), host=site.host))


def test_an_identity_that_leads_to_an_account_opens_a_session(site: LoginSite) -> None:
    """Otherwise nobody could come back."""
    store(site)

    entered = enter(site)

    assert isinstance(entered, LoggedIn)
    session = entered.opened.session
    assert (session.identity, session.agent, session.address) == (KEY, "Firefox on Linux", "192.0.2.x")
    assert [s.id for s in site.sessions.devices(ACCOUNT)] == [session.id]


def test_it_costs_one_read_of_each_table(site: LoginSite) -> None:
    """Otherwise a login would cost more than it has to, on stores far away."""
    store(site)

    enter(site)

    assert site.store.reads == {"identities": 1, "accounts": 1}


def test_the_session_record_is_read_before_the_account(site: LoginSite) -> None:
    """Otherwise somebody who was disabled between the two reads would get a session."""
    store(site)
    order: list[str] = []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.sessions, "ticket", noted(order, "record", site.sessions.ticket))
        patch.setattr(site.accounts, "account", noted(order, "account", site.accounts.account))
        enter(site)

    assert order == ["record", "account"]


def test_an_account_disabled_between_the_reads_gets_no_session(site: LoginSite) -> None:
    """Otherwise disabling somebody would leave a login on its way untouched."""
    store(site)
    disabled: list[bool] = []

    def disable() -> None:
        if not disabled:
            disabled.append(True)
            site.disable(KEY)

    with between_the_reads(site, disable):
        entered = enter(site)

    assert entered == LoginDenied(Refusal.DISABLED)
    assert site.sessions.devices(ACCOUNT) == ()


@pytest.mark.parametrize("races", [1, 3])
def test_a_lost_race_is_tried_again_with_fresh_reads(site: LoginSite, races: int) -> None:
    """Otherwise two devices that log in at once would cost one of them an error."""
    store(site)
    left = [races]

    def race() -> None:
        if left[0]:
            left[0] -= 1
            log_in_elsewhere(site)

    with between_the_reads(site, race):
        entered = enter(site)

    assert isinstance(entered, LoggedIn)
    assert site.store.reads == {"identities": 1, "accounts": 1 + races}
    assert len(site.sessions.devices(ACCOUNT)) == 1 + races


def test_four_lost_races_are_an_outage_and_open_nothing(site: LoginSite) -> None:
    """Otherwise a login could go round for ever, holding its thread."""
    store(site)

    with between_the_reads(site, lambda: log_in_elsewhere(site)), pytest.raises(StoreUnavailable):
        enter(site)

    assert len(site.sessions.devices(ACCOUNT)) == 4
    assert site.events == []


@pytest.mark.parametrize(
    ("identity", "account", "entered"),
    [
        (replace(IDENTITY, state=IdentityState.PENDING), None, Unknown()),
        (replace(IDENTITY, state=IdentityState.NEEDS_NAME), None, ChooseName(ACCOUNT)),
        (IDENTITY, None, LoginDenied(Refusal.NO_ACCOUNT)),
        (IDENTITY, replace(ROW, identities={}), Unknown()),
        (IDENTITY, replace(ROW, status=AccountStatus.DISABLED), LoginDenied(Refusal.DISABLED)),
        (IDENTITY, replace(ROW, status=AccountStatus.MERGING), LoginDenied(Refusal.MERGING)),
        (IDENTITY, replace(ROW, status=AccountStatus.MERGED), LoginDenied(Refusal.MERGED)),
        (
            replace(IDENTITY, state=IdentityState.COMPLETING),
            replace(ROW, status=AccountStatus.MERGING, identities={}),
            LoginBusy(),
        ),
    ],
    ids=["claimed", "needs a name", "no account", "unlinked", "disabled", "merging", "merged", "being linked"],
)
def test_what_does_not_lead_to_an_account_opens_nothing(
    site: LoginSite, identity: IdentityRow, account: AccountRow | None, entered: Entered
) -> None:
    """Otherwise a half-finished or closed account would be a way in."""
    store(site, identity, account)

    assert enter(site) == entered
    assert [key for key in site.cache._items if key.startswith("s1:")] == []


def test_nobody_known_costs_one_read(site: LoginSite) -> None:
    """Otherwise strangers could load the account store twice as much as people."""
    assert enter(site) == Unknown()
    assert site.store.reads == {"identities": 1}


def test_a_refusal_is_audited_with_its_account(site: LoginSite) -> None:
    """Otherwise support could not tell somebody why they cannot log in."""
    store(site, account=replace(ROW, status=AccountStatus.DISABLED))

    enter(site)

    [event] = site.events
    assert (event.action, event.account_id, event.actor) == ("login-refused", ACCOUNT, "self")
    assert event.facts == {"provider": "github", "reason": "account-disabled", "agent": "Firefox on Linux"}
    assert (event.address, event.request_id) == ("192.0.2.7", "r-1")


def test_a_profile_that_cannot_be_stored_does_not_fail_the_login(
    site: LoginSite, expect_log: Callable[..., object]
) -> None:
    """Otherwise information about a person would decide whether they get in."""
    expect_log("identity.accounts", "profile-lost")
    store(site)

    def away(_: object) -> None:
        raise StoreUnavailable(detail="away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.store.profiles, "write", away)
        entered = enter(site)

    assert isinstance(entered, LoggedIn)


def test_the_session_record_s_node_being_away_is_an_outage(site: LoginSite) -> None:
    """Otherwise a login during an outage would be refused, or opened where nobody finds it."""
    store(site)

    with site.store_away(), pytest.raises(StoreUnavailable):
        enter(site)

    assert site.store.reads["accounts"] == 0
