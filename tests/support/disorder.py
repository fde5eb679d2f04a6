"""What can be wrong in the identity map, planted one at a time; and `fsck` over a test's registry."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from identity.accounts.invitation import InvitationRow, InvitationState
from identity.accounts.linking import CLAIM_TTL_MS, account_of
from identity.accounts.store import (
    AccountStatus,
    AccountStore,
    IdentityRow,
    IdentityState,
    KeptTokens,
    Revocation,
    Rows,
    UsernameRow,
    UsernameState,
)
from identity.accounts.usernames import fold
from identity.accounts.writing import AccountParts
from identity.stores.memory import MemoryAccounts
from identity.types import DAY, SECOND, AccountId, Checkpoint, Clock, Millis, Username, UsernameKey
from identity.upkeep.diagnosis import REST_MS, Diagnosis, Fault, Remedy
from identity.upkeep.fsck import Fsck, Inconsistency
from identity.upkeep.mending import Mending
from tests.support.accounts import Registry, Stopped, key
from tests.support.clock import ManualClock
from tests.support.wholeness import disagreements

ALICE: Final = UsernameKey("alice")


def run(
    registry: Registry,
    *,
    repair: bool = False,
    threads: int = 2,
    clock: Clock | None = None,
    checkpoint: Checkpoint = lambda _: None,
) -> list[Inconsistency]:
    """Look through the registry's store, mend if told to, and return what was found."""
    now = clock or registry.clock
    mending = Mending(AccountParts(registry.store, now, uuid4, checkpoint), audit=registry.audit)
    fsck = Fsck(registry.store, clock=now, mending=mending if repair else None, threads=threads)
    return [finding for checked in fsck.run() for finding in checked.findings]


def everything_wrong(store: AccountStore, *, now: Millis) -> list[str]:
    """Return what two independent looks at all rows find: the sentences of `disagreements`, and fsck's codes.

    Fsck's clock is ahead, so that no row is too young to be judged. Claims are not counted: they
    expire, in a real cluster by a clock that no test can advance.
    """
    fsck = Fsck(store, clock=lambda: now + REST_MS + SECOND, mending=None, threads=4)
    found = [finding.diagnosis.fault for checked in fsck.run() for finding in checked.findings]
    return [*disagreements(store), *(fault.value for fault in found if fault not in _CLAIMS)]


_CLAIMS: Final = frozenset({Fault.CLAIM_OUTLIVED, Fault.NAME_CLAIM_OUTLIVED})


def verdicts(findings: Iterable[Inconsistency]) -> list[Diagnosis]:
    """Return what was found, in the order of the codes."""
    return sorted((finding.diagnosis for finding in findings), key=lambda verdict: verdict.fault.value)


def long_after(registry: Registry) -> None:
    """Let so much time pass that nothing is young any more."""
    assert isinstance(registry.clock, ManualClock)
    registry.clock.advance(REST_MS + 1)


def _stopped(registry: Registry, checkpoint: str, act: Callable[[], object]) -> None:
    registry.stop_at(checkpoint)
    with pytest.raises(Stopped):
        act()


def _sign_up_cut_short(registry: Registry) -> None:
    _stopped(registry, "sign-up.committed", lambda: registry.sign_up("1", "alice"))


def _link_cut_short(registry: Registry) -> None:
    alice = registry.member("1", "alice")
    _stopped(registry, "link.committed", lambda: registry.link(alice, "2"))


def _unlink_cut_short(registry: Registry) -> None:
    alice = registry.member("1", "alice", "2")
    _stopped(registry, "ending.account-changed", lambda: registry.unlink(alice, "2"))
    (revocation,) = registry.store.revocations.open()
    registry.store.revocations.done(revocation)


def _identity_claim_that_stayed(registry: Registry) -> None:
    row = IdentityRow(
        key("1"), Username("alice"), AccountId(uuid4()), IdentityState.PENDING, uuid4(), registry.clock(), uuid4()
    )
    registry.store.identities.insert(row)


def _name_row(registry: Registry, name: str, owner: AccountId, state: UsernameState) -> None:
    row = UsernameRow(fold(name), Username(name), owner, state, uuid4(), registry.clock(), uuid4())
    registry.store.usernames.insert(row)


