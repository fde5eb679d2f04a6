"""The configuration as the rest of identityd sees it: checked, complete, frozen.

Owns the sections and, in each field, the option's type, default and the one sentence every
reader of the configuration gets. Must not read files or the environment. Only the composition
root and the command line use these classes; everybody else is given single values.
"""

# ruff: noqa: RUF009 - `option()` is a field description, made once and frozen

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from identity.config import kinds, values
from identity.config.cassandra import Cassandra
from identity.config.option import option, required
from identity.config.values import Network, Node, Origin
from identity.types import ClientId, Host, Millis, Secret

DAY_S: Final = 86_400
PORTS: Final = kinds.whole(1, 65_535)
APP_SECRET: Final = 32


class Hsts(Enum):
    """For which hosts browsers hear that https is the only way."""

    HOST = "host"
    SUBDOMAINS = "subdomains"
    PRELOAD = "preload"

    @property
    def directives(self) -> str:
        """What the header of the login's host says beside its age."""
        return {"host": "", "subdomains": "; includeSubDomains"}.get(self.value, "; includeSubDomains; preload")


class LogLevel(Enum):
    """From how serious on a line is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(Enum):
    """What a log line looks like."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class StayLoggedIn(Enum):
    """Whether a login outlives the browser."""

    ASK = "ask"
    YES = "yes"
    NO = "no"


class SessionStoreKind(Enum):
    """Where session records are kept."""

    MEMORY = "memory"
    MEMCACHED = "memcached"


