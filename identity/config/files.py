"""The files a configuration names: secrets, the key ring, certificates, the account file's folder.

Owns which of them are asked for when, and what must be secret; `custody.py` owns the rule by which
one is believed. Must not print or quote what a file holds.
"""

import os
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Final

from identity import keyring
from identity.config import custody
from identity.config.model import AccountStoreKind, Config
from identity.config.rules import Rule
from identity.config.values import unix_path
from identity.errors import ConfigError
from identity.keyring import KeyRing
from identity.web.pages.branding import NAME, Branding, Logo, logo_of
from identity.web.pages.style import STYLESHEET, in_colour

_BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite puts beside the account file, and believes."""


def read_private(path: Path) -> str:
    """Return the text of a file that must be secret. Raises ValueError as `custody.read` does."""
    try:
        return custody.read(path, secret=True).decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file") from None


def read_configuration(path: Path) -> str:
    """Return the text of a configuration file. Raises ConfigError."""
    try:
        return custody.read(path, secret=False).decode()
    except UnicodeDecodeError:
        raise ConfigError((f"[file] {path}: is not UTF-8 text; save it as UTF-8",)) from None
    except custody.Unreadable as error:
        begin = " or begin with a copy of config.example.ini" if not os.path.lexists(path) else ""
        problem = f"[file] {path}: cannot be read: {error.why}; name another with --config{begin}"
        raise ConfigError((problem,)) from None
    except ValueError as error:
        raise ConfigError((f"[file] {error}",)) from None


def read_secret(path: Path) -> str:
    """Return the one line a secret file holds. Raises ValueError as `read_private` does."""
    return read_private(path).strip()


def load_ring(path: Path) -> KeyRing:
    """Read the key ring; at start and again on SIGHUP. Raises ConfigError with every problem in it."""
    if not os.path.lexists(path):
        raise ConfigError(
            (f"[keys] file: {path} is not there; make it with `identityd.py keys new --file {quote(str(path))}`",)
        )
    try:
        text = read_private(path)
    except ValueError as error:
        raise ConfigError((f"[keys] file: {error}",)) from None
    return keyring.parse(text)


def key_ring(config: Config) -> Iterator[str]:
    """Tokens and records are signed with it."""
    try:
        load_ring(config.keys.file)
    except ConfigError as error:
        yield from error.problems


def certificate(config: Config) -> Iterator[str]:
    """A certificate is public; it only has to be there, and to be ours."""
    yield from _unreadable("[server] tls_certificate", config.server.tls_certificate)


def certificate_key(config: Config) -> Iterator[str]:
    """A user who can read the private key can pass for this daemon."""
    yield from _unreadable("[server] tls_key", config.server.tls_key, secret=True)


def require_certificate(config: Config) -> None:
    """Raise ConfigError unless the TLS files can be read, before a library opens them that would wait for a pipe."""
    if problems := (*certificate(config), *certificate_key(config)):
        raise ConfigError(problems)


def cassandra_files(config: Config) -> Iterator[str]:
    """The same for the connections to Cassandra, once they are used."""
    given = config.cassandra
    if config.accounts.store is AccountStoreKind.CASSANDRA:
        yield from _unreadable("[cassandra] tls_ca", given.tls_ca)
        yield from _unreadable("[cassandra] tls_certificate", given.tls_certificate)
        yield from _unreadable("[cassandra] tls_key", given.tls_key, secret=True)


def branding_of(config: Config) -> Branding:
    """Return what the pages show of the operator; the logo is read. Raises ConfigError."""
    given, url = config.site, config.server.public_url
    if problems := tuple(logo(config)):
        raise ConfigError(problems)
    return Branding(
        name=given.name or (NAME if url.loopback else url.hostname),
        contact=given.contact,
        logo=_logo(given.logo),
        stylesheet=in_colour(given.colour) if given.colour else STYLESHEET,
        colour=given.colour,
    )


def logo(config: Config) -> Iterator[str]:
    """It is sent to every browser, so it must be a picture and small."""
    try:
        _logo(config.site.logo)
    except ValueError as error:
        yield f"[site] logo: {error}"


def _logo(path: Path | None) -> Logo | None:
    if path is None:
        return None
    body = custody.read(path, secret=False)
    try:
        return logo_of(body)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None


def socket_folders(config: Config) -> Iterator[str]:
    """A user who can put a socket in the place of ours answers a proxy as this daemon would."""
    server = config.server
    for option, address in (("address", server.address), ("internal_address", server.internal_address)):
        path = unix_path(address)
        if path is None:
            continue
        if not stat.S_ISDIR(custody.mode_of(path.parent) or 0):
            yield f"[server] {option}: the folder {path.parent} does not exist; make it with `mkdir -p {path.parent}`"
        elif problem := custody.problem_of_place(path):
            yield f"[server] {option}: {problem}"


def outbound_authorities(config: Config) -> Iterator[str]:
    """Who can write it decides which provider is genuine; without a certificate in it none would be."""
    path = config.outbound.ca_file
    problems = tuple(_unreadable("[outbound] ca_file", path))
    yield from problems
    if path and not problems and not _holds_certificates(path):
        yield f"[outbound] ca_file: {path} holds no certificate of an authority in PEM (-----BEGIN CERTIFICATE-----)"


def _holds_certificates(path: Path) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except OSError:
        return False
    return bool(context.cert_store_stats()["x509_ca"])


def account_file(config: Config) -> Iterator[str]:
    """SQLite keeps files beside its own, so the folder must be writable too; by us, and not by every user."""
    if config.accounts.store is not AccountStoreKind.SQLITE:
        return
    path, folder = config.sqlite.file, config.sqlite.file.parent
    mode, folder_mode = custody.mode_of(path), custody.mode_of(folder)
    if folder_mode is None or not stat.S_ISDIR(folder_mode):
        yield f"[sqlite] file: the folder {folder} does not exist; make it with `mkdir -p {quote(str(folder))}`"
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield f"[sqlite] file: the folder {folder} cannot be written by this user; the database needs files beside it"
    elif mode is not None and not stat.S_ISREG(mode):
        kind = custody.kind_of(mode)
        yield f"[sqlite] file: {path} is not a file but {kind}; name one in a folder on a local disk"
    elif mode is not None and not os.access(path, os.R_OK | os.W_OK):
        yield f"[sqlite] file: {path} cannot be read and written by this user"
    else:
        yield from (f"[sqlite] file: {problem}" for problem in _distrusted(path))


def _distrusted(path: Path) -> Iterator[str]:
    """Yield why nothing in the account file can be believed."""
    for each in (path, *(path.with_name(path.name + end) for end in _BESIDE)):
        if problem := custody.problem_of_writing(each):
            yield problem
    if problem := custody.problem_of_place(path, beside=True):
        yield problem


RULES: Final = (
    Rule(key_ring, ("keys.file",)),
    Rule(certificate, ("server.tls_certificate",)),
    Rule(certificate_key, ("server.tls_key",)),
    Rule(logo, ("site.logo",)),
    Rule(socket_folders, ("server.address", "server.internal_address")),
    Rule(
        cassandra_files,
        ("accounts.store", "cassandra.tls_ca", "cassandra.tls_certificate", "cassandra.tls_key"),
    ),
    Rule(outbound_authorities, ("outbound.ca_file",)),
    Rule(account_file, ("accounts.store", "sqlite.file")),
)
"""What refuses to start because of a file."""


def warnings_of(path: Path, config: Config) -> Iterator[str]:
    """Yield what is allowed and probably not meant about the configuration file itself."""
    mode = custody.mode_of(path) or 0
    if mode & stat.S_IROTH and any(True for _ in config.secrets()):
        yield (
            f"[file] {path.name}: everybody on this machine can read the configuration and it may hold secrets; "
            f"run `chmod 640 {quote(str(path))}`, or keep the secrets in files of their own"
        )


def _unreadable(option: str, path: Path | None, *, secret: bool = False) -> Iterator[str]:
    if path is None:
        return
    try:
        custody.read(path, secret=secret)
    except ValueError as error:
        yield f"{option}: {error}"
