"""The steps of a login, called on the service as the handlers call them."""

from dataclasses import dataclass
from string import ascii_letters, digits

from identity.login.flow import Flow
from identity.login.results import AskAgain, LoggedIn, LoginBusy, NeedsUsername, Started, Visit
from identity.sessions.check import Check
from providers.base import ProviderProfile
from tests.support.logins import LoginSite
from tests.support.scripted import person

CHARACTERS = ascii_letters + digits
"""Of texts that do not compress."""


def visit(site: LoginSite) -> Visit:
    """Return a request of a browser without cookies."""
    return Visit(Check(cookies=(), host=site.host), "192.0.2.7", "r-1")


@dataclass(frozen=True)
class Begun:
    """A login on its way, and what its browser carries."""

    started: Started
    binding: str

    @property
    def flow(self) -> Flow:
        """The login."""
        return self.started.flow


def begun(site: LoginSite, provider: str = "github") -> Begun:
    """Begin a login."""
    started = site.logins.start(provider)
    return Begun(started, site.logins.keep(started, {"proof": "p"}))


def taken(site: LoginSite, begun: Begun) -> Flow:
    """Bring the answer to a login."""
    return site.logins.take(begun.flow.state, begun.flow.provider, begun.binding)


def asked(site: LoginSite, profile: ProviderProfile | None = None) -> NeedsUsername:
    """Log in as somebody who is new."""
    outcome = site.logins.finish(taken(site, begun(site)), profile or person("ada"), visit(site))
    assert isinstance(outcome, NeedsUsername)
    return outcome


def choose(site: LoginSite, needs: NeedsUsername, username: str) -> LoggedIn | AskAgain | LoginBusy:
    """Send the username form."""
    chosen = site.logins.choose_username(needs.reference, needs.binding, username, visit(site))
    assert isinstance(chosen, LoggedIn | AskAgain | LoginBusy)
    return chosen