class AccountStoreKind(Enum):
    """Where accounts are kept."""

    SQLITE = "sqlite"
    CASSANDRA = "cassandra"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Listeners, addresses, TLS, the log."""

    public_url: Origin = option(
        kinds.public_url,
        "http://localhost:8887",
        "Address under which people's browsers reach identityd; left out, it is localhost with the port below.",
    )
    address: str = option(kinds.address, "127.0.0.1", "Address the public listener binds to.")
    port: int = option(PORTS, "8887", "Port of the public listener; --port overrides it.")
    internal_address: str = option(
        kinds.address,
        "127.0.0.1",
        "Address of the internal listener, which serves proxies, applications and monitoring.",
    )
    internal_port: int = option(
        kinds.whole(0, 65_535), "0", "Port of the internal listener; 0 is the public port plus one."
    )
    internal_public: bool = option(
        kinds.flag,
        "no",
        "Must be yes before internal_address may be reachable from other machines; it is plain http, so put it on a "
        "private network.",
    )
    internal_hosts: tuple[str, ...] = option(
        kinds.internal_hosts,
        "",
        "Names under which programs reach the internal listener, as name or name:port; addresses of this machine, "
        "localhost and the hosts of applications need not be listed.",
    )
    tls_certificate: Path | None = option(
        kinds.optional_path,
        "",
        "Certificate chain (PEM) if TLS ends in identityd; empty if a proxy provides https; read again on SIGHUP.",
    )
    tls_key: Path | None = option(
        kinds.optional_path, "", "Private key (PEM) of that certificate; read again on SIGHUP."
    )
    hsts: Hsts = option(
        kinds.choice(Hsts),
        "host",
        "Which hosts browsers are told to ask by https only: that of public_url; with subdomains all hosts below it, "
        "too, every one of which must then have https; preload also asks to be put on browsers' own lists, which is "
        "hard to take back.",
    )
    trusted_proxies: tuple[Network, ...] = option(
        kinds.proxy_networks, "", "Proxies whose X-Forwarded-* headers are believed; by default nobody's are."
    )
    logins_per_minute: int = option(
        kinds.whole(0, 1_000_000),
        "600",
        "Logins begun in a minute from one address (IPv6: one /56) before it has to wait; 0 is no limit.",
    )
    log_level: LogLevel = option(kinds.choice(LogLevel), "info", "Lines less serious than this are not logged.")
    log_format: LogFormat = option(
        kinds.choice(LogFormat), "auto", "Log lines as JSON or as text; auto is text on a terminal and JSON elsewhere."
    )
    workers: int = option(
        kinds.whole(1, 64),
        "1",
        "Processes of this daemon; this release serves with one, so start several daemons instead.",
    )

    @property
    def tls(self) -> bool:
        """Tell whether TLS ends in the daemon itself."""
        return self.tls_certificate is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The key ring."""

    file: Path = option(
        kinds.path,
        "identityd.keys",
        "Key ring, made by `identityd.py keys new`, the same on every daemon; read again on SIGHUP.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """How sessions rotate and end."""

    store: SessionStoreKind = option(
        kinds.choice(SessionStoreKind),
        "memory",
        "Where session records are kept; memory is for one daemon and is empty after a restart.",
    )
    token_age_ms: Millis = option(kinds.seconds(1, 3_600), "12", "Age from which a token is replaced by a new one.")
    grace_ms: Millis = option(
        kinds.seconds(1, 600), "10", "How long requests sent before a rotation are still served after it."
    )
    settle_ms: Millis = option(
        kinds.seconds(0, 600),
        "0",
        "Age a new token must reach before the old one ends; above 0 sessions survive a browser's crash, and thieves "
        "live longer.",
    )
    mint_chance: float = option(
        kinds.fraction,
        "0.14",
        "Chance that a request which is not a page view renews an old token; 0 leaves that to page views.",
    )
    idle_ms: Millis = option(kinds.seconds(1, 400 * DAY_S), "86400", "A session unused for so long ends.")
    absolute_ms: Millis = option(
        kinds.seconds(1, 400 * DAY_S), "2592000", "A session ends so long after its login, however much it is used."
    )
    devices: int = option(
        kinds.whole(1, 20), "20", "Sessions a person may have at once; with 1, each login ends the one before."
    )
    stay_logged_in: StayLoggedIn = option(
        kinds.choice(StayLoggedIn),
        "ask",
        "Whether a login outlives the browser: ask is a box on the login page, yes always does, no ends with it.",
    )
    static_paths: tuple[str, ...] = option(
        kinds.static_paths,
        "/static/ /assets/ /favicon.ico /robots.txt",
        "Paths of applications whose answers never carry a token; one that ends in / stands for all below it.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Memcached:
    """The session records' servers, for `[sessions] store = memcached`."""

    nodes: tuple[Node, ...] = option(
        kinds.nodes,
        "",
        "Servers as name=host:port; a name decides which records a server holds, so it outlives the address.",
    )
    generation: int = option(
        kinds.whole(1, 999_999_999),
        "1",
        "Raise it by one on every daemon whenever a server is added, removed or comes back with old data.",
    )
    connect_timeout_ms: Millis = option(
        kinds.seconds(0.01, 60), "0.2", "A server that does not accept a connection within this is down."
    )
    timeout_ms: Millis = option(kinds.seconds(0.01, 60), "0.2", "A server that does not answer within this is down.")
    rest_ms: Millis = option(
        kinds.seconds(0.1, 600), "1", "A server that was down is left alone for this long before it is tried again."
    )
    idle_ms: Millis = option(
        kinds.seconds(1, 3600),
        "30",
        "A connection unused for so long is not used again; keep it below the idle time of firewalls on the way.",
    )
    pool: int = option(
        kinds.whole(1, 256),
        "16",
        "Session checks asked of the servers at once, each on a thread and a connection of its own.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Where accounts are kept."""

    store: AccountStoreKind = option(
        kinds.choice(AccountStoreKind),
        "sqlite",
        "Where accounts are kept; memory forgets them all at a restart and is for tests.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sqlite:
    """The account file, for `[accounts] store = sqlite`."""

    file: Path = option(kinds.path, "identityd.sqlite", "Database file; made if it is missing, on a local disk.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usernames:
    """Which usernames may be chosen."""

    min_length: int = option(kinds.whole(1, 32), "3", "Fewest characters of a new username.")
    max_length: int = option(kinds.whole(1, 64), "32", "Most characters of a new username.")
    reserved: tuple[str, ...] = option(
        kinds.many("names", kinds.text(pattern=r"\S{1,64}").read),
        "",
        "Names nobody may choose, besides the built-in list.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """Calls to login providers."""

    timeout_ms: Millis = option(
        kinds.seconds(1, 60), "10", "A call to a provider that takes longer in total is given up."
    )
    connect_timeout_ms: Millis = option(
        kinds.seconds(0.1, 60), "3", "A provider that does not accept a connection within this is down."
    )
    calls: int = option(
        kinds.whole(1, 1_000), "64", "Calls to one provider at once; more wait for a second and are then refused."
    )
    allow_networks: tuple[Network, ...] = option(
        kinds.networks, "", "Private networks in which a provider may be; all other private addresses are refused."
    )
    allow_hosts: tuple[str, ...] = option(
        kinds.many("host names", values.read_hostname),
        "",
        "Host names of providers that may resolve to private addresses.",
    )
    proxy: Secret | None = option(
        kinds.proxy, "", "Proxy through which providers are called; left out, it is HTTPS_PROXY of the environment."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSection:
    """One `[provider:<name>]`; the options beyond these belong to its kind (`providers.REGISTRY`)."""

    name: str
    kind: str = required(kinds.text(), "What it speaks; each kind has options of its own, below.")
    label: str = option(
        kinds.text("text of at most 64 characters", pattern=".{1,64}", empty=True),
        "",
        "What people see on the login page; empty is the kind's own name.",
    )
    enabled: bool = option(kinds.flag, "yes", "With no, logins through it stop at once; its accounts stay.")
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The kind's options, complete and checked, as text (`providers.options.Settings`)."""
    secrets: tuple[Secret, ...] = ()
    """Those of `texts` that are secret, for the log's redaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One `[app:<client-id>]`: an application that may ask about sessions of its hosts."""

    id: ClientId
    secret: Secret = required(kinds.secret(APP_SECRET), "What the application proves itself with.")
    second_secret: Secret | None = option(
        kinds.optional_secret(APP_SECRET), "", "A second valid secret, while the first is being changed."
    )
    hosts: tuple[Host, ...] = option(
        kinds.hosts,
        "",
        "Hosts whose sessions it may ask about, each its own, like wiki.example.com; left out, it shares the login's "
        "host, which is right only for what has no pages.",
    )
    mint: bool = option(
        kinds.flag, "yes", "With no, it is never given cookies to pass on, because its proxy would lose them."
    )
    return_to: tuple[Origin, ...] = option(
        kinds.origins, "", "Origins a login may return to; left out, its hosts, with the scheme of public_url."
    )
    static_paths: tuple[str, ...] = option(
        kinds.static_paths, "", "Its paths that never carry a token; left out, those of [sessions]."
    )
    background_paths: tuple[str, ...] = option(
        kinds.static_paths,
        "",
        "Its paths that pages ask by themselves, such as polling; they do not keep an unused session awake.",
    )

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secrets that are valid now: one, or two during a change."""
        return (self.secret,) if self.second_secret is None else (self.secret, self.second_secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that was configured. Paths are absolute or relative to the working directory."""

    server: Server = field(default_factory=Server)
    keys: Keys = field(default_factory=Keys)
    sessions: Sessions = field(default_factory=Sessions)
    memcached: Memcached = field(default_factory=Memcached)
    accounts: Accounts = field(default_factory=Accounts)
    sqlite: Sqlite = field(default_factory=Sqlite)
    cassandra: Cassandra = field(default_factory=Cassandra)
    usernames: Usernames = field(default_factory=Usernames)
    outbound: Outbound = field(default_factory=Outbound)
    providers: tuple[ProviderSection, ...] = ()
    apps: tuple[App, ...] = ()
    demo: bool = False
    """Whether this is the demonstration, the only place where the kind `demo` may exist."""
    warnings: tuple[str, ...] = ()
    """What is allowed and probably not meant, in the form of problems."""

    def secrets(self) -> Iterator[Secret]:
        """Yield every configured secret, so that the log can blot them out."""
        if self.outbound.proxy:
            yield self.outbound.proxy
        if self.cassandra.password:
            yield self.cassandra.password
        for provider in self.providers:
            yield from provider.secrets
        for app in self.apps:
            yield from app.secrets


SECTIONS: Final[Mapping[str, type]] = {
    "server": Server,
    "keys": Keys,
    "sessions": Sessions,
    "memcached": Memcached,
    "accounts": Accounts,
    "sqlite": Sqlite,
    "cassandra": Cassandra,
    "usernames": Usernames,
    "outbound": Outbound,
}
"""Sections that stand once, by name; the name is also the attribute of `Config`."""
PROVIDER: Final = "provider"
APP: Final = "app"
FAMILIES: Final[Mapping[str, type]] = {PROVIDER: ProviderSection, APP: App}
"""Sections that stand any number of times, as `[family:name]`."""
