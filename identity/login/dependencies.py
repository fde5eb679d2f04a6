"""What the services of this package stand on: seals, markers, settings, time and chance.

Owns how what a browser carries becomes a record again, or the reason why it does not; the rules of
each step are in `flow.py` and `codes.py`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from identity.errors import FlowInvalid, StoreError, StoreUnavailable, TooOften
from identity.login.carrying import Carrying
from identity.login.flow import SECRET_BYTES, Flaw, spelt, spent_until
from identity.login.rules import LoginRules
from identity.login.store import OneTimeStore, RecordKind
from identity.types import Clock, Millis, RandomBytes

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class LoginDependencies:
    """What a service of this package stands on."""

    carrying: Carrying
    one_time: OneTimeStore
    rules: LoginRules
    clock: Clock
    random_bytes: RandomBytes

    def secret(self) -> str:
        """Return a value that cannot be guessed, in base64url."""
        return spelt(self.random_bytes(SECRET_BYTES))

    @contextmanager
    def using_up(self, kind: RecordKind, name: str, *, expires_at: Millis, used: FlowInvalid) -> Iterator[None]:
        """Let one request at a time use a record up; it may be used again if a store failed or it came too often.

        Raises:
            FlowInvalid: `used`, it is or was used.
            StoreUnavailable: a store is away.
        """
        if not self.one_time.spend(kind, name, expires_at=spent_until(expires_at, now=self.clock())):
            raise used
        try:
            yield
        except (StoreError, TooOften):
            with suppress(StoreError):
                self.one_time.take(kind, name)
            raise

    def opened(self, kind: RecordKind, tag: str, text: str | None, unpack: Callable[[bytes], R]) -> R | Flaw:
        """Return the record that a browser carries, or why it counts for nothing; `text` is None if it carries none.

        Raises:
            StoreUnavailable: `newer-key`: this daemon does not know the key yet; the same text may be brought again.
        """
        found = Flaw.NO_COOKIE if text is None else self.carrying.open(kind, tag, text)
        if found is Flaw.NEWER_KEY:
            raise StoreUnavailable("newer-key", detail=found.value)
        if isinstance(found, Flaw):
            return found
        try:
            return unpack(found)
        except ValueError:
            return Flaw.UNREADABLE
