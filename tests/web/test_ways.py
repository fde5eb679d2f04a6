"""Adding and removing ways to log in, as people do it: over real sockets, with the real services and stores."""

import re
from collections.abc import Callable
from html import unescape

import pytest

from identity.accounts.linking import MOST_LINKS
from identity.audit import Event
from identity.login.flow import record_name
from identity.login.links import MOST_LINKED
from identity.login.store import RecordKind
from identity.types import MINUTE, SECOND, IdentityKey
from tests.support.account_site import text
from tests.support.browser import Reply
from tests.support.guards import Expectation
from tests.support.logins import LoginSite, Visitor, form_of, location, query_of
from tests.support.scripted import person
from tests.web.test_login_begin import ways

ExpectLog = Callable[..., Expectation]
ADD = "/account/ways/add"


@pytest.fixture
def site(logins: LoginSite) -> LoginSite:
    """Give a daemon at which GitHub and Google prove no presence, as most providers."""
    return logins


@pytest.fixture
def ada(site: LoginSite) -> Visitor:
    """Give the browser of a person who signed up with GitHub a moment ago."""
    browser = site.browser()
    browser.sign_up("ada", return_to="/account")
    return browser


def proven(browser: Visitor, code: str = "bob", *, provider: str = "google") -> Reply:
    """Prove another identity for the account that is logged in."""
    state = query_of(location(browser.get(f"/login/{provider}?for=link")))["state"]
    return browser.come_back(state, provider=provider, code=code)


def confirmed(browser: Visitor, answer: Reply) -> Reply:
    """Confirm what was proven."""
    page = browser.get(location(answer))
    assert page.status == 200, page.body
    return browser.post("/account/ways/confirm", form_of(page))


def link(browser: Visitor, code: str = "bob", *, provider: str = "google") -> Reply:
    """Add a way to log in."""
    return confirmed(browser, proven(browser, code, provider=provider))


def removal(browser: Visitor, named: str) -> str:
    """Return where the account page says that a way is removed."""
    page = browser.get("/account").body.decode()
    found = re.search(rf'<a class="button" href="([^"]+)" aria-label="Remove {named}', page)
    assert found, page
    return unescape(found[1])


def remove(browser: Visitor, named: str) -> Reply:
    """Remove a way to log in."""
    page = browser.get(removal(browser, named))
    assert page.status == 200, page.body
    return browser.post("/account/ways/remove", form_of(page))


def outcomes(site: LoginSite, action: str) -> list[str]:
    """Return what became of an action, as the audit says."""
    account_id = site.row("github:ada").account_id
    events: tuple[Event, ...] = site.store.audit.of_account(account_id)
    return [event.facts["outcome"] for event in events if event.action == action]


# --- adding


def test_a_way_is_added_with_one_login_and_one_click(site: LoginSite, ada: Visitor) -> None:
    """What linking is for: the account is reached in both ways afterwards."""
    page = ada.get(ADD)
    assert [way.partition("?")[0] for way in ways(page)] == ["/login/github", "/login/google"]

    answer = proven(ada)
    shown = ada.get(location(answer))
    assert "Account ada" in text(shown)
    assert "Way to log in Google bob" in text(shown)
    done = ada.post("/account/ways/confirm", form_of(shown))

    assert location(done) == "/account?done=linked"
    account = text(ada.get(location(done)))
    assert "One more way to log in was added" in account
    assert "Google bob" in account
    other = site.browser()
    other.log_in("bob", provider="google")
    assert (other.whoami(), ada.whoami()) == ("ada", "ada")
    assert outcomes(site, "link") == ["linked"]
    assert site.counted("linked") == 1


def test_nothing_is_linked_before_it_is_confirmed(site: LoginSite, ada: Visitor) -> None:
    """Otherwise a page that sends a browser to a provider links whatever is logged in there."""
    proven(ada)

    assert site.accounts.find(IdentityKey("google:bob")) is None
    assert set(site.store.accounts.read(site.row("github:ada").account_id).identities) == {"github:ada"}


