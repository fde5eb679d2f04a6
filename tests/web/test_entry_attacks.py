"""Who may enter, attacked: by a colleague with a weaker login, an old session, another method, a store that is away."""

from collections.abc import Callable, Iterator
from typing import Final
from uuid import uuid4

import pytest

from identity.accounts.results import By, Linked, LinkRequest
from identity.login.admission import SignUpMode
from identity.stores.memory import MemoryAccounts
from identity.stores.memory_cache import MemoryCache
from identity.types import IdentityKey
from tests.support.browser import Reply
from tests.support.caches import Trips
from tests.support.clock import ManualClock
from tests.support.entry_site import PROVIDER, WAYS, EntrySite, EntryVisitor, Stores, Verdict, Way, by_proxy, host_of
from tests.support.guards import Expectation
from tests.support.logins import location
from tests.support.scripted import person
from tests.support.web import forwarded

ALLOW: Final = {
    "everyone": "everyone",
    "corp": f"provider:{PROVIDER}",
    "acme": f"provider:{PROVIDER}/org=acme",
    "acme-anywhere": "provider:*/org=acme",
    "mapped": "group:mapped",
    "staff": "group:staff",
    "other": "user:adam",
}
GROUPS: Final = {"mapped": f"provider:{PROVIDER}/org=acme"}


@pytest.fixture
def site() -> Iterator[EntrySite]:
    """Give a daemon with these applications."""
    clock = ManualClock()
    stores = Stores(MemoryAccounts(clock=clock), MemoryCache(clock=clock), Trips(), clock)
    with EntrySite(stores=stores, allow=ALLOW, groups=GROUPS) as running:
        yield running


@pytest.fixture
def ada(site: EntrySite) -> EntryVisitor:
    """Give the browser of Ada, who has sessions everywhere and is one of the staff."""
    browser = site.browser()
    browser.sign_up("ada", provider=PROVIDER)
    site.put("staff")
    site.log_in_everywhere(browser)
    return browser


def met(site: EntrySite, browser: EntryVisitor) -> dict[str, Verdict]:
    """Return what a person meets at each application, as its proxy asks."""
    return {name: by_proxy(site, browser, name) for name in ALLOW}


IN, NO, OUT = Verdict.IN, Verdict.NO, Verdict.OUT
AS_ADA: Final = {"everyone": IN, "corp": IN, "acme": IN, "acme-anywhere": IN, "mapped": IN, "staff": IN, "other": NO}


@pytest.mark.threat(68)
def test_a_weaker_way_to_log_in_opens_no_door_that_names_the_stronger(site: EntrySite, ada: EntryVisitor) -> None:
    """An account keeps its linked ways; one that proves less must not count as the one that a rule names."""
    assert met(site, ada) == AS_ADA
    account_id = site.row(f"{PROVIDER}:ada").account_id
    asked = LinkRequest(uuid4(), account_id, IdentityKey("github:weak"), "", By("operator:test"))
    assert isinstance(site.accounts.link(asked), Linked)
    site.github.people["weak"] = person("weak", facts=(("org", "acme"), ("claim.groups", "ops")))
    weak = site.browser()
    weak.log_in("weak")
    weaker = next(each for each in site.sessions.devices(account_id) if each.identity == "github:weak")

    site.open_everywhere(weak, account_id, weaker.id)

    refused = {"corp": NO, "acme": NO, "mapped": NO}
    assert met(site, weak) == AS_ADA | refused
    assert met(site, ada) == AS_ADA


@pytest.mark.threat(68)
def test_a_login_by_another_way_ends_what_the_first_one_opened(site: EntrySite, ada: EntryVisitor) -> None:
    """One who changes accounts at the login host would go on at the applications as the one before."""
    ada.sign_up("bob")

    assert set(met(site, ada).values()) == {OUT}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_an_outage_is_neither_a_refusal_nor_a_logout(
    site: EntrySite, ada: EntryVisitor, way: Way, expect_log: Callable[..., Expectation]
) -> None:
    """A person would be told to ask for a right that they have, or log in against a store that is away."""
    expect_log("identity.web", "store-", required=False)
    for name in ("staff", "other"):
        before = dict(ada.jars[host_of(name)])
        with site.store_away():
            assert way(site, ada, name) is Verdict.AWAY
        assert ada.jars[host_of(name)] == before


