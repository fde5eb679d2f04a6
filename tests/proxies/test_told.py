"""What an application is told, under every choice of names, behind each proxy; and nothing that it is not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from identity.applications.disclosure import HeaderNames
from identity.forward_auth.telling import every_name
from tests.proxies.conftest import marks
from tests.proxies.test_requests import as_a_program_sees_them
from tests.support.browser import CALL, Browser
from tests.support.certificates import Authority
from tests.support.claimed_names import CLAIMS
from tests.support.guarded_application import APPLICATION, GuardedApplication
from tests.support.proxies import EXAMPLES, NAMES

ECHO: Final = f"{APPLICATION}/echo"
PROXIES: Final = [pytest.param(name, marks=[*marks(name), pytest.mark.memcached]) for name in NAMES]
HANDS_ON: Final = {
    "nginx": ("nginx/identityd-location.conf", "proxy_set_header {} "),
    "caddy": ("caddy/Caddyfile", "import identity_told {} "),
    "haproxy": ("haproxy/identity.lua", '"{}"'),
    "apache": ("apache/identity.lua", '"{}"'),
}
TOLD: Final = {
    HeaderNames.IDENTITY: {
        "X_IDENTITY_USER": "zoe",
        "X_IDENTITY_NAME": "Ida Brook",
        "X_IDENTITY_EMAIL": "ida@demo.example",
        "X_IDENTITY_EMAIL_VERIFIED": "no",
        "X_IDENTITY_GROUPS": "people,staff",
    },
    HeaderNames.REMOTE: {
        "REMOTE_USER": "zoe",
        "REMOTE_NAME": "Zoë Ł".encode().decode("latin-1"),
        "REMOTE_GROUPS": "people,staff",
    },
    HeaderNames.X_AUTH_REQUEST: {"X_AUTH_REQUEST_USER": "zoe", "X_AUTH_REQUEST_GROUPS": "people,staff"},
    HeaderNames.X_FORWARDED: {"X_FORWARDED_USER": "zoe", "X_FORWARDED_GROUPS": "people,staff"},
}


@pytest.fixture(scope="module", params=PROXIES)
def proxy(request: pytest.FixtureRequest) -> str:
    """Give the name of each proxy."""
    return str(request.param)


def told(proxy: str, folder: Path, authority: Authority, names: HeaderNames) -> Iterator[GuardedApplication]:
    """Start a gate whose applications are told everything under these names."""
    app = {"tell": "user, name, email, groups", "headers": names.value}
    groups = {f"group:{name}": {"members": "provider:demo"} for name in ("staff", "people")}
    with GuardedApplication(proxy, folder, authority, app=app, sections=groups) as gate:
        yield gate


def zoe(gate: GuardedApplication, called: str) -> Browser:
    """Return the browser of a person whom the provider calls this."""
    visitor = gate.stranger()
    visitor.submit(visitor.submit(visitor.go("/login/demo"), {"person": called}), {"username": "zoe"})
    return visitor


@pytest.mark.threat(40)
@pytest.mark.parametrize("names", list(HeaderNames), ids=lambda names: str(names.value))
def test_an_application_hears_what_it_is_told_and_no_client(
    proxy: str, tmp_path: Path, authority: Authority, names: HeaderNames
) -> None:
    """Otherwise it knows a person by no name, or by whichever name that person's browser sent."""
    for gate in told(proxy, tmp_path / "run", authority, names):
        # Only of Ida an e-mail is known; it is not verified, so that other names do not carry it.
        called = "Ida Brook" if names is HeaderNames.IDENTITY else "Zoë Ł"
        spoofed = [(name, "root") for name in every_name()]

        seen = as_a_program_sees_them(zoe(gate, called).load("GET", ECHO, [*CALL, *spoofed, *spoofed]))

        said = {name: values for name, values in seen.items() if CLAIMS.match(name)}
        assert "root" not in str(said)
        assert {name: [value] for name, value in TOLD[names].items()}.items() <= said.items()
        assert ("X_IDENTITY_EMAIL" in said) is (names is HeaderNames.IDENTITY)
        assert "X_IDENTITY_ID" not in said


@pytest.mark.threat(40)
@pytest.mark.parametrize("example", HANDS_ON)
def test_every_example_hands_on_every_name(example: str) -> None:
    """A name that is forgotten in one of them is one that is never heard, or that a client can say."""
    file, spelt = HANDS_ON[example]
    text = re.sub(" +", " ", (EXAMPLES / file).read_text().lower())

    assert [name for name in every_name() if spelt.format(name).lower() not in text] == []
