"""The page of the demonstration provider, over real sockets."""

import asyncio
import re
import secrets
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.types import Host
from identity.web.people import binding_cookies, demo
from providers import build
from providers.base import Callback, LoginStart, ProviderBroken, ProviderDenied, ProviderProfile
from providers.demo import DemoOptions
from providers.kind import ProviderSite
from tests.support.browser import Reply
from tests.support.web import Site

PUBLIC_URL = "http://localhost:8887"
CALLBACK = f"{PUBLIC_URL}/login/demo/callback"


class Visitor:
    """A browser that began a login with the demonstration provider."""

    def __init__(self, site: Site, provider: Any) -> None:  # noqa: ANN401 - the provider under test
        self.site = site
        self.provider = provider
        self.start = LoginStart(CALLBACK, secrets.token_urlsafe(32), "nonce", "v" * 43)
        self.page = asyncio.run(provider.begin(self.start, None)).location.removeprefix(PUBLIC_URL)
        names = site.context.names
        cookie = binding_cookies.made(
            names.flow(self.start.state), secrets.token_urlsafe(32), now=site.clock(), lasts_ms=1_000, names=names
        )
        self.cookie = {"Cookie": f"{cookie.name}={cookie.value}"}

    def load(self, page: str | None = None) -> Reply:
        """Load the page."""
        return self.site.public("GET", page or self.page, headers=self.cookie)

    def form(self) -> dict[str, str]:
        """Return the hidden fields of the page's first form."""
        found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', self.load().body.decode())
        return {name: unescape(value) for name, value in found[: len(found) // 3]}

    def send(self, fields: Mapping[str, str], *, headers: Mapping[str, str] | None = None) -> Reply:
        """Send the form."""
        sent = {"Content-Type": "application/x-www-form-urlencoded", "Origin": PUBLIC_URL, **self.cookie}
        return self.site.public(
            "POST", "/demo/demo", headers={**sent, **(headers or {})}, body=urlencode(fields).encode()
        )

    def finish(self, reply: Reply) -> ProviderProfile:
        """Finish the login the page answered."""
        location = reply.one("Location") or ""
        assert location.startswith(f"{CALLBACK}?")
        params = dict(parse_qsl(urlsplit(location).query))
        profile: ProviderProfile = asyncio.run(self.provider.finish(Callback(params, self.start), None))
        return profile


@pytest.fixture
def site() -> Iterator[Site]:
    """Run a daemon as a demonstration."""
    made = Site(public_url=PUBLIC_URL, hosts=frozenset({Host("localhost:8887")}), routes=demo.ROUTES)
    told = ProviderSite(PUBLIC_URL, made.clock, secrets.token_bytes, demo=True)
    made.providers.update({"demo": build("demo", "demo", DemoOptions(), site=told), "other": object()})
    with made:
        yield made


@pytest.fixture
def visitor(site: Site) -> Visitor:
    """Begin a login."""
    return Visitor(site, site.context.providers["demo"])


def test_the_page_offers_people_and_a_field(visitor: Visitor) -> None:
    """Otherwise who tries the daemon cannot get in."""
    page = visitor.load().body.decode()

    assert "Continue as Ida Brook" in page
    assert 'name="person" type="text"' in page


@pytest.mark.parametrize("name", ["Noor Hadley", "Somebody Else", "Zoë 陳"])
def test_a_choice_logs_in(visitor: Visitor, name: str) -> None:
    """Otherwise the page leads nowhere."""
    reply = visitor.send({**visitor.form(), "person": name})

    assert reply.status == 302
    assert visitor.finish(reply).name == name


def test_who_cancels_is_told_so(visitor: Visitor) -> None:
    """Otherwise nobody can try what saying no looks like."""
    reply = visitor.send({**visitor.form(), "choice": "deny"})

    with pytest.raises(ProviderDenied):
        visitor.finish(reply)


def test_an_answer_works_once(visitor: Visitor) -> None:
    """Otherwise the demonstration shows worse manners than the providers it stands for."""
    reply = visitor.send({**visitor.form(), "person": "Ida Brook"})
    visitor.finish(reply)

    with pytest.raises(ProviderBroken):
        visitor.finish(reply)


@pytest.mark.parametrize("name", ["", "   ", None])
def test_no_name_is_asked_for_again(visitor: Visitor, name: str | None) -> None:
    """Otherwise an empty field is an error page, and the login is lost."""
    reply = visitor.send({**visitor.form(), **({} if name is None else {"person": name})})

    assert reply.status == 400
    assert "Type a name" in reply.body.decode()
    assert visitor.send({**visitor.form(), "person": "Ida Brook"}).status == 302


@pytest.mark.parametrize("cookie", [{}, {"Cookie": "iddf8887-x=1"}, {"Cookie": "other=1"}])
def test_another_browser_gets_no_page(visitor: Visitor, cookie: dict[str, str]) -> None:
    """Otherwise an attacker sends his login's page to his victim."""
    form = visitor.form()
    visitor.cookie = cookie

    assert visitor.load().status == 400
    assert visitor.send({**form, "person": "Ida Brook"}).status == 400


def test_a_form_of_another_login_is_refused(site: Site, visitor: Visitor) -> None:
    """Otherwise a form can be made for somebody else to send."""
    other = Visitor(site, visitor.provider)
    form = {**visitor.form(), "csrf": other.form()["csrf"], "person": "Ida Brook"}

    assert visitor.send(form).status == 403


def test_a_form_of_another_site_is_refused(visitor: Visitor) -> None:
    """Otherwise any page on the net chooses who somebody is here."""
    form = {**visitor.form(), "person": "Ida Brook"}

    assert visitor.send(form, headers={"Origin": "https://evil.example"}).status == 403


@pytest.mark.parametrize(
    "changed",
    [{"redirect_uri": "https://evil.example/"}, {"state": ""}, {"code_challenge": ""}, {"code_challenge_method": ""}],
)
def test_a_login_that_is_not_ours_is_refused(visitor: Visitor, changed: dict[str, str]) -> None:
    """Otherwise the page redirects wherever an address says."""
    form = {**visitor.form(), "person": "Ida Brook", **changed}
    query = {**dict(parse_qsl(urlsplit(visitor.page).query)), **changed}

    assert visitor.send(form).status == 400
    assert visitor.load(f"/demo/demo?{urlencode(query)}").status == 400


@pytest.mark.parametrize("path", ["/demo/nobody", "/demo/other", "/demo", "/demo/"])
def test_only_demonstration_providers_have_a_page(visitor: Visitor, path: str) -> None:
    """Otherwise a real provider has a page of ours that hands out its people."""
    query = visitor.page.partition("?")[2]

    assert visitor.load(f"{path}?{query}").status in {404, 308}
    assert visitor.load(f"{path.rstrip('/')}?{query}").status == 404


def test_the_page_has_one_address(visitor: Visitor) -> None:
    """Otherwise a slash too many is an error."""
    reply = visitor.load(visitor.page.replace("/demo/demo?", "/demo/demo/?"))

    assert (reply.status, reply.one("Location")) == (308, visitor.page)


def test_no_request_is_our_fault(visitor: Visitor) -> None:
    """Otherwise a stranger's parameters are a 500."""
    names = st.sampled_from([*visitor.form(), "person", "choice"]) | st.text(max_size=5)

    @settings(max_examples=80)
    @given(st.dictionaries(names, st.text(max_size=20), max_size=6), st.booleans())
    def answer_with(fields: dict[str, str], honest: bool) -> None:  # noqa: FBT001 - hypothesis passes it so
        form = visitor.form() if honest else {}
        encoded = urlencode({**form, **fields}, errors="surrogatepass")
        assert visitor.load(f"/demo/demo?{encoded}").status in {200, 400}
        assert visitor.send(dict(parse_qsl(encoded, errors="surrogatepass"))).status in {200, 302, 400, 403}

    answer_with()
