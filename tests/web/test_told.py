"""What an application is told of a person: under which names, only where it is switched on, and kept only then."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import pytest

from identity.accounts.usernames import fold
from identity.applications.application import Application
from identity.applications.disclosure import TOLD, Attribute, HeaderNames
from identity.membership.rules import read_rule
from identity.sessions.record import Described
from identity.types import ClientId
from tests.support.application_hosts import WIKI, ApplicationHosts, HostVisitor
from tests.support.browser import Reply
from tests.support.scripted import person
from tests.support.web import APP, basic
from tests.web.test_entry import GuardedHosts

PAGE: Final = f"{WIKI}/page"
EVERYTHING: Final = frozenset(Attribute)
NAME: Final = "Zoë 100% ŁÅ,\r\nX-Identity-User: root"
SPELT: Final = "Zo%C3%AB 100%25 %C5%81%C3%85,X-Identity-User: root"
RAW: Final = "Zoë 100% ŁÅ,X-Identity-User: root".encode().decode("latin-1")
SESSION: Final = {"x-identity-session", "x-identity-idle-ends", "x-identity-absolute-ends"}


@dataclass(kw_only=True)
class TellingHosts(GuardedHosts):
    """Two applications; what the wiki is told is the test's, the shop is told what all are by default."""

    tell: frozenset[Attribute] = EVERYTHING
    headers: HeaderNames = HeaderNames.IDENTITY

    def apps(self) -> Iterator[Application]:
        """Yield both."""
        for app in super().apps():
            told = app.id == ClientId(APP)
            yield replace(app, tell=self.tell, headers=self.headers) if told else app


def entered(site: TellingHosts, **said: object) -> tuple[HostVisitor, Reply]:
    """Log in as Ada, of whom the provider says this, and return her page of the wiki as the proxy hears of it."""
    told = {"name": NAME, "email": "zoë@example.com", "email_verified": True, **said}
    site.github.people["ada"] = person("ada", **told)
    browser = site.browser()
    browser.enter(PAGE)
    return browser, browser.get(PAGE)


def lines(reply: Reply) -> dict[str, list[str]]:
    """Return what the headers say of the person, but for the session."""
    found: dict[str, list[str]] = {}
    for name, value in reply.headers:
        if name.lower().startswith(("x-identity", "remote-", "x-auth", "x-forwarded")):
            found.setdefault(name.lower(), []).append(value)
    return {name: values for name, values in found.items() if name not in SESSION}


def checked(site: ApplicationHosts, browser: HostVisitor) -> tuple[object, object]:
    """Return whom `/session/check` and `/session/check-many` name."""
    cookie = browser.jars["wiki.example"].header.get("Cookie", "")
    headers = {"Content-Type": "application/json", **basic()}
    one = json.dumps({"url": PAGE, "cookie": cookie, "navigation": False}).encode()
    many = json.dumps({"checks": [{"url": PAGE, "cookie": cookie}]}).encode()
    first = site.internal("POST", "/session/check", headers=headers, body=one)
    second = site.internal("POST", "/session/check-many", headers=headers, body=many)
    return json.loads(first.body)["user"], json.loads(second.body)["answers"][0]["user"]


@pytest.mark.threat(40)
def test_everything_is_said_under_our_names_in_ascii() -> None:
    """A value that a provider's person chose would end the line, or be read in another alphabet."""
    with TellingHosts() as site:
        browser, _ = entered(site)
        site.put("staff")
        site.put("ops")
        reply = browser.get(PAGE)
        account = str(site.row("github:ada").account_id)

        assert lines(reply) == {
            "x-identity-user": ["ada"],
            "x-identity-id": [account],
            "x-identity-name": [SPELT],
            "x-identity-email": ["zo%C3%AB@example.com"],
            "x-identity-email-verified": ["yes"],
            "x-identity-groups": ["ops,staff"],
        }
        for said in checked(site, browser):
            assert isinstance(said, dict)
            assert {
                name: said[name] for name in ("id", "name", "display_name", "email", "email_verified", "groups")
            } == {
                "id": account,
                "name": "ada",
                "display_name": "Zoë 100% ŁÅ,X-Identity-User: root",
                "email": "zoë@example.com",
                "email_verified": True,
                "groups": ["ops", "staff"],
            }


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (
            HeaderNames.REMOTE,
            {"remote-user": "ada", "remote-name": RAW, "remote-email": "a@example.com", "remote-groups": "staff"},
        ),
        (
            HeaderNames.X_AUTH_REQUEST,
            {
                "x-auth-request-user": "ada",
                "x-identity-name": SPELT,
                "x-auth-request-email": "a@example.com",
                "x-auth-request-groups": "staff",
            },
        ),
        (
            HeaderNames.X_FORWARDED,
            {
                "x-forwarded-user": "ada",
                "x-identity-name": SPELT,
                "x-forwarded-email": "a@example.com",
                "x-forwarded-groups": "staff",
            },
        ),
    ],
)
def test_an_application_hears_the_names_it_already_reads(names: HeaderNames, told: dict[str, str]) -> None:
    """Otherwise each of them needs a change of its code, or a rule in the proxy that is easily got wrong."""
    with TellingHosts(headers=names) as site:
        browser, _ = entered(site, email="a@example.com")
        site.put("staff")

        found = lines(browser.get(PAGE))

        assert {name: [value] for name, value in told.items()} == {
            name: values for name, values in found.items() if name != "x-identity-id"
        }


