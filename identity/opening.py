"""Opening what a configuration names: the key ring, the account store, the caches, the services over them.

The only module that names concrete stores. The daemon (`app.py`) and the command line both open
through it, so an operator's command works on exactly what the daemon works on. The caller closes
what it opens.
"""

import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol
from uuid import uuid4

from identity.accounts.service import AccountService
from identity.accounts.store import Revocation
from identity.admin.provider_pins import PinService
from identity.admin.service import AuditedStore, OperatorService
from identity.applications.service import ApplicationService
from identity.audit import AuditQueue, Event
from identity.clock import problem_with_key, require
from identity.config import AccountStoreKind, Config, MemcachedAddress, SessionStoreKind, load_ring
from identity.errors import ConfigError, StoreError, StoreUnavailable
from identity.housekeeping import Clearing, end_sessions
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
from identity.stores.node_console import NodeConsole
from identity.stores.records import SESSIONS, SessionRecords, key_of
from identity.stores.rendezvous import Rendezvous
from identity.stores.sealing import Sealer
from identity.stores.servers import UNTOLD, CacheServer, Limits, Told
from identity.stores.sqlite import SqliteAccounts
from identity.types import Chance, Clock, Millis, RandomBytes
from identity.upkeep.node_list import NodeList, NodeListChange

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

    def reload(self) -> None:
        """Read the file again. Raises ConfigError and keeps the ring that is."""
        ring = load_ring(self._file)
        if not self._ring.continues_in(ring):
            raise ConfigError(("[keys] file: is another installation's key ring; put the right one back",))
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


def open_accounts(config: Config, clock: Clock, metrics: Metrics | None = None) -> Accounts:
    """Open the account store that is configured; `metrics` counts what it sends.

    Raises:
        ConfigError: the clock cannot be right; it is another program's, a newer identityd wrote it, or a copy into
            it is unfinished.
        StoreUnavailable: it cannot be opened.
    """
    return _open(config, clock, metrics or Metrics())


def open_applications(config: Config) -> ApplicationService:
    """Return the registered applications."""
    return ApplicationService(ConfiguredApplications(config.apps))


def open_to_copy(config: Config, clock: Clock) -> Accounts:
    """Open the account store for copying, unfinished or not; an account file is kept from other processes.

    Raises:
        ConfigError: the clock cannot be right; it is another program's, a newer identityd wrote it, or another
            process uses the account file.
        StoreUnavailable: it cannot be opened.
    """
    return _open(config, clock, Metrics(), to_copy=True)


def _open(config: Config, clock: Clock, metrics: Metrics, *, to_copy: bool = False) -> Accounts:
    require(clock())
    match config.accounts.store:
        case AccountStoreKind.SQLITE:
            return SqliteAccounts(config.sqlite.file, clock=clock, to_copy=to_copy)
        case AccountStoreKind.CASSANDRA:
            return _open_cassandra(config, clock, metrics, to_copy=to_copy)
        case AccountStoreKind.MEMORY:
            return MemoryAccounts(clock=clock)


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


def open_operator_service(config: Config, clock: Clock, closing: ExitStack) -> OperatorService:
    """Open what an operator's command works on; what must be closed is left with `closing`.

    Raises:
        ConfigError: the accounts cannot be reached from outside the daemon, or are not there yet.
        StoreUnavailable: the account store cannot be opened, or does not answer.
    """
    reachable(config)
    store = open_accounts(config, clock)
    closing.callback(store.close)
    queue = AuditQueue(store.audit)
    closing.callback(queue.close)
    wiring = Wiring(config, Ring(config), Metrics(), clock, queue.append)
    within = config.sessions.store is SessionStoreKind.MEMORY
    sessions, end = (None, _left_to_the_daemon) if within else sessions_in_memcached(wiring, closing)
    store.probe()
    return OperatorService(
        account_service(wiring, store, end=end),
        store,
        applications=open_applications(config),
        providers=frozenset(each.name for each in config.providers),
        sessions=sessions,
        idle_ms=config.sessions.idle_ms,
    )


def open_pins(config: Config, clock: Clock, closing: ExitStack) -> PinService:
    """Open what providers' names are pinned to; what must be closed is left with `closing`.

    Raises:
        ConfigError: the accounts cannot be reached from outside the daemon, or are not there yet.
        StoreUnavailable: the account store cannot be opened.
    """
    reachable(config)
    store = open_accounts(config, clock)
    closing.callback(store.close)
    return PinService(store, clock=clock, new_uuid=uuid4)


def reachable(config: Config) -> None:
    """Refuse accounts that a command cannot work on, and a time at which it cannot. Raises ConfigError."""
    require(now())
    if config.accounts.store is AccountStoreKind.MEMORY:
        problem = "[accounts] store: memory keeps the accounts inside the daemon, where no command reaches them"
        raise ConfigError((f"{problem}; set store = sqlite",))
    if config.accounts.store is AccountStoreKind.SQLITE and not config.sqlite.file.exists():
        problem = f"[sqlite] file: {config.sqlite.file} is not there; the daemon makes it at its first start"
        raise ConfigError((f"{problem}; is this the daemon's configuration? name another with --config",))


