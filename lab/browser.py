"""A holder of tokens: the person's browser, or a thief's copy of its jar.

Owns the jar: what it shows, what an answer does to it, and what a crash takes from it.
"""

from dataclasses import dataclass, field

from identity.sessions.cookie import Token
from identity.sessions.gathering import group
from identity.sessions.planning import Jar, Plan
from identity.types import Millis, SessionId, TokenId

MarkerSet = tuple[SessionId, frozenset[TokenId]]


@dataclass(slots=True)
class Browser:
    """A jar and what is known of its owner."""

    honest: bool
    jar: dict[TokenId, Token] = field(default_factory=dict)
    junk: tuple[str, ...] = ()
    marker: MarkerSet | None = None
    frozen: bool = False
    """Shows the same cookies for ever, as a copied header does."""
    last_answer_at: float = 0.0
    life: int = 0
    """Answers to requests of an earlier life never arrive."""
    asleep_until: float = 0.0
    past: list[tuple[float, dict[TokenId, Token]]] | None = None
    """The jar as it was from a moment on, kept only for a browser that will crash."""
    shown: Jar | None = None
    """What it shows now, until the jar changes."""

    def show(self) -> Jar:
        """Return what a request sent now shows."""
        if self.shown is None:
            self.shown = Jar(group(self.jar.values()), self.junk)
        return self.shown

    def copy(self, *, frozen: bool) -> "Browser":
        """Return what a thief gets."""
        return Browser(honest=False, jar=dict(self.jar), junk=self.junk, frozen=frozen)

    def apply(self, planned: Plan, child: Token | None, now: float) -> None:
        """Set and delete cookies as an answer says."""
        for name in planned.delete:
            if isinstance(name, Token) and name.id in self.jar:
                del self.jar[name.id]
                self.shown = None
        if child:
            self.jar[child.id] = child
            self.shown = None
        if self.past is not None:
            self.past.append((now, dict(self.jar)))

    def crash(self, back_to: float, *, asleep_until: float) -> None:
        """Set the jar back to what it was at a moment; what is on its way is lost."""
        self.jar = next((dict(jar) for at, jar in reversed(self.past or []) if at <= back_to), dict(self.jar))
        self.shown = self.marker = None
        self.life += 1
        self.asleep_until = asleep_until


@dataclass(slots=True)
class Request:
    """A request on its way, with the cookies it left with."""

    browser: Browser
    jar: Jar
    marker: MarkerSet | None
    navigation: bool
    bounced: int
    life: int
    races: int = 0
    now: Millis = 0
