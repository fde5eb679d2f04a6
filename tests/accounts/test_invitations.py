"""Invitations: what one is worth at a moment, who may use it, and what is kept of it."""

from dataclasses import replace
from uuid import uuid4

import pytest

from identity.accounts.invitation import (
    KEPT_MS,
    REST_MS,
    InvitationRow,
    InvitationState,
    Worth,
    key_of,
    standing,
)
from identity.accounts.inviting import InvitationOver
from identity.accounts.linking import Refusal, Refuse
from identity.accounts.results import BeingFinished, SignedUp
from identity.types import DAY
from identity.upkeep.diagnosis import REST_MS as REPAIR_REST_MS
from tests.contracts.account_kinds import new_invitation
from tests.support.accounts import OPERATOR, PERSON, Registry, Stopped, key
from tests.support.clock import NOON, ManualClock
from tests.support.disorder import run

MINE = uuid4()


def row(state: InvitationState, *, ends_at: int = NOON + 1, claimed_at: int = NOON) -> InvitationRow:
    """Make an invitation in a state."""
    return replace(new_invitation(), state=state, ends_at=ends_at, claim=MINE, claimed_at=claimed_at)


@pytest.mark.parametrize(
    ("found", "mine", "expected"),
    [
        (None, False, Worth.UNKNOWN),
        (row(InvitationState.REVOKED), False, Worth.REVOKED),
        (row(InvitationState.USED), True, Worth.USED),
        (row(InvitationState.GRANTING), True, Worth.UNSETTLED),
        (row(InvitationState.CLAIMED, claimed_at=NOON - REST_MS), False, Worth.BUSY),
        (row(InvitationState.CLAIMED, claimed_at=NOON - REST_MS - 1), False, Worth.UNSETTLED),
        (row(InvitationState.CLAIMED), True, Worth.GOOD),
        (row(InvitationState.CLAIMED, ends_at=NOON), True, Worth.EXPIRED),
        (row(InvitationState.OPEN, ends_at=NOON), False, Worth.EXPIRED),
        (row(InvitationState.OPEN), False, Worth.GOOD),
    ],
)
def test_the_table(found: InvitationRow | None, mine: bool, expected: Worth) -> None:  # noqa: FBT001 - a table's column
    """A link would be good for ever, or never."""
    assert standing(found, now=NOON, claim=MINE if mine else uuid4()) is expected


@pytest.mark.parametrize("secret", ["", "a" * 42, "a" * 44, "a" * 42 + "/", "a" * 42 + "\n", "ä" * 43])
def test_what_is_no_secret_is_never_looked_up(secret: str) -> None:
    """Every request with nonsense would cost the account store a read."""
    assert key_of(secret) is None


def test_the_store_and_the_audit_know_nothing_that_opens_the_link() -> None:
    """Who reads a backup or the audit could sign up."""
    registry, secret = Registry(), "s3cret-" + "x" * 36

    made = registry.invite("staff", secret=secret)

    kept = f"{made!r} {[*registry.store.invitations.scan()]!r} {[*registry.audit.scan()]!r}"
    assert secret not in kept
    assert [(each.action, each.facts.get("invitation")) for each in registry.audit.scan()] == [
        ("invite-begun", made.id),
        ("invite", made.id),
    ] or {each.action for each in registry.audit.scan()} == {"invite-begun", "invite"}


def test_an_account_that_was_made_with_one_is_in_its_groups_and_says_so() -> None:
    """The operator has to find out later by which invitation a person came."""
    registry = Registry()
    made = registry.invite("staff", "ops")

    signed = registry.sign_up(invitation=made.key)

    assert isinstance(signed, SignedUp)
    assert registry.account(signed.account_id).groups == ("ops", "staff")
    after = registry.invitation(made.key)
    assert (after.state, after.account_id, after.identity) == (InvitationState.USED, signed.account_id, key("1"))
    noted = {each.action: dict(each.facts) for each in registry.noted}
    assert noted["sign-up"]["invitation"] == made.id
    assert noted["invitation-used"]["invitation"] == made.id
    assert registry.sign_up("2", "bob", invitation=made.key) == Refuse(Refusal.INVITATION_USED)


def test_a_form_that_is_sent_twice_makes_one_account() -> None:
    """An answer was lost, and the person presses the button again."""
    registry, claim = Registry(), uuid4()
    made = registry.invite()

    first = registry.sign_up(claim=claim, invitation=made.key)

    assert registry.sign_up(claim=claim, invitation=made.key) == first


def test_a_name_that_is_taken_uses_nothing_up() -> None:
    """The person would type another name and hear that the invitation was used."""
    registry = Registry()
    registry.member("9", "alice")
    made = registry.invite()

    registry.sign_up("1", "alice", claim=MINE, invitation=made.key)

    assert registry.invitation(made.key) == made
    assert isinstance(registry.sign_up("1", "alicia", claim=MINE, invitation=made.key), SignedUp)


