"""Attacks on the way to an application's host: whose code, whose browser, which host, how often."""

from collections.abc import Callable
from secrets import token_bytes
from urllib.parse import quote, urlencode

import pytest

from identity.login.carrying import Carrying
from identity.login.codes import Destination, StartCode, challenge_of
from identity.login.flow import spelt
from identity.login.handover import continue_path
from identity.login.packing import pack_flow, pack_start
from identity.login.store import RecordKind
from identity.types import SECOND, ClientId, Host, SessionId
from tests.security.test_login_records import _flow
from tests.support.application_hosts import LOGIN, SHOP, SHOP_APP, SHOP_SECRET, WIKI, HostVisitor, user
from tests.support.application_hosts import ApplicationHosts as Hosts
from tests.support.caches import ring
from tests.support.logins import form_of, location, query_of
from tests.support.racing import race

PAGE = f"{WIKI}/page"
SECRET = "r" * 43


@pytest.fixture
def ada(sites: Hosts) -> HostVisitor:
    """Somebody who is logged in, and was at the shop."""
    browser = sites.browser()
    browser.enter(f"{SHOP}/")
    return browser


@pytest.fixture
def eve(sites: Hosts) -> HostVisitor:
    """The attacker: an account like any other."""
    browser = sites.browser()
    browser.enter(f"{SHOP}/", "eve")
    return browser


def nothing_opened(sites: Hosts, browser: HostVisitor, host: str = "wiki.example") -> bool:
    """Tell whether a browser got no session on a host."""
    return browser.jars[host].tokens == {} and user(sites.browser().get(f"https://{host}/")) is None


@pytest.mark.threat(1, 25)
def test_an_attacker_cannot_log_somebody_in_as_himself(sites: Hosts, ada: HostVisitor, eve: HostVisitor) -> None:
    """What the victim then writes into the wiki would be the attacker's to read."""
    start = eve.code(PAGE)

    reply = ada.get(start)

    assert reply.status == 400
    assert b"start-invalid" in reply.body
    assert nothing_opened(sites, ada)


@pytest.mark.threat(1, 25)
def test_nor_a_browser_that_is_on_its_own_way(ada: HostVisitor, eve: HostVisitor) -> None:
    """Otherwise having any way open would be enough to be led into another's."""
    ada.get(f"{WIKI}/.identityd/login")
    start = eve.code(PAGE)

    assert ada.get(start).status == 400
    assert user(ada.go(PAGE)) == "ada"


@pytest.mark.threat(10)
def test_a_code_that_was_shown_in_another_jar_is_void(sites: Hosts, ada: HostVisitor) -> None:
    """Somebody else has seen it; its owner comes again without a click."""
    start = ada.code(PAGE)
    assert sites.browser().get(start).status == 400

    assert ada.get(start).status == 400
    assert user(ada.go(PAGE)) == "ada"


@pytest.mark.threat(1)
def test_a_code_for_a_secret_of_the_attackers_is_of_no_use_without_the_code(
    sites: Hosts, ada: HostVisitor, eve: HostVisitor
) -> None:
    """A link with the attacker's challenge makes the victim's code; it is used up in the victim's browser."""
    asked = continue_path(Host("wiki.example"), challenge_of(SECRET), "/page")

    reply = ada.go(LOGIN + asked)

    assert reply.status == 400
    assert nothing_opened(sites, ada)
    eve.jars["wiki.example"].cookies[f"__Host-idds-{SECRET[:8]}"] = f"0.{SECRET}"
    assert eve.get(ada.hops[-1]).status == 400
    assert nothing_opened(sites, eve)


@pytest.mark.threat(10, 28)
def test_a_code_is_good_once(ada: HostVisitor) -> None:
    """An address in a history or a log would open sessions for a minute."""
    start = ada.code(PAGE)
    copy = ada.copy("wiki.example")
    assert user(ada.go(start)) == "ada"

    assert copy.get(start).status == 400
    assert ada.get(start).status == 400
    assert user(ada.go(PAGE)) == "ada"


@pytest.mark.threat(28)
def test_of_parallel_uses_one_wins(sites: Hosts, ada: HostVisitor) -> None:
    """Two sub-sessions from one code would be two lines of which nobody knows."""
    start = ada.code(PAGE)
    copies = [ada.copy("wiki.example") for _ in range(8)]

    replies = race(8, lambda number: copies[number].get(start))

    assert sorted(reply.status for reply in replies) == [303] + [400] * 7
    assert sum(s.host == "wiki.example" for s in sites.record().sessions) == 1


