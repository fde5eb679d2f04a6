"""What a login in tests stands on: providers whose codes are people, and an account store that counts.

A provider here is a table: `code=ada` is Ada. It insists on the state, nonce, verifier and kept
values of its own login, as a real one would notice at the exchange of the code.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from identity.accounts.store import ConditionalRow, Outcome, ProfileRow, Profiles, Rows
from identity.opening import Accounts
from identity.stores.memory import MemoryRows
from identity.types import AccountId, Millis
from providers.base import (
    Callback,
    Http,
    LoginBegun,
    LoginStart,
    LogoutNotice,
    LogoutThere,
    NoticeRefused,
    ProviderBroken,
    ProviderDenied,
    ProviderProfile,
    ProviderSlow,
)
from providers.security_notices import SecurityNotice

KeyT = TypeVar("KeyT")
RowT = TypeVar("RowT", bound=ConditionalRow)


class CountedRows(Generic[KeyT, RowT]):
    """A table that counts its reads."""

    def __init__(self, rows: Rows[KeyT, RowT], reads: Counter[str], name: str) -> None:
        self._rows: Rows[KeyT, RowT] = rows
        self._reads = reads
        self._name = name

    def read(self, key: KeyT) -> RowT | None:
        """Count and read."""
        self._reads[self._name] += 1
        return self._rows.read(key)

    def read_settled(self, key: KeyT) -> RowT | None:
        """Count and read."""
        self._reads[f"{self._name}, settled"] += 1
        return self._rows.read_settled(key)

    def read_everywhere(self, key: KeyT) -> RowT | None:
        """Count and read."""
        self._reads[f"{self._name}, everywhere"] += 1
        return self._rows.read_everywhere(key)

    def insert(self, row: RowT, *, expires_at: Millis | None = None) -> Outcome:
        """Insert."""
        return self._rows.insert(row, expires_at=expires_at)

    def replace(self, row: RowT, *, expected: RowT, expires_at: Millis | None = None) -> Outcome:
        """Replace."""
        return self._rows.replace(row, expected=expected, expires_at=expires_at)

    def delete(self, expected: RowT) -> Outcome:
        """Delete."""
        return self._rows.delete(expected)

    def scan(self, *, after: KeyT | None = None) -> Iterator[RowT]:
        """Scan."""
        return self._rows.scan(after=after)

    def forget(self) -> None:
        """Empty the table, which is in memory."""
        assert isinstance(self._rows, MemoryRows)
        self._rows._rows.clear()


class CountedProfiles:
    """What providers said; counts its reads."""

    def __init__(self, rows: Profiles, reads: Counter[str]) -> None:
        self._rows = rows
        self._reads = reads

    def read(self, account_id: AccountId) -> ProfileRow | None:
        """Count and read."""
        self._reads["profiles"] += 1
        return self._rows.read(account_id)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401, whatever the table has
        return getattr(self._rows, name)


class CountedAccounts:
    """An account store; `reads` counts by table."""

    def __init__(self, inner: Accounts) -> None:
        self.reads: Counter[str] = Counter()
        self.identities = CountedRows(inner.identities, self.reads, "identities")
        self.usernames = CountedRows(inner.usernames, self.reads, "usernames")
        self.accounts = CountedRows(inner.accounts, self.reads, "accounts")
        self.providers = CountedRows(inner.providers, self.reads, "providers")
        self.upstream_tokens = CountedRows(inner.upstream_tokens, self.reads, "upstream tokens")
        self.invitations = CountedRows(inner.invitations, self.reads, "invitations")
        self.waiting = CountedRows(inner.waiting, self.reads, "waiting")
        self.profiles = CountedProfiles(inner.profiles, self.reads)
        self.revocations = inner.revocations
        self.audit = inner.audit
        self.copy_note = inner.copy_note

    def probe(self) -> None:
        """Memory is always there."""

    def close(self) -> None:
        """Memory holds nothing open."""


class KilledError(Exception):
    """Stands for the end of the process at a checkpoint."""


class ScriptedEvents:
    """What a provider's server says; the body of its request names one of `notices`."""

    def __init__(self, media_type: str = "application/secevent+jwt", accepted: int = 202) -> None:
        self.media_type = media_type
        self.accepted = accepted
        self.notices: dict[str, SecurityNotice] = {}

    async def rehearse(self, http: Http) -> None:
        """Need nothing."""

    async def read(self, body: bytes, http: Http) -> SecurityNotice:
        """Say what a body means."""
        del http
        if body == b"unreachable":
            raise ProviderBroken("the key set's address answered 500; canary-upstream-text")
        if body.decode() not in self.notices:
            raise NoticeRefused("no key of the provider signed it; canary-upstream-text", said="invalid_key")
        return self.notices[body.decode()]


