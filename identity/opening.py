"""Opening what a configuration names: the key ring, the account store, the caches, the services over them.

With `operating.py` the only module that names concrete stores. The daemon (`app.py`) and the command
line both open through it, so an operator's command works on exactly what the daemon works on. The
caller closes what it opens.
"""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol
from uuid import uuid4

from identity.accounts.audited import AuditedStore
from identity.accounts.service import AccountService
from identity.accounts.store import Revocation
from identity.applications.entry import EntryRules
from identity.applications.service import ApplicationService
from identity.audit import Event
from identity.clock import problem_with_key, require
from identity.config import AccountStoreKind, Config, SessionStoreKind, load_ring
from identity.errors import ConfigError
from identity.housekeeping import Clearing
from identity.keyring import KeyRing, Purpose
from identity.metrics import Metrics
from identity.sessions.changes import Lifetimes
from identity.sessions.checkers import Checker
from identity.sessions.checking import Checking
from identity.sessions.cookie import Names
from identity.sessions.minting import Mint
from identity.sessions.planning import Rules
from identity.sessions.rotation import RotationPace
from identity.sessions.service import SessionService
from identity.sessions.watcher import Watcher
from identity.stores.alarm import CorruptAlarm
from identity.stores.cache import Cache
from identity.stores.cassandra.settings import Settings, Tls
from identity.stores.configured_applications import ConfiguredApplications
from identity.stores.markers import NodeMarkers
from identity.stores.memcached import MemcachedCache
from identity.stores.memory import MemoryAccounts
from identity.stores.memory_cache import MemoryCache
from identity.stores.records import SessionRecords
from identity.stores.sealing import Sealer
from identity.stores.servers import UNTOLD, CacheServer, Limits, Told
from identity.stores.sqlite import SqliteAccounts
from identity.types import Chance, Clock, Millis, RandomBytes

DURABLE_THREADS: Final = 16
"""Calls to the account store at once."""


def now() -> Millis:
    """Return the time."""
    return time.time_ns() // 1_000_000


class Accounts(AuditedStore, Protocol):
    """An account store with its audit, which is closed at the end."""

    def close(self) -> None:
        """Finish and let go."""
        ...


def require_time(config: Config) -> None:
    """Raise ConfigError if the machine's clock cannot be right, by itself or beside the key ring."""
    at = require(now())
    keys = load_ring(config.keys.file).keys
    if problems := tuple(filter(None, (problem_with_key(key.number, key.created_at, now=at) for key in keys))):
        raise ConfigError(problems)


class Ring:
    """The key ring in use, exchanged as a whole on SIGHUP."""

    def __init__(self, config: Config) -> None:
        self._file = config.keys.file
        self._ring = load_ring(self._file)

    def __call__(self) -> KeyRing:
        """Return the ring."""
        return self._ring

    def read_again(self) -> KeyRing:
        """Return what the file holds now. Raises ConfigError if that cannot be used, or does not continue this one."""
        ring = load_ring(self._file)
        if not self._ring.continues_in(ring):
            raise ConfigError(("[keys] file: is another installation's key ring; put the right one back",))
        return ring

    def take(self, ring: KeyRing) -> None:
        """Use this one from now on."""
        self._ring = ring


def unobserved(_: str) -> None:
    """Take no notice of a step between two writes."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What almost every part stands on."""

    config: Config
    ring: Ring
    metrics: Metrics
    clock: Clock
    note: Callable[[Event], None]
    chance: Chance = random.random
    random_bytes: RandomBytes = os.urandom
    checkpoint: Callable[[str], None] = unobserved


def open_accounts(config: Config, clock: Clock, metrics: Metrics | None = None, *, to_copy: bool = False) -> Accounts:
    """Open the account store that is configured; `metrics` counts what it sends.

    To copy, it may be unfinished, and an account file is kept from other processes.

    Raises:
        ConfigError: the clock cannot be right; it is another program's, a newer identityd wrote it, a copy into it
            is unfinished, or, to copy, another process uses the account file.
        StoreUnavailable: it cannot be opened.
    """
    require(clock())
    match config.accounts.store:
        case AccountStoreKind.SQLITE:
            return SqliteAccounts(config.sqlite.file, clock=clock, to_copy=to_copy)
        case AccountStoreKind.CASSANDRA:
            return _open_cassandra(config, clock, metrics or Metrics(), to_copy=to_copy)
        case AccountStoreKind.MEMORY:
            return MemoryAccounts(clock=clock)


def open_applications(config: Config) -> ApplicationService:
    """Return the registered applications."""
    return ApplicationService(ConfiguredApplications(config.apps))


def _open_cassandra(config: Config, clock: Clock, metrics: Metrics, *, to_copy: bool) -> Accounts:
    # The driver takes a tenth of a second to import, which those without a cluster need not wait for.
    from identity.stores.cassandra.migrations import Migrations  # noqa: PLC0415
    from identity.stores.cassandra.store import CassandraAccounts  # noqa: PLC0415

    return CassandraAccounts(
        cassandra_settings(config),
        migrations=Migrations(),
        clock=clock,
        chance=random.random,
        count=lambda kind: metrics.count("identityd_cassandra_calls_total", kind=kind.value),
        to_copy=to_copy,
    )


