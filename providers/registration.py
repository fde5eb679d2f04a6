"""Registering this daemon as a client by program: what is said of it, and what of the answer counts.

Owns the reading of answers, which services and providers give alike (RFC 7591 §3.2, Mastodon's `/api/v1/apps`).
A kind that can be registered so has a `register` of its own. Invariant: what leaves here can stand in a
configuration file as it is; a client id with a line end in it would write further options there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from options.secret import Secret
from providers import untrusted
from providers.base import HttpResponse, ProviderBroken, callback_address

_MADE: Final = frozenset({200, 201})
_TOO_OFTEN: Final = 429
_SHORTEST_SECRET: Final = 8
_LONGEST: Final = 1_024
_WHAT: Final = "the answer to the registration"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientToRegister:
    """What a provider is told of the client that it shall know."""

    name: str
    """What the configuration calls the provider."""
    public_url: str
    """Scheme, host and port of this daemon, without a trailing slash."""
    client_name: str
    """What people read when they are asked whether to log in here."""
    initial_token: Secret = field(default=Secret(""), repr=False)
    """Lets a provider register a client that not every stranger may register (RFC 7591 §3)."""

    @property
    def redirect_uri(self) -> str:
        """The callback address."""
        return callback_address(self.public_url, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredClient:
    """What the configuration needs to be this client."""

    client_id: str
    client_secret: Secret
    expires_at: int = 0
    """When the secret does, in Unix seconds; 0 is never."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Further options that must stand in the section."""


def read_registered(answer: HttpResponse, redirect_uri: str) -> RegisteredClient:
    """Read a registration's answer. Raises ProviderBroken, with what the provider says is wrong."""
    if answer.status not in _MADE:
        raise ProviderBroken(f"it refuses the registration: {_why(answer)}")
    said = untrusted.json_object(answer.body, _WHAT)
    secret = _kept(said.get("client_secret"), "the client secret")
    if len(secret) < _SHORTEST_SECRET:
        raise ProviderBroken(f"the client secret has fewer than {_SHORTEST_SECRET} characters")
    _check_address(said, redirect_uri)
    return RegisteredClient(
        client_id=_kept(said.get("client_id"), "the client id"),
        client_secret=Secret(secret),
        expires_at=untrusted.seconds(said.get("client_secret_expires_at")) or 0,
    )


def _kept(value: object, what: str) -> str:
    text = untrusted.token(value, what)
    if len(text) > _LONGEST:
        raise ProviderBroken(f"{what} is longer than {_LONGEST} characters")
    return text


def _check_address(said: Mapping[str, object], redirect_uri: str) -> None:
    """Raise ProviderBroken if the answer names callback addresses, and ours is none of them."""
    several, one = said.get("redirect_uris"), said.get("redirect_uri")
    named = several if isinstance(several, list) else one.split() if isinstance(one, str) else []
    if named and redirect_uri not in named:
        raise ProviderBroken(f"it registered another callback address than {redirect_uri}")


def _why(answer: HttpResponse) -> str:
    """Return the status, and the provider's words if there are any: RFC 7591 §3.2.2 has a code and a sentence."""
    try:
        said = untrusted.json_object(answer.body, _WHAT)
    except ProviderBroken:
        said = {}
    words = [untrusted.shown(said.get(name)) for name in ("error", "error_description")]
    told = ": ".join(filter(None, words))
    often = "; it was asked too often, try again later" if answer.status == _TOO_OFTEN else ""
    return f"{answer.status}{f', {told}' if told else ''}{often}"
