"""Where a login begins: the chooser, and the way to a provider."""

import re
from urllib.parse import urlencode

import pytest

from tests.support.browser import Reply
from tests.support.logins import WIKI, LoginSite, location, query_of

ATTRIBUTES = "; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax; Secure"


def ways(page: Reply) -> list[str]:
    """Return the addresses the chooser offers while its box is not ticked, in order."""
    offered = page.body.decode().partition("if-ticked")[0]
    return [href.replace("&amp;", "&") for href in re.findall(r'<a class="way[^"]*" href="([^"]+)"', offered)]


def test_the_chooser_offers_every_provider(logins: LoginSite) -> None:
    """Otherwise people could not choose how to log in."""
    page = logins.browser().get("/login")

    assert page.status == 200
    assert ways(page) == ["/login/github", "/login/google"]
    assert "Continue with GitHub" in page.body.decode()


def test_the_chooser_leads_on_to_where_the_login_was_asked_for(logins: LoginSite) -> None:
    """Otherwise everybody would land on the account page instead of where they were going."""
    page = logins.browser().get("/login?return_to=%2Fpage%3Fa%3D1%26b%3D2")

    assert query_of(ways(page)[0]) == {"return_to": "/page?a=1&b=2"}


def test_the_chooser_says_at_which_application_the_login_ends(logins: LoginSite) -> None:
    """Otherwise people could not tell what they log in for."""
    page = logins.browser().get(f"/login?{urlencode({'return_to': WIKI + '/Main'})}").body.decode()

    assert "to go on to <strong>wiki.example</strong>." in page


def test_the_chooser_puts_the_provider_used_last_first(logins: LoginSite) -> None:
    """Otherwise people with several logins make a second account by choosing another one."""
    browser = logins.browser()
    browser.sign_up(provider="google")
    for name in browser.tokens:
        del browser.jar.cookies[name]

    page = browser.get("/login")

    assert ways(page) == ["/login/google", "/login/github"]
    assert "Used last time" in page.body.decode()


@pytest.mark.parametrize("forged", ["nobody", "<script>", "github, google", "a" * 5000])
def test_a_forged_last_provider_changes_nothing(logins: LoginSite, forged: str) -> None:
    """Otherwise a cookie would put text of somebody else's on the page."""
    browser = logins.browser()
    browser.jar.cookies["__Host-iddl"] = forged

    page = browser.get("/login")

    assert ways(page) == ["/login/github", "/login/google"]
    assert forged not in page.body.decode()


@pytest.mark.parametrize("reason", ["idle", "reuse", "replaced", "stale", "provider-denied", "logout"])
def test_the_chooser_says_why_somebody_has_to_log_in(logins: LoginSite, reason: str) -> None:
    """Otherwise people who were logged out would suspect a fault."""
    page = logins.browser().get(f"/login?reason={reason}").body.decode()

    assert 'class="note"' in page


@pytest.mark.parametrize("reason", ["", "nonsense", "<b>x</b>", "../error", "reuse.title"])
def test_the_chooser_has_no_words_for_other_reasons(logins: LoginSite, reason: str) -> None:
    """Otherwise a link could put words on the page."""
    page = logins.browser().get(f"/login?{urlencode({'reason': reason})}").body.decode()

    assert 'class="note"' not in page
    assert "nonsense" not in page


@pytest.mark.parametrize("path", ["/login?reason=a&reason=b", "/login?return_to=/a&return_to=/b", "/login?reason=%ff"])
def test_the_chooser_refuses_an_ambiguous_address(logins: LoginSite, path: str) -> None:
    """Otherwise what a filter in front saw and what was used could differ."""
    assert logins.browser().get(path).status == 400


@pytest.mark.parametrize(("asked", "leads"), [("", "/account"), ("?return_to=%2Fpage", "/page")])
def test_somebody_who_is_logged_in_goes_straight_on(logins: LoginSite, asked: str, leads: str) -> None:
    """Otherwise each application that asks for a login would ask again."""
    browser = logins.browser()
    browser.sign_up()

    reply = browser.get(f"/login{asked}")

    assert reply.status == 303
    assert location(reply) == leads


def test_the_chooser_is_there_while_the_session_store_is_away(logins: LoginSite) -> None:
    """Otherwise an outage would look like a missing page."""
    browser = logins.browser()
    browser.sign_up()

    with logins.store_away():
        page = browser.get("/login")

    assert page.status == 200
    assert page.cookies == []


