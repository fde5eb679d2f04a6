"""What a configuration names, asked how it is: files, certificates, memcached nodes, providers.

Owns the questions and the words of the answers. Must not change anything: no marker is written,
no database made, no login begun.
"""

import os
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from identity.cli import provider_trial
from identity.cli.findings import Finding, ok, problem, warning
from identity.cli.saying import counted
from identity.config import AccountStoreKind, Config, MemcachedAddress, SessionStoreKind, load_ring
from identity.config.model import ServerSection
from identity.config.values import unix_path
from identity.errors import ConfigError
from identity.opening import require_time
from identity.web.process.listening import group_id
from providers.base import callback_address

_SQLITE_HEADER: Final = b"SQLite format 3\0"
_DAY_S: Final = 86_400
_SOON_DAYS: Final = 14
_CLOCKS_APART_S: Final = 5
_STATS_LIMIT: Final = 65_536


def of_files(path: Path, config: Config) -> Iterator[Finding]:
    """Look at the files; all were readable when the configuration was read."""
    server = config.server
    yield ok(f"configuration {path}")
    yield ok(f"public listener {_place(server, server.address, server.port)}, for {server.public_url}")
    yield ok(f"internal listener {_place(server, server.internal_address, server.internal_port)}")
    yield from _socket_group(server)
    try:
        require_time(config)
    except ConfigError as error:
        yield from map(problem, error.problems)
    ring = load_ring(config.keys.file)
    numbers = ", ".join(str(key.number) for key in ring.keys)
    yield ok(f"key ring {config.keys.file}: {numbers}; {ring.signing_number(time.time_ns() // 1_000_000)} signs")
    if server.tls_certificate and server.tls_key:
        yield from _certificate(server.tls_certificate, server.tls_key, server.public_url.hostname)
    if config.accounts.store is AccountStoreKind.SQLITE:
        yield _account_file(config.sqlite.file)
    for app in config.apps:
        yield ok(f"application {app.id} on {', '.join(app.hosts)}")


def of_registrations(config: Config) -> Iterator[Finding]:
    """Say what must be registered at each provider; asks none."""
    for section in config.providers:
        what = f"provider {section.name} ({section.label})"
        if section.enabled:
            address = callback_address(str(config.server.public_url), section.name)
            yield ok(f"{what}: register {address} there; it was not asked")
        else:
            yield ok(f"{what}: switched off")


def _place(server: ServerSection, address: str, port: int) -> str:
    if unix_path(address) is None:
        return f"{address} port {port}"
    return f"{address} (mode {server.socket_mode:03o}, group {server.socket_group or 'of the process'})"


def _socket_group(server: ServerSection) -> Iterator[Finding]:
    """Look whether the group of Unix sockets is there, and whether this user may give them to it."""
    if not server.socket_group or not (unix_path(server.address) or unix_path(server.internal_address)):
        return
    try:
        number = group_id(server.socket_group)
    except ConfigError as error:
        yield from map(problem, error.problems)
        return
    if os.geteuid() and number not in {os.getegid(), *os.getgroups()}:
        yield problem(
            f"[server] socket_group: this user is not in {server.socket_group} and cannot give a socket to it; "
            f"`usermod -aG {server.socket_group} USER`, or with systemd SupplementaryGroups={server.socket_group}"
        )


def of_servers(config: Config) -> Iterator[Finding]:
    """Ask the memcached nodes, the accounts' cluster and the login providers."""
    if config.sessions.store is SessionStoreKind.MEMCACHED:
        for node in config.memcached.nodes:
            yield from _node(node, config)
    if config.accounts.store is AccountStoreKind.CASSANDRA:
        # The driver takes a tenth of a second to import, which those without a cluster need not wait for.
        from identity.cli import probes_cassandra

        yield from probes_cassandra.of_cluster(config)
    yield from provider_trial.beginnings(config)


def _account_file(path: Path) -> Finding:
    if not path.exists():
        return ok(f"account file {path}: will be made at the first start")
    with path.open("rb") as file:
        header = file.read(len(_SQLITE_HEADER))
    if header not in (b"", _SQLITE_HEADER):
        return problem(f"[sqlite] file: {path} is not a SQLite database; name another file, or move this one away")
    return ok(f"account file {path}")


def _certificate(certificate: Path, key: Path, hostname: str) -> Iterator[Finding]:
    """Shake hands with ourselves in memory, as a browser would, trusting this very certificate."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password="")  # else OpenSSL asks at the terminal
        browser = ssl.create_default_context(cafile=str(certificate))
    except (ssl.SSLError, OSError) as error:
        yield problem(
            f"[server] tls_certificate: {certificate} and {key} cannot be used together ({_ssl_reason(error)}); both "
            "must be PEM, belong together, and the key must not be encrypted"
        )
        return
    browser.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        not_after = _handshake(context, browser, hostname)
    except ssl.SSLError as error:
        yield problem(
            f"[server] tls_certificate: browsers will refuse it for {hostname}: {_ssl_reason(error)}; renew it"
        )
        return
    days = int((ssl.cert_time_to_seconds(not_after) - time.time()) // _DAY_S)
    say = warning if days < _SOON_DAYS else ok
    yield say(f"certificate {certificate} for {hostname}: valid for {counted(days, 'more day')}")


def _handshake(server_context: ssl.SSLContext, browser_context: ssl.SSLContext, hostname: str) -> str:
    """Return until when the certificate is valid. Raises SSLError if a browser would refuse it."""
    to_server, to_browser = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_browser, server_side=True)
    browser = browser_context.wrap_bio(to_browser, to_server, server_hostname=hostname)
    waiting = [browser, server]
    while waiting:
        side = waiting.pop(0)
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(side)
    return str((browser.getpeercert() or {})["notAfter"])


def _ssl_reason(error: OSError) -> str:
    text = getattr(error, "verify_message", "") or getattr(error, "reason", "") or error.strerror or ""
    return str(text).replace("_", " ").lower() or type(error).__name__


def _node(node: MemcachedAddress, config: Config) -> Iterator[Finding]:
    """Ask a memcached for its version, clock and settings, in its text protocol."""
    limits = config.memcached
    try:
        with socket.create_connection((node.host, node.port), limits.connect_timeout_ms / 1000) as connection:
            connection.settimeout(limits.timeout_ms / 1000)
            stats = {**_stats(connection, b"stats\r\n"), **_stats(connection, b"stats settings\r\n")}
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
        yield problem(f"memcached {node}: {reason}; start it there, or correct [memcached] nodes")
        return
    yield ok(f"memcached {node}: version {stats.get('version', 'unknown')}")
    apart = abs(int(stats["time"]) - int(time.time())) if stats.get("time", "").isdecimal() else 0
    if apart > _CLOCKS_APART_S:
        yield warning(f"memcached {node}: its clock is {apart} s from this machine's; let both follow a time server")
    if stats.get("evictions") == "on":
        yield warning(
            f"memcached {node}: when it is full it drops sessions silently; start it with -M to make that an error"
        )


def _stats(connection: socket.socket, command: bytes) -> dict[str, str]:
    connection.sendall(command)
    answer = b""
    while not answer.endswith(b"END\r\n"):
        more = connection.recv(4_096)
        answer += more
        if not more or answer.startswith(b"ERROR") or len(answer) > _STATS_LIMIT:
            raise ValueError("does not answer like a memcached")
    lines = (line.split(" ", 2) for line in answer.decode("ascii", "replace").splitlines())
    return {words[1]: words[2] for words in lines if len(words) == 3 and words[0] == "STAT"}  # noqa: PLR2004 - name, value