def test_the_page_says_what_a_login_that_cannot_be_fresh_proves(site: LoginSite, ada: Visitor) -> None:
    """Otherwise a person at a shared computer links what another one left open there."""
    assert "only that this browser was logged in" in text(ada.get(location(proven(ada))))

    site.github.proves_fresh_login = site.google.proves_fresh_login = True
    site.github.people["ada"] = person("ada", auth_at=site.clock() // SECOND, auth_proven=True)
    ada.log_in("ada", **{"for": "prove", "return_to": ADD})
    state = query_of(location(ada.get("/login/google?for=link")))
    site.google.people["bob"] = person("bob", auth_at=site.clock() // SECOND, auth_proven=True)
    answer = ada.come_back(state["state"], provider="google", code="bob")

    assert state["prompt"] == "login"
    assert "only that this browser was logged in" not in text(ada.get(location(answer)))


def test_a_provider_that_proves_logins_must_have_proven_this_one(
    site: LoginSite, ada: Visitor, expect_log: ExpectLog
) -> None:
    """Otherwise its login of this morning is one side of the proof."""
    site.google.proves_fresh_login = True
    site.google.people["bob"] = person("bob", auth_at=site.clock() // SECOND - 3600, auth_proven=True)

    with expect_log("identity.web", "login-not-fresh"):
        answer = proven(ada)

    assert answer.status == 502
    assert ada.whoami() == "ada"


def test_who_logged_in_long_ago_logs_in_again_first(site: LoginSite, ada: Visitor) -> None:
    """Otherwise a stranger at an unlocked computer adds a way of their own, for good."""
    site.clock.advance(10 * MINUTE + SECOND)

    for path in (ADD, location(ada.get("/login/google?for=link"))):
        page = ada.get(path)
        assert "Log in again first" in text(page)
        assert "You are logged in as ada" in text(page)
        [way] = ways(page)
        assert way.partition("?")[0] == "/login/github"

    back = ada.come_back(query_of(location(ada.get(way)))["state"], code="ada")
    assert location(back) == ADD
    assert location(link(ada)) == "/account?done=linked"


def test_logging_in_again_as_another_person_changes_nothing(site: LoginSite, ada: Visitor) -> None:
    """Otherwise the way is added to the account of who came back, not of who asked."""
    site.browser().sign_up("eve")
    site.clock.advance(11 * MINUTE)
    [way] = ways(ada.get(ADD))

    reply = ada.come_back(query_of(location(ada.get(way)))["state"], code="eve")

    assert reply.status == 403
    assert "other-account" in text(reply)
    assert f'href="{ADD}"' in reply.body.decode()
    assert ada.whoami() == "ada"


def test_a_provider_that_proves_logins_must_prove_who_is_logged_in(site: LoginSite, ada: Visitor) -> None:
    """Otherwise a way there and back, which any person at the computer can go, passes for the owner's login."""
    site.github.proves_fresh_login = True

    assert "Log in again first" in text(ada.get(ADD))


def test_a_way_that_is_there_already_is_said_to_be(ada: Visitor) -> None:
    """A person who forgot would be told that their own login belongs to another account."""
    answer = proven(ada, "ada", provider="github")

    assert location(answer) == "/account?done=already-linked"
    assert "belongs to your account already" in text(ada.get(location(answer)))


def test_what_belongs_to_another_account_stays_there(site: LoginSite, ada: Visitor) -> None:
    """Otherwise linking takes over accounts, or tells whose they are."""
    site.browser().sign_up("bob", provider="google", username="roberta")

    reply = proven(ada)

    assert reply.status == 409
    assert "belongs to another account" in text(reply)
    assert "roberta" not in text(reply)
    assert not [name for name in ada.jar.cookies if "iddk" in name]
    assert site.row("google:bob").username == "roberta"
    assert site.counted("identity-belongs-to-other") == 1


def test_what_was_taken_between_the_two_steps_is_said_to_be(site: LoginSite, ada: Visitor) -> None:
    """Two windows: one signs up with what the other one is about to link."""
    answer = proven(ada)
    site.browser().sign_up("bob", provider="google", username="roberta")

    reply = confirmed(ada, answer)

    assert reply.status == 409
    assert "belongs to another account" in text(reply)
    assert outcomes(site, "link") == ["identity-belongs-to-other"]


def test_an_account_has_so_many_ways_and_no_more(site: LoginSite, ada: Visitor) -> None:
    """Otherwise one account grows without a bound."""
    for number in range(MOST_LINKS - 1):
        site.google.people[f"p{number}"] = person(f"p{number}")
        assert location(link(ada, f"p{number}")) == "/account?done=linked"

    reply = proven(ada)

    assert reply.status == 403
    assert "too-many-ways" in text(reply)


def test_ways_are_added_and_removed_so_often_and_no_more(site: LoginSite, ada: Visitor) -> None:
    """Otherwise one account fills the audit by adding and removing the same way all day."""
    name = record_name(str(site.row("github:ada").account_id))
    counted = site.logins._dependencies.one_time.amend
    counted(RecordKind.LINKS, name, lambda _: b"." * (MOST_LINKED - 1), expires_at=site.clock() + 15 * MINUTE)
    page = ada.get(location(proven(ada, "eve")))
    assert location(link(ada)) == "/account?done=linked"

    reply = ada.post("/account/ways/confirm", form_of(page))

    assert (reply.status, "too-many-links" in text(reply), reply.one("Retry-After")) == (429, True, "900")


def test_a_person_who_says_no_at_the_provider_is_asked_again(ada: Visitor) -> None:
    """Otherwise they end on the login page, logged in."""
    state = query_of(location(ada.get("/login/google?for=link")))["state"]

    reply = ada.come_back(state, provider="google", error="access_denied")

    assert location(reply) == f"{ADD}?reason=provider-denied"
    assert "Nothing was changed" in text(ada.get(location(reply)))


def test_a_provider_that_fails_leaves_the_account_and_offers_the_others(ada: Visitor, expect_log: ExpectLog) -> None:
    """Otherwise "try again" begins a login, and a person who wanted to add a way signs up anew."""
    state = query_of(location(ada.get("/login/google?for=link")))["state"]

    with expect_log("identity.web", "provider"):
        reply = ada.come_back(state, provider="google", code="nobody")

    assert reply.status == 502
    page = reply.body.decode()
    assert 'href="/login/google?for=link"' in page
    assert 'href="/login/github?for=link"' in page


@pytest.mark.threat(22)
def test_a_provider_that_is_switched_off_meanwhile_links_nothing(site: LoginSite, ada: Visitor) -> None:
    """Otherwise a way that logs in no more is added after its operator gave it up."""
    answer = proven(ada)
    site.providers.pop("google")

    assert ada.get(location(answer)).status == 404


def test_a_link_that_is_sent_twice_is_done_once(ada: Visitor) -> None:
    """A double click ends on an error, or on two entries."""
    page = ada.get(location(proven(ada)))
    kept = dict(ada.jar.cookies)
    assert location(ada.post("/account/ways/confirm", form_of(page))) == "/account?done=linked"
    ada.jar.cookies |= {name: value for name, value in kept.items() if "iddk" in name}

    again = ada.post("/account/ways/confirm", form_of(page))

    assert again.status == 400
    assert "link-invalid" in text(again)
    assert "add it again" in text(again)


def test_while_the_account_store_is_away_the_form_may_be_sent_again(
    site: LoginSite, ada: Visitor, expect_log: ExpectLog
) -> None:
    """A second of trouble would cost the person both logins."""
    page = ada.get(location(proven(ada)))

    with site.accounts_away(), expect_log("identity.web", "store-unavailable"):
        reply = ada.post("/account/ways/confirm", form_of(page))

    assert reply.status == 503
    assert location(ada.post("/account/ways/confirm", form_of(page))) == "/account?done=linked"


# --- the list


def test_the_account_page_says_when_each_way_was_used_last(site: LoginSite, ada: Visitor) -> None:
    """Otherwise a person does not know which of them is dead, or used by another one."""
    link(ada)
    site.clock.advance(120 * MINUTE)
    ada.log_in("ada")
    for event in site.events:
        site.store.audit.append(event)
    site.clock.advance(120 * MINUTE)

    page = text(ada.get("/account"))

    assert re.search(r"GitHub ada Last used 2 hours ago .*? Added 4 hours ago", page), page
    assert re.search(r"Google bob Added 4 hours ago", page), page


def test_the_only_way_has_no_button_and_the_page_says_why(ada: Visitor) -> None:
    """A button that is always refused."""
    page = ada.get("/account")

    assert "/account/ways/remove" not in page.body.decode()
    assert "This is your only way to log in" in text(page)


# --- removing


def test_a_way_that_is_removed_logs_in_no_more(site: LoginSite, ada: Visitor) -> None:
    """Otherwise a person who lost an account elsewhere cannot keep the finder out."""
    link(ada)
    other = site.browser()
    other.log_in("bob", provider="google")

    reply = remove(ada, "Google")

    assert location(reply) == "/account?done=removed"
    assert "was removed" in text(ada.get(location(reply)))
    assert (ada.whoami(), other.whoami()) == ("ada", None)
    assert location(site.browser().log_in("bob", provider="google")).startswith("/welcome?")
    assert outcomes(site, "unlink") == ["done"]


def test_removing_the_way_of_this_session_ends_it(ada: Visitor) -> None:
    """The page says so before, and the login page why."""
    link(ada)
    page = ada.get(removal(ada, "GitHub"))
    assert "you are logged out here" in text(page)

    reply = ada.post("/account/ways/remove", form_of(page))

    assert location(reply) == "/login?reason=unlinked"
    assert (ada.whoami(), ada.tokens) == (None, {})
    assert "the way you logged in was removed" in text(ada.get(location(reply)))


def test_the_last_way_stays(ada: Visitor) -> None:
    """Otherwise the person locks themselves out for good: two windows, each removes the other's way."""
    link(ada)
    first, second = removal(ada, "GitHub"), removal(ada, "Google")
    form = form_of(ada.get(first))
    remove(ada, "Google")

    assert ada.get(second).status == 404
    reply = ada.get(first)
    assert (reply.status, "last-way" in text(reply)) == (409, True)
    assert ada.post("/account/ways/remove", form).status == 409
    assert ada.whoami() == "ada"


def test_removing_needs_a_login_of_a_moment_ago(site: LoginSite, ada: Visitor) -> None:
    """Otherwise a stranger at an unlocked computer takes the owner's ways away."""
    link(ada)
    path = removal(ada, "Google")
    form = form_of(ada.get(path))
    site.clock.advance(11 * MINUTE)

    for page in (ada.get(path), ada.post("/account/ways/remove", form)):
        assert "Log in again first" in text(page)
        assert {query_of(way)["return_to"] for way in ways(page)} == {path}
    assert len(site.store.accounts.read(site.row("github:ada").account_id).identities) == 2
