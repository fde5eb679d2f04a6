"""A key ring that changes under traffic, over daemons that hear of it at different times."""

from collections import Counter
from random import Random
from uuid import UUID

from identity.keyring import SIGNS_AFTER_MS, KeyRing
from identity.sessions.changes import Lifetimes
from identity.sessions.check import Outcome
from identity.sessions.planning import Rules
from identity.types import HOUR, MINUTE, SECOND, AccountId, Millis
from options.secret import Secret
from tests.support.daemons import Daemons, SessionDaemon
from tests.support.jars import BrowserJar

LIFETIME: Millis = HOUR
LOGS_IN_AGAIN: Millis = 50 * MINUTE
"""Before the session's absolute end, so that nobody has another reason to be logged out."""
BROWSERS = 200


class TwoRings:
    """Browsers that load pages from two daemons, each with the key ring it has read."""

    def __init__(self) -> None:
        self.daemons = Daemons(rules=Rules(lifetimes=Lifetimes(idle_ms=LIFETIME, absolute_ms=LIFETIME)))
        self.rings = [self.daemons.keys, self.daemons.keys]
        # A daemon's clock may be off: the younger one signs with the new key a little later.
        self.services = [self._daemon(0, skew_ms=20 * SECOND), self._daemon(1, skew_ms=-20 * SECOND)]
        self.random = Random(7)
        self.jars = [BrowserJar() for _ in range(BROWSERS)]
        self.since: list[Millis] = [0] * BROWSERS
        self.seen: Counter[tuple[Outcome, str]] = Counter()
        for at in range(BROWSERS):
            self._log_in(at)

    def _daemon(self, number: int, *, skew_ms: Millis) -> SessionDaemon:
        return self.daemons.daemon_with_ring(lambda: self.rings[number], skew_ms=skew_ms)

    def _log_in(self, at: int) -> None:
        # Spread, so that sessions of every age meet each change.
        self.since[at] = self.daemons.clock() - self.random.randrange(LOGS_IN_AGAIN)
        self.daemons.login(self.jars[at], service=self.services[0], account_id=AccountId(UUID(int=at + 1)))

    def live(self, duration: Millis) -> None:
        """Let everybody load pages, each from either daemon, for so long."""
        until = self.daemons.clock() + duration
        while self.daemons.clock() < until:
            self.daemons.clock.advance(min(17 * SECOND, until - self.daemons.clock()))
            for at, jar in enumerate(self.jars):
                if self.daemons.clock() - self.since[at] >= LOGS_IN_AGAIN:
                    self._log_in(at)
                    self.since[at] = self.daemons.clock()
                verdict = self.daemons.visit(jar, service=self.random.choice(self.services))
                self.seen[verdict.outcome, verdict.reason] += 1

    @property
    def outcomes(self) -> set[Outcome]:
        """What anybody was answered so far."""
        return {outcome for outcome, _ in self.seen}


def grown(ring: KeyRing, rings: TwoRings) -> KeyRing:
    """Return the ring with a key made now."""
    return ring.with_key(Secret(b"2" * 32), now=rings.daemons.clock())


def test_a_new_key_logs_nobody_out_although_one_daemon_hears_of_it_ten_minutes_later() -> None:
    """Everybody would be logged out by a routine that is meant to protect them."""
    rings = TwoRings()
    rings.live(5 * MINUTE)
    new = grown(rings.rings[0], rings)
    rings.rings[0] = new
    rings.live(SIGNS_AFTER_MS - 30 * SECOND)
    rings.rings[1] = new
    rings.live(30 * MINUTE)

    assert rings.outcomes == {Outcome.OK}
    assert rings.seen[Outcome.OK, "advance"] > BROWSERS * 50
    assert {ring.signing_number(rings.daemons.clock()) for ring in rings.rings} == {2}


def test_the_older_key_leaves_at_its_time_without_a_logout() -> None:
    """An operator who prunes when the list says so must not be sorry for it, on either daemon first."""
    rings = TwoRings()
    new = grown(rings.rings[0], rings)
    rings.rings[:] = [new, new]
    leaves_at = new.leaves_at(1, lifetime_ms=LIFETIME)
    assert leaves_at is not None
    rings.live(leaves_at - rings.daemons.clock())
    rings.rings[1] = new.without({1})
    rings.live(10 * MINUTE)
    rings.rings[0] = new.without({1})
    rings.live(10 * MINUTE)

    assert rings.outcomes == {Outcome.OK}


def test_a_daemon_that_is_late_with_a_new_key_says_try_again_and_logs_nobody_out() -> None:
    """Somebody forgets a machine; people must get their sessions back when it is remembered."""
    rings = TwoRings()
    new = grown(rings.rings[0], rings)
    rings.rings[0] = new
    rings.live(SIGNS_AFTER_MS + 5 * MINUTE)
    assert rings.outcomes == {Outcome.OK, Outcome.RETRY}

    rings.rings[1] = new
    rings.seen.clear()
    rings.live(5 * MINUTE)

    assert rings.outcomes == {Outcome.OK}
    assert rings.daemons.heard.ends == []


def test_a_key_that_left_too_early_would_have_logged_people_out() -> None:
    """The rule of `keys prune` is not for ornament: without it this is what happens."""
    rings = TwoRings()
    away = BrowserJar()
    rings.daemons.login(away, service=rings.services[0], account_id=AccountId(UUID(int=99)))
    new = grown(rings.rings[0], rings)
    rings.rings[:] = [new, new]
    rings.live(SIGNS_AFTER_MS + MINUTE)
    rings.rings[:] = [new.without({1})] * 2

    assert rings.daemons.visit(away, service=rings.services[0]).outcome is Outcome.LOGIN
