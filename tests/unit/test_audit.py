"""The queue in front of the audit store: nothing is lost, nobody waits."""

import logging
from collections.abc import Callable
from threading import Event as Signal
from threading import Thread
from uuid import UUID

import pytest

from identity.audit import MOST_OWED, MOST_ROWS, AuditQueue, Event, Ration, Rationed
from identity.errors import StoreUnavailable
from identity.log import request as serving
from identity.types import MINUTE, AccountId
from tests.support.guards import Expectation

ExpectLog = Callable[..., Expectation]

ACCOUNT = AccountId(UUID(int=7))


def event(number: int, **facts: str) -> Event:
    """Return an event that can be told from the others."""
    return Event(
        id=UUID(int=number),
        at=number,
        action="login",
        account_id=ACCOUNT,
        actor="self",
        address="192.0.2.1",
        request_id=f"request-{number}",
        facts=facts,
    )


class Rows:
    """An audit store that can be away (`outages` tries) or slow (until `go`), and refuses what it is told to."""

    def __init__(self, *, outages: int = 0, slow: bool = False, poison: int | None = None) -> None:
        self.events: list[Event] = []
        self.tries = 0
        self.entered, self.go = Signal(), Signal()
        self._outages = outages
        self._poison = poison
        if not slow:
            self.go.set()

    def append(self, event: Event) -> None:
        """Keep the event, unless away."""
        self.tries += 1
        self.entered.set()
        self.go.wait(10)
        if self.tries <= self._outages:
            raise StoreUnavailable
        if event.id.int == self._poison:
            raise OverflowError("cannot be stored")
        self.events.append(event)

    def of_account(self, account_id: AccountId, *, limit: int = 100) -> tuple[Event, ...]:
        """Return what was kept, newest first."""
        return tuple(e for e in reversed(self.events) if e.account_id == account_id)[:limit]


def test_events_are_written_in_their_order() -> None:
    """An audit out of order tells another story."""
    rows = Rows()
    queue = AuditQueue(rows)
    for number in range(100):
        queue.append(event(number))
    assert queue.close() == 0
    assert [e.id.int for e in rows.events] == list(range(100))
    assert (queue.waiting, queue.dropped) == (0, 0)


def test_an_outage_of_the_store_loses_nothing(expect_log: ExpectLog) -> None:
    """The rows of logins during an outage are the ones somebody will ask about."""
    rows = Rows(outages=3)
    queue = AuditQueue(rows, pauses_s=(0.0,))
    with expect_log("identity.audit", "audit-waits: store-unavailable"):
        queue.append(event(1))
        queue.append(event(2))
        assert queue.close() == 0
    assert [e.id.int for e in rows.events] == [1, 2]
    assert rows.tries == 5


def test_reporting_does_not_wait_for_the_store() -> None:
    """A login would be as slow as the audit's disk, or fail with it."""
    rows = Rows(slow=True)
    queue = AuditQueue(rows)
    queue.append(event(1))
    assert rows.entered.wait(10)
    queue.append(event(2))
    assert (queue.waiting, rows.events) == (2, [])
    rows.go.set()
    assert queue.close() == 0
    assert len(rows.events) == 2


def test_an_event_that_finds_the_queue_full_is_counted_and_stays_in_the_log(expect_log: ExpectLog) -> None:
    """Memory is bounded, and the loss is known."""
    rows = Rows(slow=True)
    queue = AuditQueue(rows, capacity=2)
    with expect_log("identity.audit", "audit-dropped: event 0+-.*3 is in this log only", level=logging.ERROR):
        for number in (1, 2, 3):
            queue.append(event(number))
    assert (queue.waiting, queue.dropped) == (2, 1)
    rows.go.set()
    assert queue.close() == 0
    assert [e.id.int for e in rows.events] == [1, 2]


def test_an_event_that_cannot_be_stored_does_not_hold_up_the_others(expect_log: ExpectLog) -> None:
    """One bad row must not end the audit."""
    rows = Rows(poison=1)
    queue = AuditQueue(rows)
    with expect_log("identity.audit", "audit-dropped"):
        queue.append(event(1))
        queue.append(event(2))
        assert queue.close() == 0
    assert [e.id.int for e in rows.events] == [2]
    assert queue.dropped == 1


def test_closing_gives_up_on_a_store_that_stays_away_and_says_what_is_missing(expect_log: ExpectLog) -> None:
    """A stop must end; the events are in the log."""
    queue = AuditQueue(Rows(outages=1_000_000), pauses_s=(60.0,))
    expect_log("identity.audit", "audit-waits")
    with expect_log("identity.audit", "audit-unwritten: 2 events are in this log only", level=logging.ERROR):
        queue.append(event(1))
        queue.append(event(2))
        assert queue.close(within_s=0.01) == 2
    queue._thread.join(10)  # what it still says belongs to this test


def test_an_event_after_closing_is_dropped_and_logged(expect_log: ExpectLog) -> None:
    """Nobody would write it, so nobody may believe it was written."""
    queue = AuditQueue(Rows())
    assert queue.close() == 0
    with expect_log("identity.audit", "audit-dropped"):
        queue.append(event(1))
    assert queue.dropped == 1


