"""One registered program, as all callers see it: the configuration, the listeners, an operator.

Pure. Invariant: no secret of an application is empty, and there are never more of them than
`authentication` compares.
"""

from dataclasses import dataclass
from typing import Final

from identity.applications.disclosure import TOLD, Attribute, HeaderNames
from identity.membership.rules import PUBLIC, MemberRule
from identity.types import ClientId, Host
from options.secret import Secret

MOST_SECRETS: Final = 2
"""One, or two while the secret is being changed."""
_NO_SEGMENTS: Final = ("//", "/.", "\\", "%2e", "%2f", "%5c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A program that may ask about sessions, and only about those of its own hosts.

    Raises:
        ValueError: it has too many secrets, or an empty one, which any caller could show.
    """

    id: ClientId
    secrets: tuple[Secret, ...]
    hosts: tuple[Host, ...]
    label: str = ""
    """What people call it; empty is its host."""
    return_to: tuple[str, ...] = ()
    """Origins a login may return to, as browsers write them."""
    mint: bool = True
    """False when the proxy in front of it cannot deliver `Set-Cookie`."""
    static_paths: tuple[str, ...] = ()
    """Path prefixes whose answers never carry a token."""
    tokens_of: tuple[str, ...] = ()
    """Providers whose kept tokens it may fetch."""
    background_paths: tuple[str, ...] = ()
    """Path prefixes that scripts ask by themselves: no activity of the person."""
    allow: tuple[MemberRule, ...] = PUBLIC
    """Who may enter: one rule that holds is enough."""
    tell: frozenset[Attribute] = TOLD
    """What it is told of the person."""
    headers: HeaderNames = HeaderNames.IDENTITY
    """Under which header names, where a proxy asks for it."""

    def __post_init__(self) -> None:
        if len(self.secrets) > MOST_SECRETS or not all(self.secrets):
            raise ValueError(f"an application has at most {MOST_SECRETS} secrets, none of them empty")

    def is_static(self, uri: str) -> bool:
        """Tell whether the path (never the query, THREATS 38) is one of those that carry no tokens."""
        return _below(self.static_paths, uri)

    def is_activity(self, uri: str, *, said: bool | None) -> bool:
        """Tell whether a request counts as something the person did, which keeps the session from idling out.

            said by the page or application | path in `background_paths` | counts
            --------------------------------+----------------------------+-------
            yes                             | any                        | yes
            no                              | any                        | no
            nothing                         | yes                        | no
            nothing                         | no                         | yes

        A page that says yes falsely keeps its own person's session awake, as asking for any other path would.
        """
        return said if said is not None else not _below(self.background_paths, uri)


def _below(places: tuple[str, ...], uri: str) -> bool:
    path = uri.partition("?")[0]
    if any(odd in path.lower() for odd in _NO_SEGMENTS):
        return False
    return any(path.startswith(s) if s.endswith("/") else path == s for s in places)
