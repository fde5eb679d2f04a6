"""A provider's word about one way to log in: what it suspends, in whatever order its words come."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from identity.accounts.event_effects import effect_of, worded
from identity.accounts.linking import Refusal, Refuse, decide
from identity.accounts.results import By, Enabled, EndingOutcome, NotReachedYet, ProviderEvent, Reached
from identity.accounts.store import AccountStatus, Suspension
from identity.sessions.record import Ended
from identity.types import AccountId, Millis
from providers.security_notices import SecurityEvent, SecurityEventType
from tests.support.accounts import Registry, Stopped, key
from tests.support.clock import NOON

DISABLED = SecurityEvent(SecurityEventType.ACCOUNT_DISABLED, reason="hijacking")
ENABLED = SecurityEvent(SecurityEventType.ACCOUNT_ENABLED)
REVOKED = SecurityEvent(SecurityEventType.SESSIONS_REVOKED)


def tell(
    registry: Registry,
    account_id: AccountId,
    event: SecurityEvent,
    *,
    at: Millis = NOON,
    subject: str = "1",
    request: UUID | None = None,
) -> EndingOutcome:
    """Let the provider say what happened at some time."""
    by = By("system", why=worded(event))
    asked = ProviderEvent(request or uuid4(), account_id, key(subject), effect_of(event), at, by)
    return registry.service.heed_provider(asked)


def refusal(registry: Registry, subject: str = "1") -> Refusal | None:
    """Return why a login is refused."""
    row = registry.service.find(key(subject))
    assert row is not None
    decision = decide(row, registry.service.account(row.account_id))
    return decision.reason if isinstance(decision, Refuse) else None


def test_a_hijacked_account_there_logs_nobody_in_here(registry: Registry) -> None:
    """The thief would go on here after the provider locked him out."""
    alice = registry.member("1", "alice", "2")

    assert tell(registry, alice, DISABLED) == Reached(alice)

    assert (refusal(registry), refusal(registry, "2")) == (Refusal.SUSPENDED, None)
    assert registry.account(alice).suspensions == {key("1"): Suspension(NOON, "account-disabled (hijacking)")}
    ended = registry.ended[-1]
    assert (ended.identity, ended.reason, ended.epoch) == (None, Ended.PROVIDER_EVENT, registry.account(alice).epoch)


def test_an_account_closed_there_for_another_reason_ends_what_was_opened_through_it(registry: Registry) -> None:
    """Sessions that were opened in another way are the person's own."""
    alice = registry.member("1", "alice", "2")

    tell(registry, alice, replace(DISABLED, reason=""))

    assert registry.ended[-1].identity == key("1")
    assert refusal(registry) is Refusal.SUSPENDED


def test_an_account_that_is_open_again_there_logs_in_again(registry: Registry) -> None:
    """The person would be locked out for ever."""
    alice = registry.member("1", "alice")
    tell(registry, alice, DISABLED)
    epoch = registry.account(alice).epoch

    assert tell(registry, alice, ENABLED, at=NOON + 1) == Reached(alice)

    assert registry.log_in("1") == alice
    assert registry.account(alice).epoch == epoch


@pytest.mark.threat(64)
@pytest.mark.parametrize("late", [0, 1])
def test_the_newest_word_counts_in_whatever_order_they_come(registry: Registry, late: int) -> None:
    """A notice that was held up for an hour would suspend a way that is in order, or resume one that is not."""
    alice = registry.member("1", "alice")
    words = [(DISABLED, NOON + 1), (ENABLED, NOON + 2)] if late else [(ENABLED, NOON + 1), (DISABLED, NOON + 2)]

    for event, at in reversed(words):
        tell(registry, alice, event, at=at)

    assert refusal(registry) == (None if late else Refusal.SUSPENDED)


def test_a_word_that_came_too_late_to_suspend_ends_sessions_all_the_same(registry: Registry) -> None:
    """Who came in before the account was closed there would stay in."""
    alice = registry.member("1", "alice")
    tell(registry, alice, ENABLED, at=NOON + 2)
    assert registry.ended == []

    tell(registry, alice, DISABLED, at=NOON + 1)

    assert len(registry.ended) == 1
    assert refusal(registry) is None


def test_sessions_revoked_suspend_nothing_and_resume_nothing(registry: Registry) -> None:
    """Logging out there is no reason to be locked out here, and no proof that the thief is gone."""
    alice = registry.member("1", "alice")
    tell(registry, alice, REVOKED)
    assert refusal(registry) is None

    tell(registry, alice, DISABLED, at=NOON + 1)
    tell(registry, alice, REVOKED, at=NOON + 2)

    assert refusal(registry) is Refusal.SUSPENDED


