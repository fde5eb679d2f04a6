"""The key ring: which keys sign and verify, and the keyed hashes made from them.

Owns the format of the key file and the derivation of one key per purpose. Pure: the caller
reads the file and tells the time. Invariants: numbers grow and are never given twice, and the
locator key never changes, because the session record of an account is found by it.

    key   | verifies           | signs
    ------+--------------------+------------------------------------------------------------
    first | always             | at once (no daemon can know an older one)
    later | from its creation  | from 10 minutes after its creation, so that every daemon
          |                    | that re-reads the file knows it before its first token

A key that signs no more leaves the ring when nothing it signed can be alive: the longest life of a
session after a newer key began to sign, and a minute for clocks that differ.

The file is text, one line each, `#` begins a comment:

    locator <base64>
    key <number> <created, RFC 3339 in UTC> <base64>
"""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from hashlib import blake2s
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from uuid import UUID

from identity.errors import ConfigError
from identity.types import AccountId, Locator, Millis
from options.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

SIGNS_AFTER_MS: Final = 600_000
LEEWAY_MS: Final = 60_000
"""Daemons' clocks may differ by this much: the last one goes on signing with the older key so long."""
SECRET_BYTES: Final = 32
MAC_BYTES: Final = 16
LOCATOR_BYTES: Final = 12
HIGHEST_NUMBER: Final = 255
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Purpose(Enum):
    """What a keyed hash is for; each has a key of its own, so no value of one kind passes as another."""

    TOKEN = b"idd-tokn"
    RECORD = b"idd-recd"
    ONE_TIME = b"idd-once"
    NODE = b"idd-node"
    MARKER = b"idd-mark"
    FLAG = b"idd-flag"
    CSRF = b"idd-csrf"
    CARRIED = b"idd-carr"
    PLACE = b"idd-plac"
    KEPT = b"idd-kept"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the ring."""

    number: int
    created_at: Millis
    secret: Secret = field(repr=False)


@cache
def _hasher(secret: bytes, person: bytes, size: int) -> blake2s:
    """Return a keyed hash to copy from: keying costs more than the hash itself."""
    return blake2s(key=secret, person=person, digest_size=size)


class KeyRing:
    """Keys by number, oldest first, and the locator key.

    Args:
        keys: at least one; numbers 1 to 255, strictly growing; secrets of 32 bytes.
        locator: 32 bytes.

    Raises:
        ConfigError: any of that does not hold.
    """

    __slots__ = ("_by_number", "_locator", "keys")

    def __init__(self, keys: tuple[Key, ...], locator: Secret) -> None:
        problems = tuple(_problems(keys, locator))
        if problems:
            raise ConfigError(problems)
        self.keys = keys
        self._locator = locator.reveal()
        self._by_number = {key.number: key.secret.reveal() for key in keys}

    @property
    def newest(self) -> int:
        """Highest number known; a higher one was made by a daemon that has a newer ring."""
        return self.keys[-1].number

    def knows(self, number: int) -> bool:
        """Tell whether a value signed by this number can be verified."""
        return number in self._by_number

    def signing_number(self, now: Millis) -> int:
        """Return the number that signs now: the newest that every daemon has had time to read."""
        # A new key that signed at once would be unknown to daemons that have not read the file again (600 s).
        ready = [k.number for k in self.keys[1:] if now - k.created_at >= SIGNS_AFTER_MS]
        return ready[-1] if ready else self.keys[0].number

    def mac(self, number: int, purpose: Purpose, data: bytes) -> bytes:
        """Return 16 bytes of keyed BLAKE2s over `data`. Raises KeyError for an unknown number."""
        # Keyed BLAKE2s is a MAC as it is (RFC 7693), and `person` makes each purpose a function of its own.
        digest = _hasher(self._by_number[number], purpose.value, MAC_BYTES).copy()
        digest.update(data)
        return digest.digest()

    def locator(self, account_id: AccountId) -> Locator:
        """Return where the account's session record is: 12 bytes that tell nothing about the account."""
        digest = _hasher(self._locator, b"idd-find", LOCATOR_BYTES).copy()
        digest.update(account_id.bytes)
        return Locator(digest.digest())

    def with_key(self, secret: Secret, *, now: Millis) -> "KeyRing":
        """Return the ring with one more key. Raises ConfigError when the numbers are used up."""
        if self.newest == HIGHEST_NUMBER:
            raise ConfigError(("[keys] file: key number 255 is the last one; numbers are never used twice",))
        return KeyRing((*self.keys, Key(self.newest + 1, now, secret)), Secret(self._locator))

    def stopped_at(self, number: int) -> Millis | None:
        """Return when the first newer key began, or will begin, to sign instead; None for the newest."""
        return min((key.created_at + SIGNS_AFTER_MS for key in self.keys if key.number > number), default=None)

    def leaves_at(self, number: int, *, lifetime_ms: Millis) -> Millis | None:
        """Return when nothing this key signed can be alive any more; None while no newer key is known.

        Args:
            number: of a key of the ring.
            lifetime_ms: the longest life of a session.
        """
        stopped = self.stopped_at(number)
        return None if stopped is None else stopped + lifetime_ms + LEEWAY_MS

    def without(self, numbers: "Collection[int]") -> "KeyRing":
        """Return the ring without these keys. Raises ConfigError when none would be left."""
        return KeyRing(tuple(key for key in self.keys if key.number not in numbers), Secret(self._locator))

    def continues_in(self, other: "KeyRing") -> bool:
        """Tell whether `other` may replace this ring: same locator key, and no number given to another secret."""
        # Without a common key, or with another locator key, every session would be lost at the reload.
        shared = {key.number for key in self.keys} & {key.number for key in other.keys}
        same = all(self.mac(n, Purpose.TOKEN, b"") == other.mac(n, Purpose.TOKEN, b"") for n in shared)
        nil = AccountId(UUID(int=0))
        return bool(shared) and same and self.locator(nil) == other.locator(nil)

    def render(self) -> str:
        """Return the key file's text. The result is secret."""
        lines = [
            "# identityd key ring. Keep it secret (mode 0600) and backed up; the same on every daemon.",
            f"locator {_b64(self._locator)}",
            *map(_line, self.keys),
        ]
        return "\n".join(lines) + "\n"

    def __repr__(self) -> str:
        return f"KeyRing(keys={[k.number for k in self.keys]})"


