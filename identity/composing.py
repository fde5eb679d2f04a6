"""From a configuration to all that answers requests by it.

Owns the split between `Standing`, what a daemon has for its whole life (stores, key ring, threads, numbers), and
`InForce`, what follows from its configuration and is exchanged as a whole when that is read again. Invariant: what
must be closed is left with `closing`, also when something later fails.
"""

import logging
import os
import platform
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import uuid4

from identity import __version__, probing
from identity.accounts.service import AccountService
from identity.accounts.store import Revocation
from identity.applications.disclosure import Attribute
from identity.audit import AuditQueue, Event, Rationed
from identity.config import Config, SessionStoreKind
from identity.config.changes import providers_alike
from identity.config.entry import admission, entry_rules, facts_asked
from identity.config.files import branding_of
from identity.errors import ConfigError, StoreError
from identity.forward_auth.peers import TrustedPeers
from identity.housekeeping import AuditingWatcher, Clearing, end_sessions
from identity.keeping import TakingBack, kept_tokens, letting_go, token_rules
from identity.keyring import Purpose
from identity.login.carrying import Carrying
from identity.login.dependencies import LoginDependencies
from identity.login.entering import AfterLogin, Entering
from identity.login.following import Invited
from identity.login.links import LoginLinks
from identity.login.pacing import Pacing
from identity.login.pinning import ProviderPins
from identity.login.provider_events import ProviderEvents
from identity.login.rules import LoginRules
from identity.login.service import LoginService
from identity.login.starting import Starting
from identity.login.upstream_logout import UpstreamLogouts
from identity.login.welcoming import Welcoming
from identity.membership.facts import names_asked
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
from identity.outbound.client import OutboundClient
from identity.outside import configured_providers
from identity.sessions.service import SessionService
from identity.stores.cache import Cache
from identity.stores.records import OneTimeRecords
from identity.stores.single import Alone
from identity.types import Chance, Clock, Host, RandomBytes
from identity.upstream_tokens.letting_go import TakeBack
from identity.upstream_tokens.service import UpstreamTokens
from identity.web.pages import Pages
from identity.web.state.context import Context, Probe
from identity.web.state.pool import Pool
from identity.web.state.refreshing import Refreshing
from identity.web.state.secret_guesses import Guesses
from providers import scope_of
from providers.base import Provider

