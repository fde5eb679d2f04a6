"""Who did what to whom, from where: one row per login, sign-up, logout, reuse, link.

Owns the event, the Protocol that stores it, and the queue in front of the store. Events hold no
token, code, secret or upstream text; addresses are full here (an operator needs them) and
summaries elsewhere.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from threading import Condition, Lock, Thread
from typing import Final, Protocol
from uuid import UUID

from identity.errors import StoreError
from identity.log import current_request, given_request
from identity.types import MINUTE, AccountId, Millis

_logger = logging.getLogger("identity.audit")

MOST_ROWS: Final = 60
"""Rows an account can cause in a minute, and so can all visitors without an account together."""
MOST_OWED: Final = 1_000
"""Accounts of which is remembered that rows were held back."""
WITHHELD: Final = "withheld"
_ONCE: Final = frozenset({"sign-up"})
_PAUSE_AT_END_S: Final = 0.1
"""Between tries while closing: the time left is short."""


@dataclass(frozen=True, slots=True)
class Event:
    """One audited fact. `action` is from the list in docs/operations.md, for example `login`."""

    id: UUID
    at: Millis
    action: str
    account_id: AccountId | None
    actor: str
    """`self`, `system`, or `operator:<name>`."""
    address: str = ""
    request_id: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


class AuditLog(Protocol):
    """Appended rows; nothing is ever changed. Implemented by the account stores."""

    def append(self, event: Event) -> None:
        """Store the event durably; raises StoreUnavailable. Appending one twice is harmless."""
        ...

    def of_account(self, account_id: AccountId, *, limit: int = 100) -> tuple[Event, ...]:
        """Return the newest events of an account, newest first."""
        ...

    def scan(self, *, after: Event | None = None) -> Iterator[Event]:
        """Yield every event once, in the store's own order, without holding a lock. For copy only.

        With `after`, only those behind that one; its id, time and account are enough to find the
        place, also if the event itself is gone.
        """
        ...


class Ration:
    """How many rows one asker can cause in a minute. Not thread-safe.

    Only what people do themselves, again and again, is held back; what is done to an account, and
    what happens once, never is. Visitors without an account share one ration: any of them can cause
    a login that a provider denies (THREATS 48).
    """

    def __init__(self) -> None:
        self._minute: Millis = 0
        self._written: Counter[AccountId | None] = Counter()
        self._owed: Counter[AccountId | None] = Counter()

    def admit(self, event: Event) -> Event | None:
        """Return the event to write, with the number of those held back before it; None to hold it back."""
        if event.actor != "self" or event.action in _ONCE:
            return event
        who, minute = event.account_id, event.at // MINUTE
        if minute != self._minute:
            self._minute = minute
            self._written.clear()
        self._written[who] += 1
        if self._written[who] > MOST_ROWS:
            if who in self._owed or len(self._owed) < MOST_OWED:
                self._owed[who] += 1
            return None
        owed = self._owed.pop(who, 0)
        return replace(event, facts={**event.facts, WITHHELD: str(owed)}) if owed else event


class AuditQueue:
    """Takes events at once and writes them on a thread of its own, until they are written.

    A login must not wait for the audit, nor fail with it; an audit row must not be lost because a
    store was away. So each event is one structured log line at once, waits in memory, and is
    written by one thread, in order, however often that has to be tried. Bounded: an event that
    finds the queue full is dropped, counted, and remains in the log.

    Args:
        log: where events are kept.
        capacity: how many may wait.
        pauses_s: pauses between tries while the store is away; the last one repeats.
    """

    def __init__(
        self, log: AuditLog, *, capacity: int = 10_000, pauses_s: Sequence[float] = (0.1, 0.5, 2.0, 5.0)
    ) -> None:
        self._log = log
        self._capacity = capacity
        self._pauses_s = pauses_s
        self._waiting: deque[Event] = deque()
        self._changed = Condition()
        self._dropped = 0
        self._closing = False
        self._abandoned = False
        self._thread = Thread(target=self._run, name="idd-audit", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many events are not written yet."""
        return len(self._waiting)

    @property
    def dropped(self) -> int:
        """How many events will never be written; each is in the log."""
        return self._dropped

    def append(self, event: Event) -> None:
        """Log the event and queue it. Never blocks on the store and never raises.

        An event of the request being served also says what its sender calls it, as a fact.
        """
        if (given := given_request()) and event.request_id == current_request():
            event = replace(event, facts={**event.facts, "given_request_id": given})
        _logger.info("audit: %s", event.action, extra=_fields(event))
        with self._changed:
            accepted = not self._closing and len(self._waiting) < self._capacity
            if accepted:
                self._waiting.append(event)
                self._changed.notify_all()
            else:
                self._dropped += 1
        if not accepted:
            _logger.error("audit-dropped: event %s is in this log only", event.id, extra={"event_id": str(event.id)})

    def close(self, *, within_s: float = 5.0) -> int:
        """Write what waits, for at most so long; return how many events were not written, each in the log."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(within_s)
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()
            left = len(self._waiting)
        if left:
            _logger.error("audit-unwritten: %d events are in this log only", left, extra={"events": left})
        return left

    def _run(self) -> None:
        while (event := self._next()) is not None:
            if not self._write(event):
                return
            with self._changed:
                self._waiting.popleft()

    def _next(self) -> Event | None:
        """Return the oldest event and leave it in the queue, so that it counts as waiting; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return self._waiting[0] if self._waiting else None

    def _write(self, event: Event) -> bool:
        """Try until the event is written or can never be; False when told to give up."""
        for tries in count():
            try:
                self._log.append(event)
            except StoreError as error:
                if tries == 0:
                    _logger.warning("audit-waits: %s", error.code, extra={"waiting": self.waiting})
                if not self._pause(tries):
                    return False
            except Exception:
                # Not the store's state but the event's: trying again would hold up all others for ever.
                with self._changed:
                    self._dropped += 1
                _logger.exception("audit-dropped: event %s is in this log only", event.id)
                return True
            else:
                return True
        return False

    def _pause(self, tries: int) -> bool:
        """Wait before the next try; False when told to give up."""
        pause = self._pauses_s[min(tries, len(self._pauses_s) - 1)]
        with self._changed:
            if not self._closing:
                self._changed.wait_for(lambda: self._closing, timeout=pause)
            else:
                self._changed.wait_for(lambda: self._abandoned, timeout=min(pause, _PAUSE_AT_END_S))
            return not self._abandoned


class Rationed:
    """Passes on what people do, so much of it a minute as one may cause; the rest is in the log only.

    Args:
        note: takes what is passed on; must not block.
    """

    def __init__(self, note: Callable[[Event], None]) -> None:
        self._note = note
        self._ration = Ration()
        self._lock = Lock()
        self.withheld = 0

    def __call__(self, event: Event) -> None:
        """Pass the event on, or log it."""
        with self._lock:
            admitted = self._ration.admit(event)
            self.withheld += admitted is None
        if admitted is None:
            _logger.info("audit: %s", event.action, extra=_fields(event))
        else:
            self._note(admitted)


def _fields(event: Event) -> dict[str, str]:
    """Return the event as fields of a log line. Names of facts get a prefix, so that none hides another field."""
    return {
        "action": event.action,
        "account_id": str(event.account_id or ""),
        "actor": event.actor,
        "address": event.address,
        "request_id": event.request_id,
        "event_id": str(event.id),
        **{f"fact_{name}": value for name, value in event.facts.items()},
    }
