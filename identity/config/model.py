"""The configuration as the rest of identityd sees it: checked, complete, frozen.

Owns the sections and, in each field, the option's type, default and the one sentence every
reader of the configuration gets. Must not read files or the environment. Only the composition
root and the command line use these classes; all other code is given single values.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from identity.accounts.usernames import NamePolicy
from identity.applications.application import Application
from identity.config import values
from identity.config.applications import AppSection
from identity.config.cassandra import CassandraSection
from identity.config.membership import GroupSection, provider_rules
from identity.config.memcached import MemcachedSection
from identity.config.outbound import OutboundSection
from identity.config.site import SiteSection
from identity.config.values import HIGHEST_PORT, Network, WebOrigin
from identity.login.admission import RulesAt, SignUpMode
from identity.login.staying import Stay
from identity.membership.rules import FactRule, ProviderRule
from identity.sessions.changes import Lifetimes
from identity.sessions.rotation import RotationPace
from identity.types import Millis
from options import types
from options.option import option, required, secrets_of
from options.secret import Secret

DAY_S: Final = 86_400
PORT: Final = 8_887
PORTS: Final = types.whole(1, HIGHEST_PORT)
# What a domain does unless it is told otherwise is the default here: the same object, not the same number.
_PACE: Final = RotationPace()
_LIFETIMES: Final = Lifetimes()
_NAMES: Final = NamePolicy()


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
class ServerSection:
    """Listeners, addresses, TLS, the log."""

    public_url: WebOrigin = option(
        values.public_url,
        WebOrigin("http", "localhost", PORT),
        "Address under which people's browsers reach identityd; left out, it is localhost with the port below.",
        live=False,
    )
    address: str = option(
        values.address, "127.0.0.1", "Address the public listener binds to, or a Unix socket.", live=False
    )
    port: int = option(PORTS, PORT, "Port of the public listener; --port overrides it.", live=False)
    internal_address: str = option(
        values.address,
        "127.0.0.1",
        "Address of the internal listener, or a Unix socket; it serves proxies, applications and monitoring.",
        live=False,
    )
    internal_port: int = option(
        types.whole(0, HIGHEST_PORT), 0, "Port of the internal listener; 0 is the public port plus one.", live=False
    )
    internal_public: bool = option(
        types.flag,
        False,
        "Must be yes before internal_address may be reachable from other machines; it is plain http, so put it on a "
        "private network.",
        live=False,
    )
    socket_mode: int = option(
        values.file_mode, 0o660, "Mode of Unix sockets: who may connect, and so say whose request it is.", live=False
    )
    socket_group: str = option(
        values.group, "", "Group of Unix sockets; empty is the group of the daemon's process.", live=False
    )
    internal_hosts: tuple[str, ...] = option(
        values.internal_hosts,
        (),
        "Names under which programs reach the internal listener, as name or name:port; addresses of this machine, "
        "localhost and the hosts of applications need not be listed.",
        live=True,
    )
    tls_certificate: Path | None = option(
        types.optional_path,
        None,
        "Certificate chain (PEM) if TLS ends in identityd; empty if a proxy provides https; read again on SIGHUP.",
        live=True,
    )
    tls_key: Path | None = option(
        types.optional_path, None, "Private key (PEM) of that certificate; read again on SIGHUP.", live=True
    )
    hsts: Hsts = option(
        types.choice(Hsts),
        Hsts.HOST,
        "Which hosts browsers are told to ask by https only: that of public_url; with subdomains all hosts below it, "
        "too, every one of which must then have https; preload also asks to be put on browsers' own lists, which is "
        "hard to take back.",
        live=True,
    )
    trusted_proxies: tuple[Network | str, ...] = option(
        values.proxy_networks,
        (),
        "Proxies whose X-Forwarded-* headers are believed, unix: for those that come over a Unix socket; by default "
        "nobody's are.",
        live=True,
    )
    logins_per_minute: int = option(
        types.whole(0, 1_000_000),
        600,
        "Logins begun in a minute from one address (IPv6: one /56) before it has to wait; 0 is no limit.",
        live=True,
    )
    log_level: LogLevel = option(
        types.choice(LogLevel), LogLevel.INFO, "Lines less serious than this are not logged.", live=True
    )
    log_format: LogFormat = option(
        types.choice(LogFormat),
        LogFormat.AUTO,
        "Log lines as JSON or as text; auto is text on a terminal and JSON elsewhere.",
        live=True,
    )

    @property
    def tls(self) -> bool:
        """Tell whether TLS ends in the daemon itself."""
        return self.tls_certificate is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysSection:
    """The key ring."""

    file: Path = option(
        types.path,
        Path("identityd.keys"),
        "Key ring, made by `identityd.py keys new`, the same on every daemon; read again on SIGHUP.",
        live=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsSection:
    """How sessions rotate and end."""

    store: SessionStoreKind = option(
        types.choice(SessionStoreKind),
        SessionStoreKind.MEMORY,
        "Where session records are kept; memory is for one daemon and is empty after a restart.",
        live=False,
    )
    token_age_ms: Millis = option(
        types.seconds(1, 3_600), _PACE.token_age_ms, "Age from which a token is replaced by a new one.", live=True
    )
    grace_ms: Millis = option(
        types.seconds(1, 600),
        _PACE.grace_ms,
        "How long requests sent before a rotation are still served after it.",
        live=True,
    )
    settle_ms: Millis = option(
        types.seconds(0, 600),
        _PACE.settle_ms,
        "Age a new token must reach before the old one ends; above 0 sessions survive a browser's crash, and thieves "
        "live longer.",
        live=True,
    )
    mint_chance: float = option(
        types.fraction,
        _PACE.mint_chance,
        "Chance that a request which is not a page view renews an old token; 0 leaves that to page views.",
        live=True,
    )
    idle_ms: Millis = option(
        types.seconds(1, 400 * DAY_S), _LIFETIMES.idle_ms, "A session unused for so long ends.", live=True
    )
    absolute_ms: Millis = option(
        types.seconds(1, 400 * DAY_S),
        _LIFETIMES.absolute_ms,
        "A session ends so long after its login, however much it is used.",
        live=True,
    )
    devices: int = option(
        types.whole(1, 20),
        _LIFETIMES.devices,
        "Sessions a person may have at once; with 1, each login ends the one before.",
        live=True,
    )
    stay_logged_in: Stay = option(
        types.choice(Stay),
        Stay.ASK,
        "Whether a login outlives the browser: ask is a box on the login page, yes always does, no ends with it.",
        live=True,
    )
    static_paths: tuple[str, ...] = option(
        values.static_paths,
        ("/static/", "/assets/", "/favicon.ico", "/robots.txt"),
        "Paths of applications whose answers never carry a token; one that ends in / stands for all below it.",
        live=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsSection:
    """Where accounts are kept."""

    store: AccountStoreKind = option(
        types.choice(AccountStoreKind),
        AccountStoreKind.SQLITE,
        "Where accounts are kept; memory forgets them all at a restart and is for tests.",
        live=False,
    )
    sign_up: SignUpMode = option(
        types.choice(SignUpMode),
        SignUpMode.OPEN,
        "Who may sign up: everybody who can log in at a provider, those of whom a rule holds or who were invited, only "
        "those who were invited (identityd.py invite), or nobody.",
        live=True,
    )
    rules: tuple[ProviderRule | FactRule, ...] = option(
        provider_rules,
        (),
        "With sign_up = rules: provider:NAME or provider:NAME/FACT=VALUE, for example "
        "provider:google/hd=example.com; one that holds is enough.",
        live=True,
    )
    rules_at: RulesAt = option(
        types.choice(RulesAt),
        RulesAt.SIGN_UP,
        "When the rules are asked; with login, a person of whom none holds any more is refused although they have an "
        "account.",
        live=True,
    )
    approval: bool = option(
        types.flag,
        False,
        "Whether a sign-up without an invitation waits until an operator approves it (identityd.py accounts waiting).",
        live=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteSection:
    """The account file, for `[accounts] store = sqlite`."""

    file: Path = option(
        types.path, Path("identityd.sqlite"), "Database file; made if it is missing, on a local disk.", live=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsernamesSection:
    """Which usernames may be chosen."""

    min_length: int = option(types.whole(1, 32), _NAMES.min_length, "Fewest characters of a new username.", live=True)
    max_length: int = option(types.whole(1, 64), _NAMES.max_length, "Most characters of a new username.", live=True)
    reserved: tuple[str, ...] = option(
        types.many("names", types.text(pattern=r"\S{1,64}").read),
        (),
        "Names nobody may choose, besides the built-in list.",
        live=True,
    )

    @property
    def policy(self) -> NamePolicy:
        """What the accounts are told."""
        return NamePolicy(self.min_length, self.max_length, frozenset(self.reserved))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSection:
    """One `[provider:<name>]`; the options beyond these belong to its kind (`providers.REGISTRY`)."""

    name: str
    kind: str = required(types.text(), "What it speaks; each kind has options of its own, below.")
    label: str = option(
        types.text("text of at most 64 characters", pattern=".{1,64}", empty=True),
        "",
        "What people see on the login page; empty is the service's name; for oidc, oauth2, oauth1 the section's.",
    )
    enabled: bool = option(types.flag, True, "With no, logins through it stop at once; its accounts stay.")
    keep_tokens: bool = option(
        types.flag,
        False,
        "Keep its tokens, encrypted, so that applications with tokens_of work there for their people.",
    )
    options: object
    """The kind's own, of its class of options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that was configured. Paths are absolute or relative to the working directory."""

    server: ServerSection = field(default_factory=ServerSection)
    site: SiteSection = field(default_factory=SiteSection)
    keys: KeysSection = field(default_factory=KeysSection)
    sessions: SessionsSection = field(default_factory=SessionsSection)
    memcached: MemcachedSection = field(default_factory=MemcachedSection)
    accounts: AccountsSection = field(default_factory=AccountsSection)
    sqlite: SqliteSection = field(default_factory=SqliteSection)
    cassandra: CassandraSection = field(default_factory=CassandraSection)
    usernames: UsernamesSection = field(default_factory=UsernamesSection)
    outbound: OutboundSection = field(default_factory=OutboundSection)
    providers: tuple[ProviderSection, ...] = ()
    apps: tuple[Application, ...] = ()
    groups: Mapping[str, tuple[ProviderRule | FactRule, ...]] = field(default_factory=dict)
    """By group, who is a member by what a provider says."""
    demo: bool = False
    """Whether this is the demonstration, the only place where the kind `demo` may exist."""
    warnings: tuple[str, ...] = ()
    """What is allowed and probably not meant, in the form of problems."""

    def secrets(self) -> Iterator[Secret]:
        """Yield every configured secret, so that the log can blot them out."""
        for part in (self.outbound, self.cassandra, *(each.options for each in self.providers)):
            yield from secrets_of(part)
        for app in self.apps:
            yield from app.secrets


SECTIONS: Final[Mapping[str, type]] = {
    "server": ServerSection,
    "site": SiteSection,
    "keys": KeysSection,
    "sessions": SessionsSection,
    "memcached": MemcachedSection,
    "accounts": AccountsSection,
    "sqlite": SqliteSection,
    "cassandra": CassandraSection,
    "usernames": UsernamesSection,
    "outbound": OutboundSection,
}
"""Sections that stand once, by name; the name is also the attribute of `Config`."""
PROVIDER: Final = "provider"
APP: Final = "app"
GROUP: Final = "group"
FAMILIES: Final[Mapping[str, type]] = {PROVIDER: ProviderSection, APP: AppSection, GROUP: GroupSection}
"""Sections that stand any number of times, as `[family:name]`."""
