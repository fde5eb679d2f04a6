"""Session records and one-time records in a cache.

Owns their keys and their seals. Must not decide anything about sessions or logins. Invariants: a
body is believed only under the key, and as the kind, it was sealed for, and a session record only
if its account's locator is the one asked for; whatever else is found is CORRUPT, with an alarm.

    kind | key              | body
    -----+------------------+-----------------------------------------------
    s1   | s1:<locator>     | a packed session record (identity.sessions.packing)
    f1   | f1:<name>        | expiry 8: a login that was used
    u1   | u1:<name>        | expiry 8: a sign-up whose form is being dealt with, or was
    c1   | c1:<name>        | expiry 8: a start code that was shown
    t1   | t1:<name>        | expiry 8, then the names an identity asked for
    p1   | p1:<name>        | expiry 8, then how many logins came from an address
    j1   | j1:<name>        | expiry 8: a provider's notice that counted
    v1   | v1:<name>        | expiry 8, then the account 16 and the session 16 that a provider's session led to
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from typing import Final

from identity.errors import StoreCorrupt, StoreUnavailable
from identity.keyring import KeyRing, Purpose
from identity.login.store import RecordKind
from identity.sessions.packing import NewerRecord, pack, unpack
from identity.sessions.record import Record
from identity.sessions.store import Absent, Found, Read, Unread, Version, Written
from identity.stores.alarm import CorruptAlarm
from identity.stores.bounds import is_key
from identity.stores.cache import Cache, CacheKey, CacheVersion, Got, Missing, Value
from identity.stores.sealing import Sealer
from identity.types import Clock, Locator, Millis

SESSIONS: Final = "s1"
_EXPIRY_BYTES: Final = 8
_ATTEMPTS: Final = 4
"""How often a change that lost a race is made again."""


class SessionRecords:
    """A `SessionStore` over a cache.

    Args:
        cache: where the records are.
        keys: gives the current key ring.
        clock: decides which key seals.
        alarm: rings for every corrupt record that is read.
    """

    def __init__(self, cache: Cache, *, keys: Callable[[], KeyRing], clock: Clock, alarm: CorruptAlarm) -> None:
        self._cache = cache
        self._keys = keys
        self._sealer = Sealer(keys, purpose=Purpose.RECORD, clock=clock)
        self._alarm = alarm

    def read_many(self, locators: Collection[Locator]) -> Mapping[Locator, Read]:
        """Read all records at once: one round trip per node."""
        keys = {locator: key_of(locator) for locator in locators}
        got = self._cache.get_many(keys.values())
        reads = {locator: self._read(locator, key, got[key]) for locator, key in keys.items()}
        for locator, read in reads.items():
            if read is Unread.CORRUPT:
                self._alarm.ring(SESSIONS, keys[locator])
        return reads

    def add(self, locator: Locator, record: Record, *, expires_at: Millis) -> Written:
        """Create the record if there is none. Raises StoreUnavailable when the store is full."""
        key = key_of(locator)
        return self._cache.add(key, self._seal(key, record), expires_at=expires_at)

    def swap(self, locator: Locator, record: Record, *, version: Version, expires_at: Millis) -> Written:
        """Replace the record if it is still at `version`."""
        key = key_of(locator)
        return self._cache.swap(key, self._seal(key, record), version=CacheVersion(version), expires_at=expires_at)

    def replace_corrupt(self, locator: Locator, record: Record, *, expires_at: Millis) -> Written:
        """Replace a record that reads as corrupt, and only such a one.

        Reads again, so that a record repaired by another request meanwhile is LOST, not overwritten.
        """
        key = key_of(locator)
        match self._cache.get_many((key,))[key]:
            case Missing.UNREACHABLE:
                return Written.UNKNOWN
            case Value(version=version) as value if self._read(locator, key, value) is Unread.CORRUPT:
                return self._cache.swap(key, self._seal(key, record), version=version, expires_at=expires_at)
            case _:
                return Written.LOST

    def _seal(self, key: CacheKey, record: Record) -> bytes:
        return self._sealer.seal(SESSIONS, key, pack(record))

    def _read(self, locator: Locator, key: CacheKey, got: Got) -> Read:
        if isinstance(got, Missing):
            return Absent.ABSENT if got is Missing.ABSENT else Unread.DOWN
        body = self._sealer.unseal(SESSIONS, key, got.data)
        if not isinstance(body, bytes):
            return body
        try:
            record = unpack(body)
        except NewerRecord:
            return Unread.NEWER
        except ValueError:
            return Unread.CORRUPT
        if self._keys().locator(record.account_id) != locator:
            return Unread.CORRUPT
        return Found(record, Version(got.version))


class OneTimeRecords:
    """A `OneTimeStore` over a cache.

    The time of expiry is inside the seal too: past it a value is worth nothing, whether a node's
    clock is slow or an attacker writes the old value back.

    Args:
        cache: where the records are.
        keys: gives the current key ring.
        clock: decides what has expired.
        alarm: rings for every corrupt record that is read.
    """

    def __init__(self, cache: Cache, *, keys: Callable[[], KeyRing], clock: Clock, alarm: CorruptAlarm) -> None:
        self._cache = cache
        self._clock = clock
        self._sealer = Sealer(keys, purpose=Purpose.ONE_TIME, clock=clock)
        self._alarm = alarm

    def put(self, kind: RecordKind, name: str, body: bytes, *, expires_at: Millis) -> None:
        """Keep `body` under `name`. Raises ValueError if the name is taken or cannot be a name."""
        if not self._add(kind, name, body, expires_at=expires_at):
            raise ValueError(f"the name of a {kind.name} record is taken")

    def spend(self, kind: RecordKind, name: str, *, expires_at: Millis) -> bool:
        """Mark the name as used; of all callers, at once or later, exactly one gets True."""
        return self._add(kind, name, b"", expires_at=expires_at)

    def amend(
        self, kind: RecordKind, name: str, change: Callable[[bytes], bytes | None], *, expires_at: Millis
    ) -> bytes:
        """Change a record under a condition and return it as it then stands; absent is empty."""
        key = _required(kind, name)
        for _ in range(_ATTEMPTS):
            got = self._cache.get_many((key,))[key]
            if got is Missing.UNREACHABLE:
                raise StoreUnavailable(detail=f"the node of a {kind.name} record cannot be used")
            there = self._open(kind, key, got.data) if isinstance(got, Value) else None
            body, until = there or (b"", expires_at)
            changed = change(body)
            if changed is None:
                return body
            sealed = self._seal(kind, key, changed, expires_at=until)
            if isinstance(got, Value):
                written = self._cache.swap(key, sealed, version=got.version, expires_at=until)
            else:
                written = self._cache.add(key, sealed, expires_at=until)
            if written is Written.APPLIED:
                return changed
        raise StoreUnavailable(detail=f"a {kind.name} record changed at every attempt, or cannot be written")

    def peek(self, kind: RecordKind, name: str) -> bytes | None:
        """Return the record and leave it."""
        key = _key_of(kind, name)
        return self._read(kind, key) if key else None

    def take(self, kind: RecordKind, name: str) -> bytes | None:
        """Return the record and remove it; of several callers at once exactly one gets it.

        StoreUnavailable after the removal was sent means that it may be gone: begin anew.
        """
        key = _key_of(kind, name)
        body = self._read(kind, key) if key else None
        if key is None or body is None:
            return None
        match self._cache.remove(key):
            case Written.APPLIED:
                return body
            case Written.LOST:
                return None
            case Written.UNKNOWN:
                raise StoreUnavailable(detail=f"whether a {kind.name} record was taken is unknown")

    def peek_many(self, kind: RecordKind, names: Collection[str]) -> Mapping[str, bytes | None]:
        """Return several records and leave them: one round trip to each node."""
        keys = {name: _required(kind, name) for name in names}
        got = self._cache.get_many(keys.values())
        return {name: self._found(kind, key, got[key]) for name, key in keys.items()}

    def _add(self, kind: RecordKind, name: str, body: bytes, *, expires_at: Millis) -> bool:
        key = _required(kind, name)
        match self._cache.add(key, self._seal(kind, key, body, expires_at=expires_at), expires_at=expires_at):
            case Written.UNKNOWN:
                raise StoreUnavailable(detail=f"whether a {kind.name} record was written is unknown")
            case written:
                return written is Written.APPLIED

    def _seal(self, kind: RecordKind, key: CacheKey, body: bytes, *, expires_at: Millis) -> bytes:
        return self._sealer.seal(kind.value, key, expires_at.to_bytes(_EXPIRY_BYTES, "big") + body)

    def _read(self, kind: RecordKind, key: CacheKey) -> bytes | None:
        return self._found(kind, key, self._cache.get_many((key,))[key])

    def _found(self, kind: RecordKind, key: CacheKey, got: Got) -> bytes | None:
        match got:
            case Missing.ABSENT:
                return None
            case Missing.UNREACHABLE:
                raise StoreUnavailable(detail=f"the node of a {kind.name} record cannot be used")
            case Value(data=data):
                opened = self._open(kind, key, data)
                return opened[0] if opened else None

    def _open(self, kind: RecordKind, key: CacheKey, data: bytes) -> tuple[bytes, Millis] | None:
        """Return a record and its end; None if that is past."""
        match self._sealer.unseal(kind.value, key, data):
            case Unread.CORRUPT:
                # The name is left out of the alarm: an attacker who knows it has half of what a login needs.
                self._alarm.ring(kind.value, kind.name)
                raise StoreCorrupt(detail=f"a {kind.name} record fails its authentication")
            case Unread.NEWER:
                raise StoreUnavailable(detail=f"a {kind.name} record was written by a newer daemon or key ring")
            case body:
                expires_at = int.from_bytes(body[:_EXPIRY_BYTES], "big")
                return (body[_EXPIRY_BYTES:], expires_at) if self._clock() < expires_at else None


def _key_of(kind: RecordKind, name: str) -> CacheKey | None:
    """Return the key of a one-time record; None for what cannot be one (names come from browsers)."""
    key = CacheKey(f"{kind.value}:{name}")
    return key if name and is_key(key) else None


def _required(kind: RecordKind, name: str) -> CacheKey:
    key = _key_of(kind, name)
    if key is None:
        raise ValueError(f"this cannot be the name of a {kind.name} record")
    return key


def key_of(locator: Locator) -> CacheKey:
    """Return the key of a session record."""
    return CacheKey(f"{SESSIONS}:{urlsafe_b64encode(locator).decode()}")
