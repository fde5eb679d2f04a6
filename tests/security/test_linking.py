"""Attacks on linking: half logins, prepared logins, exchanged sessions, changed and skipped steps."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from identity.login.link_record import LinkRecord
from identity.login.packing import pack_link, unpack_link
from identity.login.store import RecordKind
from identity.types import IdentityKey
from tests.support.account_site import text
from tests.support.browser import Reply
from tests.support.logins import LoginSite, Visitor, form_of, location, query_of, welcomed
from tests.web.test_ways import proven

CONFIRM = "/account/ways/confirm"


@pytest.fixture
def site(logins: LoginSite) -> Iterator[LoginSite]:
    """Give a daemon with the account of the victim, which ends as it began."""
    logins.browser().sign_up("ada")
    yield logins
    listed = logins.accounts.account(logins.row("github:ada").account_id)
    assert listed is not None
    assert set(listed.identities) == {"github:ada"}


@pytest.fixture
def victim(site: LoginSite) -> Visitor:
    """Give the victim's browser."""
    return member(site, "ada")


def member(site: LoginSite, code: str) -> Visitor:
    """Return the browser of a person who logs in with GitHub, and signs up if need be."""
    browser = site.browser()
    if location(browser.log_in(code)).startswith("/welcome"):
        browser.sign_up(code)
    return browser


def begun(browser: Visitor) -> str:
    """Begin a link; return its state."""
    return query_of(location(browser.get("/login/google?for=link")))["state"]


def refused(reply: Reply, code: str) -> bool:
    """Tell whether an answer refuses with this code."""
    return reply.status in (400, 403) and code in text(reply)


def record_in(site: LoginSite, browser: Visitor, reference: str) -> tuple[str, LinkRecord]:
    """Return the name of the cookie that holds a link in progress, and the link."""
    name = f"__Host-iddk-{reference[:8]}"
    body = site.carrying.open(RecordKind.LINK, reference[:8], browser.jar.cookies[name].partition(".")[2])
    assert isinstance(body, bytes)
    return name, unpack_link(body)


# --- THREATS 19: half a login


@pytest.mark.threat(19)
@pytest.mark.usefixtures("victim")
def test_half_a_login_begins_no_link(site: LoginSite) -> None:
    """Otherwise an identity that has proven itself and no account yet is joined to one."""
    stranger, page = welcomed(site, "eve")

    began = stranger.get("/login/google?for=link")
    posted = stranger.post(CONFIRM, {"csrf": form_of(page)["csrf"], "l": form_of(page)["s"]})

    assert location(began) == "/account/ways/add"
    assert location(stranger.get("/account/ways/add")).startswith("/login?")
    assert location(posted).startswith("/login?")


@pytest.mark.threat(19)
def test_a_login_that_ended_meanwhile_links_nothing(site: LoginSite, victim: Visitor) -> None:
    """Otherwise a link outlives the session that proved the account."""
    state = begun(victim)
    victim.post("/logout", form_of(victim.get("/logout")))

    assert refused(victim.come_back(state, provider="google", code="bob"), "flow-invalid")
    assert site.google.finished == []


@pytest.mark.threat(19)
def test_another_login_in_the_same_browser_gets_nothing_of_it(site: LoginSite, victim: Visitor) -> None:
    """Otherwise the identity goes to the account of who logged in meanwhile."""
    state = begun(victim)
    member(site, "eve")
    victim.log_in("eve")

    assert refused(victim.come_back(state, provider="google", code="bob"), "flow-invalid")
    assert site.google.finished == []


@pytest.mark.threat(19)
def test_a_login_between_the_proof_and_the_confirmation_voids_it(site: LoginSite, victim: Visitor) -> None:
    """The page says whose account it is; its form must not reach another one's."""
    page = victim.get(location(proven(victim)))
    form = form_of(page)
    member(site, "eve")
    victim.log_in("eve")
    eve = form_of(victim.get("/account"))["csrf"]

    assert refused(victim.post(CONFIRM, form), "csrf")
    assert refused(victim.post(CONFIRM, {**form, "csrf": eve}), "link-invalid")
    assert refused(victim.get(f"{CONFIRM}?l={form['l']}"), "link-invalid")


