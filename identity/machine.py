"""From the configuration to what the daemon is on its machine: its listeners, made here or handed down.

Reads `Config`, as the composition root does. Invariant: a socket that was handed down is where the
configuration says, because what may be served there was judged by it.
"""

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from identity.config import AccountStoreKind, Config, SessionStoreKind
from identity.config.model import ServerSection
from identity.config.values import unix_path
from identity.errors import ConfigError
from identity.web.http.base import Route
from identity.web.process.listening import Listening, UnixSocket
from identity.web.server import Daemon
from identity.web.state.context import Context

_NONE: Final[Mapping[str, socket.socket]] = {}


def listeners(config: Config, sockets: Mapping[str, socket.socket] = _NONE) -> tuple[Listening, Listening]:
    """Return where the public and the internal listener are to be.

    Raises:
        ConfigError: a socket that was handed down is somewhere else.
    """
    server = config.server
    public = Listening(
        address=server.address,
        port=server.port,
        unix=_unix_socket(server, server.address),
        certificate=server.tls_certificate,
        key=server.tls_key,
        sock=sockets.get("public"),
    )
    internal = Listening(
        address=server.internal_address,
        port=server.internal_port,
        unix=_unix_socket(server, server.internal_address),
        sock=sockets.get("internal"),
    )
    options = ("address" if public.unix else "port", "internal_address" if internal.unix else "internal_port")
    if problems := tuple(filter(None, map(_elsewhere, options, (public, internal)))):
        raise ConfigError(problems)
    return public, internal


def _elsewhere(option: str, listening: Listening) -> str:
    """Return what is wrong with the place of a socket that was handed down; empty if nothing is."""
    sock = listening.sock
    if sock is None:
        return ""
    at = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        place = f"unix:{at}"
        same = listening.unix is not None and Path(at).resolve() == listening.unix.path.resolve()
    else:
        place = f"{at[0]} port {at[1]}"
        same = listening.unix is None and at[1] == listening.port and at[0] in _addresses(listening.address)
    if same:
        return ""
    return (
        f"[server] {option}: the socket that was handed down listens on {place}, and the configuration says "
        f"{listening.place}; write the same in both"
    )


def _addresses(name: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()


def hindrance(config: Config) -> str:
    """Return why no other process can go on where this one is; empty if one can."""
    if config.sessions.store is SessionStoreKind.MEMORY:
        return "sessions are in this process's memory and end with it; restart, or set [sessions] store = memcached"
    if config.accounts.store is AccountStoreKind.MEMORY:
        return "accounts are in this process's memory and end with it; restart, or set [accounts] store = sqlite"
    return ""


def places(config: Config) -> str:
    """Say where both listeners are."""
    public, internal = listeners(config)
    return f"public {public.place}, internal {internal.place}"


def _unix_socket(server: ServerSection, address: str) -> UnixSocket | None:
    path = unix_path(address)
    return UnixSocket(path=path, mode=server.socket_mode, group=server.socket_group) if path else None


def daemon(config: Config, context: Context, *, sockets: Mapping[str, socket.socket]) -> Daemon:
    """Return both listeners, not yet serving. Raises ConfigError as `listeners` does."""
    public, internal = listeners(config, sockets)
    return Daemon(context, public=public, internal=internal, more=_more_routes(config))


def _more_routes(config: Config) -> Sequence[Route]:
    if not config.demo:
        return ()
    from identity.web.people import demo  # noqa: PLC0415 - brings its provider along

    return demo.ROUTES
