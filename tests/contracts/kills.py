"""What a change that was killed at any checkpoint may leave, in any store.

Each test has a kill of its own: its parameter says which change was killed where, and how long after
it the people come back: within the claims' life, or later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid4, uuid5

import pytest

from identity.accounts.approval import Approved
from identity.accounts.invitation import InvitationState
from identity.accounts.linking import CLAIM_REST_MS, CLAIM_TTL_MS, Refusal, Refuse, SignIn, decide
from identity.accounts.results import BeingFinished, Linked, Reached, SignedUp, SignUpOutcome, Unlink
from identity.accounts.store import AccountStatus, IdentityState
from identity.accounts.usernames import fold
from identity.types import SECOND, AccountId, Millis
from tests.support.accounts import Registry, Stopped
from tests.support.clock import ManualClock
from tests.support.dying import (
    ACCEPT,
    APPROVE,
    BY,
    CHANGES,
    DISABLE,
    GROUPS,
    LINK,
    SIGN_UP,
    SIGNING_UP,
    TAKE_OVER,
    UNLINK,
    WAITS,
    Victim,
    change,
    owner,
)
from tests.support.wholeness import disagreements

AT_ONCE: Final[Millis] = SECOND


@dataclass(frozen=True, slots=True)
class Kill:
    """A change, where it was killed, and how much later it is looked at."""

    change: str
    checkpoint: str
    after: Millis

    @property
    def too_soon(self) -> bool:
        """Tell whether the claims of the dead are still there."""
        return self.after < CLAIM_TTL_MS

    def __str__(self) -> str:
        return f"{self.change}-{self.checkpoint}-{'within' if self.too_soon else 'after'}-the-ttl"


def kills(name: str, checkpoints: Sequence[str], *after: Millis) -> pytest.MarkDecorator:
    """Run the test for each of these kills, looked at within the claims' life and after it unless `after` says."""
    found = [Kill(name, each, later) for each in checkpoints for later in after or (AT_ONCE, CLAIM_TTL_MS)]
    return pytest.mark.parametrize("left", found, ids=str, indirect=True)


@dataclass(frozen=True, slots=True)
class Left:
    """What a kill left, and a service that opened it afterwards."""

    kill: Kill
    victim: Victim
    registry: Registry

    def log_in(self, number: int = 1) -> AccountId | None:
        """Return the account that a login with one of the identities reaches."""
        return self.registry.log_in(self.victim.subject(number))

    def sign_up(self, number: int, name: str) -> SignUpOutcome:
        """Sign up with one of the identities, by a claim of its own."""
        return self.registry.sign_up(self.victim.subject(number), self.victim.name(name))

    def pass_by(self, by_ms: Millis) -> None:
        """Let time pass."""
        assert isinstance(self.registry.clock, ManualClock)
        self.registry.clock.advance(by_ms)

    def wrong(self) -> list[str]:
        """Return which of the rows do not agree."""
        return disagreements(self.registry.store, among=self.victim.tag)