# --- THREATS 57: somebody else prepares it


@pytest.mark.threat(57)
@pytest.mark.threat(1)
def test_a_link_that_an_attacker_began_is_not_finished_by_the_victim(site: LoginSite, victim: Visitor) -> None:
    """Otherwise the victim's proof at the provider opens the attacker's account, or the other way round."""
    attacker = member(site, "eve")
    state = begun(attacker)

    assert refused(victim.come_back(state, provider="google", code="bob"), "flow-invalid")
    assert site.google.finished == []


@pytest.mark.threat(57)
def test_a_link_that_an_attacker_proved_is_not_confirmed_by_the_victim(site: LoginSite, victim: Visitor) -> None:
    """Otherwise a link to our own page adds the attacker's login to the victim's account."""
    attacker = member(site, "eve")
    answer = proven(attacker)
    reference = query_of(location(answer))["l"]
    token = form_of(victim.get("/account"))["csrf"]

    assert refused(victim.get(location(answer)), "link-invalid")
    assert refused(victim.post(CONFIRM, {"csrf": token, "l": reference}), "link-invalid")
    name = f"__Host-iddk-{reference[:8]}"
    victim.jar.cookies[name] = attacker.jar.cookies[name]
    assert refused(victim.post(CONFIRM, {"csrf": token, "l": reference}), "link-invalid")


@pytest.mark.threat(57)
def test_a_prepared_answer_ends_at_the_confirmation_that_shows_whose_it_is(site: LoginSite, victim: Visitor) -> None:
    """An attacker who is logged in at the provider in the victim's browser: only the victim's click would link it."""
    shown = victim.get(location(proven(victim, "eve")))

    assert "Google eve" in text(shown)
    assert "can log in as ada and do everything that you can" in text(shown)
    assert site.accounts.find(IdentityKey("google:eve")) is None


@pytest.mark.threat(57)
def test_another_site_begins_no_link(site: LoginSite, victim: Visitor) -> None:
    """Otherwise a link on any page ends at a question that the person never asked for."""
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    reply = site.public("GET", "/login/google?for=link", headers={**victim.jar.header, **sent})

    assert (reply.status, reply.one("Location")) == (303, "/account/ways/add")


@pytest.mark.threat(57)
def test_a_sign_up_of_another_browser_is_not_adopted(site: LoginSite, victim: Visitor) -> None:
    """Otherwise "I already have an account" links what an attacker proved to the victim's account."""
    _, page = welcomed(site, "eve")
    reference = form_of(page)["s"]

    assert refused(victim.get(f"/account/ways/adopt?s={reference}"), "sign-up-invalid")
    assert refused(victim.get(f"/welcome/existing?s={reference}"), "sign-up-invalid")


@pytest.mark.threat(57)
def test_a_form_of_another_site_neither_links_nor_removes(site: LoginSite, victim: Visitor) -> None:
    """Otherwise a page with a hidden form changes the ways to log in of who visits it."""
    form = form_of(victim.get(location(proven(victim))))
    sent = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for path in (CONFIRM, "/account/ways/remove"):
        headers = [*victim.jar.header.items(), *sent.items(), ("Content-Type", "application/x-www-form-urlencoded")]
        body = f"csrf={form['csrf']}&l={form['l']}&way=x".encode()
        assert site.public("POST", path, headers=dict(headers), body=body).status == 403


# --- THREATS 21 and 45: changed and skipped steps


CHANGES: dict[str, Callable[[LinkRecord], LinkRecord]] = {
    "reference": lambda record: replace(record, reference="y" * 43),
    "account": lambda record: replace(record, account=type(record.account)(int=5)),
    "session": lambda record: replace(record, session=type(record.session)(b"5" * 16)),
    "created_at": lambda record: replace(record, created_at=record.created_at - 10 * 60_000),
    "provider": lambda record: replace(record, provider="gone"),
}


