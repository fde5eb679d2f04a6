"""Logins through a real Keycloak, under the settings that operators meet: keys, secrets, two addresses."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.assertions import pem_of
from tests.support.certificates import Authority
from tests.support.keycloak.realm import Realm
from tests.support.keycloak.server import Keycloak
from tests.support.login_pages import forms
from tests.support.openid_daemon import Ways, daemon_with, trial
from tests.support.openid_person import Person, people
from tests.support.running import Running
from tests.support.signing import ecdsa_key, eddsa_key, rsa_key

pytestmark = [pytest.mark.keycloak, pytest.mark.nightly]

SIGNED: Final = ("RS256", "PS256", "ES256", "EdDSA")


def signed(name: str) -> dict[str, Any]:
    """Return a client's attributes for ID tokens with this signature."""
    return {"attributes": {"id.token.signed.response.alg": name}}


WAYS: Final[Ways] = {
    # The daemon believes that one algorithm, so a login shows that Keycloak signs with it.
    **{name.lower(): (signed(name), {"algorithms": name}) for name in SIGNED},
    "post": ({}, {"client_auth": "post"}),
    "userinfo": ({}, {"userinfo": "yes"}),
    "signed-userinfo": (
        {"attributes": {"user.info.response.signature.alg": "ES256"}},
        {"userinfo": "yes", "userinfo_signed": "yes"},
    ),
    "consent": ({"consentRequired": True}, {}),
    "wrong": ({}, {"client_secret": "not the one that was registered"}),
}


@pytest.fixture(scope="module")
def realm(keycloak: Keycloak) -> Realm:
    """Give a realm that signs with every kind of key."""
    made = Realm(keycloak, "staff")
    for algorithm in SIGNED:
        made.add_key(algorithm)
    return made


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, realm: Realm) -> Iterator[Running]:
    """Give a daemon that has this realm under a name for each setting."""
    with daemon_with(tmp_path_factory.mktemp("run"), realm, WAYS) as running:
        yield running


@pytest.fixture
def person(daemon: Running, realm: Realm) -> Iterator[Callable[..., Person]]:
    with people(daemon, realm) as make:
        yield make


def sign_up_and_return(make: Callable[..., Person], way: str, name: str) -> None:
    """Sign up, then log in with another browser, and find the same account."""
    first, later = make(way), make(way)
    account = first.choose(first.log_in(name), name)
    assert str(account.url).endswith("/account"), account.text

    later.log_in(name)

    assert later.account == first.account is not None


@pytest.mark.parametrize("way", [*(name.lower() for name in SIGNED), "post", "userinfo", "signed-userinfo", "consent"])
def test_a_person_signs_up_and_comes_back(person: Callable[..., Person], way: str) -> None:
    """Otherwise an operator whose Keycloak is set so cannot use it, although the documents say so."""
    sign_up_and_return(person, way, f"ada-{way}")


def test_keycloak_s_name_for_a_person_is_proposed(person: Callable[..., Person]) -> None:
    """Otherwise a newcomer has to type the name that Keycloak has just told."""
    assert 'value="grace"' in person("rs256").log_in("grace").text


def test_a_wrong_password_leads_nowhere_and_the_right_one_in(person: Callable[..., Person], realm: Realm) -> None:
    """Otherwise a mistyped password breaks the login that is under way here."""
    somebody = person("rs256")
    location = somebody.begin()
    realm.person("heidi")
    with realm.browser() as browser:
        page = browser.get(location, follow_redirects=True)
        [form] = forms(page.text)
        page = browser.post(form.action, data={**form.hidden, "username": "heidi", "password": "a guess"})
        assert page.status_code == 200
        assert "Invalid username or password" in page.text

        callback = realm.log_in(location, "heidi", browser=browser)

    assert 'name="username"' in somebody.get(callback).text


def test_who_refuses_at_keycloak_can_go_on(person: Callable[..., Person]) -> None:
    """Otherwise the button "Cancel" of its consent page leads to an error page."""
    somebody = person("consent")
    callback = somebody.callback("ivan", choice="deny")
    assert "error=access_denied" in callback

    page = somebody.get(callback)

    assert page.status_code < 400
    assert "The login was cancelled" in page.text