def _name_claim_that_stayed(registry: Registry) -> None:
    _name_row(registry, "alice", AccountId(uuid4()), UsernameState.PENDING)


def _name_of_a_late_helper(registry: Registry) -> None:
    _name_row(registry, "alicia", registry.member("1", "alice"), UsernameState.ACTIVE)


def lose(rows: Rows[Any, Any], row_key: object) -> None:
    """Delete a row that must be there, as no service would."""
    row = rows.read_settled(row_key)
    assert row is not None
    rows.delete(row)


def _lose_row(registry: Registry, subject: str) -> None:
    lose(registry.store.identities, key(subject))


def _lost_link(registry: Registry) -> None:
    registry.member("1", "alice", "2")
    _lose_row(registry, "2")


def _lost_only_way(registry: Registry) -> None:
    registry.member("1", "alice")
    _lose_row(registry, "1")


def change_account(registry: Registry, account_id: AccountId, **columns: object) -> None:
    """Write an account as no service would."""
    account = registry.account(account_id)
    after = replace(account, op=uuid4(), **columns)  # type: ignore[arg-type]
    registry.store.accounts.replace(after, expected=account)


def _way_of_two(registry: Registry) -> None:
    alice, bob = registry.member("1", "alice"), registry.member("2", "bob", "3")
    listed = registry.account(alice).identities
    change_account(registry, alice, identities={**listed, key("3"): registry.account(bob).identities[key("3")]})


def _only_way_is_anothers(registry: Registry) -> None:
    alice, bob = registry.member("1", "alice"), registry.member("2", "bob", "3")
    _lose_row(registry, "1")
    change_account(registry, alice, identities={key("3"): registry.account(bob).identities[key("3")]})


def _lists_nothing(registry: Registry) -> None:
    change_account(registry, registry.member("1", "alice"), identities={})


def _lose_account(registry: Registry) -> None:
    registry.store.accounts.delete(registry.account(registry.member("1", "alice")))


def _lose_account_and_row(registry: Registry) -> None:
    _lose_account(registry)
    _lose_row(registry, "1")


def _lose_name(registry: Registry) -> None:
    registry.member("1", "alice")
    lose(registry.store.usernames, ALICE)


def _change_name(registry: Registry, **columns: object) -> None:
    name = registry.store.usernames.read_settled(ALICE)
    assert name is not None
    after = replace(name, op=uuid4(), **columns)  # type: ignore[arg-type]
    registry.store.usernames.replace(after, expected=name)


def _name_not_confirmed(registry: Registry) -> None:
    registry.member("1", "alice")
    _change_name(registry, state=UsernameState.PENDING)


def _name_given_up(registry: Registry) -> None:
    registry.member("1", "alice")
    _change_name(registry, state=UsernameState.RETIRED)


def _waits_for_a_name(registry: Registry) -> None:
    _sign_up_cut_short(registry)
    assert isinstance(registry.clock, ManualClock)
    registry.clock.advance(CLAIM_TTL_MS)
    registry.member("9", "alice")
    registry.log_in("1")


def _merging(registry: Registry) -> None:
    change_account(registry, registry.member("1", "alice"), status=AccountStatus.MERGING)


def _merged(registry: Registry) -> None:
    change_account(registry, registry.member("1", "alice"), status=AccountStatus.MERGED, identities={})


def _revocation(registry: Registry, *, epoch: int) -> None:
    account = registry.member("1", "alice")
    registry.store.revocations.add(Revocation(UUID(int=1), account, None, epoch, 1, registry.clock()))


def _tokens(registry: Registry, account: AccountId, subject: str) -> None:
    row = KeptTokens(key(subject), account, b"sealed", registry.clock(), None, 0, uuid4())
    registry.store.upstream_tokens.insert(row)


def _invitation_cut_short(registry: Registry) -> None:
    """Claimed for a sign-up that died before its commit."""
    now, claim = registry.clock(), uuid4()
    row = InvitationRow(
        key="0" * 64,
        state=InvitationState.CLAIMED,
        created_at=now,
        ends_at=now + DAY,
        actor="operator:ann",
        reason="ticket 4711",
        guest="",
        groups=(),
        claim=claim,
        claimed_at=now,
        identity=key("9"),
        account_id=account_of(claim),
        op=uuid4(),
    )
    registry.store.invitations.insert(row, expires_at=row.expires_at)


