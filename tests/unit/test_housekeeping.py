"""What follows from what happened to sessions, and when a memcached node may be used again."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from identity.accounts.linking import Refusal, Refuse
from identity.accounts.results import By, Change, GroupsChange, NotReachedYet, Reached, SignedUp, SignUp
from identity.accounts.service import AccountService
from identity.accounts.store import REGROUPED, Revocation
from identity.accounts.usernames import NamePolicy
from identity.audit import Event
from identity.errors import StoreUnavailable
from identity.housekeeping import IN_ORDER_MS, AuditingWatcher, Clearing, Housekeeping, compare, end_sessions
from identity.membership.groups import MOST
from identity.metrics import Metrics
from identity.sessions.check import Outcome
from identity.sessions.record import Copied
from identity.stores.memory import MemoryAccounts
from identity.types import SECOND, AccountId, Host, IdentityKey
from tests.support.daemons import Daemons
from tests.support.jars import BrowserJar
from tests.support.waiting import until

KEY = IdentityKey("demo:1")


class WatchedServices:
    """A daemon's services over memory, as the composition root wires them."""

    def __init__(self) -> None:
        self.daemons = Daemons()
        self.store = MemoryAccounts(clock=self.daemons.clock)
        self.notes: list[Event] = []
        self.sessions_away = False
        self.carry_out = carry_out = end_sessions(
            self.daemons.service, account=self.store.accounts.read, clock=self.daemons.clock
        )

        def end(revocation: Revocation) -> None:
            if self.sessions_away:
                raise StoreUnavailable(detail="no answer")
            carry_out(revocation)

        self.accounts = AccountService(
            self.store,
            audit=self.store.audit,
            note=self.notes.append,
            clock=self.daemons.clock,
            new_uuid=uuid4,
            end_sessions=end,
            policy=NamePolicy(),
            checkpoint=lambda _: None,
        )
        made = self.accounts.sign_up(SignUp(uuid4(), KEY, "ada", "ada", By("self")))
        assert isinstance(made, SignedUp)
        self.account_id = made.account_id
        self.metrics = Metrics()
        self.watching = AuditingWatcher(
            note=self.notes.append, metrics=self.metrics, clock=self.daemons.clock, new_uuid=uuid4
        )

    def log_in(self, *, groups: tuple[str, ...] = ()) -> BrowserJar:
        """Open a session of the account."""
        jar = BrowserJar()
        account = self.accounts.account(self.account_id)
        assert account is not None
        self.daemons.login(jar, account_id=self.account_id, epoch=account.epoch, identity=KEY, groups=groups)
        return jar

    def change(self) -> Change:
        """Return a request about the account."""
        return Change(uuid4(), self.account_id, By("operator:test", why="a test"))


@pytest.fixture
def services() -> WatchedServices:
    return WatchedServices()


def test_a_disabled_account_is_logged_out_on_its_next_check(services: WatchedServices) -> None:
    """Whoever was disabled must not go on with the session he has (threat 30)."""
    jar = services.log_in()

    services.accounts.disable(services.change())

    verdict = services.daemons.visit(jar)
    assert (verdict.outcome, verdict.reason) == (Outcome.LOGIN, "disabled")


def test_a_disable_that_missed_the_sessions_is_found_by_comparing(services: WatchedServices) -> None:
    """Even if the queue were lost, the record is held against the account while it is used."""
    jar = services.log_in()
    services.sessions_away = True
    services.accounts.disable(services.change())
    assert services.daemons.visit(jar).outcome is Outcome.OK

    compare(services.account_id, accounts=services.accounts, sessions=services.daemons.service)

    assert services.daemons.visit(jar).reason == "disabled"


def test_a_record_of_another_time_is_ended_by_comparing(services: WatchedServices) -> None:
    """An old memcached that came back must not bring sessions back that were ended everywhere."""
    jar = services.log_in()
    services.sessions_away = True
    services.accounts.end_everywhere(services.change())
    services.sessions_away = False

    compare(services.account_id, accounts=services.accounts, sessions=services.daemons.service)

    assert services.daemons.visit(jar).outcome is Outcome.LOGIN


def test_comparing_a_sound_record_changes_nothing(services: WatchedServices) -> None:
    """The comparison runs every five minutes for everybody who is active."""
    jar = services.log_in()

    compare(services.account_id, accounts=services.accounts, sessions=services.daemons.service)

    assert services.daemons.visit(jar).outcome is Outcome.OK


def test_housekeeping_ends_what_could_not_be_reached(services: WatchedServices) -> None:
    """The caller of a disable was told that it will be tried again: it must be."""
    jar = services.log_in()
    services.sessions_away = True
    services.accounts.disable(services.change())
    services.sessions_away = False
    looks: list[int | None] = []
    housekeeping = Housekeeping(
        services.watching, accounts=services.accounts, sessions=services.daemons.service, counted=looks.append
    )

    housekeeping.start()
    housekeeping.stop()

    assert looks[0] == 0
    assert services.daemons.visit(jar).reason == "disabled"