def test_many_threads_may_report_at_once() -> None:
    """Handlers run on many threads."""
    rows = Rows()
    queue = AuditQueue(rows)
    threads = [Thread(target=lambda n=n: [queue.append(event(n * 100 + i)) for i in range(100)]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queue.close() == 0
    assert sorted(e.id.int for e in rows.events) == list(range(800))


def test_every_event_is_one_log_line_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """The log is the audit's copy; facts must not hide the log's own fields."""
    caplog.set_level(logging.INFO, "identity.audit")
    rows = Rows(slow=True)
    queue = AuditQueue(rows)
    queue.append(event(1, name="x", provider="github"))
    (record,) = caplog.records
    assert record.getMessage() == "audit: login"
    fields = record.__dict__
    assert (fields["fact_name"], fields["fact_provider"]) == ("x", "github")
    assert (fields["action"], fields["account_id"], fields["request_id"]) == ("login", str(ACCOUNT), "request-1")
    rows.go.set()
    assert queue.close() == 0


@pytest.mark.threat(50)
def test_what_the_sender_calls_the_request_is_a_fact_beside_our_id() -> None:
    """Otherwise an audit row cannot be found in the proxy's log, or is found by a name that a browser chose."""
    rows = Rows()
    queue = AuditQueue(rows)
    with serving("request-1", given="theirs"):
        queue.append(event(1, name="x"))
        queue.append(event(2))  # of another request, which was answered together with this one
    with serving("request-3"):
        queue.append(event(3))
    assert queue.close() == 0

    assert [dict(each.facts) for each in rows.events] == [{"name": "x", "given_request_id": "theirs"}, {}, {}]
    assert rows.events[0].request_id == "request-1"


def done(number: int, *, by: int | None = 7, action: str = "login", actor: str = "self", at: int = 0) -> Event:
    """Return what an account, or nobody, did."""
    account = None if by is None else AccountId(UUID(int=by))
    return Event(UUID(int=number), at, action, account, actor)


def written(events: list[Event]) -> list[Event]:
    """Return what one ration lets through."""
    ration = Ration()
    return [admitted for event in events if (admitted := ration.admit(event))]


@pytest.mark.threat(48)
@pytest.mark.parametrize("by", [7, None])
def test_one_who_repeats_something_fills_so_many_rows_a_minute(by: int | None) -> None:
    """Logging in a thousand times, or denying logins, would grow the account store for ever."""
    events = [done(number, by=by, action=("login", "login-refused", "logout")[number % 3]) for number in range(1_000)]

    assert len(written(events)) == MOST_ROWS


@pytest.mark.threat(48)
def test_what_was_held_back_is_told_by_the_next_row() -> None:
    """A gap that nothing shows would look like quiet."""
    later = done(2_000, at=MINUTE)

    rows = written([*(done(number) for number in range(100)), later, done(2_001, at=MINUTE)])

    assert rows[-2].facts == {"withheld": "40"}
    assert rows[-1].facts == {}


@pytest.mark.threat(48)
def test_others_have_rations_of_their_own() -> None:
    """Otherwise a stranger could keep what somebody else does out of the audit."""
    flood = [done(number, by=None) for number in range(500)]

    rows = written([*flood, done(600, by=7), done(601, by=8)])

    assert [row.account_id for row in rows[MOST_ROWS:]] == [AccountId(UUID(int=7)), AccountId(UUID(int=8))]


@pytest.mark.threat(48)
@pytest.mark.parametrize(("action", "actor"), [("reuse", "system"), ("disable", "operator:ops"), ("sign-up", "self")])
def test_what_happens_once_or_is_done_to_an_account_is_never_held_back(action: str, actor: str) -> None:
    """Otherwise a thief could hide behind a flood of logins."""
    flood = [done(number) for number in range(500)]

    rows = written([*flood, *(done(600 + number, action=action, actor=actor) for number in range(100))])

    assert len(rows) == MOST_ROWS + 100


@pytest.mark.threat(48)
def test_what_is_remembered_of_those_who_were_held_back_is_bounded() -> None:
    """Otherwise the ration itself would grow for as long as the daemon runs."""
    ration = Ration()
    for by in range(MOST_OWED + 50):
        for number in range(MOST_ROWS + 1):
            ration.admit(done(number, by=by, at=by * MINUTE))

    assert len(ration._owed) == MOST_OWED
    assert len(ration._written) == 1


def test_what_is_held_back_is_in_the_log_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """An operator must be able to find every event somewhere."""
    caplog.set_level(logging.INFO, "identity.audit")
    rows = Rows()
    queue = AuditQueue(rows)
    note = Rationed(queue.append)
    for number in range(MOST_ROWS + 5):
        note(done(number))
    queue.close()

    assert (len(rows.events), note.withheld, queue.dropped) == (MOST_ROWS, 5, 0)
    assert sum(record.getMessage() == "audit: login" for record in caplog.records) == MOST_ROWS + 5
