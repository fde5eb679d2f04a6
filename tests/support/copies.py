"""Stores full of people, snapshots of them, and a process that copies one into the other and dies on the way.

Run as `python -m tests.support.copies SOURCE TARGET POINT`. A store is an account file, or
`cassandra HOST PORT DC KEYSPACE`; a point is `STAGE TABLE DONE` as the copy tells it, or `write N`
for the middle of a batch.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from identity.accounts.invitation import InvitationRow, InvitationState
from identity.accounts.store import (
    AccountRow,
    AccountStatus,
    IdentityRow,
    IdentityState,
    KeptTokens,
    LinkedIdentity,
    ProfileRow,
    ProviderPin,
    Revocation,
    UsernameRow,
    UsernameState,
    WaitingList,
)
from identity.audit import Event
from identity.stores.cassandra.settings import Settings
from identity.stores.sqlite import SqliteAccounts
from identity.types import DAY, AccountId, IdentityKey, Username, UsernameKey
from identity.upkeep.copied_tables import TABLES, CopySide
from identity.upkeep.copying import Copying, CopyOutcome, CopyProgress
from tests.support.cassandra_accounts import opened
from tests.support.clock import NOON
from tests.support.sources import ROOT

_TOWN: Final = UUID(int=0x1D)
THREADS: Final = 32
_TIMEOUT_S: Final = 120
FEW: Final = frozenset({"revocations", "providers", "upstream_tokens", "invitations", "waiting"})
"""Tables with never more than a batch."""
BATCH: Final = 50
"""Small, so that a few people are many batches."""


@dataclass(frozen=True)
class Person:
    """All rows of one person, the same for the same number in every run."""

    identities: tuple[IdentityRow, ...]
    username: UsernameRow
    account: AccountRow
    profile: ProfileRow
    events: tuple[Event, ...]


def person(number: int) -> Person:
    """Make the rows of a person; every third one has two identities."""

    def uuid(what: str) -> UUID:
        return uuid5(_TOWN, f"{what} {number}")

    account_id, name = AccountId(uuid("account")), Username(f"Name{number}")
    at = NOON + number // 3  # several events share a moment
    keys = [IdentityKey(f"p:{number}")] + ([IdentityKey(f"google:ä%3A{number}")] if number % 3 == 0 else [])
    identities = tuple(
        IdentityRow(key, name, account_id, IdentityState.ACTIVE, uuid("claim"), at, uuid(f"op {key}"), f"@{name} “é”")
        for key in keys
    )
    key = UsernameKey(name.lower())
    username = UsernameRow(key, name, account_id, UsernameState.ACTIVE, uuid("claim"), at, uuid("op name"))
    ways = {each: LinkedIdentity(at, f"@{number}") for each in keys}
    status = AccountStatus.DISABLED if number % 7 == 0 else AccountStatus.ACTIVE
    account = AccountRow(account_id, name, status, 1 + number % 5, 2, uuid("op account"), at, ways)
    profile = ProfileRow(
        account_id, at, name=f"Zoë {number}", email=f"{number}@example.org", email_verified=number % 2 == 0
    )
    events = tuple(
        Event(uuid(action), at, action, account_id, "self", "2001:db8::1", f"r-{number}", {"provider": "p", "n": "1"})
        for action in ("sign-up", "login")
    )
    return Person(identities, username, account, profile, events)


def fill(side: CopySide, people: Iterable[int]) -> None:
    """Write people into a store, an end of a session and an event of nobody's too."""
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda number: _settle(side, person(number)), people))
    side.store.providers.insert(ProviderPin("p", "https://p.example", "sub", NOON, uuid5(_TOWN, "pin")))
    owner = person(1).account.key
    tokens = KeptTokens(person(1).identities[0].key, owner, b"sealed", NOON, None, 0, uuid5(_TOWN, "tokens"))
    side.store.upstream_tokens.insert(tokens)
    invitation = InvitationRow(
        "a" * 64,
        InvitationState.OPEN,
        NOON,
        NOON + DAY,
        "operator:ann",
        "why",
        "Bob",
        ("staff",),
        None,
        0,
        None,
        None,
        uuid5(_TOWN, "invitation"),
    )
    side.store.invitations.insert(invitation, expires_at=invitation.expires_at)
    side.store.waiting.insert(WaitingList("sign-ups", {str(owner): f"{NOON} p:1"}, uuid5(_TOWN, "waiting")))
    side.store.revocations.add(Revocation(uuid5(_TOWN, "r"), owner, bytes(range(16)), 7, 9, NOON, IdentityKey("p:1")))
    side.audit.append(Event(uuid5(_TOWN, "nobody"), NOON, "login-refused", None, "system"))


