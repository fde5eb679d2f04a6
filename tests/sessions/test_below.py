"""Sub-sessions: what a login on one host means on the others, over real services and a store."""

from dataclasses import replace

import pytest

from identity.errors import StoreCorrupt, StoreUnavailable
from identity.sessions.check import Mode, Outcome, Verdict
from identity.sessions.record import Ended, Record, Session
from identity.sessions.service import LoginOver, Opened
from identity.sessions.store import Found
from identity.types import HOUR, MINUTE, SECOND, AccountId, Host, IdentityKey, Username
from tests.support.daemons import Daemons, copy
from tests.support.guards import Expectation
from tests.support.jars import ACCOUNT, BrowserJar
from tests.support.racing import race

WIKI = Host("wiki.example")
SHOP = Host("shop.example")


def enter(daemons: Daemons, login: Session, app: BrowserJar, *, host: Host = WIKI) -> Opened:
    """Open a sub-session, or go on with it, and give its cookies to the browser."""
    opened = daemons.service.open_below(ACCOUNT, login.id, jar=app.check(host=host))
    assert isinstance(opened, Opened)
    app.apply(opened.set_cookies)
    return opened


def visit(daemons: Daemons, app: BrowserJar, *, host: Host = WIKI, **changes: object) -> Verdict:
    """Load a page of the application."""
    return daemons.visit(app, host=host, **changes)


def use(daemons: Daemons, app: BrowserJar, *, hours: int) -> None:
    """Load a page of the application each hour."""
    for _ in range(hours):
        daemons.clock.advance(HOUR)
        assert visit(daemons, app).outcome is Outcome.OK


def record_of(daemons: Daemons) -> Record:
    """Return what is stored."""
    read = daemons.service.ticket(ACCOUNT).read
    assert isinstance(read, Found)
    return read.record


@pytest.fixture
def login(daemons: Daemons) -> Session:
    """Somebody who is logged in at the login host."""
    return daemons.login(BrowserJar()).session


@pytest.fixture
def app(daemons: Daemons, login: Session) -> BrowserJar:
    """Their cookies at an application's host."""
    browser = BrowserJar()
    enter(daemons, login, browser)
    return browser


def test_a_login_is_recognised_on_the_applications_host(daemons: Daemons, login: Session, app: BrowserJar) -> None:
    """Otherwise a login is of no use anywhere but at the login page."""
    verdict = visit(daemons, app)

    assert (verdict.outcome, verdict.username) == (Outcome.OK, "ada")
    assert verdict.session is not None
    assert (verdict.session.login, verdict.session.auth_at) == (login.id, login.auth_at)


def test_a_sub_session_counts_on_its_own_host_only(daemons: Daemons, app: BrowserJar) -> None:
    """Otherwise one application's server can be somebody at another's."""
    assert visit(daemons, app, host=SHOP).reason == "foreign"


def test_ending_the_login_ends_its_sub_sessions_at_the_very_next_check(daemons: Daemons, login: Session) -> None:
    """Whoever logs out at the login page and walks away leaves nothing open behind."""
    wiki, shop = BrowserJar(), BrowserJar()
    enter(daemons, login, wiki)
    enter(daemons, login, shop, host=SHOP)

    hosts = daemons.service.end(ACCOUNT, login.id, reason=Ended.LOGOUT)

    assert hosts == (SHOP, WIKI)
    assert visit(daemons, wiki).reason == "logout"
    assert visit(daemons, shop, host=SHOP).reason == "logout"


def test_a_sub_session_can_be_ended_alone(daemons: Daemons, login: Session, app: BrowserJar) -> None:
    """Logging out of the shop must not close the wiki."""
    shop = BrowserJar()
    sub = enter(daemons, login, shop, host=SHOP).session

    assert daemons.service.end(ACCOUNT, sub.id, reason=Ended.LOGOUT) == ()

    assert visit(daemons, shop, host=SHOP).reason == "logout"
    assert visit(daemons, app).outcome is Outcome.OK


def test_coming_again_keeps_the_sub_session_and_hands_out_nothing(daemons: Daemons, app: BrowserJar) -> None:
    """A new line at every pass through the login host would leave old ones behind, and cost cookies."""
    login = next(s for s in record_of(daemons).sessions if s.login is None)
    before = visit(daemons, app).session_id
    daemons.clock.advance(MINUTE)

    again = enter(daemons, login, app)

    assert again.set_cookies == ()
    assert (again.session.id, again.session.created_at) == (before, daemons.clock())
    assert len(record_of(daemons).sessions) == 2