def test_a_daemon_without_providers_says_so(logins: LoginSite) -> None:
    """Otherwise whoever sets it up would see an empty page."""
    logins.providers.clear()

    assert "There is no way to log in here yet" in logins.browser().get("/login").body.decode()


def test_a_login_begins_with_a_redirect_and_a_binding_cookie(logins: LoginSite) -> None:
    """Otherwise the answer could be finished in any browser, or in none."""
    reply = logins.browser().get("/login/github")

    sent = query_of(location(reply))
    assert reply.status == 302
    assert location(reply).startswith("https://github.example/authorize?")
    assert sent["redirect_uri"] == "https://login.example/login/github/callback"
    [line] = reply.cookies
    assert line.startswith(f"__Host-iddf-{sent['state'][:8]}=")
    assert line.endswith(ATTRIBUTES.format(age=600))
    assert reply.one("Cache-Control") == "no-store"


def test_every_login_has_values_of_its_own(logins: LoginSite) -> None:
    """Otherwise one login's answer would pass in another."""
    seen = [query_of(location(logins.browser().get("/login/github"))) for _ in range(8)]

    assert len({each["state"] for each in seen}) == 8
    assert len({each["nonce"] for each in seen}) == 8


@pytest.mark.parametrize(
    "headers", [{"Sec_Purpose": "prefetch"}, {"Sec_Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}]
)
@pytest.mark.parametrize("path", ["/login/github", "/login/github/callback?state=x"])
def test_a_prefetch_begins_and_finishes_nothing(logins: LoginSite, headers: dict[str, str], path: str) -> None:
    """Otherwise a browser that loads pages ahead would use up logins nobody asked for."""
    reply = logins.browser().get(path, **headers)

    assert reply.status == 204
    assert reply.cookies == []
    assert logins.kept() == 0


@pytest.mark.parametrize("path", ["/login/github", "/login/github/callback?state=x"])
def test_a_head_request_begins_and_finishes_nothing(logins: LoginSite, path: str) -> None:
    """Otherwise a link checker would fill the store, and a mail scanner use up logins."""
    reply = logins.browser().get(path, method="HEAD")

    assert reply.status == 204
    assert reply.cookies == []
    assert logins.kept() == 0


@pytest.mark.parametrize("dest", ["image", "iframe", "empty", "script"])
def test_a_login_does_not_begin_inside_another_page(logins: LoginSite, dest: str) -> None:
    """Otherwise any page could fill a visitor's jar with bindings."""
    reply = logins.browser().get("/login/github", Sec_Fetch_Dest=dest)

    assert reply.status == 400
    assert b"not-a-page" in reply.body
    assert logins.kept() == 0


@pytest.mark.parametrize("path", ["/login/nobody", "/login/nobody/callback?state=x&code=ada"])
def test_an_unknown_provider_is_404_with_words(logins: LoginSite, path: str) -> None:
    """Otherwise a mistyped or outdated link would be a dead end."""
    reply = logins.browser().get(path)

    assert reply.status == 404
    assert b"provider-unknown" in reply.body


@pytest.mark.parametrize("path", ["/login/GITHUB", "/login/a_b", "/login/" + "a" * 33, "/login/github/other"])
def test_what_cannot_name_a_provider_is_404(logins: LoginSite, path: str) -> None:
    """Otherwise names would be guessed in spellings the configuration does not know."""
    assert logins.browser().get(path).status == 404


@pytest.mark.parametrize("path", ["/login/", "/login/github/", "/login/github/callback/?state=x", "/welcome/?s=x"])
def test_every_page_has_one_spelling(logins: LoginSite, path: str) -> None:
    """Otherwise a link with a slash too many would be a dead end."""
    reply = logins.browser().get(path)

    assert reply.status == 308
    assert location(reply) == path.replace("/?", "?").rstrip("/")


@pytest.mark.parametrize("path", ["/login", "/login/github", "/login/github/finish"])
def test_the_steps_take_no_forms(logins: LoginSite, path: str) -> None:
    """Otherwise another site's form could begin or finish a login."""
    reply = logins.browser().post(path, {"state": "x"})

    assert reply.status == 405
    assert reply.one("Allow") == "GET, HEAD"
