"""An account service with everything around it on record, for tests of the identity map."""

from collections.abc import Callable
from contextlib import suppress
from uuid import UUID, uuid4

from identity.accounts.invitation import InvitationRow
from identity.accounts.inviting import Invite
from identity.accounts.linking import SignIn, decide, identity_key
from identity.accounts.results import (
    By,
    Change,
    EndingOutcome,
    LinkOutcome,
    LinkRequest,
    SignedUp,
    SignUp,
    SignUpOutcome,
    Unlink,
)
from identity.accounts.service import AccountService
from identity.accounts.store import AccountRow, AccountStore, Revocation
from identity.accounts.usernames import NamePolicy
from identity.audit import AuditLog, Event
from identity.errors import StoreUnavailable
from identity.stores.memory import MemoryAccounts
from identity.types import DAY, AccountId, Clock, IdentityKey, Millis
from tests.support.clock import ManualClock

PERSON = By("self", address="2001:db8::1", request_id="r-1")
OPERATOR = By("operator:ann", request_id="r-2", why="asked by mail")


def key(subject: str, provider: str = "p") -> IdentityKey:
    """Spell an identity key."""
    return identity_key(provider, subject)


class Stopped(Exception):
    """The process ended here."""


class Registry:
    """An account service; `ended`, `noted` and `passed` keep what it reports.

    Args:
        store: its rows; a new store in memory by default.
        audit: its audit; the store's by default.
        clock: the time.
        policy: which names may be chosen.
    """

    def __init__(
        self,
        store: AccountStore | None = None,
        *,
        audit: AuditLog | None = None,
        clock: Clock | None = None,
        policy: NamePolicy | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        memory = MemoryAccounts(clock=self.clock)
        self.store: AccountStore = store or memory
        self.audit: AuditLog = audit or memory.audit
        self.ended: list[Revocation] = []
        self.noted: list[Event] = []
        self.passed: list[str] = []
        self.away = False
        """Whether sessions cannot be reached."""
        self.at: dict[str, Callable[[], object]] = {}
        """What happens, once, when a checkpoint is reached."""
        self.service = AccountService(
            self.store,
            audit=self.audit,
            note=self.noted.append,
            clock=self.clock,
            new_uuid=uuid4,
            end_sessions=self._end_sessions,
            policy=policy or NamePolicy(),
            checkpoint=self._reached,
        )

    def _end_sessions(self, revocation: Revocation) -> None:
        if self.away:
            raise StoreUnavailable(detail="node 2 is down")
        self.ended.append(revocation)

    def _reached(self, name: str) -> None:
        self.passed.append(name)
        act = self.at.pop(name, None)
        if act:
            act()

    def stop_at(self, checkpoint: str) -> None:
        """End the next change that reaches the checkpoint, by Stopped, as a kill would."""

        def stop() -> None:
            raise Stopped

        self.at[checkpoint] = stop

    def cut_short(self, checkpoint: str, subject: str = "1", username: str = "alice") -> None:
        """Sign up, and end at a checkpoint."""
        self.stop_at(checkpoint)
        with suppress(Stopped):
            self.sign_up(subject, username)
            raise AssertionError(f"the sign-up never came to {checkpoint}")

    def sign_up(
        self,
        subject: str = "1",
        username: str = "alice",
        *,
        claim: UUID | None = None,
        label: str = "@alice",
        invitation: str = "",
        waits: bool = False,
    ) -> SignUpOutcome:
        """Sign up; with a claim of its own unless one is given."""
        asked = SignUp(claim or uuid4(), key(subject), username, label, PERSON, invitation, waits=waits)
        return self.service.sign_up(asked)

    def invite(self, *groups: str, lasts_ms: Millis = DAY, secret: str = "") -> InvitationRow:
        """Make an invitation."""
        secret = secret or (uuid4().hex * 2)[:43]
        return self.service.invite(Invite(uuid4(), secret, OPERATOR, lasts_ms, "Bob", groups)).row

    def invitation(self, key: str) -> InvitationRow:
        """Return an invitation that must be there."""
        found = self.store.invitations.read_settled(key)
        assert found is not None
        return found

    def member(self, subject: str = "1", username: str = "alice", *further: str) -> AccountId:
        """Make an account with one way to log in or more."""
        made = self.sign_up(subject, username)
        assert isinstance(made, SignedUp)
        for each in further:
            self.link(made.account_id, each)
        return made.account_id

    def link(self, account_id: AccountId, subject: str, *, claim: UUID | None = None) -> LinkOutcome:
        """Link an identity."""
        return self.service.link(LinkRequest(claim or uuid4(), account_id, key(subject), f"@{subject}", PERSON))

    def unlink(self, account_id: AccountId, subject: str, *, request: UUID | None = None) -> EndingOutcome:
        """Unlink an identity."""
        return self.service.unlink(Unlink(request or uuid4(), account_id, key(subject), PERSON))

    def change(self, account_id: AccountId) -> Change:
        """Make an operator's request about an account."""
        return Change(uuid4(), account_id, OPERATOR)

    def account(self, account_id: AccountId) -> AccountRow:
        """Return an account that must be there."""
        found = self.store.accounts.read_settled(account_id)
        assert found is not None
        return found

    def ways(self, account_id: AccountId) -> set[str]:
        """Return the identities an account lists."""
        return set(self.account(account_id).identities)

    def log_in(self, subject: str = "1") -> AccountId | None:
        """Return the account a login with this identity reaches, as the login service finds it."""
        row = self.service.find(key(subject))
        match decide(row, self.service.account(row.account_id) if row else None):
            case SignIn(account):
                return account.key
            case _:
                return None
