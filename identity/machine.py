"""From the configuration to what the daemon is on its machine: where it listens.

Reads `Config`, as the composition root does.
"""

from identity.config import Config
from identity.config.model import ServerSection
from identity.config.values import unix_path
from identity.web.process.listening import Listening, UnixSocket


def listeners(config: Config) -> tuple[Listening, Listening]:
    """Return where the public and the internal listener are to be."""
    server = config.server
    public = Listening(
        address=server.address,
        port=server.port,
        unix=_unix_socket(server, server.address),
        certificate=server.tls_certificate,
        key=server.tls_key,
    )
    internal = Listening(
        address=server.internal_address,
        port=server.internal_port,
        unix=_unix_socket(server, server.internal_address),
    )
    return public, internal


def places(config: Config) -> str:
    """Say where both listeners are."""
    public, internal = listeners(config)
    return f"public {public.place}, internal {internal.place}"


def _unix_socket(server: ServerSection, address: str) -> UnixSocket | None:
    path = unix_path(address)
    return UnixSocket(path=path, mode=server.socket_mode, group=server.socket_group) if path else None
