"""The seven invariants of rotation, over random interleavings, with a thief, through the real service.

A rule machine plays a browser with several tabs, a network that delays, loses, duplicates and
reorders, three daemons whose clocks differ by up to ten minutes, a store whose outcomes are
sometimes unknown, and a thief who may copy the jar at any time and then keep a jar of his own.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from identity.sessions import cookie
from identity.sessions.check import Outcome, Verdict
from identity.sessions.cookie import Token
from identity.sessions.record import Lineage
from identity.sessions.store import Found
from identity.types import SECOND, TokenId
from tests.support.daemons import Daemons
from tests.support.jars import ACCOUNT, NAMES, BrowserJar

ACCEPTED = {"current", "advance", "straggler"}


class Rotation(RuleBasedStateMachine):
    """One login; whatever happens on the way, the invariants hold."""

    def __init__(self) -> None:
        super().__init__()
        self.daemons = Daemons()
        self.servers = [self.daemons.service, *(self.daemons.daemon(skew_ms=s * SECOND) for s in (-60, 600))]
        self.jar = BrowserJar()
        self.thief: BrowserJar | None = None
        self.stolen = False
        self.over = False
        self.answers: list[tuple[BrowserJar, Verdict]] = []
        self.handed_out: set[str] = set()
        self.parents: set[TokenId] = set()
        self.bases: list[TokenId] = []

    @initialize()
    def log_in(self) -> None:
        """The session the rest is about."""
        opened = self.daemons.login(self.jar)
        self._hand_out(opened.set_cookies)
        self.bases = [opened.session.lineage.base]

    @rule(
        server=st.integers(0, 2),
        navigation=st.booleans(),
        chance=st.floats(0, 1, exclude_max=True),
        fate=st.sampled_from(["arrives", "arrives", "late", "lost", "twice"]),
    )
    def browse(self, server: int, chance: float, fate: str, *, navigation: bool) -> None:
        """A request of the person, and the fate of its answer."""
        self.daemons.chance = chance
        self._ask(self.jar, server, fate, navigation=navigation)

    @precondition(lambda self: self.thief is not None)
    @rule(server=st.integers(0, 2), fate=st.sampled_from(["arrives", "late"]))
    def haunt(self, server: int, fate: str) -> None:
        """A request of the thief."""
        assert self.thief is not None
        self._ask(self.thief, server, fate, navigation=True)

    @rule(after=st.sampled_from([1, 3, 9, 16, 40]))
    def wait(self, after: int) -> None:
        """Time passes."""
        self.daemons.clock.advance(after * SECOND)

    @rule(applied=st.booleans())
    def trouble(self, *, applied: bool) -> None:
        """The outcome of the next write stays unknown."""
        self.daemons.store.unknown = [applied]

    @precondition(lambda self: self.answers)
    @rule(which=st.integers(0, 99))
    def deliver(self, which: int) -> None:
        """A late answer arrives, in any order."""
        jar, verdict = self.answers.pop(which % len(self.answers))
        self._arrive(jar, verdict)

    @precondition(lambda self: not self.stolen)
    @rule()
    def steal(self) -> None:
        """Somebody copies the jar."""
        self.stolen = True
        self.thief = BrowserJar()
        self.thief.cookies = dict(self.jar.cookies)

    def _ask(self, jar: BrowserJar, server: int, fate: str, *, navigation: bool, flag: str = "") -> None:
        [verdict] = self.servers[server].check_many([jar.check(navigation=navigation, flag=flag)])
        self._hand_out(verdict.set_cookies)
        self._note(verdict)
        match fate:
            case "late":
                self.answers.append((jar, verdict))
            case "lost":
                pass
            case _:
                self._arrive(jar, verdict)
                if fate == "twice":
                    jar.apply(verdict.set_cookies)

    def _arrive(self, jar: BrowserJar, verdict: Verdict) -> None:
        jar.apply(verdict.set_cookies)
        if verdict.outcome is Outcome.BOUNCE:
            self._ask(jar, 0, "arrives", navigation=True, flag=verdict.flag)

    def _note(self, verdict: Verdict) -> None:
        if verdict.outcome is Outcome.LOGIN:
            assert self.stolen, f"an honest browser was logged out: {verdict.reason}"
            self.over = True
        lineage = self._lineage()
        if lineage and lineage.base != self.bases[-1]:
            assert lineage.base in self.parents, "the base moved to a token that was never a parent"
            assert lineage.base not in self.bases, "the line went back"
            self.bases.append(lineage.base)

    def _hand_out(self, cookies: object) -> None:
        for each in cookies:  # type: ignore[attr-defined]
            if each.max_age_s != 0 and each.name.startswith(NAMES.token):
                assert each.value not in self.handed_out, "a token was handed out twice"
                self.handed_out.add(each.value)
                self.parents.add(self._token(each.name, each.value).parent)

    def _token(self, name: str, value: str) -> Token:
        shown = cookie.read([f"{name}={value}"], ring=self.daemons.keys, names=NAMES, not_before=0)
        return shown.tokens[0]

    def _lineage(self) -> Lineage | None:
        locator = self.daemons.keys.locator(ACCOUNT)
        read = self.daemons.store._store.read_many({locator})[locator]
        return read.record.sessions[0].lineage if isinstance(read, Found) and read.record.sessions else None

    @invariant()
    def the_honest_jar_holds_a_token_that_counts(self) -> None:
        """Invariant 3: current, or one step ahead, whatever is still on its way."""
        lineage = self._lineage()
        if self.stolen or lineage is None or not self.jar.cookies:
            return
        shown = cookie.read([self.jar.header], ring=self.daemons.keys, names=NAMES, not_before=0)
        assert any(lineage.base in (t.parent, t.grandparent) for t in shown.tokens)

    @invariant()
    def the_jar_stays_small(self) -> None:
        """A header that grows is refused by servers in the end."""
        assert len(self.jar.cookies) <= 48


TestRotation = Rotation.TestCase
TestRotation.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
