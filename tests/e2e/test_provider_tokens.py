"""A real OpenID provider's tokens: kept, refreshed under rotation by two daemons, taken back by a command."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.memcached import MemcachedNode
from tests.support.openid_person import Person, people
from tests.support.openid_provider import OpenIdProvider
from tests.support.running import APP, APP_SECRET, ROOT, Running
from tests.support.waiting import RealClock, elapse

pytestmark = [pytest.mark.memcached, pytest.mark.openid]
LIFE_S = 6
"""Of an access token; it is refreshed from the middle on."""


@pytest.fixture
def provider(start_openid_provider: Callable[..., OpenIdProvider]) -> OpenIdProvider:
    """Give a provider whose access tokens are short and whose refresh tokens are good once."""
    ttl = {"AccessToken": LIFE_S, "Grant": 600, "IdToken": 600, "Interaction": 600, "RefreshToken": 600, "Session": 600}
    return start_openid_provider(ttl=ttl, rotateRefreshToken=True)


@pytest.fixture
def daemons(
    tmp_path: Path, memcached: list[MemcachedNode], provider: OpenIdProvider
) -> Iterator[tuple[Running, Running]]:
    """Give two daemons over one account file, one key ring and one memcached."""
    first = Running(tmp_path / "first", {}, demo=False, environ={"SSL_CERT_FILE": str(provider.ca_file)})
    second = Running(
        tmp_path / "second", {}, public_url=first.url, demo=False, environ={"SSL_CERT_FILE": str(provider.ca_file)}
    )
    client = provider.register(f"{first.url}/login/op/callback", grant_types=["authorization_code", "refresh_token"])
    for each in (first, second):
        each.write(
            {
                "keys": {"file": str(first.folder / "identityd.keys")},
                "sqlite": {"file": str(first.folder / "identityd.sqlite")},
                "sessions": {"store": "memcached"},
                "memcached": {"nodes": " ".join(f"n{at}=127.0.0.1:{node.port}" for at, node in enumerate(memcached))},
                "outbound": {"allow_networks": "127.0.0.0/8"},
                "provider:op": {
                    "kind": "oidc",
                    "issuer": provider.issuer,
                    "client_id": client.id,
                    "client_secret": client.secret,
                    "keep_tokens": "yes",
                },
                f"app:{APP}": {"secret": APP_SECRET, "tokens_of": "op"},
            }
        )
    with ExitStack() as stack:
        yield stack.enter_context(first), stack.enter_context(second)


@pytest.fixture
def person(daemons: tuple[Running, Running], provider: OpenIdProvider) -> Iterator[Person]:
    """Give somebody who signed up through the provider."""
    with people(daemons[0], provider) as make:
        made = make()
        made.choose(made.log_in("grace"), "grace")
        yield made


def fetch(daemon: Running, person: Person) -> dict[str, Any]:
    """Fetch a token as the application."""
    answer = httpx2.post(
        f"http://127.0.0.1:{daemon.internal_port}/tokens/op",
        auth=(APP, APP_SECRET),
        json={"cookie": person.cookie, "url": f"{daemon.url}/page"},
        timeout=30,
        trust_env=False,
    )
    return {"status": answer.status_code, **answer.json()}


def works(provider: OpenIdProvider, token: str) -> bool:
    """Tell whether the provider takes a token."""
    answer = httpx2.get(
        f"{provider.issuer}/me", headers={"Authorization": f"Bearer {token}"}, verify=provider._trust, trust_env=False
    )
    return answer.status_code == 200 and answer.json()["sub"] == "grace"


def test_two_daemons_hand_out_tokens_that_work_and_refresh_each_once(
    daemons: tuple[Running, Running], person: Person, provider: OpenIdProvider
) -> None:
    """The provider ends a whole grant when a refresh token is used twice: one slip here and nothing works any more."""
    seen = {fetch(daemons[0], person)["access_token"]}
    for _ in range(3):
        elapse(LIFE_S, RealClock.PROVIDER)
        with ThreadPoolExecutor(12) as threads:
            asked = [threads.submit(fetch, daemons[at % 2], person) for at in range(12)]
            tokens = {each.result().get("access_token") for each in asked}

        assert len(tokens) == 1
        assert not tokens & seen
        assert works(provider, str(*tokens))
        seen |= tokens

    refreshed = sum(daemon.metric('identityd_upstream_tokens_total{outcome="refreshed"') for daemon in daemons)
    assert refreshed == 3


def test_a_disabled_persons_tokens_are_worth_nothing_at_the_provider(
    daemons: tuple[Running, Running], person: Person, provider: OpenIdProvider
) -> None:
    """The operator's command takes them back before it ends, whatever copies of them there are."""
    token = fetch(daemons[0], person)["access_token"]
    assert works(provider, token)

    done = subprocess.run(
        [sys.executable, str(ROOT / "identityd.py"), "accounts", "disable", "grace", "--reason", "left", "--yes"],
        cwd=daemons[0].folder,
        env={**daemons[0]._environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert not works(provider, token)
    assert fetch(daemons[0], person)["error"] == "disabled"
    shown = subprocess.run(
        [sys.executable, str(ROOT / "identityd.py"), "accounts", "show", "grace", "--json"],
        cwd=daemons[0].folder,
        env={**daemons[0]._environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    outcomes = [each["facts"].get("outcome") for each in json.loads(shown.stdout)["events"]]
    assert "taken-back" in outcomes


@pytest.mark.threat(65)
def test_neither_log_nor_account_file_holds_a_token(
    daemons: tuple[Running, Running], person: Person, provider: OpenIdProvider
) -> None:
    """Both are copied and backed up."""
    tokens = [fetch(daemons[0], person)["access_token"]]
    elapse(LIFE_S, RealClock.PROVIDER)
    tokens.append(fetch(daemons[1], person)["access_token"])

    written = "".join(daemon.log() for daemon in daemons)
    stored = b"".join(path.read_bytes() for path in daemons[0].folder.glob("identityd.sqlite*"))
    assert works(provider, tokens[1])
    assert [token for token in tokens if token in written or token.encode() in stored] == []