def _settle(side: CopySide, someone: Person) -> None:
    for row in someone.identities:
        side.store.identities.insert(row)
    side.store.usernames.insert(someone.username)
    side.store.accounts.insert(someone.account)
    side.store.profiles.write(someone.profile)
    for event in someone.events:
        side.audit.append(event)


def contents(side: CopySide) -> dict[str, list[Any]]:
    """Return every row of every table; a row that is there twice is there twice."""
    return {table.name: sorted(table.scan(side, None), key=table.label) for table in TABLES}


def copy(source: CopySide, target: CopySide, *, told: Callable[[CopyProgress], None] = lambda _: None) -> CopyOutcome:
    """Run a copy that waits for nothing."""
    return Copying(source, target, threads=THREADS, told=told, pause=lambda _: None, batch=BATCH).run()


def side_of(path: Path, *, to_copy: bool = False) -> tuple[SqliteAccounts, CopySide]:
    """Open an account file as one side of a copy; without `to_copy` several processes may."""
    store = SqliteAccounts(path, clock=lambda: NOON, to_copy=to_copy)
    return store, CopySide("sqlite", store, store.audit)


def spelt(reached: Settings) -> str:
    """Return how a keyspace is named to this process's child."""
    (host, port), *_ = reached.contact_points
    return f"cassandra {host} {port} {reached.local_data_centre} {reached.keyspace}"


def _named(name: str, *, to_copy: bool = False) -> CopySide:
    if not name.startswith("cassandra "):
        return side_of(Path(name), to_copy=to_copy)[1]
    _, host, port, dc, keyspace = name.split()
    reached = Settings(contact_points=((host, int(port)),), local_data_centre=dc, keyspace=keyspace)
    store = opened(reached, to_copy=to_copy)
    return CopySide("cassandra", store, store.audit)


def killed(source: str, target: str, point: str) -> None:
    """Run a copy in a process of its own that dies at a point."""
    command = [sys.executable, "-m", "tests.support.copies", source, target, point]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=_TIMEOUT_S)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()


class _Doomed:
    """A store whose process dies at its nth conditional write.

    Args:
        store: where the writes go.
        last: number of the write that does not happen any more.
    """

    def __init__(self, store: Any, *, last: int) -> None:  # noqa: ANN401 - any store
        self._store = store
        self._last = last
        self._writes = count(1)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        found = getattr(self._store, name)
        return _DoomedRows(found, self._count) if name in {"identities", "usernames", "accounts"} else found

    def _count(self) -> None:
        if next(self._writes) == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


class _DoomedRows:
    def __init__(self, rows: Any, written: Callable[[], None]) -> None:  # noqa: ANN401 - of any table
        self._rows = rows
        self._written = written

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the table has
        return getattr(self._rows, name)

    def insert(self, row: Any) -> Any:  # noqa: ANN401 - of any table
        """Die, or insert."""
        self._written()
        return self._rows.insert(row)


def main(source: str, target: str, point: str) -> None:
    """Copy, and die on the way; a copy that comes to its end says so, because nobody died."""
    ours, theirs = _named(source), _named(target, to_copy=True)
    words = point.split()
    if words[0] == "write":
        doomed: Any = _Doomed(theirs.store, last=int(words[1]))
        theirs = replace(theirs, store=doomed)

    def told(step: CopyProgress) -> None:
        if [*step.stage.value.split(), step.table, str(step.done)] == words:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.exit(f"the copy never reached {point}: {copy(ours, theirs, told=told)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
