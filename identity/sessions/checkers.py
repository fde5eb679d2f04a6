"""Who carries a conversation of checks to a store: the calling thread, or an event loop.

Owns the two drivers of `checking.py`. They hand on what is wanted and what came of it, and decide
nothing, so that a second listener cannot become a second opinion. The asynchronous one needs no
`asyncio`: it awaits its store, whatever runs it.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from identity.sessions.check import Check, Verdict
from identity.sessions.checking import Checking, ReadRecords, SwapRecord, TellWatcher
from identity.sessions.store import AsyncSessionStore, Read, SessionStore, Written
from identity.sessions.watcher import Watcher
from identity.types import Locator

_Outcome: TypeAlias = Mapping[Locator, Read] | Written | None


class Checker:
    """Answers checks on the calling thread. Thread-safe."""

    def __init__(self, checking: Checking, store: SessionStore, watcher: Watcher) -> None:
        self._checking = checking
        self._store = store
        self._watcher = watcher

    def check_many(self, checks: Sequence[Check]) -> list[Verdict]:
        """Answer every check, in order; costs as of `Checking.begin`. Never raises for store trouble."""
        conversation = self._checking.begin(checks)
        outcome: _Outcome = None
        while True:
            try:
                wanted = conversation.send(outcome)
            except StopIteration as over:
                verdicts: list[Verdict] = over.value
                return verdicts
            match wanted:
                case ReadRecords(locators=locators):
                    outcome = self._store.read_many(locators)
                case SwapRecord(locator=at, record=record, version=version, expires_at=expires_at):
                    outcome = self._store.swap(at, record, version=version, expires_at=expires_at)
                case TellWatcher(what=what):
                    outcome = what(self._watcher)


class AsyncChecker:
    """Answers checks on an event loop."""

    def __init__(self, checking: Checking, store: AsyncSessionStore, watcher: Watcher) -> None:
        self._checking = checking
        self._store = store
        self._watcher = watcher

    async def check_many(self, checks: Sequence[Check]) -> list[Verdict]:
        """As `Checker.check_many`. A caller that is cancelled leaves a swap under way to the store."""
        conversation = self._checking.begin(checks)
        outcome: _Outcome = None
        while True:
            try:
                wanted = conversation.send(outcome)
            except StopIteration as over:
                verdicts: list[Verdict] = over.value
                return verdicts
            match wanted:
                case ReadRecords(locators=locators):
                    outcome = await self._store.read_many(locators)
                case SwapRecord(locator=at, record=record, version=version, expires_at=expires_at):
                    outcome = await self._store.swap(at, record, version=version, expires_at=expires_at)
                case TellWatcher(what=what):
                    outcome = what(self._watcher)
