"""The composition root: from a configuration to a daemon that serves.

With `opening.py` the only module that reads `Config`; all other code is given the two or three
values it needs. Invariant: whatever was started is closed again in reverse order, also when
something later in the start fails.
"""

import logging
import os
import platform
import random
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import uuid4

import uvloop

from identity import __version__
from identity.accounts.service import AccountService
from identity.applications.disclosure import Attribute
from identity.audit import AuditQueue, Event, Rationed
from identity.config import Config, SessionStoreKind, require_certificate
from identity.config.entry import admission, facts_asked
from identity.errors import ConfigError, StoreError
from identity.forward_auth.peers import TrustedPeers
from identity.housekeeping import AuditingWatcher, Clearing, Housekeeping, end_sessions
from identity.keeping import TakingBack, kept_tokens, letting_go
from identity.keyring import Purpose
from identity.login.carrying import Carrying
from identity.login.dependencies import LoginDependencies
from identity.login.entering import AfterLogin, Entering
from identity.login.pacing import Pacing
from identity.login.pinning import ProviderPins
from identity.login.provider_events import ProviderEvents
from identity.login.rules import LoginRules
from identity.login.service import LoginService
from identity.login.starting import Starting
from identity.login.upstream_logout import UpstreamLogouts
from identity.login.welcoming import Welcoming
from identity.machine import daemon, places
from identity.metrics import Metrics
from identity.opening import (
    DURABLE_THREADS,
    Accounts,
    Ring,
    Wiring,
    account_service,
    corrupt_alarm,
    now,
    open_accounts,
    open_applications,
    open_caches,
    session_checker,
    session_service,
    unobserved,
)
from identity.outbound.circuit import Circuit
from identity.outbound.client import Called, OutboundClient
from identity.outside import configured_providers, outbound_rules
from identity.sessions.service import SessionService
from identity.stores.cache import Cache
from identity.stores.records import OneTimeRecords
from identity.stores.single import Alone
from identity.types import Chance, Clock, Host, RandomBytes
from identity.upstream_tokens.letting_go import TakeBack
from identity.upstream_tokens.service import UpstreamTokens
from identity.web.pages import Pages
from identity.web.process.handed import Handed
from identity.web.server import Daemon, Ports, run
from identity.web.state.context import Context, Probe
from identity.web.state.pool import Pool
from identity.web.state.refreshing import Refreshing
from providers import scope_of
from providers.base import Provider

log = logging.getLogger("identity.app")

WAITING: Final = 1_024
"""Calls that may wait for a thread of one pool; more than that are refused at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a daemon stands on beside its configuration. Tests put in what they move, see or break."""

    metrics: Metrics = field(default_factory=Metrics)
    clock: Clock = now
    chance: Chance = random.random
    random_bytes: RandomBytes = os.urandom
    ring: Callable[[Config], Ring] = Ring
    accounts: Callable[[Config, Clock, Metrics], Accounts] = open_accounts
    caches: Callable[[Config, Ring, Clock, Clearing, Metrics], tuple[Cache, Cache]] = open_caches
    providers: Callable[[Config, Clock], Mapping[str, Provider]] = configured_providers
    audit: Callable[[Event], None] | None = None
    """Takes audit events at once; without it they are queued for the account store."""
    take_back: Callable[[Config], TakeBack] = TakingBack
    """Makes what asks a provider to take kept tokens back."""
    checkpoint: Callable[[str], None] = unobserved
    """Hears of each step between two writes of one change (rule D13)."""
    sockets: Mapping[str, socket.socket] = field(default_factory=dict)
    """Listening sockets that were handed down, by name of the listener."""


@dataclass(frozen=True, slots=True)
class Composed:
    """The services of a daemon, without its listeners."""

    context: Context
    housekeeping: Housekeeping
    reload: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Built:
    """A composed daemon, and the parts that are closed with it."""

    daemon: Daemon
    context: Context
    housekeeping: Housekeeping


