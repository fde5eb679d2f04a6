"""Opening what an operator's command works on, beside the daemon or without it.

Owns which installations a command can reach at all: accounts and sessions that live inside the
daemon are out of its reach, and it says so. With `opening.py` the only module that names concrete
stores. The caller closes what it opens.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from uuid import uuid4

from identity.accounts.store import AccountStore, Revocation
from identity.admin.provider_pins import PinService
from identity.admin.service import OperatorService
from identity.audit import AuditQueue
from identity.clock import require
from identity.config import AccountStoreKind, Config, MemcachedAddress, SessionStoreKind
from identity.config.entry import entry_rules
from identity.errors import ConfigError, StoreError, StoreUnavailable
from identity.housekeeping import end_sessions
from identity.keeping import TakingBack, letting_go
from identity.keyring import KeyRing, Purpose
from identity.metrics import Metrics
from identity.opening import (
    Ring,
    Wiring,
    account_service,
    mint,
    now,
    open_accounts,
    open_applications,
    open_memcached,
    session_rules,
    session_service,
    token_names,
)
from identity.sessions.changes import Lifetimes
from identity.sessions.cookie import Names
from identity.sessions.service import SessionService
from identity.stores.alarm import CorruptAlarm
from identity.stores.markers import NodeMarkers
from identity.stores.node_console import NodeConsole
from identity.stores.records import SESSIONS, SessionRecords, key_of
from identity.stores.rendezvous import Rendezvous
from identity.stores.sealing import Sealer
from identity.types import Clock, Millis
from identity.upkeep.node_list import NodeList, NodeListChange


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
    sessions, end = (None, _left_to_the_daemon) if within else sessions_in_memcached(wiring, closing, store)
    store.probe()
    return OperatorService(
        account_service(wiring, store, end=letting_go(wiring, store, end=end, take_back=TakingBack(config))),
        store,
        applications=open_applications(config),
        providers=frozenset(each.name for each in config.providers),
        sessions=sessions,
        idle_ms=config.sessions.idle_ms,
        in_order=config.accounts.store is not AccountStoreKind.CASSANDRA,
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


def sessions_in_memcached(
    wiring: Wiring, closing: ExitStack, store: AccountStore
) -> tuple[SessionService, Callable[[Revocation], None]]:
    """Return the sessions in memcached, and what ends them and names the node that it could not reach."""
    cache = open_memcached(wiring.config, wiring.ring, wiring.clock)
    closing.callback(cache.close)
    sessions = session_service(wiring, cache, entry=entry_rules(wiring.config))
    end = end_sessions(sessions, account=store.accounts.read, clock=wiring.clock)

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
    cache = open_memcached(config, ring, now)
    closing.callback(cache.close)
    rules = replace(session_rules(config), lifetimes=Lifetimes(idle_ms=lifetime_ms, absolute_ms=lifetime_ms))
    records = SessionRecords(cache, keys=ring, clock=now, alarm=CorruptAlarm(clock=now))
    sessions = SessionService(records, mint(config, ring), rules=rules, entry=entry_rules(config), clock=clock)
    return Trial(sessions, ring(), token_names(config))


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