@pytest.mark.threat(10)
def test_a_code_is_good_for_a_minute(sites: Hosts, ada: HostVisitor) -> None:
    """Longer than a redirect takes, an address must not open anything."""
    start = ada.code(PAGE)
    sites.clock.advance(60 * SECOND)

    assert ada.get(start).status == 400
    assert nothing_opened(sites, ada)


@pytest.mark.threat(32)
def test_a_code_of_one_host_is_refused_on_another(sites: Hosts, ada: HostVisitor) -> None:
    """The shop's operator sees what is sent to the shop, and must not get into the wiki with it."""
    start = ada.code(PAGE)
    cookies = ada.jars["wiki.example"].cookies
    thief = sites.browser()
    thief.jars["shop.example"].cookies |= cookies

    reply = thief.get(start.replace(WIKI, SHOP))

    assert reply.status == 400
    assert thief.jars["shop.example"].tokens == {}


@pytest.mark.threat(32)
def test_an_application_redeems_no_code_of_another(sites: Hosts, ada: HostVisitor) -> None:
    """Its secret proves who asks, and the code knows whom it was made for."""
    ada.go(LOGIN + continue_path(Host("wiki.example"), challenge_of(SECRET), "/page"), until="/.identityd/start")
    url = ada.hops[-1].replace(WIKI, SHOP)

    reply = sites.start_over_http(url, SECRET, client=SHOP_APP, password=SHOP_SECRET)

    assert (reply.status, reply.json()["error"]) == (400, "start-invalid")


@pytest.mark.threat(36)
@pytest.mark.parametrize("secret", [None, "", "wrong", challenge_of(SECRET)])
def test_an_application_redeems_nothing_without_the_secret(sites: Hosts, ada: HostVisitor, secret: str | None) -> None:
    """As with PKCE: left out must not mean skipped, and the challenge is not its own answer."""
    ada.go(LOGIN + continue_path(Host("wiki.example"), challenge_of(SECRET), "/page"), until="/.identityd/start")
    body = {"url": ada.hops[-1]} | ({} if secret is None else {"secret": secret})

    reply = sites.ask_app("/session/start", body)

    assert reply.status == 400
    assert "set_cookie" not in reply.json()


@pytest.mark.threat(36)
@pytest.mark.parametrize("start", ["", "x", "x" * 42, "x" * 44, "=" * 43])
def test_no_code_is_made_without_a_challenge(ada: HostVisitor, start: str) -> None:
    """A code that needs no secret is good for whoever sees it."""
    asked = urlencode({"host": "wiki.example", "path": "/"} | ({"start": start} if start else {}))

    reply = ada.get(f"{LOGIN}/continue?{asked}")

    assert (reply.status, reply.one("Location")) == (400, None)


def test_a_code_is_made_for_the_login_hosts_own_session_only(sites: Hosts, ada: HostVisitor) -> None:
    """A cookie of the shop, copied to the login host's jar, must not lead to the wiki."""
    thief = sites.browser()
    thief.jars["login.example"].cookies |= ada.jars["shop.example"].cookies

    reply = thief.go(f"{WIKI}/.identityd/login")

    assert thief.hops[-1].startswith(f"{LOGIN}/login?")
    assert reply.status == 200


def test_a_doubtful_login_leads_nowhere(sites: Hosts, ada: HostVisitor) -> None:
    """Not even with a code that was made just before the doubt."""
    thief = ada.copy("shop.example")
    for _ in range(4):
        sites.clock.advance(20_000)
        ada.get(f"{SHOP}/")
    start = ada.code(PAGE)
    thief.go(f"{SHOP}/")
    assert [s.doubtful for s in sites.record().sessions if s.login is None] == [True]

    assert ada.get(start).status == 400
    assert nothing_opened(sites, ada)
    assert ada.go(PAGE).status == 200
    assert ada.hops[-1].startswith(f"{LOGIN}/login?")


@pytest.mark.threat(30)
def test_a_code_of_a_login_that_ended_opens_nothing(sites: Hosts, ada: HostVisitor) -> None:
    """Whoever logged out in another tab meanwhile is out."""
    start = ada.code(PAGE)
    ada.send(f"{LOGIN}/logout", form_of(ada.get(f"{LOGIN}/logout")))

    assert ada.get(start).status == 400
    assert nothing_opened(sites, ada)


