"""What a login costs: a returning one and a sign-up, on the embedded store, without the provider.

Round trips to the account store are counted by wrapping it; CPU microseconds are this process's.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from uuid import uuid4

from identity.accounts.results import By, SignedUp, SignUp
from identity.accounts.service import AccountService
from identity.accounts.usernames import NamePolicy
from identity.login.entering import Entering
from identity.login.flow import Person
from identity.login.results import SignedIn, Visit
from identity.sessions.check import Check
from identity.sessions.planning import Rules
from identity.sessions.service import SessionService
from identity.stores.alarm import CorruptAlarm
from identity.stores.memory_cache import MemoryCache
from identity.stores.records import SessionRecords
from identity.stores.sqlite import SqliteAccounts
from identity.types import IdentityKey
from tests.support.caches import ring, wall_clock
from tests.support.daemons import Heard
from tests.support.jars import HOST, NAMES

LOGINS = 400
PERSON = Person(handle="ada", name="Ada", email="", email_verified=False, picture="", auth_at=wall_clock())
VISIT = Visit(Check(cookies=(), host=HOST), "127.0.0.1", "bench")


def main() -> None:
    """Print the table."""
    sys.stdout.write("\nlogins (SQLite with synchronous=FULL, sessions in the process; one thread)\n")
    with TemporaryDirectory() as folder:
        store = SqliteAccounts(Path(folder) / "accounts.sqlite", clock=wall_clock)
        accounts, entering = services(store)
        keys = [IdentityKey(f"demo:{number}") for number in range(LOGINS)]
        measure("sign-ups", [lambda key=key: sign_up(accounts, key) for key in keys])
        measure("returning logins", [lambda key=key: log_in(entering, key) for key in keys])
        store.close()


def services(store: SqliteAccounts) -> tuple[AccountService, Entering]:
    """Compose what a login goes through."""
    keys = ring()
    cache = MemoryCache(clock=wall_clock)
    sessions = SessionService(
        SessionRecords(cache, keys=lambda: keys, clock=wall_clock, alarm=CorruptAlarm(clock=wall_clock)),
        keys=lambda: keys,
        names=NAMES,
        rules=Rules(),
        clock=wall_clock,
        chance=Random(1).random,
        random_bytes=os.urandom,
        watcher=Heard(),
    )
    accounts = AccountService(
        store,
        audit=store.audit,
        note=lambda _: None,
        clock=wall_clock,
        new_uuid=uuid4,
        end_sessions=lambda _: None,
        policy=NamePolicy(),
        checkpoint=lambda _: None,
    )
    entering = Entering(
        accounts,
        sessions,
        clock=wall_clock,
        random_bytes=os.urandom,
        note=lambda _: None,
        count=lambda *_, **__: None,
    )
    return accounts, entering


def sign_up(accounts: AccountService, key: IdentityKey) -> None:
    """Make an account."""
    made = accounts.sign_up(SignUp(uuid4(), key, f"user{key.partition(':')[2]}", "ada", By("self")))
    if not isinstance(made, SignedUp):
        raise TypeError(made)


def log_in(entering: Entering, key: IdentityKey) -> None:
    """Log somebody in who is known."""
    entered = entering.enter(key, "demo", PERSON, return_to="/account", visit=VISIT)
    if not isinstance(entered, SignedIn):
        raise TypeError(entered)


def measure(name: str, calls: list[Callable[[], None]]) -> None:
    """Print rate, CPU and percentiles."""
    took = []
    cpu, begin = time.process_time(), time.perf_counter()
    for call in calls:
        at = time.perf_counter()
        call()
        took.append(time.perf_counter() - at)
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    took.sort()
    median, p99 = took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000
    rate = len(calls) / wall
    sys.stdout.write(
        f"{name:<52}{cpu / len(calls) * 1e6:>9.0f} us CPU   {rate:,.0f}/s; p50 {median:.1f} ms, p99 {p99:.1f} ms\n"
    )