@pytest.mark.threat(40)
def test_an_unverified_email_is_said_to_be_that_or_not_said() -> None:
    """Who reads `Remote-Email` takes it for a login name; a stranger can write any address at some providers."""
    for names in HeaderNames:
        with TellingHosts(headers=names) as site:
            browser, reply = entered(site, email="boss@example.com", email_verified=False)
            email = {name: value for name, value in lines(reply).items() if "email" in name}
            ours = {"x-identity-email": ["boss@example.com"], "x-identity-email-verified": ["no"]}

            assert email == (ours if names is HeaderNames.IDENTITY else {})
            for said in checked(site, browser):
                assert isinstance(said, dict)
                assert (said["email"], said["email_verified"]) == ("boss@example.com", False)


@pytest.mark.parametrize("told", list(Attribute), ids=lambda told: str(told.value))
def test_an_application_is_told_what_is_switched_on_and_nothing_else(told: Attribute) -> None:
    """A person's address would go to an application that has no use for it."""
    headers = {
        Attribute.USER: {"x-identity-user"},
        Attribute.ID: {"x-identity-id"},
        Attribute.NAME: {"x-identity-name"},
        Attribute.EMAIL: {"x-identity-email", "x-identity-email-verified"},
        Attribute.GROUPS: {"x-identity-groups"},
    }
    fields = {
        Attribute.USER: {"name"},
        Attribute.ID: {"id"},
        Attribute.NAME: {"display_name"},
        Attribute.EMAIL: {"email", "email_verified"},
        Attribute.GROUPS: {"groups"},
    }
    session = {"session", "auth_time", "auth_proven", "idle_ends_at", "absolute_ends_at"}
    with TellingHosts(tell=frozenset({told})) as site:
        browser, _ = entered(site)
        site.put("staff")

        assert set(lines(browser.get(PAGE))) == headers[told]
        for said in checked(site, browser):
            assert isinstance(said, dict)
            assert set(said) == fields[told] | session


def test_what_no_application_is_told_is_not_kept() -> None:
    """Names and addresses of people would lie in every memcached for nothing."""
    kept = [
        (TOLD, None),
        (TOLD | {Attribute.GROUPS}, None),
        (frozenset({Attribute.NAME}), Described("Zoë 100% ŁÅ,X-Identity-User: root")),
        (frozenset({Attribute.EMAIL}), Described("", "zoë@example.com", email_verified=True)),
    ]
    for tell, described in kept:
        with TellingHosts(tell=tell) as site:
            entered(site)

            assert site.record().described == described


def test_an_application_is_not_told_what_another_one_is() -> None:
    """The record holds it for the wiki; the shop never asked for it, nor did its operator allow it."""
    with TellingHosts() as site:
        browser, _ = entered(site)
        browser.go("https://shop.example/page")

        assert set(lines(browser.get("https://shop.example/page"))) == {"x-identity-user", "x-identity-id"}


def test_a_name_that_a_provider_says_once_is_told_after_every_login() -> None:
    """Apple says a name at the first login only; the application would forget it at the second."""
    with TellingHosts(tell=frozenset({Attribute.NAME})) as site:
        entered(site, name="Ada")
        _, again = entered(site, name="")

        assert lines(again) == {"x-identity-name": ["Ada"]}


def test_what_is_not_known_is_null_and_without_a_header() -> None:
    """An empty name looks like one that the person chose."""
    with TellingHosts() as site:
        browser, reply = entered(site, name="", email="", email_verified=True)

        assert set(lines(reply)) == {"x-identity-user", "x-identity-id"}
        for said in checked(site, browser):
            assert isinstance(said, dict)
            assert (said["display_name"], said["email"], said["email_verified"], said["groups"]) == (
                None,
                None,
                False,
                [],
            )


def test_long_texts_of_a_provider_have_a_bound() -> None:
    """They travel with every request of every page, through proxies with a limit; half an e-mail is another's."""
    with TellingHosts() as site:
        entered(site, name="n" * 500, email="e" * 250 + "@example.com")

        assert site.record().described == Described("n" * 100)


def test_an_application_hears_nothing_of_a_person_who_may_not_enter() -> None:
    """It has no business with whom its operator keeps out."""
    with TellingHosts(allow={APP: (read_rule("group:staff", fold=fold),)}) as site:
        browser, _ = entered(site)
        site.put("staff")
        browser.go(PAGE)
        assert "x-identity-email" in lines(browser.get(PAGE))

        site.put("staff", out=True)

        reply = browser.get(PAGE)
        assert (reply.status, set(lines(reply))) == (403, {"x-identity-location"})
        cookie = browser.jars["wiki.example"].header.get("Cookie", "")
        body = json.dumps({"checks": [{"url": PAGE, "cookie": cookie}]}).encode()
        headers = {"Content-Type": "application/json", **basic()}
        looked = json.loads(site.internal("POST", "/session/check-many", headers=headers, body=body).body)
        assert looked["answers"] == [{"active": False, "reason": "not-allowed"}]