class ScriptedProvider:
    """A provider whose codes are people."""

    def __init__(self, name: str, label: str) -> None:
        self.name = name
        self.label = label
        self.start_over()

    def start_over(self) -> None:
        """Know the same three people as at the start."""
        self.people = {name: person(name) for name in ("ada", "bob", "eve")}
        self.finished: list[str] = []
        self.begin_fails = ""
        self.slow = False
        self.posted = False
        self.proves_fresh_login = False
        self.tells_logouts = False
        self.logout_frame = ""
        self.logout_there = LogoutThere.NO
        self.leaves_by: str | None = f"https://{self.name}.example/end"
        """Where a browser logs out there; empty if it has no such address, None if that cannot be found out."""
        self.notices: dict[str, LogoutNotice] = {}
        """By logout token: what it says."""
        self.security_events: ScriptedEvents | None = None

    async def begin(self, start: LoginStart, http: Http) -> LoginBegun:
        """Send the browser away; what is kept depends on this login alone."""
        del http
        if self.begin_fails:
            raise (ProviderSlow if self.slow else ProviderBroken)(self.begin_fails)
        asked = {"state": start.state, "redirect_uri": start.redirect_uri, "nonce": start.nonce}
        asked |= {"prompt": "login"} if start.force_login else {}
        return LoginBegun(
            f"https://{self.name}.example/authorize?{urlencode(asked)}", {"proof": _proof(start)}, self.posted
        )

    async def finish(self, callback: Callback, http: Http) -> ProviderProfile:
        """Say who it is, or do what the code says."""
        del http
        if callback.kept != {"proof": _proof(callback.start)} or callback.params["state"] != callback.start.state:
            raise AssertionError("the values of one login were mixed up with another's")
        code = callback.params.get("code", "")
        if callback.params.get("error") == "access_denied":
            raise ProviderDenied("the provider's answer says access_denied")
        if self.slow:
            raise ProviderSlow("POST https://github.example/token: no answer in time; canary-upstream-text")
        if code not in self.people:
            raise ProviderBroken("the code is unknown; canary-upstream-text")
        self.finished.append(code)
        told = callback.params.get("user")
        return replace(self.people[code], name=told) if told else self.people[code]

    async def read_logout(self, token: str, http: Http) -> LogoutNotice:
        """Say what a token means."""
        del http
        if token == "unreachable":
            raise ProviderBroken("the key set's address answered 500; canary-upstream-text")
        if token not in self.notices:
            raise NoticeRefused("no key of the provider signed it; canary-upstream-text")
        return self.notices[token]

    async def logout_location(self, return_to: str, http: Http, *, hint: str = "") -> str:
        """Send the browser away."""
        del http
        if self.leaves_by is None:
            raise ProviderBroken("discovery answered 500; canary-upstream-text")
        shown = {"id_token_hint": hint} if hint else {}
        return self.leaves_by and f"{self.leaves_by}?{urlencode({**shown, 'post_logout_redirect_uri': return_to})}"


def person(subject: str, **more: Any) -> ProviderProfile:  # noqa: ANN401 - the profile's own fields
    """Return who a provider says this is."""
    told: dict[str, Any] = {"handle": subject, "name": subject.title(), "email_verified": False, **more}
    return ProviderProfile(subject=subject, **told)


def _proof(start: LoginStart) -> str:
    return hashlib.sha256(f"{start.state} {start.nonce} {start.verifier} {start.redirect_uri}".encode()).hexdigest()