MENDED: Final[dict[str, tuple[Callable[[Registry], None], Fault, Remedy]]] = {
    "a sign-up cut short": (_sign_up_cut_short, Fault.UNFINISHED, Remedy.FINISH),
    "a link cut short": (_link_cut_short, Fault.UNFINISHED, Remedy.FINISH),
    "an unlink cut short": (_unlink_cut_short, Fault.LEFTOVER_IDENTITY, Remedy.REMOVE),
    "a claim that stayed": (_identity_claim_that_stayed, Fault.CLAIM_OUTLIVED, Remedy.REMOVE),
    "a name claim that stayed": (_name_claim_that_stayed, Fault.NAME_CLAIM_OUTLIVED, Remedy.REMOVE),
    "the name of a late helper": (_name_of_a_late_helper, Fault.NAME_UNUSED, Remedy.REMOVE),
    "a link without its row": (_lost_link, Fault.WAY_LOST, Remedy.RESTORE),
    "an only way without its row": (_lost_only_way, Fault.WAY_LOST, Remedy.RESTORE),
    "a way that is another's": (_way_of_two, Fault.WAY_ELSEWHERE, Remedy.UNLIST),
    "a name without its row": (_lose_name, Fault.NAME_LOST, Remedy.OWN),
    "tokens that outlived their link": (
        lambda registry: _tokens(registry, registry.member("1", "alice"), "2"),
        Fault.TOKENS_LEFT,
        Remedy.REMOVE,
    ),
    "tokens of a provider that keeps none": (
        lambda registry: _tokens(registry, registry.member("1", "alice"), "1"),
        Fault.TOKENS_UNWANTED,
        Remedy.REMOVE,
    ),
    "an invitation whose sign-up was cut short": (_invitation_cut_short, Fault.INVITATION_UNFINISHED, Remedy.FINISH),
    "a name not confirmed": (_name_not_confirmed, Fault.NAME_UNCONFIRMED, Remedy.OWN),
}
"""What `--repair` mends: how it comes about, and what is found."""

LEFT: Final[dict[str, tuple[Callable[[Registry], None], frozenset[Fault]]]] = {
    "a lost account": (_lose_account, frozenset({Fault.ACCOUNT_LOST, Fault.NAME_WITHOUT_OWNER})),
    "a lost account, its row too": (_lose_account_and_row, frozenset({Fault.NAME_WITHOUT_OWNER})),
    "an account that lists nothing": (_lists_nothing, frozenset({Fault.UNREACHABLE})),
    "an only way that is another's": (_only_way_is_anothers, frozenset({Fault.WAY_ELSEWHERE, Fault.UNREACHABLE})),
    "a name given up": (_name_given_up, frozenset({Fault.NAME_TAKEN})),
}
"""What an operator has to look at."""

WAITING: Final[dict[str, tuple[Callable[[Registry], None], Fault]]] = {
    "somebody to choose a name": (_waits_for_a_name, Fault.NEEDS_NAME),
    "a merge under way": (_merging, Fault.IN_MERGE),
    "a row of a merged account": (_merged, Fault.IN_MERGE),
    "a revocation of an attempt that died": (
        lambda registry: _revocation(registry, epoch=2),
        Fault.REVOCATION_ABANDONED,
    ),
    "a revocation": (lambda registry: _revocation(registry, epoch=1), Fault.REVOCATION_WAITING),
}
"""What is in order and waits for somebody."""


def everything(registry: Registry) -> Iterator[object]:
    """Yield every row of the conditional tables, for comparing before with after."""
    yield from registry.store.identities.scan()
    yield from registry.store.usernames.scan()
    yield from registry.store.accounts.scan()
    yield from registry.store.upstream_tokens.scan()
    yield from registry.store.invitations.scan()
    yield from registry.store.revocations.open()


def steps(what: str) -> list[str]:
    """Return the checkpoints that a repair passes."""
    clock = ManualClock()
    memory = MemoryAccounts(clock=clock)
    registry = Registry(memory, audit=memory.audit, clock=clock)
    MENDED[what][0](registry)
    long_after(registry)
    passed: list[str] = []
    run(registry, repair=True, checkpoint=passed.append)
    return passed
