"""Key rings, ends, expiry and corrupt records through the session service."""

from collections.abc import Callable

import pytest

from identity.errors import StoreUnavailable
from identity.keyring import KeyRing
from identity.sessions.check import Outcome
from identity.sessions.planning import Rules
from identity.sessions.record import Ended, Record
from identity.sessions.service import Opened, SessionService, TicketStale
from identity.sessions.store import Found
from identity.types import DAY, MINUTE, SECOND, AccountId, Host, Username
from options.secret import Secret
from tests.support.daemons import Daemons, rotate
from tests.support.jars import ACCOUNT, BrowserJar, ring


def test_a_key_ring_rolled_out_unevenly_logs_nobody_out(daemons: Daemons, jar: BrowserJar) -> None:
    """One daemon reads the new ring ten minutes before the other; people move between them."""
    old = daemons.keys
    behind: list[KeyRing] = [old]
    late = daemons.daemon(keys=lambda: behind[0])
    daemons.keys = old.with_key(Secret(b"n" * 32), now=daemons.clock())
    for n in range(60):
        daemons.clock.advance(16 * SECOND)
        if n == 37:
            behind[0] = daemons.keys
        verdict = daemons.visit(jar, service=late if n % 2 else daemons.service)
        assert verdict.outcome is Outcome.OK


def test_a_daemon_too_late_with_the_ring_says_retry_never_login(daemons: Daemons, jar: BrowserJar) -> None:
    """Even an operator's mistake must not log anybody out."""
    old = daemons.keys
    late = daemons.daemon_with_ring(lambda: old)
    daemons.keys = old.with_key(Secret(b"n" * 32), now=daemons.clock() - 11 * MINUTE)
    rotate(daemons, jar, times=2)

    verdict = daemons.visit(jar, service=late)

    assert (verdict.outcome, verdict.reason) == (Outcome.RETRY, "newer-key")


def test_disabling_beats_a_login_under_way(daemons: Daemons) -> None:
    """Whoever is disabled while he logs in must not end up with a session."""
    ticket = daemons.service.ticket(ACCOUNT)

    daemons.service.end_all(ACCOUNT, epoch=2, reason=Ended.DISABLED)

    assert isinstance(open_with(daemons.service, ticket), TicketStale)


def test_a_login_that_read_an_older_account_is_refused(daemons: Daemons, jar: BrowserJar) -> None:
    """An account row older than the record says that sessions were ended since it was read."""
    daemons.service.end_all(ACCOUNT, epoch=2, reason=Ended.REVOKED)

    assert isinstance(open_with(daemons.service, daemons.service.ticket(ACCOUNT)), TicketStale)
    assert daemons.visit(jar).reason == "revoked"


def open_with(service: SessionService, ticket: object) -> Opened | TicketStale:
    from identity.sessions.check import Opening  # noqa: PLC0415 - keeps the name out of the tests above

    opening = Opening(ACCOUNT, Username("ada"), 1, "demo:1", 0, Host("login.example"), "", "")  # type: ignore[arg-type]
    return service.open(opening, ticket=ticket, jar=BrowserJar().check())  # type: ignore[arg-type]


def test_ending_everything_is_one_write_and_reaches_every_device(daemons: Daemons, jar: BrowserJar) -> None:
    """A person who lost a phone presses one button."""
    phone = BrowserJar()
    daemons.login(phone)
    daemons.store.writes = 0

    daemons.service.end_all(ACCOUNT, epoch=2, reason=Ended.REVOKED)

    assert daemons.store.writes == 1
    assert {daemons.visit(jar).reason, daemons.visit(phone).reason} == {"revoked"}


def test_ending_one_session_leaves_the_other(daemons: Daemons, jar: BrowserJar) -> None:
    """Logging the phone out must not log this computer out."""
    phone = BrowserJar()
    opened = daemons.login(phone)

    daemons.service.end(ACCOUNT, opened.session.id, reason=Ended.REVOKED)

    assert daemons.visit(phone).reason == "revoked"
    assert daemons.visit(jar).outcome is Outcome.OK


def test_a_logout_while_the_store_is_away_says_so_and_still_empties_the_jar(daemons: Daemons, jar: BrowserJar) -> None:
    """The person may leave a shared computer; the session must end when the store is back."""
    [session] = daemons.service.devices(ACCOUNT)
    daemons.store.away = True

    with pytest.raises(StoreUnavailable):
        daemons.service.end(ACCOUNT, session.id, reason=Ended.LOGOUT)

    assert {c.name for c in daemons.service.forget(jar.check())} == set(jar.cookies)


