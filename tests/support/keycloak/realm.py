"""A realm of a Keycloak: people with a password, clients, and keys that are replaced."""

from contextlib import closing
from typing import Any, Final

import httpx2

from tests.support.keycloak.server import Keycloak
from tests.support.login_pages import forms, provider_browser, walk
from tests.support.openid_provider import OpenIdClient

PASSWORD: Final = "a person's password"
"""Everybody's."""
_KEYS: Final = {
    "RS256": ("rsa-generated", {"keySize": ["2048"], "algorithm": ["RS256"]}),
    "PS256": ("rsa-generated", {"keySize": ["2048"], "algorithm": ["PS256"]}),
    "ES256": ("ecdsa-generated", {"ecdsaEllipticCurveKey": ["P-256"]}),
    "EdDSA": ("eddsa-generated", {"eddsaEllipticCurveKey": ["Ed25519"]}),
}


class Realm:
    """A realm of its own; `issuer` is its address. Whoever logs in by `log_in` gets a user, if there is none yet."""

    def __init__(self, keycloak: Keycloak, name: str) -> None:
        self.keycloak = keycloak
        self.name = name
        self.issuer = f"{keycloak.public}/realms/{name}"
        self.ca_file = keycloak.ca_file
        self._people: dict[str, str] = {}
        self._clients = 0
        keycloak.ask("POST", "", {"realm": name, "enabled": True})

    def register(self, redirect_uri: str, **metadata: Any) -> OpenIdClient:  # noqa: ANN401 - Keycloak's own words
        """Make a client that may be answered at `redirect_uri`, and has to use PKCE.

        In its `attributes` `{here}` stands for the daemon's addresses of that provider, `{public}` for the daemon.
        """
        self._clients += 1
        secret = "" if metadata.get("clientAuthenticatorType") == "client-jwt" else f"secret of client {self._clients}"
        client = OpenIdClient(f"client-{self._clients}", secret)
        here = redirect_uri.removesuffix("/callback")
        public = here.partition("/login/")[0]
        attributes = {"pkce.code.challenge.method": "S256", **metadata.pop("attributes", {})}
        told = {
            "clientId": client.id,
            "secret": client.secret,
            "redirectUris": [redirect_uri],
            "standardFlowEnabled": True,
            "attributes": {
                key: value.replace("{here}", here).replace("{public}", public) for key, value in attributes.items()
            },
        }
        self.ask("POST", "/clients", {**told, **metadata})
        return client

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - whatever Keycloak answers
        """Make a call of the administration's API, below this realm."""
        return self.keycloak.ask(method, f"/{self.name}{path}", body)

    def person(self, name: str) -> str:
        """Return the id of the user of this name."""
        if name not in self._people:
            told = {
                "username": name,
                "enabled": True,
                "email": f"{name}@example.test",
                "emailVerified": True,
                "firstName": name.title(),
                "lastName": "Example",
                "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
            }
            self._people[name] = self.ask("POST", "/users", told)
        return self._people[name]

    def log_out(self, name: str) -> None:
        """End every session of this user, as an administrator does."""
        self.ask("POST", f"/users/{self.person(name)}/logout")

    def add_key(self, algorithm: str, *, priority: int = 100) -> None:
        """Make a signing key; the one with the highest priority signs."""
        kind, config = _KEYS[algorithm]
        told = {
            "name": f"{algorithm}-{priority}",
            "providerId": kind,
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": {"priority": [str(priority)], "enabled": ["true"], "active": ["true"], **config},
        }
        self.ask("POST", "/components", told)

    def replace_key(self, algorithm: str) -> None:
        """Make a key that signs from now on, and take all others of that algorithm away."""
        kind, _ = _KEYS[algorithm]
        old = self.ask("GET", "/components?type=org.keycloak.keys.KeyProvider")
        self.add_key(algorithm, priority=200)
        for key in old:
            if key["providerId"] == kind and key["config"].get("algorithm", [algorithm]) == [algorithm]:
                self.ask("DELETE", f"/components/{key['id']}")

    def leave(self, browser: httpx2.Client) -> None:
        """Log out there in a browser that is logged in."""
        page = browser.get(f"{self.issuer}/protocol/openid-connect/logout", follow_redirects=True)
        [form] = forms(page.text)
        browser.post(str(page.url.join(form.action)), data=form.hidden, follow_redirects=True).raise_for_status()

    def browser(self) -> httpx2.Client:
        """Return a browser for Keycloak's pages, with an empty jar; close it."""
        return provider_browser(self.keycloak.trust)

    def log_in(self, location: str, name: str, *, choice: str = "allow", browser: httpx2.Client | None = None) -> str:
        """Log in with the right password. Return the callback's URL.

        Args:
            location: where the daemon sent the browser.
            name: the user's.
            choice: for a client whose users are asked: `allow`, or `deny` to refuse.
            browser: one that may be logged in there already.
        """
        self.person(name)
        typed = {"username": name, "password": PASSWORD, "accept" if choice == "allow" else "cancel": "pressed"}
        if browser is not None:
            return walk(browser, location, typed)
        with closing(self.browser()) as fresh:
            return walk(fresh, location, typed)
