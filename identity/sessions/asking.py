"""Whose session is this? From lists of checks to verdicts.

Owns the loop around one check: read, plan, write, answer. Every rule is in `planning.py` and the
files it calls. Invariants: one read trip per list of checks; a token is made only after the write
it depends on was applied; trouble with the store is a RETRY verdict, never the end of a session.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from identity.keyring import KeyRing
from identity.sessions import cookie
from identity.sessions.check import Check, Outcome, SetCookie, Verdict
from identity.sessions.cookie import Names, Shown
from identity.sessions.gathering import Live, group
from identity.sessions.minting import Mint
from identity.sessions.planning import Asked, Jar, Plan, Rules, Write, active_at, plan, undecided
from identity.sessions.store import Read, Written
from identity.sessions.watcher import Watcher
from identity.sessions.writing import Records
from identity.types import MINUTE, Chance, Clock, Locator, Millis, SessionId, TokenId

RACES: Final = 4
"""How often a lost compare-and-swap is decided again before the answer goes out without cookies."""
COMPARE_AFTER_MS: Final[Millis] = 5 * MINUTE


def show(check: Check, *, keys: Callable[[], KeyRing], names: Names, rules: Rules, now: Millis) -> Shown:
    """Sort a check's cookies; no I/O."""
    return cookie.read(check.cookies, ring=keys(), names=names, not_before=now - rules.lifetimes.absolute_ms)


class Asking:
    """Answers checks. Arguments as of `SessionService`, with its records and mint."""

    def __init__(
        self,
        records: Records,
        mint: Mint,
        *,
        keys: Callable[[], KeyRing],
        names: Names,
        rules: Rules,
        clock: Clock,
        chance: Chance,
        watcher: Watcher,
    ) -> None:
        self._records = records
        self._mint = mint
        self._keys = keys
        self._names = names
        self._rules = rules
        self._clock = clock
        self._chance = chance
        self._watcher = watcher

    def check_many(self, checks: Sequence[Check]) -> list[Verdict]:
        """Answer every check, in order. Never raises for store trouble.

        Cost: one read trip per memcached node for the whole list, one compare-and-swap per
        rotation; two advances of one account in a list cost a second read.
        """
        now = self._clock()
        shown = [show(check, keys=self._keys, names=self._names, rules=self._rules, now=now) for check in checks]
        jars = [Jar(group(each.tokens), each.junk, each.newer, each.claimed) for each in shown]
        reads = dict(self._records.read({locator for jar in jars for locator in jar.locators}))
        return [
            self._answer(check, self._asked(check, each, now), jar, reads)
            for check, each, jar in zip(checks, shown, jars, strict=True)
        ]

    def _asked(self, check: Check, shown: Shown, now: Millis) -> Asked:
        ring, markers = self._keys(), shown.markers
        return Asked(
            now=now,
            host=check.host,
            chance=self._chance(),
            mode=check.mode,
            navigation=check.navigation,
            reading=check.reading,
            may_mint=check.may_mint,
            user_activity=check.user_activity,
            marker=partial(_marked, markers, ring) if markers else None,
            marker_newer=any(cookie.marker_is_newer(marker, ring=ring) for marker in markers),
            bounced=cookie.flag_fits(check.flag, [t.id for t in shown.tokens], ring=ring, now=now),
            deletions=check.deletions,
            agent=check.agent,
            address=check.address,
        )

    def _answer(self, check: Check, asked: Asked, jar: Jar, reads: dict[Locator, Read]) -> Verdict:
        wanted = set(jar.locators)
        for _ in range(RACES):
            reads.update(self._records.read(wanted - reads.keys()))
            # What was read may be younger than the question: a line that moved since is no reason to refuse.
            asked = replace(asked, now=max(asked.now, self._clock()))
            planned = plan(jar, reads, asked, self._rules)
            match self._carry_out(planned, reads):
                case Written.APPLIED:
                    self._tell(planned, check, asked)
                    return self._verdict(planned, asked, jar)
                case Written.UNKNOWN:
                    return self._verdict(undecided(planned), asked, jar)
                case Written.LOST:
                    pass  # whoever won may have moved the line: decide again on what stands now
        return self._verdict(undecided(planned), asked, jar)

    def _carry_out(self, planned: Plan, reads: dict[Locator, Read]) -> Written:
        if planned.write:
            written = self._swap(planned.write, reads)
            if written is not Written.APPLIED:
                return written
        for write in planned.aside:
            self._swap(write, reads)
        return Written.APPLIED

    def _swap(self, write: Write, reads: dict[Locator, Read]) -> Written:
        """Write, and forget what was read: another check of the same list must read it again."""
        reads.pop(write.locator, None)
        return self._records.swap(write.locator, write.record, write.version)

    def _verdict(self, planned: Plan, asked: Asked, jar: Jar) -> Verdict:
        mint, now, live = self._mint, asked.now, planned.live
        cookies = mint.deletions(planned.delete)
        minted = planned.mint_from is not None
        if planned.mint_from and live:
            cookies = (mint.child(planned.mint_from, live.session, now=now), *cookies)
        if planned.set_marker:
            cookies = (mint.marker(planned.set_marker, now=now), *cookies)
        if planned.drop_marker:
            cookies = (*cookies, mint.delete_marker())
        if planned.outcome is not Outcome.OK or live is None:
            flag = mint.flag(jar.groups, now=now) if planned.flag_bounce else ""
            return Verdict(planned.outcome, planned.reason, set_cookies=cookies, flag=flag)
        idle_ends_at = active_at(planned) + self._rules.lifetimes.idle_ms
        return _accepted(planned.reason, live, cookies, minted=minted, idle_ends_at=idle_ends_at)

    def _tell(self, planned: Plan, check: Check, asked: Asked) -> None:
        for other in planned.foreign:
            self._watcher.foreign(other.record.account_id, other.session, check)
        if planned.alarm:
            self._watcher.corrupt()
        live = planned.live
        if live is None or planned.write is None:
            return
        if planned.copied:
            self._watcher.ended(live.record.account_id, live.session, planned.copied, check)
        elif asked.now - live.record.compared_at > COMPARE_AFTER_MS:
            self._watcher.compare_due(live.record.account_id)


def _marked(markers: Sequence[str], ring: KeyRing, session: SessionId, ids: Collection[TokenId]) -> bool:
    """Tell whether one of the markers is for exactly this session and this set of tokens."""
    return any(cookie.marker_fits(marker, session, ids, ring=ring) for marker in markers)


def _accepted(
    reason: str, live: Live, cookies: tuple[SetCookie, ...], *, minted: bool, idle_ends_at: Millis
) -> Verdict:
    return Verdict(
        Outcome.OK,
        reason,
        session=live.session,
        account_id=live.record.account_id,
        username=live.record.username,
        set_cookies=cookies,
        minted=minted,
        idle_ends_at=idle_ends_at,
    )
