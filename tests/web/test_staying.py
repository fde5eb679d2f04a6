"""Staying logged in: the choice survives provider and username form, and all of a session's cookies follow it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from identity.login.staying import Stay
from tests.support.application_hosts import ApplicationHosts
from tests.support.browser import Reply
from tests.support.logins import LoginSite, Visitor, location, query_of

PAGE = "https://wiki.example/page"


def lasting(reply: Reply) -> list[bool]:
    """Tell of each session token that is set whether it outlives the browser."""
    tokens = [line for line in reply.cookies if re.match("__Host-idd-[^=]+=[^;]", line)]
    return ["Max-Age=" in line for line in tokens]


@pytest.fixture
def asked(logins: LoginSite) -> Iterator[Visitor]:
    """Give a browser at a daemon that asks, of somebody who is known there."""
    logins.browser().sign_up()
    yield logins.browser()
    follow(logins, Stay.ASK)


def follow(logins: LoginSite, policy: Stay) -> None:
    """Let the operator decide."""
    dependencies = logins.logins._dependencies
    logins.logins._dependencies = replace(dependencies, rules=replace(dependencies.rules, stay=policy))


@pytest.mark.parametrize(("said", "stays"), [({"stay": "yes"}, True), ({"stay": "no"}, False), ({}, False)])
def test_the_choice_comes_back_from_the_provider(asked: Visitor, said: dict[str, str], *, stays: bool) -> None:
    """The provider's answer carries nothing of it, and must not be able to."""
    assert lasting(asked.log_in(**said)) == [stays]


@pytest.mark.parametrize(("said", "stays"), [({"stay": "yes"}, True), ({}, False)])
def test_the_choice_survives_the_username_form(logins: LoginSite, said: dict[str, str], *, stays: bool) -> None:
    """A first login is a login like any other."""
    assert lasting(logins.browser().sign_up(**said)) == [stays]


def test_an_answer_cannot_change_what_was_said(asked: Visitor) -> None:
    """A link made by somebody else must not leave a session on a shared computer."""
    assert lasting(asked.come_back(asked.begin(), code="ada", stay="yes")) == [False]


@pytest.mark.parametrize("stays", [True, False])
def test_every_later_token_follows_the_choice(logins: LoginSite, asked: Visitor, *, stays: bool) -> None:
    """One token with a Max-Age would be the whole session after the browser was closed."""
    asked.log_in(**({"stay": "yes"} if stays else {}))
    found = []
    for _ in range(4):
        logins.clock.advance(20_000)
        found += lasting(asked.get("/account"))

    assert len(found) >= 3
    assert set(found) == {stays}


@pytest.mark.parametrize("stays", [True, False])
def test_a_session_on_an_applications_host_follows_the_login(sites: ApplicationHosts, *, stays: bool) -> None:
    """Closing the browser must log out of every application, not only of the login host."""
    browser = sites.browser()
    page = browser.go(PAGE)
    if stays:
        page = replace(page, body=page.body.replace(b"/login/github?", b"/login/github?stay=yes&amp;"))
    browser.log_in_at(page, username="ada")

    [below] = [each for each in sites.sessions.alive(sites.row("github:ada").account_id) if each.login]
    sites.clock.advance(20_000)
    lines = sites.check(browser.jars["wiki.example"], url=PAGE).json()["set_cookie"]

    assert below.persistent is stays
    assert ["Max-Age=" in line for line in lines] == [stays]


@pytest.mark.parametrize(("policy", "stays"), [(Stay.YES, True), (Stay.NO, False)])
def test_where_nobody_is_asked_the_operator_decides(
    logins: LoginSite, asked: Visitor, policy: Stay, *, stays: bool
) -> None:
    """A box that decides nothing must not be shown, and an address must not undo what was configured."""
    follow(logins, policy)

    assert b'type="checkbox"' not in asked.get("/login").body
    assert lasting(asked.log_in(stay="no" if stays else "yes")) == [stays]


def test_the_box_leads_on_both_ways(asked: Visitor) -> None:
    """Without a script the page must hold both lists; the stylesheet shows one."""
    page = asked.get(f"/login?{urlencode({'return_to': '/page'})}").body.decode()
    links = [query_of(href.replace("&amp;", "&")) for href in re.findall(r'href="(/login/[^"]+)"', page)]

    assert links == [{"return_to": "/page"}] * 2 + [{"return_to": "/page", "stay": "yes"}] * 2
    assert 'id="stay" aria-describedby="stay-help">' in page


def test_after_a_cancelled_login_the_box_is_as_it_was(asked: Visitor) -> None:
    """Whoever comes back must not be asked to notice that his choice was lost."""
    back = location(asked.come_back(asked.begin(stay="yes"), error="access_denied"))

    assert query_of(back)["stay"] == "yes"
    assert "checked>" in asked.get(back).body.decode()
