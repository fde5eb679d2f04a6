"""A process that changes an account in a real file and kills itself at a checkpoint.

Run as `python -m tests.support.dying FILE CHANGE CHECKPOINT NOW`; `sign-ups` as the change makes
accounts until somebody else kills it, and prints each identity once its sign-up was answered;
`repair` mends the file, as `fsck --repair` does.
"""

import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from identity.accounts.fsck import Fsck
from identity.accounts.mending import Mending
from identity.accounts.results import By, Change, Link, SignedUp, SignUp, Unlink
from identity.accounts.service import AccountService
from identity.accounts.store import Revocation
from identity.accounts.usernames import NamePolicy
from identity.stores.sqlite import SqliteAccounts
from identity.types import AccountId, Millis
from tests.support.accounts import key

REQUEST: Final = UUID(int=7)
"""Id of the change, so that whoever repeats it after the kill repeats the same request."""
BY: Final = By("self")
ENDED: Final = "ended"
"""A file of this name beside the account file tells that the sessions were ended."""


def service(path: Path, *, now: Millis, checkpoint: Callable[[str], None]) -> AccountService:
    """Open the file."""
    store = SqliteAccounts(path, clock=lambda: now)

    def end_sessions(_: Revocation) -> None:
        path.with_name(ENDED).touch()

    return AccountService(
        store,
        audit=store.audit,
        note=lambda _: None,
        clock=lambda: now,
        new_uuid=uuid4,
        end_sessions=end_sessions,
        policy=NamePolicy(),
        checkpoint=checkpoint,
    )


def change(accounts: AccountService, name: str) -> object:
    """Make one of the changes that are killed: to the account of the identity `p:1`."""
    if name == "sign-up":
        return accounts.sign_up(SignUp(REQUEST, key("1"), "alice", "@alice", BY))
    account_id = owner(accounts)
    match name:
        case "link":
            return accounts.link(Link(REQUEST, account_id, key("2"), "@second", BY))
        case "unlink":
            return accounts.unlink(Unlink(REQUEST, account_id, key("2"), BY))
        case _:
            return accounts.disable(Change(REQUEST, account_id, BY))


def repair(path: Path, *, now: Millis, checkpoint: Callable[[str], None]) -> None:
    """Mend the file."""
    store = SqliteAccounts(path, clock=lambda: now)
    mending = Mending(store, audit=store.audit, clock=lambda: now, new_uuid=uuid4, checkpoint=checkpoint)
    for _ in Fsck(store, clock=lambda: now, mending=mending, threads=2).run():
        pass


def owner(accounts: AccountService) -> AccountId:
    """Return the account of the identity `p:1`."""
    row = accounts.find(key("1"))
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

    def kill_at(reached: str) -> None:
        if reached == checkpoint:
            os.kill(os.getpid(), signal.SIGKILL)

    if name == "repair":
        repair(Path(file), now=int(now), checkpoint=kill_at)
        sys.exit(f"the repair was finished without reaching {checkpoint}")
    accounts = service(Path(file), now=int(now), checkpoint=kill_at)
    if name == "sign-ups":
        _sign_up_until_killed(accounts)
    sys.exit(f"{name} was finished without reaching {checkpoint}: {change(accounts, name)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