def test_an_identity_that_is_not_linked_any_more_changes_nothing(registry: Registry) -> None:
    """An account would be closed by what somebody did with an identity it gave up."""
    alice = registry.member("1", "alice", "2")
    registry.unlink(alice, "2")
    before, ended = registry.account(alice), list(registry.ended)

    for event in (DISABLED, ENABLED, REVOKED):
        assert tell(registry, alice, event, subject="2") == Refuse(Refusal.NOT_LINKED)

    assert (registry.account(alice), registry.ended) == (before, ended)


def test_a_way_that_is_unlinked_and_linked_again_is_new(registry: Registry) -> None:
    """An operator who proved whose it is would find it suspended, for a reason nobody remembers."""
    alice = registry.member("1", "alice", "2")
    tell(registry, alice, DISABLED, subject="2")

    registry.unlink(alice, "2")
    registry.link(alice, "2")

    assert registry.account(alice).suspensions == {}
    assert refusal(registry, "2") is None


@pytest.mark.parametrize(("gone", "kept"), [("1", "2"), ("2", "1")])
def test_a_suspended_way_is_no_last_way(registry: Registry, gone: str, kept: str) -> None:
    """Unlinking the one that works would lock the person out."""
    alice = registry.member("1", "alice", "2")
    tell(registry, alice, DISABLED, subject="1")

    outcome = registry.unlink(alice, gone)

    assert outcome == (Reached(alice) if gone == "1" else Refuse(Refusal.LAST_WAY))
    assert key(kept) in registry.account(alice).identities


def test_the_operator_opens_what_a_provider_closed(registry: Registry) -> None:
    """A word of the provider's that got lost would lock the person out for ever."""
    alice = registry.member("1", "alice", "2")
    tell(registry, alice, DISABLED)
    tell(registry, alice, DISABLED, subject="2", at=NOON + 60_000)

    assert registry.service.enable(registry.change(alice)) == Enabled(alice)

    assert (refusal(registry), refusal(registry, "2")) == (None, None)
    before = registry.account(alice)
    tell(registry, alice, DISABLED, at=NOON - 1)
    assert refusal(registry) is None
    assert registry.service.enable(registry.change(alice)) == Enabled(alice)
    assert registry.account(alice).version == before.version + 1


def test_a_disabled_account_stays_disabled_whatever_a_provider_says(registry: Registry) -> None:
    """Otherwise a provider opens what the operator closed."""
    alice = registry.member("1", "alice")
    registry.service.disable(registry.change(alice))

    tell(registry, alice, ENABLED)

    assert refusal(registry) is Refusal.DISABLED
    assert registry.account(alice).status is AccountStatus.DISABLED


def test_saying_it_twice_is_saying_it_once(registry: Registry) -> None:
    """Providers send again what they do not know to have arrived."""
    alice, request = registry.member("1", "alice"), uuid4()
    tell(registry, alice, DISABLED, request=request)
    tell(registry, alice, DISABLED, request=request)
    written = [(row.action, row.id) for row in registry.audit.of_account(alice)]

    assert len(written) == len(set(written)) == 2
    assert registry.account(alice).suspensions[key("1")].at == NOON

    tell(registry, alice, ENABLED, at=NOON + 1)
    version = registry.account(alice).version
    tell(registry, alice, ENABLED, at=NOON + 1)
    assert registry.account(alice).version == version


@pytest.mark.parametrize("checkpoint", ["ending.revocation-kept", "ending.account-changed", "ending.sessions-ended"])
def test_a_word_that_was_cut_short_is_finished_when_it_comes_again(registry: Registry, checkpoint: str) -> None:
    """A machine that dies in the wrong second would leave the thief logged in."""
    alice, request = registry.member("1", "alice"), uuid4()
    registry.stop_at(checkpoint)
    with pytest.raises(Stopped):
        tell(registry, alice, DISABLED, request=request)

    assert tell(registry, alice, DISABLED, request=request) == Reached(alice)

    assert refusal(registry) is Refusal.SUSPENDED
    assert registry.store.revocations.open() == ()


def test_sessions_that_cannot_be_reached_end_later(registry: Registry) -> None:
    """A node that is away would keep the thief's session."""
    alice = registry.member("1", "alice")
    registry.away = True

    assert isinstance(tell(registry, alice, DISABLED), NotReachedYet)
    assert refusal(registry) is Refusal.SUSPENDED

    registry.away = False
    assert registry.service.retry_revocations() == 0
    assert len(registry.ended) == 1


def test_it_is_audited_before_and_after(registry: Registry) -> None:
    """Whoever asks why a person cannot log in finds who said so."""
    alice = registry.member("1", "alice")
    tell(registry, alice, DISABLED)

    after, before = registry.audit.of_account(alice)
    assert (before.action, after.action) == ("security-event-begun", "security-event")
    assert after.facts == {"identity": key("1"), "reason": "account-disabled (hijacking)", "outcome": "done"}