def test_a_sub_session_of_another_login_is_replaced(daemons: Daemons, app: BrowserJar) -> None:
    """Two people at one computer: the second must not go on in the first one's wiki."""
    daemons.clock.advance(SECOND)
    other = AccountId(ACCOUNT.__class__(int=8))
    mine = daemons.login(
        BrowserJar(), account_id=other, username=Username("bob"), identity=IdentityKey("demo:2")
    ).session
    opened = daemons.service.open_below(other, mine.id, jar=app.check(host=WIKI))
    assert isinstance(opened, Opened)
    left = copy(app)

    app.apply(opened.set_cookies)

    assert visit(daemons, app).username == "bob"
    assert visit(daemons, left).reason == "replaced"


def test_a_sub_session_of_an_earlier_login_of_the_same_person_is_replaced(daemons: Daemons, app: BrowserJar) -> None:
    """Left alone in the jar it would be a cookie that never changes."""
    daemons.clock.advance(SECOND)
    left = copy(app)

    enter(daemons, daemons.login(BrowserJar()).session, app)

    assert visit(daemons, left).reason == "replaced"
    assert visit(daemons, app).outcome is Outcome.OK


def test_going_on_to_an_application_counts_as_use_of_the_login(daemons: Daemons, login: Session) -> None:
    """Whoever opens a second application in the evening has not left the login since the morning."""
    daemons.clock.advance(23 * HOUR)
    enter(daemons, login, BrowserJar())
    daemons.clock.advance(2 * HOUR)

    assert [device.id for device in daemons.service.devices(ACCOUNT)] == [login.id]


@pytest.mark.parametrize("how", ["ended", "doubtful", "idle", "no record", "a sub-session"])
def test_nothing_is_opened_below_what_is_no_login_any_more(daemons: Daemons, login: Session, how: str) -> None:
    """A start code lives for a minute; what it was made for may be over by then."""
    sid = login.id
    if how == "ended":
        daemons.service.end(ACCOUNT, login.id, reason=Ended.LOGOUT)
    elif how == "idle":
        daemons.clock.advance(25 * HOUR)
    elif how == "no record":
        daemons.cache._items.clear()
    elif how == "doubtful":
        _divide(daemons, login)
    else:
        sid = enter(daemons, login, BrowserJar()).session.id

    assert daemons.service.open_below(ACCOUNT, sid, jar=BrowserJar().check(host=SHOP)) == LoginOver()


def _divide(daemons: Daemons, login: Session) -> None:
    """Use a copy of a sub-session's cookies until the line has parted and it is ended for it."""
    app = BrowserJar()
    enter(daemons, login, app)
    thief = copy(app)
    for _ in range(4):
        daemons.clock.advance(16 * SECOND)
        visit(daemons, app)
    verdict = visit(daemons, thief)
    assert verdict.outcome is Outcome.BOUNCE
    assert visit(daemons, thief, flag=verdict.flag).reason == "reuse"


def test_reuse_in_a_sub_session_ends_it_and_leaves_the_login_doubtful(daemons: Daemons, login: Session) -> None:
    """A copy taken at one application must not walk on to the next one through the login host."""
    other = BrowserJar()
    enter(daemons, login, other, host=SHOP)
    _divide(daemons, login)

    after = record_of(daemons)
    assert [(s.host, s.doubtful) for s in after.sessions] == [(login.host, True), (SHOP, False)]
    assert len(after.notices) == 1
    assert visit(daemons, other, host=SHOP).outcome is Outcome.OK


def test_a_new_login_ends_the_doubt(daemons: Daemons) -> None:
    """A person whose cookie was stolen logs in once and goes on."""
    browser = BrowserJar()
    first = daemons.login(browser).session
    _divide(daemons, first)

    second = daemons.login(browser).session

    assert isinstance(daemons.service.open_below(ACCOUNT, second.id, jar=BrowserJar().check(host=SHOP)), Opened)


def test_a_page_load_after_eight_hours_goes_through_the_login_host(daemons: Daemons, app: BrowserJar) -> None:
    """A copied application cookie must not live for a month of its own."""
    use(daemons, app, hours=8)
    daemons.clock.advance(MINUTE)
    before = record_of(daemons)

    verdict = visit(daemons, app)

    assert (verdict.outcome, verdict.reason, verdict.set_cookies) == (Outcome.LOGIN, "return-due", ())
    assert record_of(daemons) == before


