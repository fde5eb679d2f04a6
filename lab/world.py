"""One hour of one session: a browser, perhaps a thief, four servers, one record per account.

Owns the event loop. Requests carry the jar as it was when they were sent; answers change it when
they arrive; a decision and its compare-and-swap are separate events, so that servers race. The
decision is `identity.sessions.planning.plan` itself.
"""

import heapq
import math
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any, Final
from uuid import UUID

from identity.sessions.check import Outcome
from identity.sessions.cookie import Token
from identity.sessions.planning import RACES, Asked, Plan, Write, plan, undecided
from identity.sessions.record import Lineage, Record, Session
from identity.sessions.store import Found, Read, Version
from identity.types import AccountId, Host, IdentityKey, Locator, Millis, SessionId, TokenId, Username
from lab.browser import Browser, Request
from lab.experiment import Experiment
from lab.networks import Network
from lab.people import Intruder, Person
from lab.tally import Tally

HOST: Final = Host("app.example")
SID: Final = SessionId(b"s" * 16)
AT: Final = Locator(b"l" * 12)
BEGINS: Final[Millis] = 1_900_000_000_000
REDIRECTS: Final = 20
SWAPS_PER_SECOND: Final = 500


class World:
    """A session from its login to the end of the hour.

    Args:
        network, experiment: the model.
        random: seeded; the hour is a function of it.
    """

    def __init__(self, network: Network, *, random: Random, experiment: Experiment) -> None:
        self.now = 0.0
        self.random = random
        self.tally = Tally()
        self._network = network
        self._traffic = experiment.traffic
        self._rules = experiment.rules
        self._seconds = experiment.seconds
        self._events: list[tuple[float, int, Callable[[Any], None], object]] = []
        self._order = count()
        self._ids = count(1)
        skew = [random.gauss(0, network.clock_sigma) for _ in range(self._traffic.servers)]
        skew[0] += network.bad_clock
        self._clocks = [BEGINS + int(each * 1000) for each in skew]
        self._browser = Browser(honest=True, junk=experiment.baggage.junk)
        self._reads: dict[Locator, Read] = {}
        self._log_in(experiment)
        Person(self, self._browser, self._traffic, crash=experiment.crash)
        if experiment.thief:
            Intruder(self, self._browser, experiment.thief, token_age=self._rules.pace.token_age_ms / 1000)

    def run(self) -> Tally:
        """Play the hour; stop early once the session has ended."""
        events, tally, pop = self._events, self.tally, heapq.heappop
        while tally.ended_at is None:
            now, _, event, argument = pop(events)  # there always is one: the person never stops
            if now > self._seconds:
                break
            self.now = now
            event(argument)
        return tally

    def stop(self) -> None:
        """End the hour here."""
        self._seconds = self.now

    def at(self, when: float, event: Callable[[Any], None], argument: object = None) -> None:
        """Call back later."""
        heapq.heappush(self._events, (when, next(self._order), event, argument))

    def _log_in(self, experiment: Experiment) -> None:
        base, grandparent = self._id(), self._id()
        now = self._server_time()
        token = Token(SID, self._id(), base, grandparent, now, AT)
        baggage = experiment.baggage
        self._browser.jar = {each.id: each for each in (token, *baggage.tokens)}
        session = first_session(Lineage(base, None, now), now, ends_at=now + self._rules.lifetimes.absolute_ms)
        record = Record(AccountId(UUID(int=1)), Username("ada"), 1, now, (session, *baggage.sessions))
        for locator, each in ((AT, record), *baggage.records):
            self._reads[locator] = Found(each, Version(b"0"))

    # --- the way there

    def send(self, browser: Browser, *, navigation: bool = False, bounced: int = 0) -> None:
        """Send a request with the jar as it is; it may be lost on the way."""
        tally = self.tally
        tally.requests += 1
        if browser.honest:
            names = len(browser.jar) + len(browser.junk)
            tally.largest_jar = max(tally.largest_jar, names)
        if self.random.random() >= self._network.loss_up:
            request = Request(browser, browser.show(), browser.marker, navigation, bounced, browser.life)
            self.at(self.now + self._delay(), self._decide, request)

    def _decide(self, request: Request) -> None:
        request.now = self._server_time()
        planned = self._plan(request)
        if planned.write:
            self.at(self.now + self.random.expovariate(SWAPS_PER_SECOND), self._swap, (request, planned, planned.write))
        else:
            self._answer(request, planned)

    def _plan(self, request: Request) -> Plan:
        shown = request.marker
        asked = Asked(
            now=request.now,
            host=HOST,
            chance=self.random.random(),
            navigation=request.navigation,
            marker=None if shown is None else lambda sid, ids: shown == (sid, frozenset(ids)),
            bounced=request.bounced > 0,
        )
        return plan(request.jar, self._reads, asked, self._rules)

    def _swap(self, asked: tuple[Request, Plan, Write]) -> None:
        request, planned, write = asked
        chance = self.random.random
        unknown = chance() < self._traffic.unknown_share
        applied = not (unknown and chance() < 0.5) and self._write(write)  # noqa: PLR2004 - a coin
        if unknown:
            self._answer(request, undecided(planned))
        elif applied:
            self._answer(request, planned)
        elif request.races + 1 < RACES:
            request.races += 1
            self._decide(request)
        else:
            self._answer(request, undecided(planned))

    def _write(self, write: Write) -> bool:
        """Write if there was no write since it was read."""
        read = self._reads[write.locator]
        if not isinstance(read, Found) or read.version != write.version:
            return False
        self.tally.writes += 1
        self._reads[write.locator] = Found(write.record, Version(b"%d" % self.tally.writes))
        return True

    # --- the way back

    def _answer(self, request: Request, planned: Plan) -> None:
        for write in planned.aside:
            self._write(write)
        accepted = planned.outcome is Outcome.OK
        if planned.outcome is Outcome.LOGIN:
            self.tally.ended_at = self.now
            self.tally.ended_by_user = request.browser.honest
            return
        child = self._child(planned, request.now) if planned.mint_from else None
        application = self._application() if accepted else 0.0
        if self.random.random() < self._network.loss_down:
            return
        at = self.now + application + self._delay()
        if self._network.in_order:
            at = request.browser.last_answer_at = max(at, request.browser.last_answer_at)
        relayed = application <= self._traffic.relayed_within
        self.at(at, self._arrive, (request, planned, child, relayed))

    def _child(self, planned: Plan, now: Millis) -> Token | None:
        parent = planned.mint_from
        if parent is None:
            return None
        self.tally.minted += 1
        return Token(parent.session, self._id(), parent.id, parent.parent, now, parent.locator)

    def _arrive(self, answer: tuple[Request, Plan, Token | None, bool]) -> None:
        request, planned, child, relayed = answer
        browser = request.browser
        if request.life != browser.life:
            return
        if relayed and not browser.frozen and (child or planned.delete):
            browser.apply(planned, child, self.now)
        match planned.outcome:
            case Outcome.OK:
                self.tally.accepted += 1
                if not browser.honest:
                    self.tally.served_until = self.now
            case Outcome.RETRY:
                self.tally.retries += 1
            case Outcome.BOUNCE:
                self._follow(request, planned)

    def _follow(self, request: Request, planned: Plan) -> None:
        browser = request.browser
        self.tally.bounces += 1
        self.tally.longest_bounce = max(self.tally.longest_bounce, request.bounced + 1)
        if planned.set_marker and not browser.frozen:
            browser.marker = planned.set_marker.session, frozenset(t.id for t in planned.set_marker.tokens)
        if request.bounced < REDIRECTS:
            self.send(browser, navigation=request.navigation, bounced=request.bounced + 1)

    # --- chance

    def _id(self) -> TokenId:
        return TokenId((self.random.getrandbits(32) << 32 | next(self._ids)).to_bytes(8, "big"))

    def _server_time(self) -> Millis:
        clocks = self._clocks
        return clocks[int(self.random.random() * len(clocks))] + int(self.now * 1000)

    def _delay(self) -> float:
        random, network = self.random, self._network
        delay = math.exp(random.gauss(*self._traffic.latency))
        chance = random.random()
        if chance < network.tail_share:
            delay += random.expovariate(1 / network.tail_mean)
        elif chance < network.tail_share + network.huge_share:
            delay += random.uniform(*network.huge_range)
        return delay

    def _application(self) -> float:
        random = self.random
        if random.random() < self._network.slow_share:
            return random.uniform(*self._network.slow_range)
        return math.exp(random.gauss(*self._traffic.application))


def first_session(lineage: Lineage, now: Millis, *, ends_at: Millis, sid: SessionId = SID) -> Session:
    """Return the session of a login a moment ago."""
    return Session(
        id=sid,
        lineage=lineage,
        created_at=now,
        active_at=now,
        ends_at=ends_at,
        auth_at=now,
        host=HOST,
        identity=IdentityKey("demo:1"),
        agent="",
        address="",
    )
