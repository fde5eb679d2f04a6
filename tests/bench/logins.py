"""What a login costs: a returning one and a sign-up, by account store, without the provider.

CPU is this process's, for each login; the store's own is not in it. Statements are those that were
sent to Cassandra. On a shared machine times vary by half, CPU and the ratio between the stores less.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from identity.accounts.results import By, SignedUp, SignUp
from identity.accounts.service import AccountService
from identity.accounts.usernames import NamePolicy
from identity.login.entering import Entering
from identity.login.flow import ProvenPerson
from identity.login.results import LoggedIn, Visit
from identity.opening import Accounts
from identity.sessions.check import Check
from identity.sessions.minting import Mint
from identity.sessions.planning import Rules
from identity.sessions.service import SessionService
from identity.stores.alarm import CorruptAlarm
from identity.stores.cassandra.statements import StatementKind
from identity.stores.memory_cache import MemoryCache
from identity.stores.records import SessionRecords
from identity.stores.sqlite import SqliteAccounts
from identity.types import IdentityKey
from providers.base import Profile
from tests.support.caches import ring, wall_clock
from tests.support.cassandra import installation
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.daemons import OPEN
from tests.support.jars import HOST, NAMES

LOGINS = 400
THREADS = 16
"""As many calls as a daemon makes at once to its account store."""
SAID = Profile(name="Ada", email_verified=False)
VISIT = Visit(Check(cookies=(), host=HOST), "127.0.0.1", "bench")


def main() -> None:
    """Print the tables."""
    with sqlite() as store:
        table("SQLite with synchronous=FULL", store, Counter())
    if not installation.installed():
        sys.stdout.write("\nJava 17 or Cassandra is not installed: no figures for it (make services)\n")
        return
    sent: Counter[StatementKind] = Counter()
    with cassandra(sent) as store:
        table("one Cassandra node, commit log before the answer", store, sent)


@contextmanager
def sqlite() -> Iterator[Accounts]:
    """Give an account file for the time of the measurement."""
    with TemporaryDirectory() as folder:
        store = SqliteAccounts(Path(folder) / "accounts.sqlite", clock=wall_clock)
        yield store
        store.close()


@contextmanager
def cassandra(sent: Counter[StatementKind]) -> Iterator[Accounts]:
    """Give a cluster of one node for the time of the measurement, and count what is sent to it."""
    from tests.support.cassandra_accounts import migrated, opened  # noqa: PLC0415 - imports the driver

    with TemporaryDirectory() as folder:
        cluster = CassandraCluster(Path(folder), durable=True)
        try:
            cluster.start()
            store = opened(migrated(cluster), count=lambda kind: sent.update([kind]))
            yield store
            store.close()
        finally:
            cluster.stop()


def table(name: str, store: Accounts, sent: Counter[StatementKind]) -> None:
    """Print the figures of one store: alone, and as many at once as a daemon has threads."""
    sys.stdout.write(f"\nlogins, {name}; sessions in the process\n")
    accounts, entering = services(store)
    for threads in (1, THREADS):
        keys = [IdentityKey(f"demo:{threads}-{number}") for number in range(LOGINS)]
        at_once = f", {threads} at once" if threads > 1 else ""
        newcomers = [lambda key=key: sign_up(accounts, key) for key in keys]
        measure(f"sign-ups{at_once}", newcomers, threads=threads, sent=sent)
        returning = [lambda key=key: log_in(entering, key) for key in keys]
        measure(f"returning logins{at_once}", returning, threads=threads, sent=sent)


def services(store: Accounts) -> tuple[AccountService, Entering]:
    """Compose what a login goes through."""
    keys = ring()
    cache = MemoryCache(clock=wall_clock)
    sessions = SessionService(
        SessionRecords(cache, keys=lambda: keys, clock=wall_clock, alarm=CorruptAlarm(clock=wall_clock)),
        Mint(lambda: keys, NAMES, os.urandom),
        rules=Rules(),
        entry=OPEN,
        clock=wall_clock,
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
        told=frozenset(),
    )
    return accounts, entering


def sign_up(accounts: AccountService, key: IdentityKey) -> None:
    """Make an account."""
    made = accounts.sign_up(SignUp(uuid4(), key, f"user{key.partition(':')[2]}", "ada", By("self")))
    if not isinstance(made, SignedUp):
        raise TypeError(made)


def log_in(entering: Entering, key: IdentityKey) -> None:
    """Log somebody in who is known."""
    person = ProvenPerson(identity=key, provider="demo", auth_at=wall_clock(), handle="ada", said=SAID)
    entered = entering.enter(person, return_to="/account", visit=VISIT)
    if not isinstance(entered, LoggedIn):
        raise TypeError(entered)


def measure(name: str, calls: list[Callable[[], None]], *, threads: int, sent: Counter[StatementKind]) -> None:
    """Print rate, CPU, percentiles, and what was sent for each call."""

    def timed(call: Callable[[], None]) -> float:
        at = time.perf_counter()
        call()
        return time.perf_counter() - at

    timed(calls[0])  # prepares the statements
    sent.clear()
    cpu, begin = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        took = sorted(pool.map(timed, calls[1:]))
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    median, p99 = took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000
    each = ", ".join(f"{count / len(took):.2g} {kind.value}" for kind, count in sorted(sent.items(), key=str))
    sys.stdout.write(
        f"{name:<34}{cpu / len(took) * 1e3:>7.2f} ms CPU   {len(took) / wall:>6,.0f}/s   "
        f"p50 {median:.1f} ms, p99 {p99:.1f} ms{f'   {each} each' if each else ''}\n"
    )
