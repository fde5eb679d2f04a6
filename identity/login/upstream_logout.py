"""Logging out at the provider ends sessions here: which ones, and each notice once; and the way back.

Owns what a provider's notice means here, and what a browser carries to log out there. Whether a notice is
genuine the provider's kind has found out before; ending is the account service's. Plain functions,
thread-safe, no HTTP. Invariants: a notice logs out at least those it names, so where one session cannot be
told, all of that identity end; its id is remembered after that and never before, so one that was cut short
counts when it is sent again; and no store that forgets (memcached) keeps a person logged in whose identity the
notice names.

    the notice names        known from the login            what ends
    ---------------------   -----------------------------   ----------------------------------------
    a session               which session here it led to    that one, and what is below it
    a session and a person  nothing (forgotten, or before   every session opened through the identity
                            the option was switched on)
    a person                -                               every session opened through the identity
    a session               nothing                         nothing: the answer is as for a person who
                                                            logged out here before
"""

import contextlib
from typing import Final
from uuid import UUID, uuid5

from identity.accounts.linking import Refuse, identity_key
from identity.accounts.results import By, NotReachedYet, ProviderLogout
from identity.accounts.service import AccountService
from identity.accounts.store import IdentityState
from identity.errors import BadInput, StoreError, StoreUnavailable
from identity.login.carrying import LONGEST
from identity.login.dependencies import LoginDependencies
from identity.login.flow import Flaw, record_name
from identity.login.store import RecordKind
from identity.sessions.record import Session
from identity.types import SECOND, AccountId, Count, SessionId
from providers.base import LogoutNotice

_ID_BYTES: Final = 16
_NOTICES: Final = UUID("1f0c6a52-94d7-5b1e-8a3c-2e7b60d4c915")
"""Under which the ids of changes are made of the ids of notices: a notice that is sent again asks for the same."""


class UpstreamLogouts:
    """Which session here a provider's session led to, and what its notices end.

    Args:
        accounts: whose identity is it; ends sessions.
        dependencies: markers, time and chance.
        count: adds to the counter of notices.
    """

    def __init__(self, accounts: AccountService, dependencies: LoginDependencies, *, count: Count) -> None:
        self._accounts = accounts
        self._dependencies = dependencies
        self._count = count

    def remember(self, provider: str, session_there: str, account_id: AccountId, session: Session) -> None:
        """Keep which session here a provider's session led to, as long as it can last. Never fails a login.

        Without it a notice that names the person as well ends all sessions of the identity instead of one.
        """
        name, one_time = _name(provider, session_there), self._dependencies.one_time
        with contextlib.suppress(StoreError, ValueError):  # the last: two logins at the same moment
            one_time.take(RecordKind.UPSTREAM, name)  # a login before this one, with the same session there
            one_time.put(RecordKind.UPSTREAM, name, account_id.bytes + session.id, expires_at=session.ends_at)

    def carried_hint(self, provider: str, id_token: str, *, room: int = LONGEST) -> str:
        """Return what a cookie must hold so that its browser can show the ID token there; empty if it has no room.

        `room` is in characters. Nothing is kept here.
        """
        if not id_token:
            return ""
        text = self._dependencies.carrying.seal(RecordKind.HINT, provider, id_token.encode())
        return text if len(text) <= min(room, LONGEST) else ""

    def hint(self, provider: str, text: str | None) -> str:
        """Return the ID token that a browser carries for a logout there; empty for what is not ours."""
        with contextlib.suppress(StoreUnavailable):  # a key this daemon does not know yet: the provider asks instead
            found = self._dependencies.opened(RecordKind.HINT, provider, text or None, bytes.decode)
            return "" if isinstance(found, Flaw) else found
        return ""

    def end(self, provider: str, notice: LogoutNotice, *, by: By) -> str:
        """End what a verified notice names; return `ended`, `queued` (its node is away) or `nothing`.

        The notice's id is remembered last, so one that was cut short counts when it is sent again. While memcached
        is away, or of copies that come at once, more than one may count: it repeats what the provider asked for.

        Raises:
            BadInput: the notice counted already (`logout-token`).
            StoreUnavailable: nothing was ended; the same notice may be sent again.
        """
        one_time, name = self._dependencies.one_time, record_name(f"notice {provider} {notice.id}")
        seen = False
        with contextlib.suppress(StoreError):
            seen = one_time.peek(RecordKind.NOTICE, name) is not None
        if seen:
            raise self.refused(provider, "it counted already")
        outcome = self._end(provider, notice, by, uuid5(_NOTICES, f"{provider} {notice.id}"))
        with contextlib.suppress(StoreError):
            one_time.spend(RecordKind.NOTICE, name, expires_at=notice.counts_until * SECOND)
        self._count("identityd_provider_logouts_total", provider=provider, outcome=outcome)
        return outcome

    def end_session(self, provider: str, session_there: str, *, by: By) -> str:
        """End the session here that one of the provider's led to; `ended`, `queued` or `nothing`.

        Raises:
            StoreUnavailable: nothing was ended.
        """
        notice = LogoutNotice("", "", session_there, counts_until=0)
        request_id = UUID(bytes=self._dependencies.random_bytes(16), version=4)
        outcome = self._end(provider, notice, by, request_id)
        self._count("identityd_provider_logouts_total", provider=provider, outcome=outcome)
        return outcome

    def refused(self, provider: str, why: str) -> BadInput:
        """Count what is no notice, and return the error that says so."""
        self._count("identityd_provider_logouts_total", provider=provider, outcome="refused")
        return BadInput("logout-token", detail=f"{provider}: {why}", public="This is no logout token that counts here.")

    def _end(self, provider: str, notice: LogoutNotice, by: By, request_id: UUID) -> str:
        request = self._request(provider, notice, by, request_id)
        if request is None:
            return "nothing"
        match self._accounts.end_for_provider(request):
            case Refuse():
                return "nothing"
            case NotReachedYet():
                return "queued"
            case _:
                return "ended"

    def _request(self, provider: str, notice: LogoutNotice, by: By, request_id: UUID) -> ProviderLogout | None:
        if found := self._found(provider, notice):
            return ProviderLogout(request_id, found[0], by, session=found[1])
        if not notice.subject:
            return None
        try:
            key = identity_key(provider, notice.subject)
        except ValueError:
            return None
        row = self._accounts.find(key)
        known = row is not None and row.state is IdentityState.ACTIVE
        return ProviderLogout(request_id, row.account_id, by, key=key) if row and known else None

    def _found(self, provider: str, notice: LogoutNotice) -> tuple[AccountId, SessionId] | None:
        """Return the session that was kept. Raises StoreUnavailable if it alone could tell what ends."""
        if not notice.session:
            return None
        try:
            kept = self._dependencies.one_time.peek(RecordKind.UPSTREAM, _name(provider, notice.session))
        except StoreError:
            if notice.subject:
                return None
            raise
        return (AccountId(UUID(bytes=kept[:_ID_BYTES])), SessionId(kept[_ID_BYTES:])) if kept else None


def _name(provider: str, session_there: str) -> str:
    return record_name(f"session {provider} {session_there}")