def cassandra_settings(config: Config) -> Settings:
    """Return what it takes to reach the configured cluster."""
    given = config.cassandra
    return Settings(
        contact_points=tuple((point.host, point.port) for point in given.contact_points),
        local_data_centre=given.local_data_centre,
        keyspace=given.keyspace,
        username=given.username,
        password=given.password,
        tls=Tls(ca=given.tls_ca, certificate=given.tls_certificate, key=given.tls_key) if given.tls_ca else None,
        consistency=given.consistency,
        serial_consistency=given.serial_consistency,
        timeout_ms=given.timeout_ms,
        connect_timeout_ms=given.connect_timeout_ms,
        audit_days=given.audit_days,
    )


def account_service(wiring: Wiring, accounts: Accounts, *, end: Callable[[Revocation], None]) -> AccountService:
    """Compose the account service; `end` carries out a revocation, or raises StoreUnavailable."""
    return AccountService(
        accounts,
        audit=accounts.audit,
        note=wiring.note,
        clock=wiring.clock,
        new_uuid=uuid4,
        end_sessions=end,
        policy=wiring.config.usernames.policy,
        checkpoint=wiring.checkpoint,
    )


def open_caches(config: Config, ring: Ring, clock: Clock, clearing: Clearing, metrics: Metrics) -> tuple[Cache, Cache]:
    """Return the cache of all services, and the one that ends sessions: it reaches a returning node first."""
    match config.sessions.store:
        case SessionStoreKind.MEMORY:
            cache = MemoryCache(clock=clock, refused=_counted(metrics).refused)
            return cache, cache
        case SessionStoreKind.MEMCACHED:
            connect = partial(open_memcached, config, ring, clock)
            return connect(clearing.cleared, told=_counted(metrics)), connect()


def _counted(metrics: Metrics) -> Told:
    return Told(
        silent=lambda name: metrics.count("identityd_node_silent_total", node=name),
        changed=lambda name, problem: metrics.set("identityd_node_up", 0 if problem else 1, node=name),
        refused=lambda name: metrics.count("identityd_node_refused_total", node=name),
    )


def open_memcached(
    config: Config, ring: Ring, clock: Clock, cleared: Callable[[str], bool] = lambda _: True, *, told: Told = UNTOLD
) -> MemcachedCache:
    """Return a cache over the configured nodes; `cleared` hears of each that came back and must be emptied."""
    given = config.memcached
    sealer = Sealer(ring, purpose=Purpose.NODE, clock=clock)
    return MemcachedCache(
        [CacheServer(node.name, node.host, node.port) for node in given.nodes],
        markers=NodeMarkers([node.name for node in given.nodes], generation=given.generation, sealer=sealer),
        clock=clock,
        limits=Limits(
            connect_ms=given.connect_timeout_ms,
            answer_ms=given.timeout_ms,
            rest_ms=given.rest_ms,
            connections=given.pool + DURABLE_THREADS,
            idle_ms=given.idle_ms,
        ),
        cleared=cleared,
        told=told,
    )


def session_service(wiring: Wiring, cache: Cache, *, entry: EntryRules) -> SessionService:
    """Compose a session service over a cache."""
    minting, rules = mint(wiring.config, wiring.ring, wiring.random_bytes), session_rules(wiring.config)
    return SessionService(_session_records(wiring, cache), minting, rules=rules, entry=entry, clock=wiring.clock)


def session_checker(wiring: Wiring, cache: Cache, watcher: Watcher, *, entry: EntryRules) -> Checker:
    """Compose what answers checks over a cache."""
    minting, rules = mint(wiring.config, wiring.ring, wiring.random_bytes), session_rules(wiring.config)
    checking = Checking(minting, rules=rules, entry=entry, clock=wiring.clock, chance=wiring.chance)
    return Checker(checking, _session_records(wiring, cache), watcher)


def _session_records(wiring: Wiring, cache: Cache) -> SessionRecords:
    alarm = corrupt_alarm(wiring.metrics, wiring.clock)
    return SessionRecords(cache, keys=wiring.ring, clock=wiring.clock, alarm=alarm)


def mint(config: Config, ring: Ring, random_bytes: RandomBytes = os.urandom) -> Mint:
    """Return what makes tokens and reads them back."""
    return Mint(ring, token_names(config), random_bytes)


def token_names(config: Config) -> Names:
    """Return what the cookies of this installation are called."""
    public = config.server.public_url
    return Names(secure=public.scheme == "https", port=public.port)


def session_rules(config: Config) -> Rules:
    """Return how sessions rotate and end."""
    given = config.sessions
    return Rules(
        RotationPace(
            token_age_ms=given.token_age_ms,
            grace_ms=given.grace_ms,
            settle_ms=given.settle_ms,
            mint_chance=given.mint_chance,
        ),
        Lifetimes(idle_ms=given.idle_ms, absolute_ms=given.absolute_ms, devices=given.devices),
    )


def corrupt_alarm(metrics: Metrics, clock: Clock) -> CorruptAlarm:
    """Return what counts and logs values that fail their seal."""
    return CorruptAlarm(clock=clock, count=lambda kind: metrics.count("identityd_store_corrupt_total", kind=kind))
