"""Logins through an OpenID provider nobody here wrote, with real memcached, and servers that die."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.cassandra_accounts import sections
from tests.support.memcached import MemcachedNode
from tests.support.openid_person import Person, people
from tests.support.openid_provider import OpenIdProvider
from tests.support.running import Running

KEYSPACE = "spine"
pytestmark = [pytest.mark.memcached, pytest.mark.openid]


in_both_stores = pytest.mark.parametrize(
    "daemon", ["sqlite", pytest.param("cassandra", marks=pytest.mark.cassandra)], indirect=True
)


@pytest.fixture
def daemon(
    request: pytest.FixtureRequest, tmp_path: Path, memcached: list[MemcachedNode], openid_provider: OpenIdProvider
) -> Iterator[Running]:
    """Give a daemon with memcached sessions, the real provider, and accounts in a file unless asked for a cluster."""
    in_cassandra = getattr(request, "param", "sqlite") == "cassandra"
    accounts = sections(request.getfixturevalue("cassandra"), KEYSPACE) if in_cassandra else {}
    running = Running(tmp_path / "run", {}, demo=False, environ={"SSL_CERT_FILE": str(openid_provider.ca_file)})
    client = openid_provider.register(f"{running.url}/login/op/callback")
    running.write(
        {
            "sessions": {"store": "memcached"},
            "memcached": {"nodes": " ".join(f"n{at}=127.0.0.1:{node.port}" for at, node in enumerate(memcached))},
            "outbound": {"allow_networks": "127.0.0.0/8"},
            "provider:op": {
                "kind": "oidc",
                "issuer": openid_provider.issuer,
                "client_id": client.id,
                "client_secret": client.secret,
            },
            **accounts,
        }
    )
    if in_cassandra:
        running.migrate("--create-keyspace", "DC1=1")
    with running:
        yield running


@pytest.fixture
def another(daemon: Running, openid_provider: OpenIdProvider) -> Iterator[Callable[[], Person]]:
    """Give a function that makes a person with a browser of his own."""
    with people(daemon, openid_provider) as make:
        yield make


@pytest.fixture
def person(another: Callable[[], Person]) -> Person:
    return another()


@in_both_stores
def test_a_complete_login_from_provider_to_application(daemon: Running, person: Person) -> None:
    """The main job: a browser, a foreign provider, a username, and an application that asks who it is."""
    welcome = person.log_in("grace")
    assert 'name="username"' in welcome.text

    account = person.choose(welcome, "grace")

    assert account.status_code == 200
    assert str(account.url).endswith("/account")
    verdict = daemon.check(person.cookie)
    assert (verdict["status"], verdict["verdict"], verdict["user"]["name"]) == (200, "ok", "grace")


@in_both_stores
def test_the_same_person_in_another_browser_is_the_same_account(
    daemon: Running, person: Person, another: Callable[[], Person]
) -> None:
    """An identity leads to one account, wherever it logs in."""
    person.choose(person.log_in("heidi"), "heidi")
    other = another()

    account = other.log_in("heidi")

    assert "heidi" in account.text
    assert daemon.check(other.cookie)["user"]["id"] == daemon.check(person.cookie)["user"]["id"]


def test_saying_no_at_the_provider_leads_back_with_a_sentence(person: Person) -> None:
    """A person who changes his mind must not meet an error page without a way on."""
    answer = person.get(person.callback("ivan", choice="deny"))

    assert answer.status_code < 500
    assert "/login" in answer.text


@in_both_stores
def test_a_daemon_killed_in_the_middle_of_a_sign_up_goes_on_after_its_restart(daemon: Running, person: Person) -> None:
    """The sign-up is in memcached and in the account store; the process may die at any time."""
    welcome = person.log_in("judy")
    daemon.kill()
    daemon.start()

    account = person.choose(welcome, "judy")

    assert str(account.url).endswith("/account")
    assert "judy" in account.text


def test_a_daemon_killed_while_the_browser_is_at_the_provider_goes_on(daemon: Running, person: Person) -> None:
    """A rolling restart must not break the logins that are under way."""
    callback = person.callback("mallory")
    daemon.kill()
    daemon.start()

    assert 'name="username"' in person.get(callback).text


@in_both_stores
def test_memcached_killed_is_503_and_never_a_logout_and_a_new_login_works_after_it(
    daemon: Running, person: Person, memcached: list[MemcachedNode]
) -> None:
    """Store trouble is not the person's fault: nothing is ended while it lasts, and it heals by itself."""
    person.choose(person.log_in("niaj"), "niaj")
    before = person.cookie
    for node in memcached:
        node.kill()

    page = person.browser.get(f"{daemon.url}/account")
    assert page.status_code == 503
    assert page.headers["retry-after"]
    assert "set-cookie" not in page.headers
    assert daemon.check(before)["verdict"] == "retry"

    for node in memcached:
        node.start()
    lost = person.get_when_up("/account")
    assert "because of a fault at this site" in lost.text
    assert "niaj" in person.log_in("niaj").text
    assert daemon.check(person.cookie)["verdict"] == "ok"


def test_the_log_of_a_login_holds_no_secret(daemon: Running, person: Person) -> None:
    """Logs are copied, mailed and kept; whatever stands in them must be worthless to a thief."""
    callback = person.callback("olivia")
    welcome = person.get(callback)
    person.choose(welcome, "olivia")

    log = daemon.log()
    query = dict(pair.split("=", 1) for pair in urlsplit(callback).query.split("&"))
    values = [query["code"], query["state"], *(c.value or "" for c in person.browser.cookies.jar)]
    values += [(daemon.folder / "identityd.keys").read_text().split()[-1]]

    assert [value for value in values if value and len(value) > 8 and value in log] == []
    assert '"request"' in log or "request_id" in log
