"""From a login on the login host to a sub-session on an application's host.

Owns the making and the redeeming of start codes; the rules are in `codes.py`, opening is the session
service's. Plain functions, thread-safe, no HTTP. Invariants: a code is made for a live login of the
login host only, and used up by the first request that shows it, whether it served that request or
not: a code that an attacker saw and tried is void. A code says everything itself, sealed; what is kept of one is a
marker, for two minutes, once it was shown (THREATS 48).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from uuid import UUID

from identity.audit import Event
from identity.errors import FlowInvalid, NotAllowed
from identity.login.carrying import LONGEST
from identity.login.codes import Destination, StartCode, is_fresh, start_flaw
from identity.login.dependencies import LoginDependencies
from identity.login.flow import Flaw, record_name, spent_until
from identity.login.packing import pack_start, unpack_start
from identity.login.results import Visit
from identity.login.returning import FRONT_PAGE
from identity.login.store import RecordKind
from identity.sessions.service import EntryDenied, LoginOver, Opened, SessionService
from identity.types import AccountId, ClientId, Count, SessionId


@dataclass(frozen=True, slots=True)
class Begun:
    """The sub-session is open, or goes on."""

    opened: Opened
    destination: Destination


class Starting:
    """Makes and redeems start codes.

    Args:
        sessions: opens sub-sessions.
        dependencies: seals, markers, time and chance.
        note: hears of audited events; must not block.
        count: adds to the counter of starts.
    """

    def __init__(
        self, sessions: SessionService, dependencies: LoginDependencies, *, note: Callable[[Event], None], count: Count
    ) -> None:
        self._sessions = sessions
        self._dependencies = dependencies
        self._note = note
        self._count = count

    def issue(self, destination: Destination, *, account_id: AccountId, login: SessionId) -> str:
        """Return a code for the login; the caller has just seen that it counts and is not doubtful. No I/O.

        A path that is too long for an address leads to the page without its query, or to the front page.
        """
        path = destination.path
        for shorter in (path, path.partition("?")[0], FRONT_PAGE):
            wanted = replace(destination, path=shorter)
            record = StartCode(wanted, account_id, login, created_at=self._dependencies.clock())
            code = self._dependencies.carrying.seal(RecordKind.START, "", pack_start(record))
            if len(code) <= LONGEST:
                break
        self._tally(destination.client, "issued")
        return code

    def redeem(self, code: str, *, client: ClientId, secrets: Collection[str], visit: Visit) -> Begun:
        """Open the sub-session a code stands for, on the host of the visit; the code is used up.

        Raises:
            FlowInvalid: `start-invalid`: it is not, or no more, good for this browser, host and application.
            NotAllowed: the person may not enter the application.
            StoreUnavailable: a store is away; begin again.
        """
        found = self._used_up(code)
        flaw: Flaw | None
        if isinstance(found, StartCode):
            now, host = self._dependencies.clock(), visit.jar.host
            flaw = start_flaw(found, client=client, host=host, secrets=secrets, now=now)
            if flaw is Flaw.OTHER_BROWSER and (begun := self._arrived(found, visit)):
                return begun
            found = flaw or found
        if isinstance(found, Flaw):
            raise self._refused(client, found)
        opened = self._sessions.open_below(found.account_id, found.login, jar=replace(visit.jar, entering=client))
        if isinstance(opened, LoginOver):
            raise self._refused(client, Flaw.LOGIN_OVER)
        if isinstance(opened, EntryDenied):
            self._tally(client, "not-allowed")
            raise NotAllowed
        self._tally(client, "opened" if opened.set_cookies else "kept")
        if opened.set_cookies:
            self._tell(found, visit)
        return Begun(opened, found.destination)

    def _arrived(self, code: StartCode, visit: Visit) -> Begun | None:
        """Let a tab go on whose secret another tab has used up meanwhile: it has what its code would open.

        It is given nothing, and goes where any link could lead it.
        """
        there = self._sessions.below(code.account_id, code.login, jar=visit.jar)
        if there is None:
            return None
        self._tally(code.destination.client, "kept")
        return Begun(Opened(there, ()), code.destination)

    def _used_up(self, code: str) -> StartCode | Flaw:
        """Return what a code stands for, once."""
        record, now = self._dependencies.opened(RecordKind.START, "", code, unpack_start), self._dependencies.clock()
        if isinstance(record, Flaw):
            return record
        if not is_fresh(record, now=now):
            return Flaw.EXPIRED
        until = spent_until(record.expires_at, now=now)
        spent = self._dependencies.one_time.spend(RecordKind.START, record_name(code), expires_at=until)
        return record if spent else Flaw.USED

    def _refused(self, client: ClientId, flaw: Flaw) -> FlowInvalid:
        self._tally(client, "refused")
        return FlowInvalid(
            "start-invalid",
            detail=flaw.value,
            public="This way into the application was begun in another browser, was used already, or took too long.",
        )

    def _tally(self, client: ClientId, outcome: str) -> None:
        self._count("identityd_starts_total", app=client, outcome=outcome)

    def _tell(self, code: StartCode, visit: Visit) -> None:
        self._note(
            Event(
                id=UUID(bytes=self._dependencies.random_bytes(16), version=4),
                at=self._dependencies.clock(),
                action="application",
                account_id=code.account_id,
                actor="self",
                address=visit.address,
                request_id=visit.request_id,
                facts={"app": code.destination.client, "host": code.destination.host, "agent": visit.jar.agent},
            )
        )