def refusals(site: EntrySite, browser: EntryVisitor, method: str, **more: str) -> Iterator[Reply]:
    """Ask as proxies do for what the person may not enter."""
    told = {**forwarded(host=host_of("other"), method=method), **browser.jars[host_of("other")].header}
    for query in ("", "?redirect=1"):
        for own in {"GET", method}:
            headers = {**told, **{name.replace("_", "-"): value for name, value in more.items()}}
            yield site.internal(own, f"/auth{query}", headers=headers)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PROPFIND", "DELETE"])
def test_no_method_and_no_kind_of_request_gets_past(site: EntrySite, ada: EntryVisitor, method: str) -> None:
    """A guard that knows GET alone lets the others through."""
    kinds = ({}, {"Sec_Fetch_Mode": "cors"}, {"Sec_WebSocket_Version": "13"}, {"Sec_Purpose": "prefetch"})
    for kind in kinds:
        for reply in refusals(site, ada, method, **kind):
            assert reply.status == 403
            assert reply.one("X-Identity-User") is None
            assert reply.one("Location") is None


def test_a_refusal_is_stored_nowhere(site: EntrySite, ada: EntryVisitor) -> None:
    """A cache in between would refuse the person for as long again after they were let in, and others too."""
    pages = [
        *refusals(site, ada, "GET"),
        *refusals(site, ada, "HEAD"),
        ada.get(f"https://{host_of('other')}/.identityd/refused?return_to=%2Fpage"),
        ada.get(f"{site.public_url}/continue?anew=yes&path=/page&host={host_of('other')}"),
    ]

    assert {(page.status, page.one("Cache-Control")) for page in pages} == {(403, "no-store")}


def test_the_login_leads_to_the_page_that_refuses_and_no_further(site: EntrySite) -> None:
    """A login that leads to a refusal which leads to the login never ends."""
    browser = site.browser()
    browser.sign_up("ada", provider=PROVIDER)
    for name, status in (("acme", 200), ("other", 403)):
        anew = site.browser()

        page = f"https://{host_of(name)}/page"
        reply = anew.go(location(anew.log_in("ada", provider=PROVIDER, return_to=page)))

        assert reply.status == status
        assert anew.hops.count(page) <= 2


@pytest.mark.threat(70)
@pytest.mark.parametrize(
    ("mode", "org", "expected"),
    [
        (SignUpMode.OPEN, "", "enters"),
        (SignUpMode.RULES, "acme", "enters"),
        (SignUpMode.RULES, "other", "not-admitted"),
        (SignUpMode.INVITED, "acme", "not-invited"),
        (SignUpMode.CLOSED, "acme", "sign-up-closed"),
    ],
)
def test_a_form_that_was_open_when_the_door_was_shut_makes_no_account(
    site: EntrySite, mode: SignUpMode, org: str, expected: str
) -> None:
    """An operator shuts sign-up because of who is coming; a heap of open forms would go on for a quarter of an hour."""
    site.corp.people["ada"] = person("ada", facts=(("org", org),))
    browser = site.browser()
    form = browser.get(location(browser.log_in("ada", provider=PROVIDER)))
    with EntrySite(stores=site.stores, allow=ALLOW, groups=GROUPS, mode=mode) as later:
        later.adopt(browser)

        reply = browser.choose(form, "ada")

        found = later.accounts.find(IdentityKey(f"{PROVIDER}:ada"))
        assert (found is not None, expected == "enters" or expected.encode() in reply.body) == (
            expected == "enters",
            True,
        )
        assert reply.status == (303 if expected == "enters" else 403)


def test_one_whose_account_is_made_already_finishes_a_form_though_the_door_is_shut(site: EntrySite) -> None:
    """Nothing new is made: a person with two windows would be told that they may not have what they have."""
    browser = site.browser()
    first, second = (browser.get(location(browser.log_in("ada", provider=PROVIDER))) for _ in range(2))
    assert browser.choose(first, "ada").status == 303
    with EntrySite(stores=site.stores, allow=ALLOW, groups=GROUPS, mode=SignUpMode.CLOSED) as later:
        later.adopt(browser)

        assert browser.choose(second, "ada").status == 303
