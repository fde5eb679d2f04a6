"""What every handler is given: the services, and the few values the web needs of the configuration.

Owns the `Context` and the small values in it. Made once by the composition root and frozen; a
handler reaches it as `self.context`. Nothing here knows of a request, and nothing here is a store.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from identity.accounts.service import AccountService
from identity.applications.service import ApplicationService
from identity.audit import Event
from identity.forward_auth.peers import TrustedPeers
from identity.keyring import KeyRing
from identity.login.flow import tag_of
from identity.login.provider_events import ProviderEvents
from identity.login.service import LoginService
from identity.login.starting import Starting
from identity.login.upstream_logout import UpstreamLogouts
from identity.sessions.checkers import Checker
from identity.sessions.service import SessionService
from identity.types import Clock, Host, Millis, RandomBytes
from identity.web.pages.branding import Branding
from identity.web.state.dropped_cookies import Arriving
from identity.web.state.gathering import Asker
from identity.web.state.pool import Pool
from identity.web.state.refreshing import Refreshing
from identity.web.state.secret_guesses import Guesses
from providers.base import Http, Provider


class Renderer(Protocol):
    """Turns a page's name and values into a whole HTML document. `identity.web.pages.Pages` is one."""

    @property
    def site(self) -> Branding:
        """What the pages show of the operator, with the files they load."""
        ...

    def render(self, name: str, /, **values: object) -> bytes:
        """Render the page. Every value is escaped; an unknown page or a missing value raises."""
        ...


class RequestMetrics(Protocol):
    """Numbers for `/metrics`. Thread-safe. `identity.metrics.Metrics` is one, and lists the names."""

    def count(self, name: str, /, **labels: str) -> None:
        """Add one to a counter."""
        ...

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Add one measurement to a histogram; durations are in seconds."""
        ...

    def render(self) -> bytes:
        """Return all of them in the text format of Prometheus."""
        ...


@dataclass(frozen=True, slots=True)
class CookieNames:
    """Names of the cookies that are not session tokens.

    Over https they carry `__Host-`, so that no sibling host can plant them. Over plain http (a
    loopback only) they carry the port, because cookies ignore ports and two daemons on one
    machine must not meet.
    """

    secure: bool
    port: int

    def flow(self, state: str) -> str:
        """Name of the cookie that binds a login in progress to this browser; one per state."""
        return self._name("f", state)

    def sign_up(self, reference: str) -> str:
        """Name of the cookie that binds an unfinished sign-up to this browser; one per sign-up."""
        return self._name("u", reference)

    def link(self, reference: str) -> str:
        """Name of the cookie that binds a link in progress to this browser; one per link."""
        return self._name("k", reference)

    def start(self, secret: str) -> str:
        """Name of the cookie that waits on an application's host for a start code; one per tab."""
        return self._name("s", secret)

    @property
    def invitation(self) -> str:
        """Name of the cookie that holds the invitation whose link was opened last."""
        return self._prefix("i")

    @property
    def told_once(self) -> str:
        """Name of the cookie that holds what a provider says of a person only once."""
        return self._prefix("n")

    @property
    def logout_hint(self) -> str:
        """Name of the cookie with which a browser logs out at a provider; one per provider, told apart by its path."""
        return f"__Secure-{self._plain('h')}" if self.secure else f"{self._plain('h')}{self.port}"

    @property
    def last_provider(self) -> str:
        """Name of the cookie that remembers the provider used last."""
        return self._prefix("l")

    def _name(self, letter: str, text: str) -> str:
        return f"{self._prefix(letter)}-{tag_of(text)}"

    def _prefix(self, letter: str) -> str:
        return f"__Host-{self._plain(letter)}" if self.secure else f"{self._plain(letter)}{self.port}"

    def _plain(self, letter: str) -> str:
        return f"idd{letter}"


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing the daemon needs, as `/readyz` shows it. `problem` is empty when it is usable."""

    name: str
    problem: str = ""
    clock_ahead_ms: Millis = 0
    warning: str = ""
    """What is usable and probably not meant, such as a memcached that drops values silently."""
    full: bool = False
    """It takes nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything a handler may reach."""

    sessions: SessionService
    checker: Checker
    accounts: AccountService
    login: LoginService
    logouts: UpstreamLogouts
    events: ProviderEvents
    starts: Starting
    tokens: Refreshing
    pages: Renderer
    http: Callable[[str], Http]
    """The outbound client as the provider of a name sees it: its calls are counted under that name."""
    providers: Mapping[str, Provider]
    applications: ApplicationService
    keys: Callable[[], KeyRing]
    metrics: RequestMetrics
    audit: Callable[[Event], None]
    """Notes an event; never blocks the caller for a store. Handlers call `Handler.note`."""
    clock: Clock
    random: RandomBytes
    checks: Pool
    """Threads for session work."""
    durable: Pool
    """Threads for accounts and logins; separate, so that a slow account store cannot starve checks."""
    guesses: Guesses
    """Wrong secrets of applications."""
    public_url: str
    """Scheme and host as people type it, without a trailing slash; the only source of absolute links."""
    hosts: frozenset[Host]
    """Hosts the public listener answers for; `public_url`'s is one of them."""
    internal_hosts: frozenset[str] = frozenset()
    """Names of the internal listener, beside its addresses and `hosts` (`identity.web.state.internal_hosts`)."""
    peers: TrustedPeers = field(default_factory=TrustedPeers)
    form_origins: frozenset[str] = frozenset()
    """Origins beside our own that an answer to one of our forms may redirect to: where logins return to."""
    hsts: str = ""
    """Directives of `Strict-Transport-Security` on the login host, beside the age."""
    probes: Callable[[], Sequence[Probe]] = tuple
    """Asks every store and provider how it is; runs on a thread."""
    asker: Asker = field(init=False)
    """Gathers session checks of concurrent requests; handlers ask it, not the checker."""
    arriving: Arriving = field(init=False)
    """Notices the cookies that a proxy drops."""

    def __post_init__(self) -> None:
        arriving = Arriving(self.clock)
        object.__setattr__(self, "arriving", arriving)
        asker = Asker(
            self.checker.check_many,
            self.checks,
            count=self.metrics.count,
            observe=self.metrics.observe,
            heard=arriving.note,
        )
        object.__setattr__(self, "asker", asker)

    def origin_of(self, host: Host) -> str | None:
        """Return the origin of an application's own host, if a login may lead there."""
        origin = f"{self.public_url.partition('://')[0]}://{host}"
        leads = host != self.public_host and origin in self.form_origins and self.applications.of_host(host) is not None
        return origin if leads else None

    @property
    def secure(self) -> bool:
        """Tell whether people come over https, so that cookies are `Secure` and HSTS is sent."""
        return self.public_url.startswith("https://")

    @property
    def public_host(self) -> Host:
        """The login host."""
        return Host(self.public_url.partition("://")[2])

    @property
    def names(self) -> CookieNames:
        """Names of our cookies on the login host."""
        port = self.public_host.rpartition(":")[2]
        return CookieNames(secure=self.secure, port=int(port) if port.isdigit() else 80)