log = logging.getLogger("identity.composing")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What a daemon does by its present configuration. A request ends with the one that it began with."""

    config: Config
    client: OutboundClient
    context: Context
    end: Callable[[Revocation], None]
    """Ends the sessions that a revocation means."""
    take_back: TakeBack


class Standing:
    """What a daemon has for its whole life, whatever its configuration becomes; and what is in force.

    Args:
        config: names the stores.
        closing: what must be closed is left with it.
        parts: what else it stands on.
    """

    in_force: InForce
    """Exchanged as a whole; threads read it."""
    doubts: str = ""
    """What there is to say of the configuration file, for `/readyz`; empty if nothing is."""

    def __init__(self, config: Config, closing: ExitStack, parts: Parts) -> None:
        self.parts = parts
        metrics, clock = parts.metrics, parts.clock
        self.ring = parts.ring(config)
        _watch(self.ring, metrics, clock)
        self.alone = Alone(config.keys.file, closing) if config.sessions.store is SessionStoreKind.MEMORY else None
        self.accounts = parts.accounts(config, clock, metrics)
        closing.callback(self.accounts.close)
        self.note = _rationed(parts.audit or _queued(self.accounts, metrics, closing), metrics)
        self.watching = AuditingWatcher(note=self.note, metrics=metrics, clock=clock, new_uuid=uuid4)
        self.clearing = Clearing(self.watching.wake)
        self.cache, self.first = parts.caches(config, self.ring, clock, self.clearing, metrics)
        wiring = self.wiring(config)
        self.tokens = kept_tokens(wiring, self.accounts)
        self.carry_out = letting_go(
            wiring,
            self.accounts,
            end=self._end,
            take_back=self._take_back,
            closing=closing,
        )
        self.durable = _pool("accounts", DURABLE_THREADS, metrics, closing)
        self.checks = _pool("checks", config.memcached.pool, metrics, closing)
        self.guesses = Guesses(clock)

    def wiring(self, config: Config) -> Wiring:
        """Return what almost every part stands on, under a configuration."""
        parts = self.parts
        ring, metrics, clock = self.ring, parts.metrics, parts.clock
        return Wiring(config, ring, metrics, clock, self.note, parts.chance, parts.random_bytes, parts.checkpoint)

    def _end(self, revocation: Revocation) -> None:
        self.in_force.end(revocation)

    def _take_back(self, provider: str, tokens: tuple[str, ...]) -> bool | None:
        return self.in_force.take_back(provider, tokens)

    def take(self, made: InForce) -> None:
        """Put it in force, for what begins from now on."""
        self.in_force = made
        self.tokens.rules = token_rules(made.config)


def _pages(config: Config, clock: Clock) -> Pages:
    return Pages(clock=clock, site=branding_of(config), kinds={each.name: each.kind for each in config.providers})


def in_force(config: Config, client: OutboundClient, standing: Standing, *, before: InForce | None = None) -> InForce:
    """Compose what a configuration asks for, on any thread. Puts nothing in force.

    Providers that are configured as `before` are the same objects: they know discovery documents and keys.

    Raises:
        ConfigError: a provider's name means another one now, or the logo cannot be shown.
    """
    parts, wiring = standing.parts, standing.wiring(config)
    metrics, clock, server, entry = parts.metrics, parts.clock, config.server, entry_rules(config)
    sessions = session_service(wiring, standing.cache, entry=entry)
    first = session_service(wiring, standing.first, entry=entry)
    end = end_sessions(first, account=standing.accounts.accounts.read, clock=clock)
    accounts = account_service(wiring, standing.accounts, end=standing.carry_out)
    providers = parts.providers(config, clock)
    if before:
        providers = {**providers, **_alike(before, config)}
    dependencies = _dependencies(wiring, standing.cache, providers)
    logouts = UpstreamLogouts(accounts, dependencies, count=metrics.count)
    means, forget = (dependencies, logouts, standing.tokens), standing.tokens.forget
    context = Context(
        sessions=sessions,
        checker=session_checker(wiring, standing.cache, standing.watching, entry=entry),
        accounts=accounts,
        login=_login(wiring, accounts, sessions, pins=_pins(config, standing.accounts, clock), means=means),
        logouts=logouts,
        events=ProviderEvents(accounts, dependencies, note=wiring.note, count=metrics.count, forget=forget),
        starts=Starting(sessions, dependencies, note=wiring.note, count=metrics.count),
        tokens=Refreshing(standing.tokens, standing.durable, providers=providers, http=client.for_provider),
        pages=_pages(config, clock),
        http=client.for_provider,
        providers=providers,
        applications=open_applications(config),
        keys=standing.ring,
        metrics=metrics,
        audit=wiring.note,
        clock=clock,
        random=parts.random_bytes,
        checks=standing.checks,
        durable=standing.durable,
        guesses=standing.guesses,
        public_url=str(server.public_url),
        hosts=_hosts(config),
        internal_hosts=frozenset({server.internal_address, *server.internal_hosts}),
        peers=TrustedPeers([str(network) for network in server.trusted_proxies]),
        form_origins=_origins(config),
        hsts=server.hsts.directives,
        probes=partial(_probes, standing, config, client),
    )
    return InForce(config=config, client=client, context=context, end=end, take_back=parts.take_back(config))


def _alike(before: InForce, config: Config) -> Mapping[str, Provider]:
    then, now, known = facts_asked(before.config), facts_asked(config), before.context.providers
    return {
        name: known[name]
        for name in providers_alike(before.config, config)
        if name in known and names_asked(then, name) == names_asked(now, name)
    }


def _watch(ring: Ring, metrics: Metrics, clock: Clock) -> None:
    """Begin what is told of this release and of the key ring."""
    metrics.set("identityd_build_info", 1, version=__version__, python=platform.python_version())
    metrics.watch("identityd_key_newest", lambda: ring().newest)
    metrics.watch("identityd_key_signing", lambda: ring().signing_number(clock()))


def _rationed(append: Callable[[Event], None], metrics: Metrics) -> Rationed:
    rationed = Rationed(append)
    metrics.watch("identityd_audit_withheld_total", lambda: rationed.withheld)
    return rationed


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
    links, invited = LoginLinks(accounts, entering, dependencies), Invited(accounts, dependencies)
    return LoginService(entering, welcoming, links, pacing, pins=pins, invited=invited, dependencies=dependencies)


def _place(ring: Ring, data: bytes) -> bytes:
    """Hash so that an attacker cannot choose the result; every daemon knows the oldest key."""
    keys = ring()
    return keys.mac(keys.keys[0].number, Purpose.PLACE, data)


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


def _probes(standing: Standing, config: Config, client: OutboundClient) -> Sequence[Probe]:
    stores = probing.stores(standing.accounts, standing.cache, standing.parts.metrics, config)
    return (*stores, *probing.providers(config, client), *probing.configuration(standing.doubts))
