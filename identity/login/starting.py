"""From a login on the login host to a sub-session on an application's host.

Owns the making and the redeeming of start codes; the rules are in `codes.py`, opening is the session
service's. Plain functions, thread-safe, no HTTP. Invariants: a code is made for a live login of the
login host only, and used up by whoever shows it first, whether it served them or not: a code that
was seen by somebody else is void.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from identity.audit import Event
from identity.errors import FlowInvalid
from identity.login.codes import Destination, StartCode, start_flaw
from identity.login.entering import Count
from identity.login.flow import SECRET_BYTES, Flaw, record_name, spelt
from identity.login.packing import pack_start, unpack_start
from identity.login.results import Visit
from identity.login.store import Kind, OneTimeStore
from identity.sessions.service import LoginOver, Opened, SessionService
from identity.types import AccountId, ClientId, Clock, RandomBytes, SessionId


@dataclass(frozen=True, slots=True)
class Begun:
    """The sub-session is open, or goes on."""

    opened: Opened
    destination: Destination


class Starting:
    """Makes and redeems start codes.

    Args:
        sessions: opens sub-sessions.
        one_time: where codes are kept.
        clock, random_bytes: time, codes, and ids of audited events.
        note: hears of audited events; must not block.
        count: adds to the counter of starts.
    """

    def __init__(
        self,
        sessions: SessionService,
        one_time: OneTimeStore,
        *,
        clock: Clock,
        random_bytes: RandomBytes,
        note: Callable[[Event], None],
        count: Count,
    ) -> None:
        self._sessions = sessions
        self._one_time = one_time
        self._clock = clock
        self._random = random_bytes
        self._note = note
        self._count = count

    def issue(self, destination: Destination, *, account_id: AccountId, login: SessionId) -> str:
        """Return a code for the login; the caller has just seen that it counts and is not doubtful.

        Raises:
            StoreUnavailable: it was not stored.
        """
        code = spelt(self._random(SECRET_BYTES))
        record = StartCode(destination, account_id, login, created_at=self._clock())
        self._one_time.put(Kind.START, record_name(code), pack_start(record), expires_at=record.expires_at)
        self._tally(destination.client, "issued")
        return code

    def redeem(self, code: str, *, client: ClientId, secrets: Collection[str], visit: Visit) -> Begun:
        """Open the sub-session a code stands for, on the host of the visit; the code is used up.

        Raises:
            FlowInvalid: `start-invalid`: it is not, or no more, good for this browser, host and application.
            StoreUnavailable: a store is away; begin again.
        """
        found = self._read(self._one_time.take(Kind.START, record_name(code)))
        if isinstance(found, StartCode):
            now, host = self._clock(), visit.jar.host
            found = start_flaw(found, client=client, host=host, secrets=secrets, now=now) or found
        if isinstance(found, Flaw):
            raise self._refused(client, found)
        opened = self._sessions.open_below(found.account_id, found.login, jar=visit.jar)
        if isinstance(opened, LoginOver):
            raise self._refused(client, Flaw.LOGIN_OVER)
        self._tally(client, "opened" if opened.set_cookies else "kept")
        if opened.set_cookies:
            self._tell(found, visit)
        return Begun(opened, found.destination)

    def _read(self, body: bytes | None) -> StartCode | Flaw:
        if body is None:
            return Flaw.ABSENT
        try:
            return unpack_start(body)
        except ValueError:
            return Flaw.UNREADABLE

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
                id=UUID(bytes=self._random(16), version=4),
                at=self._clock(),
                action="application",
                account_id=code.account_id,
                actor="self",
                address=visit.address,
                request_id=visit.request_id,
                facts={"app": code.destination.client, "host": code.destination.host, "agent": visit.jar.agent},
            )
        )
