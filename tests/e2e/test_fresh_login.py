"""A fresh login through an OpenID provider that was written elsewhere, by a browser that it remembers."""

import re
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.support.openid_person import Person, people
from tests.support.openid_provider import OpenIdProvider
from tests.support.running import Running

pytestmark = pytest.mark.openid
WAYS = {"op": {}, "timed": {"require_auth_time": True}}
"""By the way's name: what its client is registered with. The second is told the time of each login."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, openid_provider: OpenIdProvider) -> Iterator[Running]:
    """Give a daemon with the real provider under two names."""
    folder = tmp_path_factory.mktemp("fresh")
    running = Running(folder / "run", {}, demo=False, environ={"SSL_CERT_FILE": str(openid_provider.ca_file)})
    sections = {"outbound": {"allow_networks": "127.0.0.0/8"}}
    for name, metadata in WAYS.items():
        client = openid_provider.register(f"{running.url}/login/{name}/callback", **metadata)
        told = {"kind": "oidc", "issuer": openid_provider.issuer, "client_id": client.id}
        sections[f"provider:{name}"] = {**told, "client_secret": client.secret}
    running.write(sections)
    with running:
        yield running


class Remembered:
    """A person, signed up, whose browser the provider remembers."""

    def __init__(self, person: Person, provider: OpenIdProvider, name: str) -> None:
        self.person = person
        self.browser = provider.browser()
        self._provider = provider
        answer = person.choose(person.get(self.back(person.begin(), name)), name)
        assert str(answer.url).endswith("/account"), answer.text

    def back(self, location: str, name: str) -> str:
        """Go through the provider, typing this name if it asks for one."""
        return self._provider.log_in_with(self.browser, location, name)

    def asked_again(self) -> str:
        """Begin a fresh login; return where the browser is sent."""
        answer = self.person.get(f"/login/{self.person.way}?max_age=0&return_to=%2Faccount")
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])


@pytest.fixture
def remembered(
    request: pytest.FixtureRequest, daemon: Running, openid_provider: OpenIdProvider
) -> Iterator[Remembered]:
    """Give a person of this test's own."""
    way = getattr(request, "param", "op")
    with people(daemon, openid_provider) as make:
        made = Remembered(make(way), openid_provider, f"ada-{secrets.token_hex(4)}")
        yield made
        made.browser.close()


def test_a_usual_login_passes_by_the_providers_form(remembered: Remembered) -> None:
    """Otherwise the next tests would see a form that is always there."""
    account = remembered.person.account

    remembered.person.get(remembered.back(remembered.person.begin(), "mallory"))

    assert remembered.person.account == account


def test_a_demand_shows_the_providers_form_again_and_its_answer_counts(remembered: Remembered) -> None:
    """The main thing: who sits there now must type what only the owner knows."""
    person, account = remembered.person, remembered.person.account
    assert "Log in again" in person.get("/login?max_age=3600").text
    session = person.daemon.check(person.cookie)["user"]["session"]

    answer = person.get(remembered.back(remembered.asked_again(), person_name(remembered)))

    assert str(answer.url).endswith("/account")
    user = person.daemon.check(person.cookie)["user"]
    assert (user["id"], user["auth_proven"]) == (account, True)
    assert user["session"] != session
    assert urlsplit(str(person.get("/login?max_age=3600").url)).path == "/account"


def test_another_name_in_that_form_is_refused(remembered: Remembered) -> None:
    """Otherwise a second account at the same provider confirms what is the first one's."""
    person, account = remembered.person, remembered.person.account

    answer = person.get(remembered.back(remembered.asked_again(), "mallory"))

    assert (answer.status_code, person.account) == (403, account)
    assert "This login belongs to another account" in answer.text


def test_a_demand_that_was_taken_out_on_the_way_is_noticed(remembered: Remembered) -> None:
    """Otherwise who sits there edits the address, and the provider lets him through as before."""
    person, account = remembered.person, remembered.person.account
    tamed = re.sub(r"&(prompt|max_age)=[^&]*", "", remembered.asked_again())

    answer = person.get(remembered.back(tamed, "mallory"))

    assert (answer.status_code, person.account) == (502, account)
    assert "login-not-fresh" in answer.text


@pytest.mark.parametrize("remembered", ["timed"], indirect=True)
def test_a_login_whose_time_the_provider_says_counts_without_a_demand(remembered: Remembered) -> None:
    """Otherwise people who have just logged in would do so twice."""
    answer: httpx2.Response = remembered.person.get("/login?max_age=3600")

    assert urlsplit(str(answer.url)).path == "/account"


def person_name(remembered: Remembered) -> str:
    """Return what the person is called, there and here."""
    name = remembered.person.daemon.check(remembered.person.cookie)["user"]["name"]
    return str(name)
