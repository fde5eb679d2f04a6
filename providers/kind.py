"""What a kind of provider is to the registry, and what a configured provider is told.

Every provider file owns a class whose fields are its options (`options.option`), and a `KIND`. The
configuration reads the class, the documentation is compared with it, and the builder is given an
object of it, checked and complete. Nothing here knows any single provider.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar, runtime_checkable

from options import types
from providers.base import Http, Provider, SubjectScope
from providers.facts import EMAIL_DOMAIN
from providers.registration import ClientToRegister, RegisteredClient

OptionsT = TypeVar("OptionsT")

CLIENT_SECRET: Final = types.secret(8, theirs=True)
"""Providers choose the length of the secrets they give out; fewer characters than this are a slip."""
OPTIONAL_CLIENT_SECRET: Final = types.or_empty(CLIENT_SECRET)


@runtime_checkable
class ClientOptions(Protocol):
    """Options of a kind of OAuth 2: as which client this daemon is registered, and what it asks for."""

    @property
    def client_id(self) -> str:
        """Its name there."""
        ...

    @property
    def scope(self) -> tuple[str, ...]:
        """Words of the scope."""
        ...


@runtime_checkable
class ConsumerOptions(Protocol):
    """Options of a kind of OAuth 1.0a, which calls a client a consumer."""

    @property
    def consumer_key(self) -> str:
        """Its name there."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderSite:
    """What the daemon tells every provider of itself."""

    public_url: str
    """Scheme, host and port the browsers use, without a trailing slash."""
    clock: Callable[[], int]
    """Milliseconds since 1970."""
    random_bytes: Callable[[int], bytes]
    demo: bool = False
    """Whether this daemon runs as a demonstration; some providers exist only then."""


@dataclass(frozen=True, slots=True)
class ProviderSettings(Generic[OptionsT]):
    """What one configured provider is made of."""

    name: str
    label: str
    site: ProviderSite
    options: OptionsT
    keep_tokens: bool = False
    """Whether the tokens of logins are kept for applications (`base.KeepsTokens`)."""
    facts: frozenset[str] = frozenset()
    """Names of what the operator's rules ask about (`facts`)."""


@dataclass(frozen=True, slots=True)
class ProviderKind(Generic[OptionsT]):
    """One kind of provider the configuration may name: its options and its builder."""

    name: str
    label: str
    """What a person calls it unless the configuration says otherwise."""
    subject: str
    """What identifies a person there; shown in docs/providers.md."""
    options: type[OptionsT]
    scope: Callable[[OptionsT], SubjectScope]
    """Within what its subjects are unique; pinned at the first login, so it must not change between releases."""
    build: Callable[[ProviderSettings[OptionsT]], Provider]
    """Makes the provider; raises BadOptions for what no single option shows."""
    facts: tuple[str, ...] = (EMAIL_DOMAIN,)
    """What it can say of a person; `claim.` stands for every claim."""
    open_to_all: Callable[[OptionsT], bool] = lambda _: True
    """Whether, as it is configured, all the world can have an account there and log in here."""
    protocol: bool = False
    """Whether it names a protocol and no service: people know the service by the name of its section."""
    console: str = ""
    """Where an application is registered there; empty where that is the operator's own server."""
    register: Callable[[OptionsT, ClientToRegister, Http], Awaitable[RegisteredClient]] | None = None
    """Registers this daemon there, by program; raises ProviderBroken. None where people have to do it."""