def test_who_is_disabled_there_cannot_log_in_here(person: Callable[..., Person], realm: Realm) -> None:
    """Otherwise an administrator's decision counts for everything but us."""
    person("rs256").log_in("judy")
    realm.ask("PUT", f"/users/{realm.person('judy')}", {"enabled": False})

    with pytest.raises(AssertionError, match="no way back"):
        person("rs256").callback("judy")


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA"])
def test_a_key_of_ours_proves_who_we_are(tmp_path: Path, realm: Realm, algorithm: str) -> None:
    """Otherwise nobody can use Keycloak's "Signed JWT", and a secret has to be shared."""
    key = {"ES256": ecdsa_key("ours"), "PS256": rsa_key("ours", alg="PS256"), "EdDSA": eddsa_key("ours")}[algorithm]
    pem = tmp_path / "key.pem"
    pem.write_text(pem_of(key))
    pem.chmod(0o600)
    public = {"keys": [key.jwk(use="sig")]}
    attributes = {
        "use.jwks.string": "true",
        "jwks.string": json.dumps(public),
        "token.endpoint.auth.signing.alg": algorithm,
    }
    ways: Ways = {
        "op": (
            {"clientAuthenticatorType": "client-jwt", "attributes": attributes},
            {"client_auth": "private_key_jwt", "key_file": str(pem), "key_algorithm": algorithm, "key_id": "ours"},
        )
    }
    with daemon_with(tmp_path / "run", realm, ways) as daemon, people(daemon, realm) as make:
        sign_up_and_return(make, "op", f"ada-{algorithm.lower()}-proof")


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_a_key_is_replaced_while_people_log_in(tmp_path: Path, keycloak: Keycloak, algorithm: str) -> None:
    """Otherwise a new key there locks everybody out until the daemon is started again."""
    realm = Realm(keycloak, f"replaced-{algorithm.lower()}")
    realm.add_key(algorithm)
    ways: Ways = {"op": (signed(algorithm), {"algorithms": algorithm})}
    with daemon_with(tmp_path / "run", realm, ways) as daemon, people(daemon, realm) as make:
        before, after = make(), make()
        before.choose(before.log_in("ada"), "ada")
        callback = after.callback("ada")

        realm.replace_key(algorithm)
        after.get(callback)

        assert after.account == before.account is not None


@pytest.mark.parametrize("dynamic", ["false", "true"])
def test_the_daemon_reaches_it_by_another_address_than_browsers(
    tmp_path: Path, authority: Authority, dynamic: str
) -> None:
    """Otherwise a Keycloak whose public name leads nowhere from inside cannot be used, however it is told of that.

    With `hostname-backchannel-dynamic` the document names the address it was asked at, for servers; without,
    the public one.
    """
    server = Keycloak(tmp_path, authority, {"hostname-backchannel-dynamic": dynamic})
    try:
        realm = Realm(server, "staff")
        ways: Ways = {"op": ({}, {"internal_url": server.inside, "userinfo": "yes"}), "public": ({}, {})}
        with daemon_with(tmp_path / "run", realm, ways, trusting=False) as daemon, people(daemon, realm) as make:
            # The certificate is not trusted, so what ends well went by the inner address alone.
            assert make("public").get("/login/public").status_code >= 500
            assert "CERTIFICATE_VERIFY_FAILED" in daemon.log()

            sign_up_and_return(make, "op", "ada")
    finally:
        server.stop()


def test_a_trial_tells_a_wrong_secret_from_a_right_one(daemon: Running) -> None:
    """Otherwise `providers test` knows the answers of our own upstream only."""
    right, wrong = trial(daemon, "rs256"), trial(daemon, "wrong")

    assert [line for line in right if not line.startswith("ok ")] == []
    assert "it knows client and secret" in right[-1]
    assert "problem  wrong: it refuses client_id and client_secret" in "\n".join(wrong)