def _left_to_the_daemon(_: Revocation) -> None:
    raise StoreUnavailable(detail="the sessions are in the daemon's memory; it ends them")


def sessions_in_memcached(wiring: Wiring, closing: ExitStack) -> tuple[SessionService, Callable[[Revocation], None]]:
    """Return the sessions in memcached, and what ends them and names the node that it could not reach."""
    cache = _memcached(wiring.config, wiring.ring, wiring.clock, lambda _: True)
    closing.callback(cache.close)
    sessions = session_service(wiring, cache)
    end = end_sessions(sessions)

    def carry_out(revocation: Revocation) -> None:
        try:
            end(revocation)
        except StoreError as error:
            node = cache.node_of(key_of(wiring.ring().locator(revocation.account_id)))
            raise StoreUnavailable(detail=f"memcached node {node}: {error.detail}") from error

    return sessions, carry_out


@dataclass(frozen=True, slots=True)
class Trial:
    """What it takes to be a browser for a moment: sessions of a test account, and the ring that signs tokens."""

    sessions: SessionService
    ring: KeyRing
    names: Names


def open_trial(config: Config, closing: ExitStack, *, clock: Clock, lifetime_ms: Millis) -> Trial:
    """Open the sessions in memcached for a trial of a proxy; `clock` dates the tokens.

    Args:
        config: sessions must be in memcached.
        closing: closes the connections.
        clock: may be behind, so that a fresh token is old enough to be renewed.
        lifetime_ms: the sessions end so long after `clock`, also if the command was killed and did not end them.
    """
    ring = Ring(config)
    cache = _memcached(config, ring, now, lambda _: True)
    closing.callback(cache.close)
    rules = replace(session_rules(config), lifetimes=Lifetimes(idle_ms=lifetime_ms, absolute_ms=lifetime_ms))
    records = SessionRecords(cache, keys=ring, clock=now, alarm=CorruptAlarm(clock=now))
    sessions = SessionService(records, _mint(config, ring), rules=rules, clock=clock)
    return Trial(sessions, ring(), _token_names(config))


def open_node_console(node: MemcachedAddress) -> NodeConsole:
    """Connect to one memcached as an operator's command does. Raises StoreUnavailable."""
    return NodeConsole(node.name, node.host, node.port)


def node_list_change(config: Config, nodes: Sequence[NodeConsole], *, before: Sequence[str]) -> NodeListChange:
    """Compose a change from the list `before` to the configured one."""
    after = [node.name for node in config.memcached.nodes]
    generation = config.memcached.generation
    sealer = Sealer(Ring(config), purpose=Purpose.NODE, clock=now)
    markers = NodeMarkers(after, generation=generation, sealer=sealer)
    old, new = (NodeList(names, Rendezvous(names).node_of) for names in (before, after))
    return NodeListChange(nodes, before=old, after=new, generation=generation, markers=markers, records=SESSIONS)


def open_caches(config: Config, ring: Ring, clock: Clock, clearing: Clearing, metrics: Metrics) -> tuple[Cache, Cache]:
    """Return the cache of all services, and the one that ends sessions: it reaches a returning node first."""
    match config.sessions.store:
        case SessionStoreKind.MEMORY:
            cache = MemoryCache(clock=clock, refused=_counted(metrics).refused)
            return cache, cache
        case SessionStoreKind.MEMCACHED:
            connect = partial(_memcached, config, ring, clock)
            return connect(clearing.cleared, told=_counted(metrics)), connect(lambda _: True)


def _counted(metrics: Metrics) -> Told:
    return Told(
        silent=lambda name: metrics.count("identityd_node_silent_total", node=name),
        changed=lambda name, problem: metrics.set("identityd_node_up", 0 if problem else 1, node=name),
        refused=lambda name: metrics.count("identityd_node_refused_total", node=name),
    )


def _memcached(
    config: Config, ring: Ring, clock: Clock, cleared: Callable[[str], bool], *, told: Told = UNTOLD
) -> MemcachedCache:
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


def session_service(wiring: Wiring, cache: Cache) -> SessionService:
    """Compose a session service over a cache."""
    mint, rules = _mint(wiring.config, wiring.ring, wiring.random_bytes), session_rules(wiring.config)
    return SessionService(_session_records(wiring, cache), mint, rules=rules, clock=wiring.clock)


def session_checker(wiring: Wiring, cache: Cache, watcher: Watcher) -> Checker:
    """Compose what answers checks over a cache."""
    mint, rules = _mint(wiring.config, wiring.ring, wiring.random_bytes), session_rules(wiring.config)
    checking = Checking(mint, rules=rules, clock=wiring.clock, chance=wiring.chance)
    return Checker(checking, _session_records(wiring, cache), watcher)


def _session_records(wiring: Wiring, cache: Cache) -> SessionRecords:
    alarm = corrupt_alarm(wiring.metrics, wiring.clock)
    return SessionRecords(cache, keys=wiring.ring, clock=wiring.clock, alarm=alarm)


def _mint(config: Config, ring: Ring, random_bytes: RandomBytes = os.urandom) -> Mint:
    return Mint(ring, _token_names(config), random_bytes)


def _token_names(config: Config) -> Names:
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
