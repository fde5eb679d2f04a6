"""The session service: what the rest of identityd can do with sessions.

Owns opening and ending; checks are `checking.py`, the rules are in the pure files (`changes.py`
first). Plain functions, thread-safe, no HTTP. Trouble with the store is StoreUnavailable, never the
end of a session.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from identity.errors import StoreCorrupt, StoreError, StoreUnavailable
from identity.sessions import changes
from identity.sessions.check import Check, Opening, SetCookie
from identity.sessions.checking import Entry
from identity.sessions.cookie import Shown, Token
from identity.sessions.gathering import GROUPS, Live, gather, group
from identity.sessions.minting import Mint
from identity.sessions.planning import Rules
from identity.sessions.record import Ended, Lineage, Notice, Record, Session
from identity.sessions.store import Absent, Found, SessionStore, Unread, Written
from identity.sessions.writing import WRITES, Records, Ticket
from identity.types import (
    AccountId,
    Clock,
    Host,
    IdentityKey,
    Locator,
    Millis,
    SessionId,
    Username,
)

LOGIN_DELETIONS: Final = 12
"""Names a login answer may delete; more would not fit the header buffers of common proxies."""

LOGOUT_DELETIONS: Final = 30


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session, the cookies that carry it, and what the person must be told."""

    session: Session
    set_cookies: tuple[SetCookie, ...]
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class LoginOver:
    """There is no login a sub-session could be below: it ended, or is doubtful until the next one."""


@dataclass(frozen=True, slots=True)
class EntryDenied:
    """The login counts, and its person may not enter the application."""


@dataclass(frozen=True, slots=True)
class TicketStale:
    """The record moved since the ticket was taken: take a new one and read the account again."""


