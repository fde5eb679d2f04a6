"""Account and session services over one store, and logins without HTTP and without a provider.

Everything is real: the account service, the session service, the order of a login. There is no
HTTP and no provider: whoever logs in has proven the identity already.
"""

from collections.abc import Callable
from typing import Final
from uuid import uuid4

from identity.accounts.results import Linked, LinkRequest, SignedUp, SignUp
from identity.accounts.service import AccountService
from identity.accounts.usernames import NamePolicy
from identity.errors import StoreUnavailable
from identity.housekeeping import end_sessions
from identity.login.entering import Entering
from identity.login.flow import ProvenPerson
from identity.login.results import LoggedIn, Visit
from identity.opening import Accounts
from identity.stores.memory import MemoryAccounts
from identity.types import AccountId, Clock
from providers.base import Profile
from tests.support.accounts import PERSON, key
from tests.support.daemons import Daemons
from tests.support.jars import BrowserJar

ADA: Final = Profile(name="Ada", email="ada@example.org", email_verified=True)


def _uncounted(_name: str, /, **_labels: str) -> None:
    """Count nothing."""


class LoginServices:
    """Accounts and sessions.

    Args:
        open_store: makes the account store; in memory by default.
    """

    def __init__(self, open_store: Callable[[Clock], Accounts] = lambda clock: MemoryAccounts(clock=clock)) -> None:
        self.daemons = Daemons()
        self.clock = clock = self.daemons.clock
        self.store = store = open_store(clock)
        self.sessions = self.daemons.service
        self.accounts = AccountService(
            store,
            audit=store.audit,
            note=lambda _: None,
            clock=clock,
            new_uuid=uuid4,
            end_sessions=end_sessions(self.sessions, account=store.accounts.read, clock=clock),
            policy=NamePolicy(),
            checkpoint=lambda _: None,
        )
        self._entering = Entering(
            self.accounts,
            self.sessions,
            clock=clock,
            random_bytes=self.daemons.random.randbytes,
            note=lambda _: None,
            count=_uncounted,
            told=frozenset(),
        )

    def member(self, subject: str, *further: str) -> AccountId:
        """Make an account; `further` identities are linked."""
        made = self.accounts.sign_up(SignUp(uuid4(), key(subject), f"name{subject}", "", PERSON))
        assert isinstance(made, SignedUp)
        for each in further:
            self.link(made.account_id, each)
        return made.account_id

    def log_in(self, subject: str, *, jar: BrowserJar | None = None, said: Profile = ADA) -> object:
        """Log in, with a browser of one's own unless one is given; four lost races are an answer too."""
        jar = jar or BrowserJar()
        visit = Visit(jar.check(), "192.0.2.1", "r")
        person = ProvenPerson(identity=key(subject), provider="p", auth_at=1, handle="ada", said=said)
        try:
            entered = self._entering.enter(person, return_to="/", visit=visit)
        except StoreUnavailable:
            return None
        if isinstance(entered, LoggedIn):
            jar.apply(entered.opened.set_cookies)
        return entered

    def link(self, account_id: AccountId, subject: str) -> None:
        """Link one more identity."""
        linked = self.accounts.link(LinkRequest(uuid4(), account_id, key(subject), "", PERSON))
        assert isinstance(linked, Linked)