class KillsContract:
    """Subclass it and give the fixture `left`, whose parameter is a `Kill`."""

    @pytest.fixture
    def left(self) -> Left:
        """Give what a kill left."""
        raise NotImplementedError

    @kills("sign-up", SIGN_UP)
    def test_after_a_killed_sign_up_the_person_has_the_account_or_can_make_it(self, left: Left) -> None:
        """An identity or a name would be locked for ever, by a power failure in the wrong second."""
        reached = left.log_in()
        if reached is None:
            assert left.kill.checkpoint in SIGN_UP[:2]
            if left.kill.too_soon:
                assert left.sign_up(1, "alice") == BeingFinished()
                left.pass_by(CLAIM_REST_MS)
            made = left.sign_up(1, "alice")
            assert isinstance(made, SignedUp)
            reached = made.account_id

        assert left.log_in() == reached
        assert left.registry.account(reached).username == left.victim.name()
        assert sum(left.victim.tag in each.username for each in left.registry.store.accounts.scan()) == 1
        assert left.wrong() == []

    @pytest.mark.parametrize(
        "left",
        [Kill(name, each, CLAIM_TTL_MS) for name in ("sign-up", "link") for each in CHANGES[name][:2]],
        ids=str,
        indirect=True,
    )
    def test_what_was_not_committed_is_gone_after_the_ttl(self, left: Left) -> None:
        """Rows that nobody needs would pile up, and a name would be kept until somebody wants it."""
        store = left.registry.store
        claimed = 2 if left.kill.change == "link" else 1

        assert store.identities.read_settled(left.victim.key(claimed)) is None
        name = store.usernames.read_settled(fold(left.victim.name()))
        assert (name is None) == (left.kill.change == "sign-up")

    @kills("sign-up", SIGN_UP[:2], CLAIM_TTL_MS)
    def test_a_killed_sign_up_keeps_its_name_from_nobody(self, left: Left) -> None:
        """A stranger may have the name that nobody finished taking."""
        stranger = left.sign_up(9, "alice")

        assert isinstance(stranger, SignedUp)
        assert isinstance(left.sign_up(1, "alice2"), SignedUp)
        assert left.wrong() == []

    @kills("sign-up", SIGN_UP[2:4], CLAIM_TTL_MS)
    def test_a_name_lost_to_a_stranger_is_asked_for_again(self, left: Left) -> None:
        """Killed after the commit, and somebody takes the name before the person comes back."""
        stranger = left.sign_up(9, "alice")
        assert isinstance(stranger, SignedUp)

        assert left.log_in() is None
        made = left.sign_up(1, "alicia")

        assert isinstance(made, SignedUp)
        assert left.log_in() == made.account_id != stranger.account_id
        assert left.wrong() == []

    @pytest.mark.parametrize(
        "left",
        [
            Kill(name, each, later)
            for name in ("invited", "take-over")
            for each in CHANGES[name]
            for later in (AT_ONCE, CLAIM_TTL_MS)
        ],
        ids=str,
        indirect=True,
    )
    def test_a_killed_sign_up_with_an_invitation_leaves_it_good_or_an_account_with_its_groups(self, left: Left) -> None:
        """The link would be used up by an account that is not there, or make two."""
        registry, key = left.registry, left.victim.invitation
        reached = left.log_in()
        if reached is None:
            assert left.kill.checkpoint in TAKE_OVER[: TAKE_OVER.index("sign-up.committed")]
            if left.kill.too_soon:
                left.pass_by(CLAIM_REST_MS)
            other = registry.sign_up(left.victim.subject(5), left.victim.name("bob"), invitation=key)
            assert isinstance(other, SignedUp)
            reached = other.account_id
        else:
            assert registry.account(reached).username == left.victim.name()

        late = registry.sign_up(left.victim.subject(6), left.victim.name("carol"), invitation=key)

        assert late == Refuse(Refusal.INVITATION_USED)
        assert registry.account(reached).groups == ("staff",)
        assert registry.invitation(key).state is InvitationState.USED
        assert registry.invitation(key).account_id == reached
        assert left.wrong() == []

    @kills("waits", WAITS)
    def test_a_killed_sign_up_that_has_to_wait_waits_or_can_be_made(self, left: Left) -> None:
        """A kill would let a person in whom no operator has seen, or lock them out unseen."""
        registry = left.registry
        row = registry.service.find(left.victim.key(1))
        if row is None or row.state is not IdentityState.ACTIVE:
            assert left.kill.checkpoint in WAITS[:3]
            left.pass_by(CLAIM_REST_MS)
            made = registry.sign_up(left.victim.subject(1), left.victim.name(), waits=True)
            assert isinstance(made, SignedUp)
        alice = owner(registry.service, left.victim)

        assert left.log_in() is None
        assert registry.account(alice).status is AccountStatus.WAITING
        assert alice in {each.account.key for each in registry.service.waiting()}
        assert registry.service.approve(registry.change(alice)) == Approved(alice)
        assert left.log_in() == alice
        assert left.wrong() == []

    @kills("approve", APPROVE)
    def test_a_killed_approval_is_made_or_can_be(self, left: Left) -> None:
        """The list would show for ever whom no command takes off it."""
        registry, alice = left.registry, owner(left.registry.service, left.victim)
        untouched = left.kill.checkpoint == "trail.begun"

        assert left.log_in() == (None if untouched else alice)
        again = registry.service.approve(registry.change(alice))

        assert again == (Approved(alice) if untouched else Refuse(Refusal.NOT_WAITING))
        assert left.log_in() == alice
        assert alice not in {each.account.key for each in registry.service.waiting()}
        assert left.wrong() == []

    @kills("accept", ACCEPT)
    def test_a_killed_acceptance_is_finished_by_the_next_who_follows_the_link(self, left: Left) -> None:
        """The link would be used up and the groups not there, or they would be given twice."""
        registry, key = left.registry, left.victim.invitation
        alice = owner(registry.service, left.victim)

        again = registry.service.invitation(key)

        assert again == Refuse(Refusal.INVITATION_USED)
        assert registry.account(alice).groups == ("staff",)
        assert registry.invitation(key).account_id == alice
        assert registry.service.accept_invitation(key, left.victim.key(1), by=BY) is None
        assert left.wrong() == []

    @kills("link", LINK)
    def test_after_a_killed_link_the_identity_is_linked_or_can_be(self, left: Left) -> None:
        """The identity would be neither the person's nor anybody else's."""
        alice = left.log_in()
        assert alice is not None

        if left.log_in(2) is None:
            assert left.kill.checkpoint in LINK[:2]
            left.pass_by(CLAIM_REST_MS)
            assert left.registry.link(alice, left.victim.subject(2)) == Linked(alice)

        assert left.log_in(2) == left.log_in() == alice
        assert left.wrong() == []

    @kills("link", LINK)
    def test_a_killed_link_can_be_repeated(self, left: Left) -> None:
        """The person sees an error page and presses the button again."""
        accounts = left.registry.service

        assert change(accounts, "link", left.victim) == Linked(owner(accounts, left.victim))

        assert left.log_in(2) == owner(accounts, left.victim)
        assert left.wrong() == []

    @kills("unlink", UNLINK)
    def test_after_a_killed_unlink_the_way_works_or_is_free(self, left: Left) -> None:
        """Half an unlink would let the thief in, or lock the identity for ever, or the person out."""
        alice = left.log_in()
        assert alice is not None
        untouched = left.kill.checkpoint in UNLINK[:2]

        assert left.log_in(2) == (alice if untouched else None)
        again = left.registry.service.unlink(Unlink(left.victim.request, alice, left.victim.key(2), BY))

        assert again == (Reached(alice) if untouched else Refuse(Refusal.NOT_LINKED))
        assert left.log_in(2) is None
        assert isinstance(left.sign_up(2, "bob"), SignedUp)
        assert left.log_in() == alice
        assert left.wrong() == []

    @kills("disable", DISABLE)
    def test_after_a_killed_disable_the_account_is_as_it_was_or_disabled(self, left: Left) -> None:
        """Something in between would be an account nobody can explain."""
        registry = left.registry
        row = registry.service.find(left.victim.key(1))
        assert row is not None

        decision = decide(row, registry.service.account(row.account_id))

        if left.kill.checkpoint in DISABLE[:2]:
            assert isinstance(decision, SignIn)
        else:
            assert decision == Refuse(Refusal.DISABLED)
        assert change(registry.service, "disable", left.victim) == Reached(row.account_id)
        assert registry.account(row.account_id).status is AccountStatus.DISABLED
        assert left.wrong() == []

    @kills("groups", GROUPS)
    def test_after_a_killed_change_of_groups_it_is_made_or_can_be(self, left: Left) -> None:
        """The operator would be told yes or no, and neither would be true."""
        registry = left.registry
        account_id = owner(registry.service, left.victim)
        before = () if left.kill.checkpoint in GROUPS[:2] else ("staff",)

        assert registry.account(account_id).groups == before
        assert change(registry.service, "groups", left.victim) == Reached(account_id)
        assert registry.account(account_id).groups == ("staff",)
        assert left.log_in() == account_id
        assert left.wrong() == []

    @pytest.mark.parametrize(
        "left",
        [Kill(each, "trail.begun", AT_ONCE) for each in ("link", "unlink", "disable", "groups")],
        ids=str,
        indirect=True,
    )
    def test_a_killed_change_left_its_trace_before_it_changed_anything(self, left: Left) -> None:
        """An operator must see what was being done when the machine died."""
        name, request = left.kill.change, left.victim.request

        newest, *_ = left.registry.audit.of_account(owner(left.registry.service, left.victim))

        assert (newest.action, newest.id) == (f"{name}-begun", uuid5(request, f"{name}:"))


def abandon(registry: Registry, victim: Victim) -> None:
    """Let another person's sign-up claim the invitation, and stop there long ago."""
    other = Registry(registry.store, audit=registry.audit, clock=registry.clock)
    other.stop_at("sign-up.invitation-claimed")
    with pytest.raises(Stopped):
        other.sign_up(victim.subject(8), victim.name("mallory"), invitation=victim.invitation)
    found = registry.invitation(victim.invitation)
    long_ago = replace(found, claimed_at=found.claimed_at - CLAIM_TTL_MS, op=uuid4())
    registry.store.invitations.replace(long_ago, expected=found, expires_at=found.expires_at)


def make_victim(registry: Registry, name: str, victim: Victim) -> None:
    """Make the account that is going to be changed, if the change needs one."""
    if name in {"invited", "take-over", "accept"}:
        registry.invite("staff", secret=victim.invitation_secret)
    if name == "take-over":
        abandon(registry, victim)
    if name == "approve":
        registry.sign_up(victim.subject(1), victim.name(), waits=True)
    elif name not in SIGNING_UP:
        further = [victim.subject(2)] if name == "unlink" else []
        registry.member(victim.subject(1), victim.name(), *further)
