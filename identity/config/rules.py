"""Rules that look at several options at once.

Owns one function per rule. Each says which options it needs; a rule whose options are themselves
at fault is not asked, so one mistake is reported once. Pure: no files, no network.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from identity.applications.application import Application
from identity.config.entry import (
    known_providers,
    more_than_is_kept,
    open_to_all,
    sayable_facts,
    sign_up_rules,
    unheard_rules,
    unproven_claims,
)
from identity.config.listeners import (
    demo_address,
    internal_listener,
    plain_http,
    port_and_url,
    ports,
    unheard_proxies,
    unknown_visitors,
)
from identity.config.model import AccountStoreKind, Config, LogLevel, SessionStoreKind
from identity.config.values import is_loopback, read_origin
from options.option import BadOptions
from providers import build
from providers.kind import ProviderSite

T = TypeVar("T", bound=Hashable)


PROVIDERS: Final = "providers"
"""What a rule needs that looks for a provider by its name: that all sections of providers could be read."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule and the options it needs, as `section.option`."""

    check: Callable[[Config], Iterator[str]]
    needs: tuple[str, ...] = ()


def certificate_and_key(config: Config) -> Iterator[str]:
    """A certificate is of no use without its key."""
    server = config.server
    if server.tls_certificate and not server.tls_key:
        yield "[server] tls_key: is missing; tls_certificate needs the private key that belongs to it"
    if server.tls_key and not server.tls_certificate:
        yield "[server] tls_certificate: is missing; tls_key needs the certificate that belongs to it"


def tls_and_http(config: Config) -> Iterator[str]:
    """TLS in the daemon makes https addresses."""
    url = config.server.public_url
    if config.server.tls and not url.secure:
        yield f"[server] public_url: tls_certificate is given, so people come over https; write https://{url.host}"


def session_times(config: Config) -> Iterator[str]:
    """A session that ends before it idles, or idles before it rotates, is not meant."""
    sessions = config.sessions
    if sessions.idle_ms > sessions.absolute_ms:
        yield "[sessions] idle_s: is longer than absolute_s, so it would never apply; lower it or raise absolute_s"
    if sessions.token_age_ms + sessions.settle_ms > sessions.idle_ms:
        yield "[sessions] idle_s: is shorter than token_age_s plus settle_s, so no token is ever replaced; raise it"


def memcached_nodes(config: Config) -> Iterator[str]:
    """Records need a node, and a node's name must mean one server."""
    nodes = config.memcached.nodes
    if config.sessions.store is SessionStoreKind.MEMCACHED and not nodes:
        yield "[memcached] nodes: is missing; [sessions] store = memcached needs at least one, like one=127.0.0.1:11211"
    for name in _doubles(node.name for node in nodes):
        yield f"[memcached] nodes: the name {name} stands twice; each server needs its own"
    for host, port in _doubles((node.host, node.port) for node in nodes):
        yield f"[memcached] nodes: {host} port {port} stands twice; one server is one node"


def cassandra_cluster(config: Config) -> Iterator[str]:
    """The driver needs one node to find the others, and must know which of them are near."""
    if config.accounts.store is not AccountStoreKind.CASSANDRA:
        return
    if not config.cassandra.contact_points:
        yield (
            "[cassandra] contact_points: is missing; [accounts] store = cassandra needs at least one node, like "
            "127.0.0.1"
        )
    if not config.cassandra.local_data_centre:
        yield "[cassandra] local_data_centre: is missing; write its name as `nodetool status` spells it"


def cassandra_role(config: Config) -> Iterator[str]:
    """A role is of no use without its password, nor a password without its role."""
    given = config.cassandra
    if given.username and given.password is None:
        yield "[cassandra] password: is missing; username needs the password that belongs to it"
    if given.password is not None and not given.username:
        yield "[cassandra] username: is missing; password needs the role it belongs to"


def cassandra_certificates(config: Config) -> Iterator[str]:
    """A certificate needs its key, and both need connections that are TLS at all."""
    given = config.cassandra
    if given.tls_certificate and not given.tls_key:
        yield "[cassandra] tls_key: is missing; tls_certificate needs the private key that belongs to it"
    if given.tls_key and not given.tls_certificate:
        yield "[cassandra] tls_certificate: is missing; tls_key needs the certificate that belongs to it"
    if given.tls_certificate and given.tls_key and not given.tls_ca:
        yield "[cassandra] tls_ca: is missing; without it connections are not TLS and tls_certificate is never shown"


