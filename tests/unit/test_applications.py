"""Registered applications without HTTP: the record, the proof, and what an operator reads."""

import base64

import pytest

from identity.applications.authentication import ClientUnknown, authenticate, claimed
from identity.applications.service import ApplicationService
from identity.stores.configured_applications import ConfiguredApplications
from identity.types import ClientId
from tests.contracts.applications import OTHER, SHOP, WIKI
from tests.support.applications import application

STORE = ConfiguredApplications((WIKI, SHOP, OTHER))


def shown(client_id: str, secret: bytes) -> str:
    """Return an `Authorization` header."""
    return "Basic " + base64.b64encode(client_id.encode() + b":" + secret).decode()


@pytest.mark.parametrize("secrets", [("",), ("a" * 32, ""), ("", "a" * 32)])
def test_no_application_has_an_empty_secret(secrets: tuple[str, ...]) -> None:
    """`wiki:` with nothing behind the colon would prove it: whatever filled the store, this must not come to be."""
    with pytest.raises(ValueError, match="none of them empty"):
        application("wiki", *secrets, hosts=())


def test_no_application_has_more_secrets_than_are_compared() -> None:
    """The third would be configured, and refused without a word."""
    with pytest.raises(ValueError, match="at most 2"):
        application("wiki", "a", "b", "c", hosts=())


def test_a_record_never_shows_its_secrets() -> None:
    """A record ends up in an exception sooner or later."""
    assert "canary" not in repr(application("wiki", "canary", "canary-too", hosts=()))


@pytest.mark.parametrize("secret", [b"old" * 9, b"new" * 9])
def test_while_a_secret_is_changed_both_prove_the_application(secret: bytes) -> None:
    """Otherwise its instances fail until the last of them has the new one."""
    changing = application("wiki", "old" * 9, "new" * 9, hosts=())

    assert authenticate(shown("wiki", secret), {changing.id: changing}.get) is changing


@pytest.mark.parametrize(
    "authorization",
    [
        shown("wiki", b""),
        shown("wiki", b"\0" * 32),
        shown("wiki", b"shop" * 8),
        shown("nobody", b"\0" * 32),
        shown("nobody", b""),
        shown("", b""),
        "Basic " + base64.b64encode(b"wiki").decode(),
        "Basic " + base64.b64encode(b"\xff:" + b"wiki" * 8).decode(),
        "Basic !",
        "Basic",
        "",
        shown("wiki", b"wiki" * 8).replace("Basic", "Bearer"),
        shown("wiki", b"wiki" * 400),
    ],
)
def test_what_proves_no_application_is_refused(authorization: str) -> None:
    """An answer to a stranger says who is logged in."""
    with pytest.raises(ClientUnknown):
        authenticate(authorization, STORE.by_id)


@pytest.mark.parametrize("secrets", [(), ("a" * 32,)])
def test_the_secret_that_unknown_ids_are_compared_with_proves_nobody(secrets: tuple[str, ...]) -> None:
    """It stands in this source for everybody to read."""
    app = application("wiki", *secrets, hosts=())

    with pytest.raises(ClientUnknown):
        authenticate(shown("wiki", b"\0" * 32), {app.id: app}.get)


def test_who_is_named_without_a_proof_is_known_for_the_count_only_if_registered() -> None:
    """The count of wrong secrets has a label for each application, and strangers must not make labels."""
    named = [claimed(text, STORE.by_id) for text in (shown("wiki", b"wrong"), shown("x", b"wrong"), "Basic !")]

    assert named == [ClientId("wiki"), None, None]


def test_an_operator_gets_one_application_or_all() -> None:
    """The list is how somebody sees what this daemon believes to be registered."""
    service = ApplicationService(STORE)

    assert (service.get(ClientId("shop")), service.get(ClientId("nobody"))) == (SHOP, None)
    assert list(service.all()) == [WIKI, SHOP, OTHER]