@pytest.mark.threat(6)
@pytest.mark.parametrize("what", ["code", "secret", "challenge"])
def test_nothing_of_the_way_is_a_session(sites: Hosts, ada: HostVisitor, what: str) -> None:
    """Values that travel in addresses would be passwords."""
    start = ada.code(PAGE)
    [name] = [name for name in ada.jars["wiki.example"].cookies if name.startswith("__Host-idds-")]
    secret = ada.jars["wiki.example"].cookies[name].partition(".")[2]
    value = {"code": query_of(start)["code"], "secret": secret, "challenge": challenge_of(secret)}[what]
    thief = sites.browser()
    for cookie in ("__Host-idd-AAAAAAAAAAA", "__Host-idd-", "__Host-iddm"):
        thief.jars["wiki.example"].cookies[cookie] = value

    reply = thief.get(PAGE)

    assert reply.status == 302
    assert user(reply) is None


@pytest.mark.threat(6)
def test_a_session_token_is_no_secret_of_a_way(sites: Hosts, ada: HostVisitor) -> None:
    """And the other way round."""
    token = next(iter(ada.jars["shop.example"].tokens))
    value = ada.jars["shop.example"].cookies[token]
    start = ada.code(PAGE)
    thief = sites.browser()
    thief.jars["wiki.example"].cookies["__Host-idds-xxxxxxxx"] = value

    assert thief.get(start).status == 400


@pytest.mark.threat(5)
@pytest.mark.parametrize("kind", [RecordKind.FLOW, RecordKind.SIGN_UP])
def test_records_of_other_kinds_are_no_codes(sites: Hosts, kind: RecordKind) -> None:
    """A login that proved nobody yet would open a session."""
    code = sites.carrying.seal(kind, "", pack_flow(_flow(sites)))
    browser = sites.browser()
    browser.get(f"{WIKI}/.identityd/login")

    assert browser.get(f"{WIKI}/.identityd/start?code={code}").status == 400


@pytest.mark.threat(5)
def test_bytes_of_another_kind_under_the_seal_of_a_code_are_refused(sites: Hosts, ada: HostVisitor) -> None:
    """A mistake in what is sealed for whom must not make a session of a login."""
    code = sites.carrying.seal(RecordKind.START, "", pack_flow(_flow(sites)))
    ada.get(f"{WIKI}/.identityd/login")

    assert ada.get(f"{WIKI}/.identityd/start?code={code}").status == 400


@pytest.mark.threat(5)
@pytest.mark.usefixtures("ada")
def test_a_code_that_somebody_else_wrote_is_refused(sites: Hosts) -> None:
    """Whoever knows how a code is made, and not our keys, must not become anybody."""
    login = next(s for s in sites.record().sessions if s.login is None)
    wanted = Destination(ClientId("wiki"), Host("wiki.example"), challenge_of(SECRET), "/")
    body = pack_start(StartCode(wanted, sites.row("github:ada").account_id, SessionId(login.id), sites.clock()))
    theirs = Carrying(lambda: ring(2), clock=sites.clock, random_bytes=token_bytes)
    thief = sites.browser()
    thief.jars["wiki.example"].cookies[f"__Host-idds-{SECRET[:8]}"] = f"0.{SECRET}"

    code = theirs.seal(RecordKind.START, "", body)

    assert thief.get(f"{WIKI}/.identityd/start?code={code}").status == 400
    assert thief.jars["wiki.example"].tokens == {}
    own = sites.carrying.seal(RecordKind.START, "", body)
    assert thief.get(f"{WIKI}/.identityd/start?code={own}").status == 303


@pytest.mark.threat(5)
@pytest.mark.parametrize("number", [2, 255])
def test_a_code_that_claims_a_newer_key_is_no_trouble_of_a_store(
    sites: Hosts, number: int, expect_log: Callable[..., object]
) -> None:
    """Anybody can write such a link; operators would look for a store that is away."""
    expect_log("identity.web", "newer-key")
    before = sites.metrics.render().count(b'identityd_store_errors_total{code="store-unavailable"}')
    code = spelt(bytes((1, number)) + bytes(60))

    reply = sites.browser().get(f"{WIKI}/.identityd/start?code={code}&path=%2Fpage")

    assert reply.status == 503
    assert b"This site is being updated" in reply.body
    assert b"/.identityd/login?return_to=%2Fpage" in reply.body
    assert sites.metrics.render().count(b'identityd_store_errors_total{code="store-unavailable"}') == before


