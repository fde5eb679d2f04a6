"""Logging out at a real Keycloak and from it: what it tells us, and what we send it."""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.support.keycloak.realm import Realm
from tests.support.keycloak.server import Keycloak
from tests.support.login_pages import walk
from tests.support.openid_daemon import Ways, daemon_with
from tests.support.openid_person import Person, people
from tests.support.running import Running
from tests.support.waiting import until

pytestmark = [pytest.mark.keycloak, pytest.mark.nightly]

TELLS: Final = {"backchannel.logout.url": "{here}/backchannel", "post.logout.redirect.uris": "{public}/logged-out"}
WAYS: Final[Ways] = {
    "op": (
        {"attributes": {**TELLS, "backchannel.logout.session.required": "true"}},
        {"backchannel_logout": "yes", "logout_at_provider": "yes"},
    ),
    "people": (
        {"attributes": {**TELLS, "backchannel.logout.session.required": "false"}},
        {"backchannel_logout": "yes"},
    ),
}


@pytest.fixture(scope="module")
def realm(keycloak: Keycloak) -> Realm:
    """Give a realm."""
    return Realm(keycloak, "leaving")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, realm: Realm) -> Iterator[Running]:
    """Give a daemon that has this realm under a name for each setting."""
    with daemon_with(tmp_path_factory.mktemp("run"), realm, WAYS) as running:
        yield running


class Device:
    """A person with a browser that is logged in at Keycloak and here."""

    def __init__(self, person: Person, realm: Realm, name: str) -> None:
        self.person = person
        self.realm = realm
        self.there = realm.browser()
        page = person.get(realm.log_in(person.begin(), name, browser=self.there))
        if 'name="username"' in page.text:
            person.choose(page, name)
        assert self.account is not None

    @property
    def account(self) -> str | None:
        """The account that is logged in here."""
        return self.person.account


@pytest.fixture
def device(daemon: Running, realm: Realm) -> Iterator[Callable[..., Device]]:
    """Give a function that logs a person in, by the way named, on a new device."""
    made: list[Device] = []
    with people(daemon, realm) as make:

        def log_in(name: str, way: str = "op") -> Device:
            made.append(Device(make(way), realm, name))
            return made[-1]

        yield log_in
    for each in made:
        each.there.close()


def test_logging_out_there_ends_that_session_here_and_no_other(device: Callable[..., Device], realm: Realm) -> None:
    """Otherwise a shared computer stays logged in here, or the phone is logged out with it."""
    laptop, phone = device("ada"), device("ada")

    realm.leave(laptop.there)

    until(lambda: laptop.account is None)
    assert phone.account is not None


def test_an_administrator_there_ends_every_session_here(device: Callable[..., Device], realm: Realm) -> None:
    """Otherwise "Sign out" in Keycloak's console leaves a lost phone logged in here."""
    laptop, phone, other = device("grace"), device("grace"), device("heidi")

    realm.log_out("grace")

    until(lambda: laptop.account is None and phone.account is None)
    assert other.account is not None


def test_a_client_that_is_told_no_session_loses_all_of_the_person(device: Callable[..., Device], realm: Realm) -> None:
    """Otherwise "Backchannel logout session required: off" is a logout that ends nothing."""
    laptop, phone, other = device("ivan", "people"), device("ivan", "people"), device("judy", "people")

    realm.leave(laptop.there)

    until(lambda: laptop.account is None and phone.account is None)
    assert other.account is not None


def test_who_was_logged_out_from_there_logs_in_again(device: Callable[..., Device], realm: Realm) -> None:
    """Otherwise a logout is a lock."""
    laptop = device("kim")
    account = laptop.account
    realm.leave(laptop.there)
    until(lambda: laptop.account is None)

    assert device("kim").account == account


def test_logging_out_here_goes_on_to_keycloak_and_comes_back(device: Callable[..., Device], realm: Realm) -> None:
    """Otherwise the next person at a shared computer is logged in again with one click."""
    laptop, phone = device("lea"), device("lea")
    location = laptop.person.get("/login/op/logout").headers["location"]
    assert location.startswith(f"{realm.issuer}/protocol/openid-connect/logout?")

    back = walk(laptop.there, location, {"confirmLogout": "Logout"})
    page = laptop.person.get(back)

    assert back.partition("?")[0].endswith("/logged-out")
    assert page.status_code == 200
    until(lambda: laptop.account is None)
    assert phone.account is not None
    asked = laptop.there.get(laptop.person.begin(), follow_redirects=True)
    assert 'type="password"' in asked.text