@pytest.mark.threat(21)
@pytest.mark.parametrize("field", CHANGES)
def test_a_link_is_bound_to_what_was_proven_for_whom_and_when(site: LoginSite, victim: Visitor, field: str) -> None:
    """Otherwise a proof for one account, session or moment serves another; even under our own seal."""
    form = form_of(victim.get(location(proven(victim))))
    name, record = record_in(site, victim, form["l"])
    sealed = site.carrying.seal(RecordKind.LINK, form["l"][:8], pack_link(CHANGES[field](record)))
    victim.jar.cookies[name] = f"{victim.jar.cookies[name].partition('.')[0]}.{sealed}"

    reply = victim.post(CONFIRM, form)

    assert reply.status in (400, 404)


@pytest.mark.threat(21)
def test_what_a_browser_carries_of_a_link_cannot_be_changed(site: LoginSite, victim: Visitor) -> None:
    """Otherwise the person chooses which identity was proven."""
    form = form_of(victim.get(location(proven(victim))))
    name, _ = record_in(site, victim, form["l"])
    good = victim.jar.cookies[name]
    for at in range(len(good.partition(".")[0]) + 1, len(good), 7):
        victim.jar.cookies[name] = good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :]
        assert refused(victim.post(CONFIRM, form), "link-invalid")


@pytest.mark.threat(21)
@pytest.mark.threat(20)
@pytest.mark.parametrize("field", ["identity", "provider", "account", "username", "session"])
def test_a_posted_identity_counts_for_nothing(site: LoginSite, victim: Visitor, field: str) -> None:
    """Otherwise the form, which the person's browser writes, decides what is linked, or to whom."""
    form = form_of(victim.get(location(proven(victim))))

    assert refused(victim.post(CONFIRM, {**form, field: "github:eve"}), "field-unknown")
    assert site.accounts.find(IdentityKey("google:bob")) is None


@pytest.mark.threat(45)
def test_no_step_of_a_link_is_skipped(victim: Visitor) -> None:
    """Otherwise a login that was only begun, or a sign-up, is confirmed as if it were proven for this account."""
    state = begun(victim)
    token = form_of(victim.get("/account"))["csrf"]
    victim.jar.cookies[f"__Host-iddk-{state[:8]}"] = victim.jar.cookies[f"__Host-iddf-{state[:8]}"]
    assert refused(victim.post(CONFIRM, {"csrf": token, "l": state}), "link-invalid")

    welcome = victim.get(location(victim.log_in("bob", provider="google")))
    reference = form_of(welcome)["s"]
    victim.jar.cookies[f"__Host-iddk-{reference[:8]}"] = victim.jar.cookies[f"__Host-iddu-{reference[:8]}"]
    assert refused(victim.post(CONFIRM, {"csrf": token, "l": reference}), "link-invalid")


@pytest.mark.threat(45)
@pytest.mark.threat(5)
def test_a_link_in_progress_is_no_sign_up(site: LoginSite, victim: Visitor) -> None:
    """Otherwise a proof for linking makes a second account."""
    reference = query_of(location(proven(victim)))["l"]
    victim.jar.cookies[f"__Host-iddu-{reference[:8]}"] = victim.jar.cookies[f"__Host-iddk-{reference[:8]}"]
    token = form_of(victim.get("/account"))["csrf"]

    assert victim.post("/welcome", {"csrf": token, "s": reference, "username": "second"}).status in (400, 403)
    assert len(list(site.store.accounts.scan())) == 1


@pytest.mark.threat(45)
@pytest.mark.parametrize("asked", ["sign-in", "LINK", "merge", ""])
def test_a_login_is_for_what_we_know(site: LoginSite, victim: Visitor, asked: str) -> None:
    """Otherwise a misspelt purpose logs in instead of proving."""
    assert refused(victim.get(f"/login/google?for={asked}"), "parameter-value")
    assert site.google.finished == []


@pytest.mark.threat(21)
def test_a_record_that_says_more_or_less_is_not_read(site: LoginSite, victim: Visitor) -> None:
    """Otherwise a default stands where an account was proven."""
    _, record = record_in(site, victim, query_of(location(proven(victim)))["l"])
    said = json.loads(pack_link(record))
    for name in said["record"]:
        less = {**said, "record": {key: value for key, value in said["record"].items() if key != name}}
        with pytest.raises(ValueError, match="link record"):
            unpack_link(json.dumps(less, sort_keys=True, separators=(",", ":")).encode())