def username_lengths(config: Config) -> Iterator[str]:
    """Some length must be allowed."""
    if config.usernames.min_length > config.usernames.max_length:
        yield "[usernames] min_length: is more than max_length, so no name could be chosen; lower it"


def buildable(config: Config) -> Iterator[str]:
    """A provider is made at the start, so that none fails at a person's login. Making one calls no server."""
    site = ProviderSite(str(config.server.public_url), clock=lambda: 0, random_bytes=bytes, demo=config.demo)
    for section in config.providers:
        try:
            build(
                section.kind,
                section.name,
                section.options,
                site=site,
                label=section.label,
                keep_tokens=section.keep_tokens,
            )
        except BadOptions as error:
            yield from (f"[provider:{section.name}] {option}: {reason}" for option, reason in error.problems)


def app_secrets(config: Config) -> Iterator[str]:
    """A shared secret would let each application be the other."""
    seen: dict[bytes, Application] = {}
    for app in config.apps:
        for secret in app.secrets:
            other = seen.setdefault(secret.reveal(), app)
            if other is not app:
                yield f"[app:{app.id}] secret: is also the secret of [app:{other.id}]; give each its own"
        if len({secret.reveal() for secret in app.secrets}) < len(app.secrets):
            yield f"[app:{app.id}] second_secret: is the same as secret; leave it out until you change the secret"


def app_tokens(config: Config) -> Iterator[str]:
    """A name that keeps no tokens is a slip: the application would be refused at every request."""
    keeping = {section.name: section.keep_tokens for section in config.providers}
    for app in config.apps:
        for name in app.tokens_of:
            if name not in keeping:
                yield f"[app:{app.id}] tokens_of: there is no [provider:{name}]"
            elif not keeping[name]:
                yield f"[app:{app.id}] tokens_of: {name} keeps none; set [provider:{name}] keep_tokens = yes"


def app_origins(config: Config) -> Iterator[str]:
    """A browser sends https cookies to no plain http page."""
    for app in config.apps:
        for origin in map(read_origin, app.return_to):
            if not origin.secure and not origin.loopback:
                yield f"[app:{app.id}] return_to: {origin} is plain http; write https://{origin.hostname}"


def no_enabled_provider(config: Config) -> Iterator[str]:
    """A daemon without providers serves the sessions it has and opens no new one."""
    if not any(provider.enabled for provider in config.providers):
        yield "[provider:…] none is configured and enabled, so nobody can log in; add a section like [provider:google]"


def unreachable_hosts(config: Config) -> Iterator[str]:
    """A session on another host is opened by a login that returns there."""
    public = config.server.public_url
    for app in config.apps:
        origins = set(app.return_to)
        others = sorted(host for host in app.hosts if host != public.host)
        missing = [host for host in others if f"{public.scheme}://{host}" not in origins]
        if missing:
            yield (
                f"[app:{app.id}] return_to: lacks {public.scheme}://{missing[0]}, so nobody can be logged in on that "
                "host; add it, or take the host out of hosts"
            )


def shared_with_the_login(config: Config) -> Iterator[str]:
    """Scripts share an origin and cookies know no ports, so an application there is part of the login."""
    public = config.server.public_url
    if config.demo:
        return
    for app in config.apps:
        for host in app.hosts:
            advice = f"give it a host of its own, like {app.id}.example.com (docs/configuration.md)"
            if host == public.host:
                yield f"[app:{app.id}] hosts: {host} is the login's own host, also if left out; {advice}"
            elif _without_port(host) == _without_port(public.host):
                yield f"[app:{app.id}] hosts: {host} gets the login's cookies, which know no ports; {advice}"


def shared_among_applications(config: Config) -> Iterator[str]:
    """Two applications on one host are one to a browser: each can use what the other is given."""
    public = _without_port(config.server.public_url.host)
    owners: dict[str, Application] = {}
    for app in config.apps:
        for name in sorted({_without_port(host) for host in app.hosts} - {public}):
            other = owners.setdefault(name, app)
            if other is not app:
                yield (
                    f"[app:{app.id}] hosts: {name} is also [app:{other.id}]'s, and to a browser one host is one "
                    "application, whatever the port; give each its own"
                )


