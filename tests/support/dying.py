"""A process that changes an account in a real store and kills itself at a checkpoint.

Run as `python -m tests.support.dying FILE CHANGE CHECKPOINT NOW` for an account file; `sign-ups` as
the change makes accounts until somebody else kills it, and prints each identity once its sign-up was
answered; `repair` mends the file, as `fsck --repair` does. `dying_in_cassandra.py` does the same
in a cluster.
"""

import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4, uuid5

from identity.accounts.invitation import key_of
from identity.accounts.results import By, Change, GroupsChange, LinkRequest, SignedUp, SignUp, Unlink
from identity.accounts.service import AccountService
from identity.accounts.store import Revocation
from identity.accounts.usernames import NamePolicy
from identity.accounts.writing import AccountParts
from identity.opening import Accounts
from identity.stores.sqlite import SqliteAccounts
from identity.types import AccountId, Clock, IdentityKey
from identity.upkeep.fsck import Fsck
from identity.upkeep.mending import Mending
from tests.support.accounts import key

SIGN_UP: Final = (
    "sign-up.identity-claimed",
    "sign-up.name-claimed",
    "sign-up.committed",
    "complete.account-written",
    "complete.name-owned",
    "complete.finished",
)
LINK: Final = (
    "trail.begun",
    "link.identity-claimed",
    "link.committed",
    "complete.account-written",
    "complete.name-owned",
    "complete.finished",
    "trail.ended",
)
INVITED: Final = (
    "sign-up.identity-claimed",
    "sign-up.name-claimed",
    "sign-up.invitation-claimed",
    "sign-up.committed",
    "complete.account-written",
    "complete.name-owned",
    "complete.invitation-used",
    "complete.finished",
)
TAKE_OVER: Final = (*INVITED[:2], "invitation.claimant-stopped", *INVITED[2:])
WAITS: Final = (*SIGN_UP[:2], "sign-up.waiting-listed", *SIGN_UP[2:])
APPROVE: Final = ("trail.begun", "approval.decided", "trail.ended")
UNLINK: Final = (
    "trail.begun",
    "ending.revocation-kept",
    "ending.account-changed",
    "unlink.identity-deleted",
    "ending.sessions-ended",
    "ending.revocation-done",
    "trail.ended",
)
DISABLE: Final = tuple(name for name in UNLINK if not name.startswith("unlink."))
GROUPS: Final = DISABLE
ACCEPT: Final = ("invitation.granting", *GROUPS, "invitation.granted")
CHANGES: Final = {
    "sign-up": SIGN_UP,
    "invited": INVITED,
    "take-over": TAKE_OVER,
    "accept": ACCEPT,
    "waits": WAITS,
    "approve": APPROVE,
    "link": LINK,
    "unlink": UNLINK,
    "disable": DISABLE,
    "groups": GROUPS,
}
"""The changes that are killed, and every checkpoint of each in its order."""

SIGNING_UP: Final = frozenset({"sign-up", "invited", "take-over", "waits"})
"""Those that make the account."""

BY: Final = By("self")
ENDED: Final = "ended"
"""A file of this name beside the account file tells that the sessions were ended."""


@dataclass(frozen=True, slots=True)
class Victim:
    """Whose account is changed: all keys and names hold the tag, so that many have room in one store."""

    tag: str = ""

    def subject(self, number: int) -> str:
        """Return the subject of one of the identities."""
        return f"{self.tag}{number}"

    def key(self, number: int) -> IdentityKey:
        """Return the key of one of the identities."""
        return key(self.subject(number))

    def name(self, name: str = "alice") -> str:
        """Return a username."""
        return f"{name}{self.tag}"

    @property
    def invitation_secret(self) -> str:
        """Return the secret of the link that is followed."""
        return f"{self.tag:a<43}"

    @property
    def invitation(self) -> str:
        """Return the key of the invitation."""
        return str(key_of(self.invitation_secret))

    @property
    def request(self) -> UUID:
        """Id of the change, so that whoever repeats it after the kill repeats the same request."""
        return uuid5(UUID(int=7), self.tag)


def kill_at(checkpoint: str) -> Callable[[str], None]:
    """Return what ends this process when the checkpoint is reached."""

    def reach(reached: str) -> None:
        if reached == checkpoint:
            os.kill(os.getpid(), signal.SIGKILL)

    return reach


def service(store: Accounts, *, ended: Path, clock: Clock, checkpoint: Callable[[str], None]) -> AccountService:
    """Compose the service; the file `ended` appears when sessions are ended."""

    def end_sessions(_: Revocation) -> None:
        ended.touch()

    return AccountService(
        store,
        audit=store.audit,
        note=lambda _: None,
        clock=clock,
        new_uuid=uuid4,
        end_sessions=end_sessions,
        policy=NamePolicy(),
        checkpoint=checkpoint,
    )


def change(accounts: AccountService, name: str, victim: Victim) -> object:
    """Make one of the changes that are killed: to the account of the victim's first identity."""
    if name in SIGNING_UP:
        invitation = victim.invitation if name in {"invited", "take-over"} else ""
        asked = SignUp(victim.request, victim.key(1), victim.name(), "@alice", BY, invitation, waits=name == "waits")
        return accounts.sign_up(asked)
    account_id = owner(accounts, victim)
    match name:
        case "accept":
            return accounts.accept_invitation(victim.invitation, victim.key(1), by=BY)
        case "link":
            return accounts.link(LinkRequest(victim.request, account_id, victim.key(2), "@second", BY))
        case "unlink":
            return accounts.unlink(Unlink(victim.request, account_id, victim.key(2), BY))
        case "groups":
            return accounts.change_groups(GroupsChange(victim.request, account_id, BY, frozenset({"staff"})))
        case _:
            made = accounts.approve if name == "approve" else accounts.disable
            return made(Change(victim.request, account_id, BY))


def repair(store: Accounts, *, clock: Clock, checkpoint: Callable[[str], None]) -> None:
    """Mend the store."""
    mending = Mending(AccountParts(store, clock, uuid4, checkpoint), audit=store.audit)
    for _ in Fsck(store, clock=clock, mending=mending, threads=2).run():
        pass


def owner(accounts: AccountService, victim: Victim) -> AccountId:
    """Return the account of the victim's first identity."""
    row = accounts.find(victim.key(1))
    assert row is not None
    return row.account_id


def _sign_up_until_killed(accounts: AccountService) -> None:
    numbers = count()

    def run(_: int) -> None:
        while True:
            number = next(numbers)
            made = accounts.sign_up(SignUp(uuid4(), key(str(number)), f"name{number}", "", BY))
            assert isinstance(made, SignedUp)
            os.write(1, f"{number}\n".encode())

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run, range(8)))


def main(file: str, name: str, checkpoint: str, now: str) -> None:
    """Change, and die on the way; a change that is finished ends with an error, because nobody died."""
    path, at = Path(file), int(now)
    store = SqliteAccounts(path, clock=lambda: at)
    if name == "repair":
        repair(store, clock=lambda: at, checkpoint=kill_at(checkpoint))
        sys.exit(f"the repair was finished without reaching {checkpoint}")
    accounts = service(store, ended=path.with_name(ENDED), clock=lambda: at, checkpoint=kill_at(checkpoint))
    if name == "sign-ups":
        _sign_up_until_killed(accounts)
    sys.exit(f"{name} was finished without reaching {checkpoint}: {change(accounts, name, Victim())}")


if __name__ == "__main__":
    main(*sys.argv[1:])
