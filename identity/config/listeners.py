"""Rules about the two listeners: where they are, and who can reach them there.

Owns one function per rule, for `rules.py` to ask. Pure: no files, no network.
"""

from collections.abc import Iterator
from typing import Final

from identity.config.model import Config
from identity.config.values import HIGHEST_PORT, is_local, unix_path
from identity.forward_auth.peers import UNIX

_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def ports(config: Config) -> Iterator[str]:
    """Two listeners need two sockets."""
    server = config.server
    if unix_path(server.internal_address):
        if server.address == server.internal_address:
            yield f"[server] internal_address: {server.address} is the public listener's socket; give another"
        return
    if server.internal_port > HIGHEST_PORT:
        yield f"[server] internal_port: the public port plus one is {server.internal_port}; give a port of its own"
    same_address = server.address == server.internal_address or {server.address, server.internal_address} & _WILDCARDS
    if server.port == server.internal_port and same_address:
        yield f"[server] internal_port: {server.internal_port} is the public listener's port; give another, or 0"


def plain_http(config: Config) -> Iterator[str]:
    """Plain http stays on the machine: a cookie sent over a network in the clear can be read on the way."""
    server = config.server
    if not server.public_url.secure and not is_local(server.address):
        yield (
            f"[server] address: {server.address} can be reached from other machines while public_url is plain http; "
            "write 127.0.0.1, or give an https public_url"
        )


def internal_listener(config: Config) -> Iterator[str]:
    """The internal listener speaks plain http, so leaving the machine is a decision."""
    server = config.server
    if not is_local(server.internal_address) and not server.internal_public:
        yield (
            f"[server] internal_address: {server.internal_address} can be reached from other machines; write "
            "127.0.0.1, or internal_public = yes if only your proxies and applications can reach it there"
        )


def demo_address(config: Config) -> Iterator[str]:
    """The demo provider believes whatever is typed, so no other machine may reach it."""
    for provider in config.providers:
        if provider.kind == "demo" and not is_local(config.server.address):
            yield (
                f"[provider:{provider.name}] kind: demo lets every visitor log in as any person, so [server] "
                "address must be this machine's own, like 127.0.0.1"
            )


def unknown_visitors(config: Config) -> Iterator[str]:
    """Behind an unlisted proxy every visitor has the proxy's address."""
    server = config.server
    if server.public_url.secure and not server.tls and not server.trusted_proxies:
        yield (
            "[server] trusted_proxies: is empty while a proxy provides https, so the audit shows the proxy's address "
            "for everybody; list the proxy"
        )


def unheard_proxies(config: Config) -> Iterator[str]:
    """Over a Unix socket only proxies come, and one that is not believed can say nothing of a person."""
    server = config.server
    if UNIX in server.trusted_proxies:
        return
    if unix_path(server.address):
        yield (
            "[server] trusted_proxies: lacks unix:, so the address of nobody is known who comes through the socket "
            f"{server.address}; add unix:"
        )
    if unix_path(server.internal_address):
        yield (
            "[server] trusted_proxies: lacks unix:, so /auth is refused to proxies that ask through "
            f"{server.internal_address}; add unix: if any does"
        )


def port_and_url(config: Config) -> Iterator[str]:
    """A loopback address with another port is right only when something forwards it."""
    server = config.server
    if unix_path(server.address) is None and not server.public_url.secure and server.public_url.port != server.port:
        yield (
            f"[server] public_url: says port {server.public_url.port} while the daemon listens on {server.port}; that "
            "is right only if a proxy forwards one to the other"
        )
