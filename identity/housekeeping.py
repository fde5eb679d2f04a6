"""What follows from what happened to sessions: audit rows, numbers, and comparing epochs.

Owns the work that must not be done while a browser waits for an answer. It reads and writes through
services only. Invariant: a check never waits for the account store; what is due is queued, and
what does not fit the queue comes up again at the session's next rotation.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event as Flag
from threading import Lock, Thread
from typing import Final
from uuid import UUID

from identity.accounts.service import AccountService
from identity.accounts.store import REGROUPED, AccountRow, AccountStatus, Revocation
from identity.audit import Event
from identity.errors import StoreError, StoreUnavailable
from identity.metrics import Metrics
from identity.sessions.check import Check
from identity.sessions.record import Copied, Ended, Session
from identity.sessions.service import SessionService
from identity.types import MINUTE, AccountId, Clock, Millis, SessionId

log = logging.getLogger("identity.housekeeping")

DUE: Final = 10_000
"""Accounts whose epoch waits to be compared; more than that waits for their next rotation."""
FOREIGN_EVERY_MS: Final[Millis] = MINUTE
"""A session shown on the wrong host is audited at most so often."""
LOOKS: Final = 2
"""The look under way may have begun before whatever was queued while a node was away; the next has not."""
RETRY_EVERY_S: Final = 5.0
IN_ORDER_MS: Final[Millis] = MINUTE
"""How long a change of groups waits for an earlier change of the account, which may mean that sessions end."""


class AuditingWatcher:
    """A `Watcher` that audits, counts and queues; never blocks and never raises.

    Args:
        note: takes audit events; must not block.
        metrics: counts ends.
        clock: the time.
        new_uuid: ids of events.
    """

    def __init__(
        self, *, note: Callable[[Event], None], metrics: Metrics, clock: Clock, new_uuid: Callable[[], UUID]
    ) -> None:
        self._note = note
        self._metrics = metrics
        self._clock = clock
        self._new_uuid = new_uuid
        self._foreign: dict[SessionId, Millis] = {}
        self.due: Queue[AccountId | None] = Queue(DUE)
        """Accounts to compare; None only wakes the thread that waits for one."""

    def ended(self, account_id: AccountId, session: Session, kind: Copied, check: Check) -> None:
        """Count and audit the end of a session of which there is a copy."""
        self._metrics.count("identityd_sessions_ended_total", reason=Ended.REUSE.code)
        self._copied(kind, account_id, session, check)

    def foreign(self, account_id: AccountId, session: Session, check: Check) -> None:
        """Audit a token shown on a host it was not made for."""
        now = self._clock()
        if now - self._foreign.get(session.id, 0) < FOREIGN_EVERY_MS:
            return
        if len(self._foreign) >= DUE:
            self._foreign.clear()
        self._foreign[session.id] = now
        self._copied(Copied.FOREIGN_HOST, account_id, session, check)

    def corrupt(self) -> None:
        """Nothing to add: the store itself counts and logs what it cannot authenticate."""

    def compare_due(self, account_id: AccountId) -> None:
        """Queue the comparison of an account's epoch."""
        try:
            self.due.put_nowait(account_id)
        except Full:
            log.debug("comparisons are behind; the account comes up again at its next rotation")

    def wake(self) -> None:
        """Make the thread that works the queue off look at the revocations now."""
        with suppress(Full):  # with a full queue that thread is awake anyway
            self.due.put_nowait(None)

    def _copied(self, kind: Copied, account_id: AccountId, session: Session, check: Check) -> None:
        self._metrics.count("identityd_copies_total", reason=kind.code)
        facts = {
            "opened_from": session.address,
            "opened_with": session.agent,
            "shown_from": check.address,
            "shown_with": check.agent,
            "host": check.host,
            "client": check.client,
        }
        self._note(Event(self._new_uuid(), self._clock(), kind.code, account_id, "system", check.address, "", facts))


def end_sessions(
    sessions: SessionService, *, account: Callable[[AccountId], AccountRow | None], clock: Clock
) -> Callable[[Revocation], None]:
    """Return what carries out a revocation. It raises StoreUnavailable when it cannot reach the sessions.

    Args:
        sessions: whose sessions.
        account: reads an account's row, for its groups.
        clock: the time.
    """

    def carry_out(revocation: Revocation) -> None:
        if revocation.reason != REGROUPED or not _regrouped(revocation, sessions, account, now=clock()):
            _end(revocation, sessions)

    return carry_out


def _end(revocation: Revocation, sessions: SessionService) -> None:
    reason, account_id = _reason(revocation.reason), revocation.account_id
    if revocation.session is not None:
        sessions.end(account_id, SessionId(revocation.session), reason=reason)
    elif revocation.identity is not None:
        sessions.end_through(account_id, revocation.identity, epoch=revocation.epoch, reason=reason)
    else:
        sessions.end_all(account_id, epoch=revocation.epoch, reason=reason)


