"""What the commands of `keys` do to the key file.

Owns adding and removing: the file is read, changed and exchanged whole while no other command
touches it. Invariants: the result continues the ring that was there (same locator key, no number
given twice), and no key goes under which a session can be alive.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from identity import config, keyring
from identity.cli.failing import CommandFailed
from identity.cli.files import exchange, folder_lock, now
from identity.clock import moment, require
from identity.config import ini, load_ring
from identity.config.files import read_configuration, read_private
from identity.config.model import KeysSection
from identity.errors import ConfigError
from identity.keyring import Key, KeyRing
from identity.types import Millis
from options.secret import Secret


@dataclass(frozen=True, slots=True)
class Place:
    """A key file, and how long the sessions live that are signed with it."""

    file: Path
    lifetime_ms: Millis | None
    """None: no configuration was named."""


DEFAULT: Final = KeysSection().file
"""Where a key ring is, if no configuration says otherwise."""


def place(path: Path | None, configuration: Path | None) -> Place:
    """Return which key file is meant. Raises ConfigError."""
    if configuration is None:
        return Place(path or DEFAULT, None)
    read = config.load(configuration, environ=os.environ, demo=True)
    return Place(read.keys.file, read.sessions.absolute_ms)


def file_to_make(path: Path | None, configuration: Path | None) -> Path:
    """Return where a new ring goes, whatever else the configuration still lacks. Raises ConfigError."""
    if configuration is None:
        return path or DEFAULT
    sections, _ = ini.read(read_configuration(configuration))
    named = next((each.values.get("file") for each in sections if each.name == "keys"), None)
    return configuration.parent / (named or DEFAULT)


def add(path: Path) -> Key:
    """Add a key to the file and return it. Raises ConfigError; the file is then as it was."""
    with _changing(path):
        ring, text = load_ring(path), read_private(path)
        at = require(now())
        if at < ring.keys[-1].created_at:
            # A key dated too early would sign before the daemons know it.
            newest = ring.keys[-1]
            problem = f"key {newest.number} was made at {moment(newest.created_at)}, which is still to come"
            raise ConfigError((f"[keys] file: {problem}; set this machine's clock right",))
        key = ring.with_key(Secret(os.urandom(keyring.SECRET_BYTES)), now=at).keys[-1]
        _exchange(path, ring, keyring.appended(text, key))
        return key


def removable(where: Place, numbers: Sequence[int]) -> tuple[list[int], dict[int, str]]:
    """Return the keys that go, those of the numbers or all that may, and why each of the others stays.

    Ends with exit code 1 when one of the numbers must stay.
    """
    ring, at = load_ring(where.file), require(now())
    must_stay = {key.number: why for key in ring.keys if (why := _stays(ring, key, where, at))}
    for number in dict.fromkeys(numbers):
        if not ring.knows(number):
            raise CommandFailed(f"the ring has no key {number}. Nothing was changed.", "no-key")
        if number in must_stay:
            raise CommandFailed(f"key {number} {must_stay[number]}. Nothing was changed.", "key-in-use")
    going = [key.number for key in ring.keys if key.number not in must_stay]
    return [number for number in going if not numbers or number in numbers], must_stay


def _stays(ring: KeyRing, key: Key, where: Place, at: Millis) -> str:
    """Return why a key cannot go; empty if it can."""
    leaves_at = ring.leaves_at(key.number, lifetime_ms=where.lifetime_ms or 0)
    if key.number == ring.signing_number(at):
        return "signs"
    if leaves_at is None or key.number > ring.signing_number(at):
        return "does not sign yet"
    return f"may go from {moment(leaves_at)}; until then sessions signed with it can be alive" if leaves_at > at else ""


def remove(where: Place, numbers: Sequence[int]) -> None:
    """Remove keys that `removable` named. Raises ConfigError; the file is then as it was."""
    with _changing(where.file):
        ring = load_ring(where.file)
        _exchange(where.file, ring, keyring.cut(read_private(where.file), numbers))


def states(ring: KeyRing, at: Millis, lifetime_ms: Millis | None) -> Iterator[tuple[int, str, str]]:
    """Yield number, creation and state of each key."""
    for key in ring.keys:
        yield key.number, moment(key.created_at), _state(ring, key, at, lifetime_ms)


def facts(ring: KeyRing, at: Millis, lifetime_ms: Millis | None) -> Iterator[dict[str, Any]]:
    """Yield each key for programs: times are null where there is none yet, or it is not known."""
    for key in ring.keys:
        first = key.number == ring.keys[0].number
        stopped = ring.stopped_at(key.number)
        leaves_at = ring.leaves_at(key.number, lifetime_ms=lifetime_ms) if lifetime_ms is not None else None
        yield {
            "number": key.number,
            "created_at": moment(key.created_at),
            "signs": key.number == ring.signing_number(at),
            "signs_from": moment(key.created_at + (0 if first else keyring.SIGNS_AFTER_MS)),
            "signs_until": moment(stopped) if stopped else None,
            "may_go_from": moment(leaves_at) if leaves_at else None,
        }


def _state(ring: KeyRing, key: Key, at: Millis, lifetime_ms: Millis | None) -> str:
    signing, stopped = ring.signing_number(at), ring.stopped_at(key.number)
    if key.number == signing:
        until = f" until {moment(stopped)}" if stopped else ""
        return f"signs{until} and verifies"
    if key.number > signing or stopped is None:
        return f"verifies, and signs from {moment(key.created_at + keyring.SIGNS_AFTER_MS)}"
    signed = f"verifies; signed until {moment(stopped)}"
    if lifetime_ms is None:
        return f"{signed}; may go [sessions] absolute_s after that"
    leaves_at = ring.leaves_at(key.number, lifetime_ms=lifetime_ms) or 0
    return f"{signed}; may go from {moment(leaves_at)}" if leaves_at > at else f"{signed}; may go: `keys prune`"


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    """Keep others from changing the ring meanwhile. Raises ConfigError for what the disk says."""
    try:
        with folder_lock(path.resolve().parent):
            yield
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError((f"{path}: cannot be changed, and was not: {reason}",)) from None


def _exchange(path: Path, ring: KeyRing, text: str) -> None:
    """Exchange the file, if what will stand in it continues what stood there."""
    if not ring.continues_in(keyring.parse(text)):
        raise ConfigError((f"{path}: the change would not continue this ring; it was not touched",))
    exchange(path, text)
