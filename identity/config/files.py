"""The files a configuration names: secrets, the key ring, certificates, the account file's folder.

Owns reading what must be secret, and refusing it when everybody on the machine can read or change
it. Must not print or quote what a file holds.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from identity import keyring
from identity.config.model import AccountStoreKind, Config
from identity.config.rules import Rule
from identity.errors import ConfigError
from identity.keyring import KeyRing

_LARGEST: Final = 1_048_576
_OTHERS: Final = stat.S_IROTH | stat.S_IWOTH


def read_private(path: Path) -> str:
    """Return the text of a file that must be secret.

    Raises ValueError with a sentence that completes "[section] option: …". The mode is looked at
    on the open file, so that it cannot be exchanged in between.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {_reason(error)}") from None
    if mode & _OTHERS and stat.S_ISREG(mode):
        raise ValueError(
            f"{path} can be read or changed by everybody on this machine (mode {stat.S_IMODE(mode):04o}); "
            f"run `chmod 600 {path}`"
        )
    try:
        return content[:_LARGEST].decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file") from None


def read_secret(path: Path) -> str:
    """Return the one line a secret file holds. Raises ValueError as `read_private` does."""
    return read_private(path).strip()


def load_ring(path: Path) -> KeyRing:
    """Read the key ring; at start and again on SIGHUP. Raises ConfigError with every problem in it."""
    if _mode(path) is None:
        raise ConfigError((f"[keys] file: {path} is not there; make it with `identityd.py keys new --file {path}`",))
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
    """A certificate is public; it only has to be there."""
    yield from _unreadable("[server] tls_certificate", config.server.tls_certificate)


def certificate_key(config: Config) -> Iterator[str]:
    """Whoever can read the private key can be this daemon."""
    yield from _not_private("[server] tls_key", config.server.tls_key)


def cassandra_files(config: Config) -> Iterator[str]:
    """The same for the connections to Cassandra, once they are used."""
    given = config.cassandra
    if config.accounts.store is AccountStoreKind.CASSANDRA:
        yield from _unreadable("[cassandra] tls_ca", given.tls_ca)
        yield from _unreadable("[cassandra] tls_certificate", given.tls_certificate)
        yield from _not_private("[cassandra] tls_key", given.tls_key)


def account_file(config: Config) -> Iterator[str]:
    """SQLite keeps files beside its own, so the folder must be writable too."""
    if config.accounts.store is not AccountStoreKind.SQLITE:
        return
    path, folder = config.sqlite.file, config.sqlite.file.parent
    mode, folder_mode = _mode(path), _mode(folder)
    if folder_mode is None or not stat.S_ISDIR(folder_mode):
        yield f"[sqlite] file: the folder {folder} does not exist; make it with `mkdir -p {folder}`"
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield f"[sqlite] file: the folder {folder} cannot be written by this user; the database needs files beside it"
    elif mode is not None and not stat.S_ISREG(mode):
        yield f"[sqlite] file: {path} is not a file; name one in a folder on a local disk"
    elif mode is not None and not os.access(path, os.R_OK | os.W_OK):
        yield f"[sqlite] file: {path} cannot be read and written by this user"


RULES: Final = (
    Rule(key_ring, ("keys.file",)),
    Rule(certificate, ("server.tls_certificate",)),
    Rule(certificate_key, ("server.tls_key",)),
    Rule(
        cassandra_files,
        ("accounts.store", "cassandra.tls_ca", "cassandra.tls_certificate", "cassandra.tls_key"),
    ),
    Rule(account_file, ("accounts.store", "sqlite.file")),
)
"""What refuses to start because of a file."""


def warnings_of(path: Path, config: Config) -> Iterator[str]:
    """Yield what is allowed and probably not meant about the configuration file itself."""
    mode = _mode(path) or 0
    if mode & stat.S_IROTH and any(True for _ in config.secrets()):
        yield (
            f"[file] {path.name}: everybody on this machine can read the configuration and it may hold secrets; "
            f"run `chmod 640 {path}`, or keep the secrets in files of their own"
        )


def _unreadable(option: str, path: Path | None) -> Iterator[str]:
    if path is None:
        return
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        yield f"{option}: {path} cannot be read: {_reason(error)}"


def _not_private(option: str, path: Path | None) -> Iterator[str]:
    if path is None:
        return
    try:
        read_private(path)
    except ValueError as error:
        yield f"{option}: {error}"


def _mode(path: Path) -> int | None:
    """Return the file's mode; None if it is not there, or cannot be looked at."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
