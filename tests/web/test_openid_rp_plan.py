"""The modules of the OpenID Foundation's plan `oidcc-client-formpost-basic-certification-test-plan`, one by one.

The suite itself is a Java service with a database; each module is walked here at our own upstream, by
answers that are really posted to the daemon. What a module wants is in its entry.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from tests.support.guards import Expectation
from tests.support.logins import location
from tests.support.posting import Posting, posting
from tests.support.signing import b64, rsa_key
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET, Upstream

ExpectLog = Callable[..., Expectation]
Edit = Callable[[Upstream], None]


@dataclass(frozen=True, slots=True)
class Module:
    """What the provider does, and whether the login must succeed."""

    edit: Edit = lambda _: None
    accepted: bool = False
    options: dict[str, str] = field(default_factory=dict)


def claims(**changed: Any) -> Edit:  # noqa: ANN401 - claims of any type
    """Return an edit of the ID token's claims; None takes one out."""

    def edit(said: dict[str, Any]) -> None:
        said.update(changed)
        for name in [name for name, value in changed.items() if value is None]:
            said.pop(name)

    return lambda upstream: setattr(upstream, "edit_claims", edit)


def nameless(*keys: str) -> Edit:
    """Return an edit that signs with the first of these keys, publishes all, and names none in the token."""

    def edit(upstream: Upstream) -> None:
        upstream.keys = [rsa_key(key) for key in keys]
        upstream.signer = upstream.keys[0]
        upstream.edit_header = lambda header: header.pop("kid")

    return edit


def unsigned_token(upstream: Upstream) -> None:
    """Send `alg: none` and no signature."""
    header = b64(b'{"alg":"none"}')
    upstream.edit_token = lambda token: f"{header}.{token.split('.')[1]}."


def forged(upstream: Upstream) -> None:
    """Sign with a key that is not the one published under its name."""
    upstream.keys = [rsa_key("rsa-1")]
    upstream.signer = rsa_key("rsa-1", size=3072)


def rs256(upstream: Upstream) -> None:
    """Sign with RS256."""
    upstream.signer = rsa_key("rsa-1")


def other_person(upstream: Upstream) -> None:
    """Say at the userinfo endpoint that it is somebody else."""
    upstream.edits["/userinfo"] = lambda said: {**said, "sub": "another"}


USERINFO: Final = {"userinfo": "yes"}
MODULES: Final = {
    "oidcc-client-test": Module(accepted=True),
    "oidcc-client-test-invalid-iss": Module(claims(iss="https://evil.example")),
    "oidcc-client-test-missing-sub": Module(claims(sub=None)),
    "oidcc-client-test-invalid-aud": Module(claims(aud="another client")),
    "oidcc-client-test-missing-iat": Module(claims(iat=None)),
    "oidcc-client-test-kid-absent-single-jwks": Module(nameless("one"), accepted=True),
    "oidcc-client-test-kid-absent-multiple-jwks": Module(nameless("one", "two"), accepted=True),
    "oidcc-client-test-idtoken-sig-rs256": Module(rs256, accepted=True),
    "oidcc-client-test-idtoken-sig-none": Module(unsigned_token),
    "oidcc-client-test-invalid-sig-rs256": Module(forged),
    "oidcc-client-test-userinfo-invalid-sub": Module(other_person, options=USERINFO),
    "oidcc-client-test-nonce-invalid": Module(claims(nonce="another")),
    "oidcc-client-test-scope-userinfo-claims": Module(accepted=True, options=USERINFO),
    "oidcc-client-test-client-secret-basic": Module(accepted=True, options={"client_auth": "basic"}),
}


@pytest.fixture
def op() -> Iterator[Posting]:
    """Give a daemon that logs in at the upstream."""
    with posting() as made:
        yield made


def test_the_plan_has_these_modules() -> None:
    """Otherwise a module is lost from the list, and nobody sees that it is not tried."""
    assert len(MODULES) == 14


@pytest.mark.parametrize("name", MODULES)
def test_a_module_of_the_plan_ends_as_it_wants(op: Posting, name: str, expect_log: ExpectLog) -> None:
    """Otherwise a provider that is certified for form_post cannot be used, or one that lies is believed."""
    module = MODULES[name]
    given = {"issuer": op.upstream.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    op.use("oidc", {**given, "response_mode": "form_post", **module.options})
    module.edit(op.upstream)
    expect_log("identity.web", "provider", required=not module.accepted)

    ended = op.log_in(op.site.browser())

    assert ended.status == (303 if module.accepted else 502), ended.body
    assert not module.accepted or location(ended).startswith("/welcome")
    if "client_auth" in module.options:
        assert [each.headers["authorization"][:6] for each in op.upstream.seen if each.path == "/token"] == ["Basic "]
    if module.options == USERINFO:
        asked = [each for each in op.upstream.seen if each.path == "/userinfo"]
        assert [each.headers["authorization"][:7] for each in asked] == ["Bearer "]