def _regrouped(
    revocation: Revocation,
    sessions: SessionService,
    account: Callable[[AccountId], AccountRow | None],
    *,
    now: Millis,
) -> bool:
    """Tell whether the sessions know the account's groups now; if not, they must end.

    Raises StoreUnavailable while an earlier change of the account, which may mean an end, is to be tried first.
    """
    found = account(revocation.account_id)
    if found is None:
        return False
    if sessions.regroup(revocation.account_id, found.groups, epoch=revocation.epoch):
        return True
    if now - revocation.created_at <= IN_ORDER_MS:
        raise StoreUnavailable(detail="an earlier change of this account has not reached its sessions yet")
    return False


def _reason(value: int) -> Ended:
    """Return the stored reason; one that only a newer release knows must not keep the sessions alive."""
    try:
        return Ended(value)
    except ValueError:
        return Ended.REVOKED


def compare(account_id: AccountId, *, accounts: AccountService, sessions: SessionService) -> None:
    """Hold a session record against its account; end what the account no longer allows.

    An account whose epoch moved on usually has a revocation that says which sessions are meant;
    it is tried first. What still differs then is a record from another time, and ends.

    Raises:
        StoreError: one of the stores is away; the comparison comes up again.
    """
    account = accounts.account(account_id)
    if account is None:
        log.error("account-missing: a session names account %s, which is not stored", account_id)
        return
    if account.status is not AccountStatus.ACTIVE:
        sessions.end_all(account_id, epoch=account.epoch, reason=Ended.DISABLED)
        return
    if not sessions.compared(account_id, epoch=account.epoch):
        if accounts.retry_revocations():
            return  # one of those open may say which sessions are meant; the account comes up again
        sessions.end_all(account_id, epoch=account.epoch, reason=Ended.REVOKED)


class Clearing:
    """Whether a memcached node that was away may be used again: not while sessions must still be ended.

    A node that comes back is answered no until a look at the open revocations that began after
    the question found none. While the account store is away the last number counts: nothing can
    be disabled meanwhile, and no check may be kept waiting for it. Thread-safe.

    Args:
        wake: asks for such a look at once; must not block.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = Lock()
        self._looks = 0
        self._open = 0
        self._asked: dict[str, int] = {}
        self._seen: set[str] = set()

    def counted(self, still_open: int | None) -> None:
        """Take what a look found; None: the account store is away."""
        with self._lock:
            self._looks += 1
            if still_open is not None:
                self._open = still_open

    def cleared(self, node: str) -> bool:
        """Tell whether the node may be used. The first contact counts as looked at: a start looks first."""
        with self._lock:
            known, self._seen = node in self._seen, self._seen | {node}
            wanted = self._asked.setdefault(node, self._looks + LOOKS if known else self._looks)
            if self._looks >= wanted and self._open == 0:
                del self._asked[node]
                return True
        for _ in range(LOOKS):
            self._wake()
        return False


class Housekeeping:
    """One thread: compares what is due, and ends what could not be reached before.

    Args:
        watching: whose queue is worked off.
        accounts, sessions: the services.
        counted: told the number of open revocations after each look, None if the store is away.
        tidy: what else is done again and again.
    """

    def __init__(
        self,
        watching: AuditingWatcher,
        *,
        accounts: AccountService,
        sessions: SessionService,
        counted: Callable[[int | None], None] = lambda _: None,
        tidy: Callable[[], None] = lambda: None,
    ) -> None:
        self._watching = watching
        self._services = accounts, sessions
        self._counted = counted
        self._tidy = tidy
        self._stopping = Flag()
        self._thread = Thread(target=self._run, name="idd-housekeeping", daemon=True)

    def use(self, accounts: AccountService, sessions: SessionService) -> None:
        """Work through these services from the next step on."""
        self._services = accounts, sessions

    def start(self) -> None:
        """Look at the open revocations once, so that no check is answered before it, and begin."""
        self._retry()
        self._thread.start()

    def stop(self) -> None:
        """Stop after the step under way; what is left is durable or comes up again."""
        self._stopping.set()
        self._watching.wake()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._retry()
            for _ in range(DUE):
                if self._stopping.is_set() or not self._compare_next():
                    break

    def _compare_next(self) -> bool:
        """Compare one account, waiting for one a while; False when it is time to retry revocations."""
        try:
            account_id = self._watching.due.get(timeout=RETRY_EVERY_S)
        except Empty:
            return False
        if account_id is None:
            return False
        accounts, sessions = self._services
        try:
            compare(account_id, accounts=accounts, sessions=sessions)
        except StoreError as error:
            log.info("comparison put off: %s", error.code)
            return False
        except Exception:
            log.exception("comparison-failed: account %s", account_id)
        return True

    def _retry(self) -> None:
        try:
            self._tidy()
            self._counted(self._services[0].retry_revocations())
        except StoreError as error:
            log.info("revocations put off: %s", error.code)
            self._counted(None)
        except Exception:  # without this thread no node that returns would ever be used again
            log.exception("revocations-failed: tried again in a moment")
            self._counted(None)
