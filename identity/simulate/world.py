"""One hour of one session: a browser, perhaps a thief, four servers, one record.

Owns the event loop. Requests carry the jar as it was when they were sent; answers change it when
they arrive; a decision and its compare-and-swap are separate events, so that servers race. The
decision is `identity.sessions.planning.plan` itself.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Final
from uuid import UUID

from identity.sessions.check import Outcome
from identity.sessions.cookie import Token
from identity.sessions.gathering import Group
from identity.sessions.planning import Asked, Jar, Plan, Rules, Write, plan, undecided
from identity.sessions.record import Lineage, Record, Session
from identity.sessions.store import Found, Version
from identity.simulate.networks import Network, Thief, Traffic
from identity.types import AccountId, Host, IdentityKey, Locator, Millis, SessionId, TokenId, Username

HOST: Final = Host("app.example")
SID: Final = SessionId(b"s" * 16)
AT: Final = Locator(b"l" * 12)
BEGINS: Final[Millis] = 1_900_000_000_000
REDIRECTS: Final = 20
RACES: Final = 4


@dataclass(slots=True)
class Tally:
    """What one hour came to."""

    requests: int = 0
    accepted: int = 0
    bounces: int = 0
    longest_bounce: int = 0
    writes: int = 0
    minted: int = 0
    retries: int = 0
    false_logouts: int = 0
    largest_jar: int = 0
    ended_at: float | None = None
    stolen_at: float | None = None
    thief_served_until: float | None = None
    user_disturbed: bool = False


@dataclass(slots=True)
class Client:
    """A holder of tokens: the person's browser or the thief's."""

    honest: bool
    jar: dict[TokenId, Token] = field(default_factory=dict)
    marker: frozenset[TokenId] | None = None
    frozen: bool = False
    last_answer_at: float = 0.0


@dataclass(slots=True)
class Request:
    """A request on its way, with the cookies it left with."""

    client: Client
    tokens: tuple[Token, ...]
    marker: frozenset[TokenId] | None
    navigation: bool
    bounced: int = 0
    races: int = 0
    now: Millis = 0
    leaves_at: float = 0.0
    relayed: bool = True


class World:
    """A session from its login to the end of the hour.

    Args:
        network, traffic, rules: the model.
        random: seeded; the hour is a function of it.
        thief: who steals the jar, if anybody.
        hours: how long it lasts.
    """

    def __init__(
        self,
        network: Network,
        *,
        random: Random,
        rules: Rules,
        traffic: Traffic,
        thief: Thief | None = None,
        seconds: float = 3600.0,
    ) -> None:
        self.network = network
        self.traffic = traffic
        self.rules = rules
        self.random = random
        self.seconds = seconds
        self.tally = Tally()
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._ids = count(1)
        self._version = 0
        self._now = 0.0
        skew = [random.gauss(0, network.clock_sigma) for _ in range(traffic.servers)]
        skew[0] += network.bad_clock
        self._skew = skew
        self._user = Client(honest=True)
        self._record = self._login()
        self._plan_traffic()
        self._thief = thief
        if thief:
            self.tally.stolen_at = random.uniform(120, 600)
            self._at(self.tally.stolen_at, self._steal)

    def run(self) -> Tally:
        """Play the hour; stop early once the session has ended."""
        while self._events:
            now, _, event = heapq.heappop(self._events)
            if now > self.seconds or self.tally.ended_at is not None:
                break
            self._now = now
            event(now)
        return self.tally

    # --- the person

    def _login(self) -> Record:
        base, grandparent = self._id(), self._id()
        now = self._server_now(self.random.randrange(len(self._skew)))
        token = Token(SID, self._id(), base, grandparent, now, AT)
        self._user.jar[token.id] = token
        session = Session(
            id=SID,
            lineage=Lineage(base, None, now),
            created_at=now,
            active_at=now,
            ends_at=now + self.rules.lifetimes.absolute_ms,
            auth_at=now,
            host=HOST,
            identity=IdentityKey("demo:1"),
            agent="",
            address="",
        )
        return Record(AccountId(UUID(int=1)), Username("ada"), 1, now, (session,))

    def _plan_traffic(self) -> None:
        random, traffic = self.random, self.traffic
        at = 0.0
        while at < self.seconds:
            self._at(at, lambda _: self._send(self._user, navigation=True))
            for _ in range(random.randint(0, traffic.most_calls)):
                self._at(at + random.uniform(0, traffic.calls_within), lambda _: self._send(self._user))
            long_gap = random.random() < traffic.long_gap_share
            at += random.uniform(*traffic.long_gap_range) if long_gap else random.expovariate(1 / traffic.gap_mean)
        if random.random() < traffic.poll_share:
            at = random.uniform(0, traffic.poll_every)
            while at < self.seconds:
                self._at(at, lambda _: self._send(self._user))
                at += traffic.poll_every

    # --- the thief

    def _steal(self, now: float) -> None:
        client = Client(honest=False, jar=dict(self._user.jar))
        client.frozen = not self._thief.keeps_jar if self._thief else True
        start = now + self.random.uniform(60, 600) if self._thief is Thief.LURKER else now
        self._at(start, lambda at: self._haunt(client, at))

    def _haunt(self, client: Client, now: float) -> None:
        self._send(client, navigation=True)
        match self._thief:
            case Thief.PASSIVE:
                pause = 5.0
            case Thief.HAMMER:
                pause = 0.25
            case Thief.SNIPER:
                pause = 1.0
            case Thief.PACER:
                pause = self.random.uniform(15.3, 16.5)
            case _:
                pause = 8.0
        self._at(now + pause, lambda at: self._haunt(client, at))

    # --- the way there

    def _send(self, client: Client, *, navigation: bool = False, bounced: int = 0) -> None:
        self.tally.requests += 1
        request = Request(client, tuple(client.jar.values()), client.marker, navigation, bounced)
        if client.honest:
            self.tally.largest_jar = max(self.tally.largest_jar, len(request.tokens))
        if self.random.random() >= self.network.loss_up:
            self._at(self._now + self._delay(), lambda now: self._decide(request, now))

    def _decide(self, request: Request, now: float) -> None:
        request.now = self._server_now(self.random.randrange(len(self._skew)))
        planned = self._plan(request)
        if planned.write:
            record, delay = self._record, self.random.expovariate(500)
            self._at(now + delay, lambda at: self._swap(request, planned, record, at))
        else:
            self._answer(request, planned)

    def _plan(self, request: Request) -> Plan:
        marker = request.marker
        asked = Asked(
            now=request.now,
            host=HOST,
            chance=self.random.random(),
            navigation=request.navigation,
            marker=None if marker is None else lambda _, ids: marker == frozenset(ids),
            bounced=request.bounced > 0,
        )
        groups = (Group(AT, SID, request.tokens),) if request.tokens else ()
        return plan(Jar(groups), {AT: Found(self._record, Version(b""))}, asked, self.rules)

    def _swap(self, request: Request, planned: Plan, read: Record, now: float) -> None:
        unknown = self.random.random() < self.traffic.unknown_share
        lost = self._record is not read
        if not lost and not (unknown and self.random.random() < 0.5):  # noqa: PLR2004 - a coin
            self._apply(planned.write)
        if unknown:
            self._answer(request, undecided(planned))
        elif not lost:
            self._answer(request, planned)
        elif request.races + 1 < RACES:
            request.races += 1
            self._decide(request, now)
        else:
            self._answer(request, undecided(planned))

    def _apply(self, write: Write | None) -> None:
        if write:
            self._record = write.record
            self.tally.writes += 1

    # --- the way back

    def _answer(self, request: Request, planned: Plan) -> None:
        for write in planned.aside:
            self._apply(write)
        if planned.outcome is Outcome.LOGIN:
            self._over(request)
            return
        child = self._child(planned, request.now)
        application = self._application() if planned.outcome is Outcome.OK else 0.0
        relayed = application <= self.traffic.relayed_within
        if self.random.random() < self.network.loss_down:
            return
        at = self._now + application + self._delay()
        if self.network.in_order:
            at = request.client.last_answer_at = max(at, request.client.last_answer_at)
        self._at(at, lambda now: self._arrive(request, planned, child if relayed else None, now, relayed=relayed))

    def _over(self, request: Request) -> None:
        self.tally.ended_at = self._now
        if self.tally.stolen_at is None:
            self.tally.false_logouts += 1
        elif request.client.honest:
            self.tally.user_disturbed = True

    def _child(self, planned: Plan, now: Millis) -> Token | None:
        parent = planned.mint_from
        if parent is None:
            return None
        self.tally.minted += 1
        return Token(SID, self._id(), parent.id, parent.parent, now, AT)

    def _arrive(self, request: Request, planned: Plan, child: Token | None, now: float, *, relayed: bool) -> None:
        if relayed and not request.client.frozen:
            self._set_cookies(request.client, planned, child)
        match planned.outcome:
            case Outcome.OK:
                self.tally.accepted += 1
                if not request.client.honest:
                    self.tally.thief_served_until = now
            case Outcome.RETRY:
                self.tally.retries += 1
            case Outcome.BOUNCE:
                self._follow(request, planned)

    def _set_cookies(self, client: Client, planned: Plan, child: Token | None) -> None:
        for name in planned.delete:
            if isinstance(name, Token):
                client.jar.pop(name.id, None)
        if child:
            client.jar[child.id] = child

    def _follow(self, request: Request, planned: Plan) -> None:
        client = request.client
        self.tally.bounces += 1
        self.tally.longest_bounce = max(self.tally.longest_bounce, request.bounced + 1)
        if planned.set_marker and not client.frozen:
            client.marker = frozenset(t.id for t in planned.set_marker.tokens)
        if request.bounced < REDIRECTS:
            self._send(client, navigation=request.navigation, bounced=request.bounced + 1)

    # --- chance

    def _id(self) -> TokenId:
        return TokenId((self.random.getrandbits(32) << 32 | next(self._ids)).to_bytes(8, "big"))

    def _server_now(self, server: int) -> Millis:
        return BEGINS + int((self._now + self._skew[server]) * 1000)

    def _delay(self) -> float:
        random, network = self.random, self.network
        delay = random.lognormvariate(*self.traffic.latency)
        chance = random.random()
        if chance < network.tail_share:
            delay += random.expovariate(1 / network.tail_mean)
        elif chance < network.tail_share + network.huge_share:
            delay += random.uniform(*network.huge_range)
        return delay

    def _application(self) -> float:
        if self.random.random() < self.network.slow_share:
            return self.random.uniform(*self.network.slow_range)
        return self.random.lognormvariate(*self.traffic.application)

    def _at(self, when: float, event: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), event))