def test_housekeeping_compares_what_is_due(services: WatchedServices) -> None:
    """A check only queues the comparison; somebody must do it."""
    jar = services.log_in()
    services.sessions_away = True
    services.accounts.disable(services.change())
    housekeeping = Housekeeping(services.watching, accounts=services.accounts, sessions=services.daemons.service)
    housekeeping.start()

    services.watching.compare_due(services.account_id)

    until(lambda: services.daemons.service.devices(services.account_id) == ())
    housekeeping.stop()
    assert services.daemons.visit(jar).reason == "disabled"


def test_a_comparison_that_was_put_off_waits_for_the_next_round(
    services: WatchedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its store away every account that is due would be tried at once, and given up."""
    housekeeping = Housekeeping(services.watching, accounts=services.accounts, sessions=services.daemons.service)
    tried: list[AccountId] = []

    def away(account_id: AccountId, **_: object) -> None:
        tried.append(account_id)
        # As if asked to stop by the time that the round is over.
        monkeypatch.setattr(housekeeping, "_retry", housekeeping._stopping.set)
        raise StoreUnavailable(detail="no answer")

    monkeypatch.setattr("identity.housekeeping.compare", away)
    for number in range(3):
        services.watching.compare_due(AccountId(UUID(int=number)))

    housekeeping.start()
    housekeeping.stop()

    assert tried == [UUID(int=0)]


@pytest.mark.parametrize("kind", [kind for kind in Copied if kind is not Copied.FOREIGN_HOST])
def test_a_copy_is_audited_and_counted_by_its_kind_with_both_places_and_no_secret(
    services: WatchedServices, kind: Copied
) -> None:
    """Support must be able to say where the copy was used."""
    jar = services.log_in()
    [session] = services.daemons.service.devices(services.account_id)

    services.watching.ended(services.account_id, session, kind, jar.check(agent="curl", address="198.51.100.x"))

    event = services.notes[-1]
    assert (event.action, event.account_id) == (kind.code, services.account_id)
    assert f'identityd_copies_total{{reason="{kind.code}"}} 1.0' in services.metrics.render().decode()
    assert (event.facts["opened_with"], event.facts["shown_with"]) == ("Firefox on Linux", "curl")
    assert not any(value in str(event) for value in jar.cookies.values())


def test_a_token_on_the_wrong_host_is_audited_once_a_minute(services: WatchedServices) -> None:
    """A script that asks forty times a second must not fill the audit."""
    jar = services.log_in()
    [session] = services.daemons.service.devices(services.account_id)
    check = jar.check(host=Host("other.example"))
    before = len(services.notes)

    for _ in range(40):
        services.watching.foreign(services.account_id, session, check)
    services.daemons.clock.advance(61 * SECOND)
    services.watching.foreign(services.account_id, session, check)

    assert [event.action for event in services.notes[before:]] == ["foreign-host"] * 2
    assert 'identityd_copies_total{reason="foreign-host"} 2.0' in services.metrics.render().decode()


def test_a_reason_of_a_newer_release_does_not_keep_sessions_alive(services: WatchedServices) -> None:
    """An older daemon that works off the queue of a newer one must end what was revoked, whatever it is called."""
    jar = services.log_in()
    [session] = services.daemons.service.devices(services.account_id)
    made = Revocation(
        uuid4(), services.account_id, session.id, epoch=1, reason=200, created_at=services.daemons.clock()
    )

    services.carry_out(made)

    assert services.daemons.visit(jar).reason == "revoked"


def test_a_session_of_an_account_that_is_not_stored_is_reported(
    services: WatchedServices, expect_log: Callable[..., object]
) -> None:
    """It means that the account store lost something: somebody must look."""
    with expect_log("identity.housekeeping", "account-missing"):  # type: ignore[attr-defined]
        compare(AccountId(uuid4()), accounts=services.accounts, sessions=services.daemons.service)


class TestClearing:
    """A node that was away serves nobody until what was queued meanwhile is carried out."""

    def test_the_first_contact_after_a_start_is_served(self) -> None:
        """A start looks at the revocations before it listens."""
        clearing = Clearing(lambda: None)
        clearing.counted(0)

        assert clearing.cleared("n1")

    def test_a_node_that_returns_waits_for_a_look_that_began_after_it(self) -> None:
        """The look under way may have missed what was queued while the node was away."""
        woken: list[str] = []
        clearing = Clearing(lambda: woken.append("look"))
        clearing.counted(0)
        clearing.cleared("n1")

        assert not clearing.cleared("n1")
        clearing.counted(0)
        assert not clearing.cleared("n1")
        clearing.counted(0)
        assert clearing.cleared("n1")
        assert woken == ["look"] * 4

    def test_an_open_revocation_keeps_the_node_out(self) -> None:
        """Its sessions would be served although their account is disabled."""
        clearing = Clearing(lambda: None)
        clearing.counted(1)

        assert not clearing.cleared("n1")
        clearing.counted(0)
        assert clearing.cleared("n1")

    def test_an_account_store_that_is_away_keeps_no_node_out(self) -> None:
        """Session checks never wait for the account store."""
        clearing = Clearing(lambda: None)
        clearing.counted(0)
        clearing.cleared("n1")
        clearing.cleared("n1")

        clearing.counted(None)
        clearing.counted(None)

        assert clearing.cleared("n1")


# --- groups


def regroup(services: WatchedServices, *, add: str = "", remove: str = "") -> object:
    """Change the account's groups."""
    change = services.change()
    return services.accounts.change_groups(
        GroupsChange(change.id, change.account_id, change.by, frozenset(add.split()), frozenset(remove.split()))
    )


def test_open_sessions_know_a_change_of_groups_at_their_next_check(services: WatchedServices) -> None:
    """A person who was put into a group would have to log in again; one who was taken out would stay in for days."""
    jar = services.log_in()

    assert regroup(services, add="staff ops") == Reached(services.account_id)
    assert services.daemons.visit(jar).groups == ("ops", "staff")

    regroup(services, remove="ops")
    verdict = services.daemons.visit(jar)
    assert (verdict.outcome, verdict.groups) == (Outcome.OK, ("staff",))


def test_a_login_after_a_change_knows_the_groups_too(services: WatchedServices) -> None:
    """A record that was made before any login must not shut out the first one."""
    regroup(services, add="staff")

    assert services.daemons.visit(services.log_in(groups=("staff",))).groups == ("staff",)


def test_a_change_that_missed_the_sessions_reaches_them_later_and_ends_none(services: WatchedServices) -> None:
    """A node that was away for a minute is no reason to log people out."""
    jar = services.log_in()
    services.sessions_away = True
    assert isinstance(regroup(services, add="staff"), NotReachedYet)
    assert services.daemons.visit(jar).groups == ()
    services.sessions_away = False

    assert services.accounts.retry_revocations() == 0

    verdict = services.daemons.visit(jar)
    assert (verdict.outcome, verdict.groups) == (Outcome.OK, ("staff",))


def test_two_changes_that_missed_the_sessions_are_carried_out_in_their_order(services: WatchedServices) -> None:
    """The second must not take the first for a disable that it missed."""
    jar = services.log_in()
    services.sessions_away = True
    regroup(services, add="staff")
    services.daemons.clock.advance(10)
    services.sessions_away = False

    assert isinstance(regroup(services, add="ops"), NotReachedYet)
    assert services.accounts.retry_revocations() == 0

    verdict = services.daemons.visit(jar)
    assert (verdict.outcome, verdict.groups) == (Outcome.OK, ("ops", "staff"))


def test_a_change_behind_a_disable_that_missed_the_sessions_keeps_none_alive(services: WatchedServices) -> None:
    """Whoever was logged out everywhere would be back by being put into a group (threat 30)."""
    jar = services.log_in()
    services.sessions_away = True
    services.accounts.end_everywhere(services.change())
    services.daemons.clock.advance(10)
    services.sessions_away = False
    regroup(services, add="staff")

    services.accounts.retry_revocations()

    assert services.daemons.visit(jar).outcome is Outcome.LOGIN


def test_a_change_whose_forerunner_is_lost_ends_the_sessions_after_a_minute(services: WatchedServices) -> None:
    """Nothing says whether the earlier change meant an end; waiting for ever would keep a node out of use."""
    jar = services.log_in()
    services.sessions_away = True
    services.accounts.end_everywhere(services.change())
    regroup(services, add="staff")
    for revocation in services.store.revocations.open():
        if revocation.reason != REGROUPED:
            services.store.revocations.done(revocation)
    services.sessions_away = False

    assert services.accounts.retry_revocations() == 1
    services.daemons.clock.advance(IN_ORDER_MS + 1)
    assert services.accounts.retry_revocations() == 0

    assert services.daemons.visit(jar).outcome is Outcome.LOGIN


def test_an_account_is_in_thirty_two_groups_at_most(services: WatchedServices) -> None:
    """Each of its sessions' checks carries them all."""
    assert regroup(services, add=" ".join(f"g{n}" for n in range(MOST))) == Reached(services.account_id)
    assert regroup(services, add="one-more") == Refuse(Refusal.TOO_MANY_GROUPS)
    assert regroup(services, remove="g1", add="one-more") == Reached(services.account_id)