@pytest.mark.threat(41)
@pytest.mark.parametrize("host", ["evil.example", "login.example", "wiki.example.evil.example", "WIKI.example", ""])
def test_no_code_is_made_for_a_host_that_is_no_applications(ada: HostVisitor, host: str) -> None:
    """It would be sent to whoever has that host."""
    asked = urlencode({"host": host, "start": challenge_of(SECRET), "path": "/"})

    reply = ada.get(f"{LOGIN}/continue?{asked}")

    assert reply.status == 403
    assert reply.one("Location") is None


@pytest.mark.threat(41)
def test_the_way_leads_to_the_host_that_was_configured_however_it_is_spelt(sites: Hosts) -> None:
    """A forged or odd Host header must not come back in a redirect."""
    reply = sites.public("GET", "/.identityd/login", host="WIKI.example:443")
    assert query_of(location(reply))["host"] == "wiki.example"

    assert sites.public("GET", "/.identityd/login", host="wiki.example.evil.example").status == 421


@pytest.mark.threat(26)
def test_the_cookie_of_a_way_is_bound_to_its_host(sites: Hosts) -> None:
    """A sibling host that could set it would log people in as somebody else."""
    [cookie] = sites.public("GET", "/.identityd/login", host="wiki.example").cookies

    assert cookie.startswith("__Host-idds-")
    assert "; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure" in cookie
    assert "Domain" not in cookie


@pytest.mark.threat(32)
@pytest.mark.parametrize("page", ["/account", "/logout"])
def test_an_applications_cookie_opens_no_page_of_the_login_host(sites: Hosts, ada: HostVisitor, page: str) -> None:
    """A careless application sees its own cookies, and must not end a person's sessions with them."""
    cookies = "; ".join(f"{name}={value}" for name, value in ada.jars["shop.example"].cookies.items())

    on_shop = sites.public("GET", page, host="shop.example", headers={"Cookie": cookies})
    on_login = sites.public("GET", page, host="login.example", headers={"Cookie": cookies})

    assert on_shop.status == 404
    assert b"ada" not in on_login.body


@pytest.mark.parametrize("origin", [LOGIN, WIKI, "https://evil.example", "null"])
def test_a_form_of_another_host_logs_nobody_out_of_an_application(ada: HostVisitor, origin: str) -> None:
    """Not even one of the login host or of another application: each host's forms are its own."""
    page = f"{SHOP}/.identityd/logout"
    fields = form_of(ada.get(page))

    reply = ada.send(page, fields, Origin=origin)

    assert reply.status == 403
    assert user(ada.get(SHOP)) == "ada"


def test_a_form_without_its_token_logs_nobody_out_of_an_application(ada: HostVisitor) -> None:
    """Browsers without Sec-Fetch-Site and Origin exist."""
    page = f"{SHOP}/.identityd/logout"

    assert ada.send(page, {"csrf": "AXNhbXBsZS1mb3JtLXRva2Vu", "scope": "login"}).status == 403
    assert user(ada.get(SHOP)) == "ada"


def test_a_form_names_no_session_of_somebody_else(sites: Hosts, ada: HostVisitor, eve: HostVisitor) -> None:
    """The hidden login of the form counts for the token's own account only."""
    victim = next(s for s in sites.record().sessions if s.login is None)
    page = f"{SHOP}/.identityd/logout"
    fields = {**form_of(eve.get(page)), "scope": "login", "login": victim.id.hex()}

    with sites.store_away():
        assert eve.send(page, fields).status == 503
    sites.accounts.retry_revocations()

    assert user(ada.get(SHOP)) == "ada"


def test_codes_and_secrets_are_in_no_log_and_no_audit(
    sites: Hosts, ada: HostVisitor, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs are copied and kept; a code is good for a minute, but a habit for ever."""
    caplog.set_level("DEBUG")
    start = ada.code(PAGE)
    [secret] = [v for n, v in ada.jars["wiki.example"].cookies.items() if n.startswith("__Host-idds-")]
    ada.go(start)

    said = caplog.text + repr(sites.events)
    assert "application" in sites.actions()
    assert query_of(start)["code"] not in said
    assert secret.partition(".")[2] not in said
    assert quote(challenge_of(secret.partition(".")[2])) not in said