class SessionService:
    """Sessions of all accounts.

    Args:
        store: session records.
        mint: reads and makes tokens.
        rules: the operator's settings.
        entry: who may enter which application.
        clock: the time.
    """

    def __init__(self, store: SessionStore, mint: Mint, *, rules: Rules, entry: Entry, clock: Clock) -> None:
        self._rules = rules
        self._entry = entry
        self._clock = clock
        self._mint = mint
        self._records = Records(store, keys=mint.keys, lifetimes=rules.lifetimes, clock=clock)

    def ticket(self, account_id: AccountId) -> Ticket:
        """Read the record of an account that is about to log in; before its account row is read.

        Raises:
            StoreUnavailable: the record's node does not answer.
        """
        return self._records.ticket(account_id)

    def open(self, opening: Opening, *, ticket: Ticket, jar: Check) -> Opened | TicketStale:
        """Open a session for a proven login; one compare-and-swap.

        Ends the live sessions the browser's own jar shows, so that one browser has one session.
        A corrupt record is replaced, because otherwise its owner could never log in again.

        Raises:
            StoreUnavailable: the outcome of the write is unknown.
        """
        now = self._clock()
        shown = self._shown(jar, now)
        before = _record_for(opening, ticket.read, now=now)
        if before is None:
            return TicketStale()
        here, elsewhere = self._live(shown, ticket, jar, now=now)
        newest = max((live.session.created_at for live in (*here, *elsewhere)), default=now - 1)
        # Also not before what it must be told of.
        created_at = max(now, newest + 1, *(notice.at for notice in before.notices))
        session = self._new_session(opening, created_at=created_at, now=now)
        record = changes.ended(before, {live.session.id for live in here}, Ended.REPLACED, now=now)
        record = changes.opened(record, session, self._rules.lifetimes, now=now)
        match self._records.put(ticket, record):
            case Written.LOST:
                return TicketStale()
            case Written.UNKNOWN:
                raise StoreUnavailable(detail="session record: outcome of the write unknown")
            case Written.APPLIED:
                self._replace(elsewhere, now=now)
                first = self._mint.first(session, ticket.locator, now=now)
                stale: tuple[Token | str, ...] = (*shown.newer, *shown.junk, *shown.tokens)
                return Opened(session, (first, *self._mint.deletions(stale[:LOGIN_DELETIONS])), record.notices)

    def open_below(self, account_id: AccountId, login: SessionId, *, jar: Check) -> Opened | LoginOver | EntryDenied:
        """Open the sub-session of a login on the jar's host, or keep the one the jar shows; one compare-and-swap.

        A kept one gets no cookie. Ends what else is live in this jar on this host. Nothing is opened for a person
        who may not enter the application that the jar is for (`entering`, or else `client`).

        Raises:
            StoreUnavailable: the outcome of the write is unknown, or it was lost too often.
        """
        for _ in range(WRITES):
            outcome = self._try_below(account_id, login, jar)
            if outcome is not None:
                return outcome
        raise StoreUnavailable(detail="the session record moved at every attempt to open a sub-session")

    def below(self, account_id: AccountId, login: SessionId, *, jar: Check) -> Session | None:
        """Return the live sub-session of a login that the jar shows on its host; nothing is written.

        Raises:
            StoreUnavailable: the record cannot be read.
        """
        now, ticket = self._clock(), self._records.ticket(account_id)
        if isinstance(ticket.read, Unread):
            raise StoreCorrupt(detail="session record")
        here, _ = self._live(self._shown(jar, now), ticket, jar, now=now)
        return next((live.session for live in here if live.session.login == login), None)

    def _try_below(
        self, account_id: AccountId, login: SessionId, jar: Check
    ) -> Opened | LoginOver | EntryDenied | None:
        now = self._clock()
        ticket = self._records.ticket(account_id)
        if isinstance(ticket.read, Unread):
            raise StoreCorrupt(detail="session record")
        above = ticket.read.record.session(login) if isinstance(ticket.read, Found) else None
        if not isinstance(ticket.read, Found) or above is None or not self._carries(above, now=now):
            return LoginOver()
        groups = self._entry.groups(ticket.read.record, above)
        if not self._entry.may_enter(jar.entering or jar.client, ticket.read.record, above, groups=groups):
            return EntryDenied()
        shown = self._shown(jar, now)
        here, elsewhere = self._live(shown, ticket, jar, now=now)
        newest = max((live.session.created_at for live in (*here, *elsewhere)), default=now - 1)
        created_at = max(now, newest + 1)
        kept = next((live.session for live in here if live.session.login == above.id), None)
        session = self._below(above, kept, jar, created_at=created_at, now=now)
        others = [live for live in (*here, *elsewhere) if live.session.id != session.id]
        record = changes.ended(ticket.read.record, {each.session.id for each in others}, Ended.REPLACED, now=now)
        record = changes.opened_below(record, session, self._rules.lifetimes, now=now)
        match self._records.put(ticket, record):
            case Written.LOST:
                return None
            case Written.UNKNOWN:
                raise StoreUnavailable(detail="session record: outcome of the write unknown")
            case Written.APPLIED:
                self._replace(elsewhere, now=now)
                return Opened(session, () if kept else self._first(session, ticket.locator, shown, others, now=now))

    def _carries(self, login: Session, *, now: Millis) -> bool:
        """Tell whether sub-sessions may be opened below this session."""
        return login.login is None and not login.doubtful and not changes.over(login, self._rules.lifetimes, now=now)

    def _below(self, login: Session, kept: Session | None, jar: Check, *, created_at: Millis, now: Millis) -> Session:
        if kept:
            return replace(kept, created_at=created_at, active_at=now)
        lineage = Lineage(base=self._mint.token_id(), previous=None, advanced_at=now)
        session = replace(login, id=self._mint.session_id(), login=login.id, lineage=lineage, host=jar.host)
        return replace(session, created_at=created_at, active_at=now, agent=jar.agent, address=jar.address)

    def _first(
        self, session: Session, locator: Locator, shown: Shown, replaced: Sequence[Live], *, now: Millis
    ) -> tuple[SetCookie, ...]:
        """Return a sub-session's first token, and deletions of what it replaces; never of another host's tokens."""
        old: tuple[Token | str, ...] = (*shown.newer, *shown.junk, *(t for each in replaced for t in each.group.tokens))
        return (self._mint.first(session, locator, now=now), *self._mint.deletions(old[:LOGIN_DELETIONS]))

    def _live(self, shown: Shown, ticket: Ticket, jar: Check, *, now: Millis) -> tuple[list[Live], list[Live]]:
        """Find the live sessions this jar shows: those of the account that logs in, and others."""
        groups = group(shown.tokens)[:GROUPS]
        reads = dict(self._records.read({g.locator for g in groups} - {ticket.locator}))
        reads[ticket.locator] = ticket.read
        found = gather(groups, reads, host=jar.host, now=now, lifetimes=self._rules.lifetimes)
        live = [*([found.chosen] if found.chosen else []), *found.others]
        mine = [each for each in live if each.group.locator == ticket.locator]
        return mine, [each for each in live if each.group.locator != ticket.locator]

    def _replace(self, others: Sequence[Live], *, now: Millis) -> None:
        """End sessions of other accounts in this jar, with what is below them on applications' hosts.

        The jar is about to forget them, so that no later use would do it. One whose node stopped
        answering since it was read lives on until it idles out: the login must not fail for it.
        """
        for live in others:
            end = partial(changes.ended, sids={live.session.id}, reason=Ended.REPLACED, now=now)
            if self._records.swap(live.group.locator, end(live.record), live.version) is not Written.APPLIED:
                with suppress(StoreError):
                    self._records.change(live.record.account_id, end)

    def _new_session(self, opening: Opening, *, created_at: Millis, now: Millis) -> Session:
        return Session(
            id=self._mint.session_id(),
            lineage=Lineage(base=self._mint.token_id(), previous=None, advanced_at=now),
            created_at=created_at,
            active_at=now,
            ends_at=now + self._rules.lifetimes.absolute_ms,
            auth_at=opening.auth_at,
            auth_proven=opening.auth_proven,
            host=opening.host,
            identity=opening.identity,
            agent=opening.agent,
            address=opening.address,
            persistent=opening.persistent,
            facts=opening.facts,
        )

    def end(self, account_id: AccountId, session_id: SessionId, *, reason: Ended) -> tuple[Host, ...]:
        """End one session and its sub-sessions; return the hosts of these. Ending one that is over is harmless.

        Raises:
            StoreUnavailable: it could not be reached and must be kept to be ended later.
        """
        hosts: set[Host] = set()

        def change(record: Record) -> Record:
            hosts.update(s.host for s in record.sessions if s.login == session_id)
            return changes.ended(record, {session_id}, reason, now=self._clock())

        self._records.change(account_id, change)
        return tuple(sorted(hosts))

    def end_all(self, account_id: AccountId, *, epoch: int, reason: Ended) -> None:
        """End every session opened under an older epoch, and keep logins under it from opening.

        The record is written even if there is none: a login that read the account before the
        epoch moved then loses its write. Raises StoreUnavailable when it could not be reached.
        """
        self._end_where(account_id, lambda _: True, epoch=epoch, reason=reason)

    def end_through(self, account_id: AccountId, identity: IdentityKey, *, epoch: int, reason: Ended) -> None:
        """End the sessions that were opened through one identity; otherwise as `end_all`.

        The others live on under the new epoch, unless the record missed an earlier epoch: then
        it cannot be told which of them should, and all end.
        """
        self._end_where(account_id, lambda session: session.identity == identity, epoch=epoch, reason=reason)

    def _end_where(self, account_id: AccountId, which: Callable[[Session], bool], *, epoch: int, reason: Ended) -> None:
        now = self._clock()

        def change(record: Record) -> Record:
            if record.epoch >= epoch:
                return record
            missed = record.epoch < epoch - 1
            sids = {session.id for session in record.sessions if missed or which(session)}
            return replace(changes.ended(record, sids, reason, now=now), epoch=epoch, compared_at=now)

        self._records.change(account_id, change, otherwise=Record(account_id, Username(""), epoch, compared_at=now))

    def regroup(self, account_id: AccountId, groups: tuple[str, ...], *, epoch: int) -> bool:
        """Let the sessions live on under the epoch of a change of the account's groups, and know the new ones.

        False, and nothing is changed, if the record missed an earlier epoch, which may have meant an end: what
        ends by it must be carried out first. As `end_all`, the record is written even if there is none.

        Raises:
            StoreUnavailable: it could not be reached.
        """
        now, in_order = self._clock(), True

        def change(record: Record) -> Record:
            nonlocal in_order
            in_order = record.epoch >= epoch - 1
            if record.epoch >= epoch or not in_order:
                return record
            return replace(record, epoch=epoch, groups=groups, compared_at=now)

        otherwise = Record(account_id, Username(""), epoch, compared_at=now, groups=groups)
        self._records.change(account_id, change, otherwise=otherwise)
        return in_order

    def compared(self, account_id: AccountId, *, epoch: int) -> bool:
        """Note that the record was compared with the account's epoch just now; False if they differ."""
        equal = True

        def change(record: Record) -> Record:
            nonlocal equal
            equal = record.epoch == epoch
            return replace(record, compared_at=self._clock()) if equal else record

        self._records.change(account_id, change)
        return equal

    def notices(self, account_id: AccountId, reader: SessionId) -> tuple[Notice, ...]:
        """Return what the reader's login must be told and has not answered, newest first. Raises StoreUnavailable."""
        match self.ticket(account_id).read:
            case Found(record=record):
                return changes.told_to(changes.tidied(record, self._rules.lifetimes, now=self._clock()), reader)
            case Unread():
                raise StoreCorrupt(detail="session record")
            case Absent():
                return ()

    def answer_notices(
        self, account_id: AccountId, reader: SessionId, seen: Collection[Millis], *, alone: bool = False
    ) -> None:
        """Take the reader's notices of these times as answered; if `alone`, end all other logins in the same write.

        Raises:
            StoreUnavailable: it could not be reached; nothing was answered.
        """

        def change(record: Record) -> Record:
            record = changes.answered(record, reader, seen)
            return changes.ended_others(record, reader, now=self._clock()) if alone else record

        self._records.change(account_id, change)

    def devices(self, account_id: AccountId) -> tuple[Session, ...]:
        """Return the account's logins that count, the newest first. Raises StoreUnavailable."""
        return tuple(s for s in self.alive(account_id) if s.login is None)

    def alive(self, account_id: AccountId) -> tuple[Session, ...]:
        """Return the account's logins and sub-sessions that count, the newest first. Raises StoreUnavailable."""
        match self.ticket(account_id).read:
            case Found(record=record):
                now, lifetimes = self._clock(), self._rules.lifetimes
                found = [s for s in record.sessions if not changes.over(s, lifetimes, now=now)]
                return tuple(sorted(found, key=lambda s: s.created_at, reverse=True))
            case Unread():
                raise StoreCorrupt(detail="session record")
            case Absent():
                return ()

    def named(self, check: Check) -> tuple[tuple[Locator, SessionId], ...]:
        """Return the sessions this jar's tokens name, the most recent first, over or not: no store is asked.

        Proof that the browser was given a token of each; for an explicit logout while the store is away.
        """
        return tuple((each.locator, each.session) for each in group(self._shown(check, self._clock()).tokens))

    def forget(self, check: Check) -> tuple[SetCookie, ...]:
        """Return deletions for the names of ours the jar shows: for an explicit logout, whatever the store says.

        The newest tokens first, at most 30: a longer answer does not fit the 4 KB that proxies keep for its
        headers, and one that is lost deletes nothing. The page that follows deletes what is left
        of the session.
        """
        shown = self._shown(check, self._clock())
        newest = sorted(shown.tokens, key=lambda token: token.order, reverse=True)
        names: tuple[Token | str, ...] = (*newest, *shown.newer, *shown.junk)
        cookies = self._mint.deletions(names[:LOGOUT_DELETIONS])
        return (*cookies, *([self._mint.delete_marker()] if shown.markers else []))

    def _shown(self, check: Check, now: Millis) -> Shown:
        return self._mint.read(check.cookies, not_before=now - self._rules.lifetimes.absolute_ms)


def _record_for(opening: Opening, read: Found | Absent | Unread, *, now: Millis) -> Record | None:
    """Return the record to open in; None if the account row read is older than the record."""
    empty = Record(opening.account_id, opening.username, opening.epoch, compared_at=now)
    if not isinstance(read, Found):
        return replace(empty, groups=opening.groups, described=opening.described)
    if read.record.epoch > opening.epoch:
        return None
    record = replace(
        read.record,
        username=opening.username,
        compared_at=now,
        groups=opening.groups,
        described=opening.described,
    )
    if record.epoch < opening.epoch:
        return changes.emptied(record, epoch=opening.epoch, reason=Ended.REVOKED, now=now)
    return record