def test_the_return_takes_up_the_same_line(daemons: Daemons, app: BrowserJar) -> None:
    """The pass through the login host is silent: the page that was asked for is shown, and nothing is lost."""
    use(daemons, app, hours=8)
    daemons.clock.advance(MINUTE)
    login = next(s for s in record_of(daemons).sessions if s.login is None)

    enter(daemons, login, app)

    assert visit(daemons, app).outcome is Outcome.OK
    use(daemons, app, hours=7)


@pytest.mark.parametrize(
    "request_",
    [{"navigation": False}, {"reading": False}, {"mode": Mode.WEBSOCKET}, {"mode": Mode.READ_ONLY}],
)
def test_only_a_page_load_is_sent_away(daemons: Daemons, app: BrowserJar, request_: dict[str, object]) -> None:
    """A form that is being sent, a call or a socket cannot follow and would be lost."""
    use(daemons, app, hours=8)
    daemons.clock.advance(MINUTE)

    assert visit(daemons, app, **request_).outcome is Outcome.OK


def test_a_login_itself_is_never_sent_through_itself(daemons: Daemons, jar: BrowserJar) -> None:
    """It would go round for ever."""
    for _ in range(12):
        daemons.clock.advance(HOUR)
        assert daemons.visit(jar).outcome is Outcome.OK


def test_a_stale_copy_is_judged_before_it_is_sent_away(daemons: Daemons, app: BrowserJar) -> None:
    """Otherwise a thief is sent to log in every eight hours and never found."""
    thief = copy(app)
    use(daemons, app, hours=8)
    daemons.clock.advance(MINUTE)

    first = visit(daemons, thief)
    assert first.outcome is Outcome.BOUNCE
    assert visit(daemons, thief, flag=first.flag).reason == "reuse"


def test_use_of_an_application_keeps_the_login_awake(daemons: Daemons, app: BrowserJar) -> None:
    """Whoever works in the wiki all day has not left the login."""
    for _ in range(4):
        use(daemons, app, hours=7)
        enter(daemons, next(s for s in record_of(daemons).sessions if s.login is None), app)

    assert len(daemons.service.devices(ACCOUNT)) == 1


def test_the_61st_application_ends_the_oldest_with_a_reason(daemons: Daemons, login: Session) -> None:
    """Without a limit the record outgrows its 8 KB and takes the logins with it."""
    first = BrowserJar()
    enter(daemons, login, first, host=Host("app0.example"))
    for number in range(1, 61):
        daemons.clock.advance(SECOND)
        enter(daemons, login, BrowserJar(), host=Host(f"app{number % 20}.example"))

    assert visit(daemons, first, host=Host("app0.example")).reason == "too-many"
    assert len(record_of(daemons).sessions) == 61


def test_a_lost_race_is_tried_again(daemons: Daemons, login: Session) -> None:
    """Another tab rotates at the same moment: that is no reason to show an error."""
    daemons.store.before_write = lambda: daemons.service.compared(ACCOUNT, epoch=1) and None
    daemons.clock.advance(SECOND)

    enter(daemons, login, BrowserJar())


def test_an_unknown_outcome_hands_out_nothing(daemons: Daemons, login: Session) -> None:
    """A token of a session that may not exist would log its browser out at the next page."""
    daemons.store.unknown = [False]

    with pytest.raises(StoreUnavailable):
        daemons.service.open_below(ACCOUNT, login.id, jar=BrowserJar().check(host=WIKI))


def test_a_record_somebody_else_wrote_is_an_alarm_and_no_sub_session(
    daemons: Daemons, login: Session, expect_log: Expectation
) -> None:
    """Whoever can write to memcached must not get a session by it."""
    [key] = daemons.cache._items
    item = daemons.cache._items[key]
    daemons.cache._items[key] = replace(item, value=replace(item.value, data=b"x" * 60))
    expect_log("identity.stores", "store-corrupt")

    with pytest.raises(StoreCorrupt):
        daemons.service.open_below(ACCOUNT, login.id, jar=BrowserJar().check(host=WIKI))


def test_parallel_starts_of_several_tabs_leave_one_working_session(daemons: Daemons, login: Session) -> None:
    """A browser that opens eight wiki tabs at once sends eight starts before it has any answer."""
    app = BrowserJar()
    check = app.check(host=WIKI)

    for outcome in race(8, lambda _: daemons.service.open_below(ACCOUNT, login.id, jar=check)):
        if isinstance(outcome, Opened):
            app.apply(outcome.set_cookies)

    assert visit(daemons, app).outcome is Outcome.OK
    assert visit(daemons, app).outcome is Outcome.OK
