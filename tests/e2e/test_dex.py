"""Logins through a real Dex: people with a password there, its approval page, two doors, and a restart."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.certificates import Authority
from tests.support.dex.server import PASSWORD, Dex
from tests.support.login_pages import forms, provider_browser, walk
from tests.support.openid_daemon import Ways, daemon_with, trial
from tests.support.openid_person import Person, people
from tests.support.running import Running

pytestmark = [pytest.mark.dex, pytest.mark.nightly]

WAYS: Final[Ways] = {
    "op": ({}, {}),
    "post": ({}, {"client_auth": "post"}),
    "userinfo": ({}, {"userinfo": "yes"}),
    "wrong": ({}, {"client_secret": "not the one that was registered"}),
}
PEOPLE: Final = ("ada", "grace", "heidi", "ivan", "judy")


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Dex]:
    """Give a Dex that runs when a daemon of these tests does."""
    dex = Dex(tmp_path_factory.mktemp("dex"), authority, PEOPLE)
    yield dex
    dex.stop()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, provider: Dex) -> Iterator[Running]:
    """Give a daemon that has this provider under a name for each setting."""
    running = daemon_with(tmp_path_factory.mktemp("run"), provider, WAYS)
    provider.start()
    with running:
        yield running


@pytest.fixture
def person(daemon: Running, provider: Dex) -> Iterator[Callable[..., Person]]:
    with people(daemon, provider) as make:
        yield make


@pytest.mark.parametrize(("way", "name"), [("op", "ada"), ("post", "grace"), ("userinfo", "heidi")])
def test_a_person_signs_up_and_comes_back(person: Callable[..., Person], way: str, name: str) -> None:
    """Otherwise an operator who has Dex cannot use it, although the documents say so."""
    first, later = person(way), person(way)
    account = first.choose(first.log_in(name), name)
    assert str(account.url).endswith("/account"), account.text

    later.log_in(name)

    assert later.account == first.account is not None


def test_a_wrong_password_leads_nowhere_and_the_right_one_in(person: Callable[..., Person], provider: Dex) -> None:
    """Otherwise a mistyped password breaks the login that is under way here."""
    somebody = person()
    location = somebody.begin()
    with provider_browser(provider.trust) as browser:
        page = browser.get(location, follow_redirects=True)
        [form] = forms(page.text)
        wrong = {"login": "ivan@example.test", "password": "a guess"}
        page = browser.post(str(page.url.join(form.action)), data={**form.hidden, **wrong})
        assert page.status_code == 401
        assert "Invalid" in page.text

        right = {"login": "ivan@example.test", "password": PASSWORD, "approval": "approve"}
        callback = walk(browser, str(page.url), right)

    assert 'name="username"' in somebody.get(callback).text


def test_a_trial_tells_a_wrong_secret_from_a_right_one(daemon: Running) -> None:
    """Otherwise `providers test` knows the answers of our own upstream only."""
    right, wrong = trial(daemon, "op"), trial(daemon, "wrong")

    assert [line for line in right if not line.startswith("ok ")] == []
    assert "it knows client and secret" in right[-1]
    assert "problem  wrong: it refuses client_id and client_secret (invalid_client)" in "\n".join(wrong)


def test_a_restart_with_new_keys_is_followed(person: Callable[..., Person], provider: Dex) -> None:
    """Otherwise a Dex whose storage is memory locks everybody out at its first restart."""
    before, after = person(), person()
    before.choose(before.log_in("judy"), "judy")

    provider.start()
    after.log_in("judy")

    assert after.account == before.account is not None


def test_the_daemon_reaches_it_by_another_address_than_browsers(tmp_path: Path, authority: Authority) -> None:
    """Otherwise a Dex whose public name leads nowhere from inside the network cannot be used."""
    dex = Dex(tmp_path, authority, ("ada",))
    ways: Ways = {"op": ({}, {"internal_url": dex.inside}), "public": ({}, {})}
    daemon = daemon_with(tmp_path / "run", dex, ways, trusting=False)
    dex.start()
    try:
        with daemon, people(daemon, dex) as make:
            # The certificate is not trusted, so what ends well went by the inner door alone.
            assert make("public").get("/login/public").status_code >= 500
            assert "CERTIFICATE_VERIFY_FAILED" in daemon.log()

            first, later = make(), make()
            first.choose(first.log_in("ada"), "ada")
            later.log_in("ada")

            assert later.account == first.account is not None
    finally:
        dex.stop()