def kept_for_none(config: Config) -> Iterator[str]:
    """Tokens that no application may fetch are a risk without a use."""
    wanted = {name for app in config.apps for name in app.tokens_of}
    for section in config.providers:
        if section.keep_tokens and section.name not in wanted:
            yield (
                f"[provider:{section.name}] keep_tokens: its tokens are kept and no application may fetch them; list "
                "it in tokens_of of one, or write no"
            )


def forgetting(config: Config) -> Iterator[str]:
    """Accounts in memory are gone at the next restart."""
    if config.accounts.store is AccountStoreKind.MEMORY:
        yield "[accounts] store: memory forgets every account at a restart; write sqlite to keep them"


def unused_nodes(config: Config) -> Iterator[str]:
    """Nodes that are listed and not used look like a forgotten switch."""
    if config.memcached.nodes and config.sessions.store is not SessionStoreKind.MEMCACHED:
        yield "[memcached] nodes: are not used, because [sessions] store is not memcached"


def unused_cluster(config: Config) -> Iterator[str]:
    """A cluster that is named and not used looks like a forgotten switch."""
    if config.cassandra.contact_points and config.accounts.store is not AccountStoreKind.CASSANDRA:
        yield "[cassandra] contact_points: are not used, because [accounts] store is not cassandra"


def readable_cluster(config: Config) -> Iterator[str]:
    """Passwords and accounts can be read on a network without TLS."""
    given = config.cassandra
    if config.accounts.store is not AccountStoreKind.CASSANDRA or given.tls_ca:
        return
    if not all(is_loopback(point.host) for point in given.contact_points):
        what = "the password and every account travel" if given.username else "every account travels"
        yield f"[cassandra] tls_ca: is empty, so {what} readable to the network; name the CA of the nodes' certificates"


def debug_logging(config: Config) -> Iterator[str]:
    """Debug lines cost throughput."""
    if config.server.log_level is LogLevel.DEBUG:
        yield "[server] log_level: debug writes several lines for each request; info is enough in everyday use"


RULES: Final = (
    Rule(ports, ("server.port", "server.internal_port", "server.address", "server.internal_address")),
    Rule(certificate_and_key, ("server.tls_certificate", "server.tls_key")),
    Rule(tls_and_http, ("server.public_url", "server.tls_certificate")),
    Rule(plain_http, ("server.public_url", "server.address")),
    Rule(internal_listener, ("server.internal_address", "server.internal_public")),
    Rule(session_times, ("sessions.idle_s", "sessions.absolute_s", "sessions.token_age_s", "sessions.settle_s")),
    Rule(memcached_nodes, ("memcached.nodes", "sessions.store")),
    Rule(cassandra_cluster, ("accounts.store", "cassandra.contact_points", "cassandra.local_data_centre")),
    Rule(cassandra_role, ("cassandra.username", "cassandra.password")),
    Rule(cassandra_certificates, ("cassandra.tls_ca", "cassandra.tls_certificate", "cassandra.tls_key")),
    Rule(username_lengths, ("usernames.min_length", "usernames.max_length")),
    Rule(demo_address, ("server.address",)),
    Rule(app_secrets),
    Rule(app_tokens, (PROVIDERS,)),
    Rule(app_origins, ("server.public_url",)),
    Rule(buildable, ("server.public_url",)),
    Rule(known_providers, (PROVIDERS,)),
    Rule(sayable_facts),
    Rule(sign_up_rules, ("accounts.sign_up", "accounts.rules", "accounts.approval")),
)
"""What refuses to start."""


def problems_of(config: Config) -> Iterator[str]:
    """Yield what every rule says of a configuration whose options could all be read."""
    return (problem for rule in RULES for problem in rule.check(config))


WARNINGS: Final = (
    no_enabled_provider,
    unknown_visitors,
    unheard_proxies,
    port_and_url,
    unreachable_hosts,
    shared_with_the_login,
    shared_among_applications,
    kept_for_none,
    open_to_all,
    unheard_rules,
    unproven_claims,
    more_than_is_kept,
    forgetting,
    unused_nodes,
    unused_cluster,
    readable_cluster,
    debug_logging,
)
"""What is logged at start and shown by check-config."""


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _doubles(items: Iterator[T]) -> list[T]:
    return [item for item, times in Counter(items).items() if times > 1]