def test_a_killed_session_is_not_resurrected_by_a_rotation(daemons: Daemons, jar: BrowserJar) -> None:
    """Get, change, set without a comparison would bring the session back."""
    daemons.clock.advance(16 * SECOND)
    daemons.visit(jar)
    [session] = daemons.service.devices(ACCOUNT)
    daemons.store.before_write = lambda: daemons.service.end(ACCOUNT, session.id, reason=Ended.REVOKED)

    verdict = daemons.visit(jar)

    assert (verdict.outcome, verdict.reason) == (Outcome.LOGIN, "revoked")
    assert daemons.service.devices(ACCOUNT) == ()


def test_a_login_as_somebody_else_ends_what_was_here_also_in_a_race(daemons: Daemons, jar: BrowserJar) -> None:
    """On a shared computer the first person's applications would stay open behind the second one's login."""
    daemons.store.before_write = lambda: daemons.service.compared(ACCOUNT, epoch=1) and None

    daemons.login(jar, account_id=AccountId(ACCOUNT.__class__(int=8)), username=Username("bob"))

    assert daemons.service.devices(ACCOUNT) == ()


def test_an_idle_session_ends_and_an_active_one_does_not(daemons: Daemons, jar: BrowserJar) -> None:
    """Idle time counts from the last use, not from the login."""
    for _ in range(6):
        daemons.clock.advance(DAY // 2)
        assert daemons.visit(jar).outcome is Outcome.OK

    daemons.clock.advance(DAY + 2 * MINUTE)

    assert daemons.visit(jar).reason == "idle"


def test_a_session_ends_at_its_absolute_time_however_active(daemons: Daemons, jar: BrowserJar) -> None:
    """Nobody stays logged in for ever."""
    for _ in range(59):
        daemons.clock.advance(DAY // 2)
        assert daemons.visit(jar).outcome is Outcome.OK

    daemons.clock.advance(DAY // 2 + 2 * MINUTE)

    assert daemons.visit(jar).outcome is Outcome.LOGIN


def test_an_epoch_not_compared_for_five_minutes_is_reported_after_an_advance(daemons: Daemons, jar: BrowserJar) -> None:
    """A disable that could not reach memcached is found by the session's own use."""
    daemons.clock.advance(6 * MINUTE)

    daemons.visit(jar)
    daemons.visit(jar)

    assert daemons.heard.due == [ACCOUNT]


def test_single_session_mode_ends_the_first_device() -> None:
    """The strict mode of 2009: a login elsewhere ends the stolen session."""
    daemons = Daemons(rules=Rules(lifetimes=Rules().lifetimes.__class__(devices=1)))
    first, second = BrowserJar(), BrowserJar()
    daemons.login(first)
    daemons.clock.advance(SECOND)

    daemons.login(second)

    assert daemons.visit(first).reason == "replaced"
    assert daemons.visit(second).outcome is Outcome.OK


def test_a_corrupt_record_is_retry_with_an_alarm_and_a_login_repairs_it(
    daemons: Daemons, jar: BrowserJar, expect_log: Callable[..., object]
) -> None:
    """Whoever can write to memcached must neither log people out for good nor become them."""
    locator = daemons.keys.locator(ACCOUNT)
    found = daemons.store.read_many({locator})[locator]
    assert isinstance(found, Found)
    expect_log("identity.stores", "store-corrupt")
    tamper(daemons, found.record)

    assert daemons.visit(jar).reason == "store-corrupt"
    assert daemons.heard.corrupts == 1
    daemons.login(jar)
    assert daemons.visit(jar).outcome is Outcome.OK


def tamper(daemons: Daemons, record: Record) -> None:
    """Change a byte of the stored record, as somebody with access to memcached could."""
    del record
    [(key, item)] = daemons.cache._items.items()
    data = item.value.data
    altered = data[:30] + bytes([data[30] ^ 1]) + data[31:]
    written = daemons.cache.swap(key, altered, version=item.value.version, expires_at=item.expires_at)
    assert written.value == "applied"


def test_a_check_never_shows_its_cookies(jar: BrowserJar) -> None:
    """A traceback or a debug line with a check in it would hand the session to whoever reads the log."""
    assert not any(value in repr(jar.check()) for value in jar.cookies.values())


def test_a_key_ring_of_another_installation_does_not_continue_this_one(daemons: Daemons) -> None:
    """Read by mistake on SIGHUP it would make every session unreadable at once."""
    assert daemons.keys.continues_in(daemons.keys.with_key(Secret(b"n" * 32), now=daemons.clock()))
    assert not daemons.keys.continues_in(ring(9))