def new_ring(*, secret: Secret, locator: Secret, now: Millis) -> KeyRing:
    """Return a ring of one key, which signs at once."""
    return KeyRing((Key(1, now, secret),), locator)


def parse(text: str) -> KeyRing:
    """Read a key file's text. Raises ConfigError naming every line at fault, never its content."""
    keys: list[Key] = []
    locators: list[Secret] = []
    problems: list[str] = []
    for at, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        try:
            match words:
                case []:
                    pass
                case ["locator", secret]:
                    locators.append(_unb64(secret))
                case ["key", number, created, secret]:
                    keys.append(Key(int(number), _millis(created), _unb64(secret)))
                case _:
                    problems.append(f"[keys] file: line {at}: expected `locator …` or `key number time secret`")
        except (ValueError, OverflowError):
            # The error is left out: its text may quote the line, which holds a secret.
            problems.append(f"[keys] file: line {at}: cannot be read")
    if len(locators) != 1:
        problems.append(f"[keys] file: needs exactly one `locator` line, has {len(locators)}")
    if problems:
        raise ConfigError(tuple(problems))
    return KeyRing(tuple(keys), locators[0])


def appended(text: str, key: Key) -> str:
    """Return a key file's text with one more key; what people wrote into it stays. The result is secret."""
    before = text if text.endswith("\n") else text + "\n"
    return f"{before}{_line(key)}\n"


def cut(text: str, numbers: "Collection[int]") -> str:
    """Return a key file's text without the lines of these keys. The result is secret."""
    gone = {("key", str(number)) for number in numbers}
    return "".join(line for line in text.splitlines(keepends=True) if _spelt(line) not in gone)


def _spelt(line: str) -> tuple[str, ...]:
    match line.partition("#")[0].split():
        # `key 07` is read as key 7, so it must be found as that.
        case ["key", number, *_] if number.isdecimal():
            return ("key", str(int(number)))
        case _:
            return ()


def _line(key: Key) -> str:
    return f"key {key.number} {_rfc3339(key.created_at)} {_b64(key.secret.reveal())}"


def _problems(keys: tuple[Key, ...], locator: Secret) -> "Iterator[str]":
    if not keys:
        yield "[keys] file: has no `key` line; make one with `identityd.py keys new`"
    if len(locator.reveal()) != SECRET_BYTES:
        yield f"[keys] file: the locator key must be {SECRET_BYTES} bytes"
    for key in keys:
        if not 1 <= key.number <= HIGHEST_NUMBER:
            yield f"[keys] file: key number {key.number} is not within 1 to {HIGHEST_NUMBER}"
        if len(key.secret.reveal()) != SECRET_BYTES:
            yield f"[keys] file: key {key.number} must be {SECRET_BYTES} bytes"
    for older, newer in pairwise(keys):
        if newer.number <= older.number:
            yield f"[keys] file: key {newer.number} stands after key {older.number}; numbers must grow"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(text: str) -> Secret:
    try:
        return Secret(base64.b64decode(text, validate=True))
    except binascii.Error:
        # The codec's message may quote what it read.
        raise ValueError("not base64") from None


def _rfc3339(at: Millis) -> str:
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _millis(text: str) -> Millis:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone")
    return (moment - _EPOCH) // timedelta(milliseconds=1)