def serve(config: Config, *, ready: Callable[[], None] = lambda: None, handed: Handed | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: what was configured.
        ready: called when both listeners accept connections.
        handed: what the program that started this process handed down.

    Raises:
        ConfigError: an address cannot be bound, or a file named in the configuration cannot be used.
        StoreUnavailable: the account file cannot be opened.
    """
    uvloop.run(_serve(config, ready, handed or Handed()))


async def _serve(config: Config, ready: Callable[[], None], handed: Handed) -> None:
    def bound(_: Ports) -> None:
        url, python = config.server.public_url, platform.python_version()
        log.info("identityd %s on Python %s serves %s: %s", __version__, python, url, places(config))
        ready()

    with ExitStack() as closing:
        metrics = Metrics()
        client = OutboundClient(
            outbound_rules(config), on_call=partial(_called, metrics), on_circuit=partial(_up, metrics)
        )
        try:
            built = build(config, client, closing, Parts(metrics=metrics, sockets=handed.sockets))
            if not config.demo:  # its provider is not called over http
                client.prepare(built.context.providers)
            built.housekeeping.start()
            closing.callback(built.housekeeping.stop)
            status = f"version {__version__} serves {config.server.public_url}"
            await run(built.daemon, ready=bound, supervisor=handed.supervisor, status=status)
        finally:
            await client.aclose()


def build(config: Config, client: OutboundClient, closing: ExitStack, parts: Parts) -> Built:
    """Compose a daemon; what must be closed is left with `closing`. Must be called on the event loop."""
    made = compose(config, client, closing, parts)
    return Built(daemon(config, made.context, made.reload, sockets=parts.sockets), made.context, made.housekeeping)


def compose(config: Config, client: OutboundClient, closing: ExitStack, parts: Parts) -> Composed:
    """Compose the services; what must be closed is left with `closing`."""
    metrics, clock, ring = parts.metrics, parts.clock, parts.ring(config)
    _watch(config, ring, metrics, clock)
    alone = Alone(config.keys.file, closing) if config.sessions.store is SessionStoreKind.MEMORY else None
    accounts = parts.accounts(config, clock, metrics)
    closing.callback(accounts.close)
    note = _rationed(parts.audit or _queued(accounts, metrics, closing), metrics)
    wiring = Wiring(config, ring, metrics, clock, note, parts.chance, parts.random_bytes, parts.checkpoint)
    watching = AuditingWatcher(note=wiring.note, metrics=metrics, clock=clock, new_uuid=uuid4)
    clearing = Clearing(watching.wake)
    cache, first = parts.caches(config, ring, clock, clearing, metrics)
    sessions = session_service(wiring, cache)
    service = _account_service(wiring, accounts, first, take_back=parts.take_back(config), closing=closing)
    providers, tokens = parts.providers(config, clock), kept_tokens(wiring, accounts)
    dependencies = _dependencies(wiring, cache, providers)
    logouts = UpstreamLogouts(service, dependencies, count=metrics.count)
    means = dependencies, logouts, tokens
    durable = _pool("accounts", DURABLE_THREADS, metrics, closing)
    context = Context(
        sessions=sessions,
        checker=session_checker(wiring, cache, watching),
        accounts=service,
        login=_login(wiring, service, sessions, pins=_pins(config, accounts, clock), means=means),
        logouts=logouts,
        events=ProviderEvents(service, dependencies, note=wiring.note, count=metrics.count),
        starts=Starting(sessions, dependencies, note=wiring.note, count=metrics.count),
        tokens=Refreshing(tokens, durable, providers=providers, http=client.for_provider),
        pages=Pages(clock=clock, kinds={section.name: section.kind for section in config.providers}),
        http=client.for_provider,
        providers=providers,
        applications=open_applications(config),
        keys=ring,
        metrics=metrics,
        audit=wiring.note,
        clock=clock,
        random=parts.random_bytes,
        checks=_pool("checks", config.memcached.pool, metrics, closing),
        durable=durable,
        public_url=str(config.server.public_url),
        hosts=_hosts(config),
        internal_hosts=frozenset({config.server.internal_address, *config.server.internal_hosts}),
        peers=TrustedPeers([str(network) for network in config.server.trusted_proxies]),
        form_origins=_origins(config),
        hsts=config.server.hsts.directives,
        probes=partial(_probes, accounts, cache, metrics, config, client),
    )
    chores = Housekeeping(watching, accounts=service, sessions=sessions, counted=clearing.counted, tidy=tokens.save_all)
    return Composed(context, chores, partial(_reload, config, ring, alone))


def _account_service(
    wiring: Wiring, accounts: Accounts, first: Cache, *, take_back: TakeBack, closing: ExitStack
) -> AccountService:
    end = end_sessions(session_service(wiring, first), account=accounts.accounts.read, clock=wiring.clock)
    return account_service(
        wiring, accounts, end=letting_go(wiring, accounts, end=end, take_back=take_back, closing=closing)
    )


def _rationed(append: Callable[[Event], None], metrics: Metrics) -> Rationed:
    rationed = Rationed(append)
    metrics.watch("identityd_audit_withheld_total", lambda: rationed.withheld)
    return rationed


def _watch(config: Config, ring: Ring, metrics: Metrics, clock: Clock) -> None:
    """Begin what is told of this release, of the key ring, and of each provider's circuit."""
    metrics.set("identityd_build_info", 1, version=__version__, python=platform.python_version())
    _all_up(config, metrics)
    metrics.watch("identityd_key_newest", lambda: ring().newest)
    metrics.watch("identityd_key_signing", lambda: ring().signing_number(clock()))


def _reload(config: Config, ring: Ring, alone: Alone | None) -> None:
    """Read the key ring again. Raises ConfigError, also for the certificate's files, and keeps the ring that is."""
    require_certificate(config)
    ring.reload()
    if alone:
        alone.renew()


def _queued(accounts: Accounts, metrics: Metrics, closing: ExitStack) -> Callable[[Event], None]:
    queue = AuditQueue(accounts.audit)
    closing.callback(queue.close)
    metrics.watch("identityd_audit_waiting", lambda: queue.waiting)
    metrics.watch("identityd_audit_dropped_total", lambda: queue.dropped)
    return queue.append


def _dependencies(wiring: Wiring, cache: Cache, providers: Mapping[str, Provider]) -> LoginDependencies:
    clock = wiring.clock
    return LoginDependencies(
        Carrying(wiring.ring, clock=clock, random_bytes=wiring.random_bytes),
        OneTimeRecords(cache, keys=wiring.ring, clock=clock, alarm=corrupt_alarm(wiring.metrics, clock)),
        _login_rules(wiring.config, providers),
        clock=clock,
        random_bytes=wiring.random_bytes,
    )


def _pins(config: Config, accounts: Accounts, clock: Clock) -> ProviderPins:
    """Return what holds providers' names to their issuers. Raises ConfigError for a name that means another now."""
    scopes = {section.name: scope_of(section.kind, section.options) for section in config.providers if section.enabled}
    pins = ProviderPins(accounts.providers, scopes, clock=clock, new_uuid=uuid4)
    try:
        problems = tuple(pins.problems())
    except StoreError as error:
        log.warning("providers-not-compared: each is before its first login: %s", error.detail or error.code)
    else:
        if problems:
            raise ConfigError(problems)
    return pins


def _login(
    wiring: Wiring,
    accounts: AccountService,
    sessions: SessionService,
    *,
    pins: ProviderPins,
    means: tuple[LoginDependencies, UpstreamLogouts, UpstreamTokens],
) -> LoginService:
    dependencies, logouts, tokens = means
    note, count = wiring.note, wiring.metrics.count
    most = wiring.config.server.logins_per_minute
    pacing = Pacing(dependencies.one_time, place=partial(_place, wiring.ring), clock=wiring.clock, most=most)
    entering = Entering(
        accounts,
        sessions,
        clock=wiring.clock,
        random_bytes=wiring.random_bytes,
        note=note,
        count=count,
        told=frozenset[Attribute]().union(*(app.tell for app in wiring.config.apps)),
        after=AfterLogin(logouts.remember, tokens.keep),
    )
    welcoming = Welcoming(accounts, entering, dependencies)
    return LoginService(entering, welcoming, pacing, pins=pins, dependencies=dependencies)


def _place(ring: Ring, data: bytes) -> bytes:
    """Hash so that an attacker cannot choose the result; every daemon knows the oldest key."""
    keys = ring()
    return keys.mac(keys.keys[0].number, Purpose.PLACE, data)


def _called(metrics: Metrics, call: Called) -> None:
    metrics.count("identityd_provider_calls_total", provider=call.provider, outcome=call.outcome)
    metrics.observe("identityd_provider_bytes", call.sent + call.received, provider=call.provider)


def _all_up(config: Config, metrics: Metrics) -> None:
    for section in config.providers:
        if section.enabled:
            _up(metrics, section.name, Circuit())


def _up(metrics: Metrics, provider: str, circuit: Circuit) -> None:
    metrics.set("identityd_provider_up", int(circuit.closed), provider=provider)


def _login_rules(config: Config, providers: Mapping[str, Provider]) -> LoginRules:
    return LoginRules(
        str(config.server.public_url),
        providers.__contains__,
        _origins(config),
        stay=config.sessions.stay_logged_in,
        admission=admission(config),
        facts=facts_asked(config),
        names=config.usernames.policy,
    )


def _origins(config: Config) -> frozenset[str]:
    """Return where logins may lead, beside our own host."""
    return frozenset(origin for app in config.apps for origin in app.return_to)


def _hosts(config: Config) -> frozenset[Host]:
    """Return the hosts the public listener answers for: its own, and those of applications behind it."""
    return frozenset({config.server.public_url.host, *(host for app in config.apps for host in app.hosts)})


def _pool(name: str, threads: int, metrics: Metrics, closing: ExitStack) -> Pool:
    pool = Pool(name, threads=threads, waiting=WAITING, observe=metrics.observe)
    closing.callback(pool.close)
    return pool


def _probes(
    accounts: Accounts, cache: Cache, metrics: Metrics, config: Config, client: OutboundClient
) -> Sequence[Probe]:
    return (*_probed(accounts, cache, metrics, config), *_providers_probed(config, client))


def _providers_probed(config: Config, client: OutboundClient) -> Iterator[Probe]:
    """Yield every provider; one in trouble is a warning, because the daemon is ready for all others."""
    troubles = client.troubles()
    for section in config.providers:
        if section.enabled:
            yield Probe(f"provider ({section.name})", warning=troubles.get(section.name, ""))


def _probed(accounts: Accounts, cache: Cache, metrics: Metrics, config: Config) -> Iterator[Probe]:
    problem = ""
    try:
        accounts.probe()
    except StoreError as error:
        problem = error.detail or error.code
    metrics.set("identityd_accounts_up", 0 if problem else 1)
    yield Probe(f"accounts ({config.accounts.store.value})", problem)
    for node in cache.nodes():
        metrics.set("identityd_node_up", 0 if node.problem else 1, node=node.name)
        metrics.set("identityd_node_full", 1 if node.full else 0, node=node.name)
        yield Probe(f"sessions ({node.name})", node.problem, node.clock_ahead_ms, node.warning, full=node.full)