def test_one_that_ended_or_was_taken_back_makes_no_account() -> None:
    """A link in an old mail would be good for ever."""
    clock = ManualClock()
    registry = Registry(clock=clock)
    over, revoked = registry.invite(lasts_ms=DAY), registry.invite(lasts_ms=9 * DAY)
    registry.service.revoke_invitation(uuid4(), revoked, by=OPERATOR)
    clock.advance(DAY)

    assert registry.sign_up("1", "alice", invitation=over.key) == Refuse(Refusal.INVITATION_EXPIRED)
    assert registry.sign_up("2", "bob", invitation=revoked.key) == Refuse(Refusal.INVITATION_REVOKED)
    assert registry.sign_up("3", "carol", invitation="0" * 64) == Refuse(Refusal.INVITATION_UNKNOWN)
    assert [*registry.store.accounts.scan()] == []


def test_a_row_is_gone_thirty_days_after_its_link_used_or_not() -> None:
    """Invitations would pile up, and who was invited would be known for ever."""
    clock = ManualClock()
    registry = Registry(clock=clock)
    used, unused = registry.invite(lasts_ms=DAY), registry.invite(lasts_ms=DAY)
    registry.sign_up(invitation=used.key)

    clock.advance(DAY + KEPT_MS - 1)
    assert len([*registry.store.invitations.scan()]) == 2
    clock.advance(1)

    assert [*registry.store.invitations.scan()] == []
    assert registry.service.invitation(unused.key) == Refuse(Refusal.INVITATION_UNKNOWN)


def test_an_account_that_accepts_gets_the_groups_and_uses_it_up() -> None:
    """A person with an account was invited to a group, and must not need a second account for it."""
    registry = Registry()
    alice, made = registry.member(), registry.invite("staff")

    assert registry.service.accept_invitation(made.key, key("1"), by=PERSON) is None

    assert registry.account(alice).groups == ("staff",)
    assert registry.invitation(made.key).account_id == alice
    newest, *_ = registry.audit.of_account(alice)
    assert (newest.action, newest.facts["reason"]) == ("groups", f"invitation {made.id}")
    assert registry.noted[-1].action == "invitation-used"
    assert registry.service.accept_invitation(made.key, key("1"), by=PERSON) is None


@pytest.mark.parametrize("groups", [(), ("staff",)])
def test_one_that_would_change_nothing_stays_unused(groups: tuple[str, ...]) -> None:
    """An operator who tries the link before sending it would use it up."""
    registry = Registry()
    alice = registry.member()
    if groups:
        registry.service.accept_invitation(registry.invite("staff").key, key("1"), by=PERSON)
    made = registry.invite(*groups)

    assert registry.service.accept_invitation(made.key, key("1"), by=PERSON) is None

    assert registry.invitation(made.key) == made
    assert registry.account(alice).groups == groups


def test_groups_that_cannot_be_given_leave_it_open() -> None:
    """An account in 32 groups takes no more, and the next person may follow the link."""
    registry = Registry()
    registry.member()
    full = registry.invite(*(f"g{number}" for number in range(32)))
    registry.service.accept_invitation(full.key, key("1"), by=PERSON)
    made = registry.invite("staff")

    refused = registry.service.accept_invitation(made.key, key("1"), by=PERSON)

    assert refused == Refuse(Refusal.TOO_MANY_GROUPS)
    assert registry.invitation(made.key).state is InvitationState.OPEN


def test_one_that_is_being_used_is_busy_for_half_a_minute() -> None:
    """Two people press the button within a second."""
    clock = ManualClock()
    registry = Registry(clock=clock)
    made = registry.invite("staff")
    registry.stop_at("sign-up.invitation-claimed")
    with pytest.raises(Stopped):
        registry.sign_up("1", "alice", invitation=made.key)

    assert registry.sign_up("2", "bob", invitation=made.key) == BeingFinished()
    busy = registry.service.revoke_invitation(uuid4(), made, by=OPERATOR)
    assert isinstance(busy, InvitationOver)
    assert busy.standing is Worth.BUSY
    clock.advance(REST_MS + 1)

    assert isinstance(registry.sign_up("2", "bob", invitation=made.key), SignedUp)


def test_a_repair_finishes_what_was_being_used() -> None:
    """What no person comes back for would stay half done."""
    clock = ManualClock()
    registry = Registry(clock=clock)
    claimed, granting = registry.invite("staff"), registry.invite("ops")
    bob = registry.member("9", "bob")
    registry.stop_at("sign-up.invitation-claimed")
    with pytest.raises(Stopped):
        registry.sign_up("1", "alice", invitation=claimed.key)
    registry.stop_at("invitation.granting")
    with pytest.raises(Stopped):
        registry.service.accept_invitation(granting.key, key("9"), by=PERSON)
    clock.advance(REPAIR_REST_MS + 1)

    assert not any(finding.left for finding in run(registry, repair=True))

    assert registry.invitation(claimed.key).state is InvitationState.OPEN
    assert registry.invitation(granting.key).state is InvitationState.USED
    assert registry.account(bob).groups == ("ops",)
    registry.service.retry_revocations()
    assert run(registry) == []
