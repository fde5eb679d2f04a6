"""The real servers of this suite do what the tests that use them rely on."""

import re
import socket
import ssl
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Error

from tests.support.certificates import Authority
from tests.support.memcached import MemcachedNode
from tests.support.openid_provider import OpenIdClient, OpenIdProvider

_CALLBACK = "http://127.0.0.1:1/login/example/callback"


def _say(node: MemcachedNode, command: bytes) -> bytes:
    with socket.create_connection(node.address, timeout=1) as connection:
        connection.sendall(command)
        return connection.recv(4096)


def _fill(node: MemcachedNode) -> None:
    assert _say(node, b"set k 0 0 1\r\nv\r\n") == b"STORED\r\n"


def _holds(node: MemcachedNode) -> bool:
    return b"VALUE k" in _say(node, b"get k\r\n")


def test_a_killed_node_refuses_and_comes_back_empty_at_its_address(memcached: list[MemcachedNode]) -> None:
    """Otherwise the tests of an outage would test something else."""
    node = memcached[0]
    _fill(node)

    node.kill()
    with pytest.raises(ConnectionRefusedError):
        _say(node, b"version\r\n")
    node.start()

    assert not _holds(node)


def test_a_frozen_node_is_silent_and_keeps_what_it_held(memcached: list[MemcachedNode]) -> None:
    """Otherwise the tests of time-outs would pass against a node that refuses quickly."""
    node = memcached[0]
    _fill(node)

    node.freeze()
    with pytest.raises(TimeoutError):
        _say(node, b"version\r\n")
    node.thaw()

    assert _holds(node)


@pytest.mark.parametrize("leave", ["dead", "frozen", "full"])
def test_the_next_test_gets_running_empty_nodes(memcached: list[MemcachedNode], leave: str) -> None:
    """Otherwise one test's outage would be another one's failure."""
    node = memcached[0]
    assert [_holds(each) for each in memcached] == [False] * len(memcached)

    _fill(node)
    if leave != "full":
        (node.kill if leave == "dead" else node.freeze)()
    node.reset()

    assert not _holds(node)


def test_further_nodes_take_options_and_end_with_their_test(start_memcached: Callable[..., MemcachedNode]) -> None:
    """Otherwise a test of memcached's own settings would need a server somebody else set up."""
    node = start_memcached("-I", "2m")

    assert b"item_size_max 2097152" in _say(node, b"stats settings\r\n")


def test_the_authority_is_trusted_only_by_those_who_were_told(authority: Authority) -> None:
    """Otherwise https tests would prove nothing about verification."""
    issued = authority.issue("one.test")
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(issued.certificate, issued.key)

    assert _handshake(server_side, authority.client_context(), "one.test") == ""
    assert "Hostname mismatch" in _handshake(server_side, authority.client_context(), "two.test")
    assert "self-signed certificate in certificate chain" in _handshake(
        server_side, ssl.create_default_context(), "one.test"
    )
    assert issued.key.stat().st_mode & 0o077 == 0


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str:
    """Shake hands in memory; return what the client objected to, or nothing."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    finished: set[int] = set()
    while len(finished) < len(ends):
        for at, end in enumerate(ends):
            try:
                end.do_handshake()
                finished.add(at)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
    return ""


def _authorize(provider: OpenIdProvider, client: OpenIdClient) -> str:
    challenge = {"code_challenge": "a" * 43, "code_challenge_method": "S256"}
    asked = {"client_id": client.id, "response_type": "code", "redirect_uri": _CALLBACK, "scope": "openid"}
    return f"{provider.issuer}/auth?{urlencode({**asked, **challenge, 'state': 's', 'nonce': 'n'})}"


@pytest.mark.parametrize(("choice", "answer"), [("allow", "code"), ("deny", "error")])
def test_a_script_can_go_through_the_real_provider(openid_provider: OpenIdProvider, choice: str, answer: str) -> None:
    """Otherwise no test could meet a provider that nobody here wrote."""
    client = openid_provider.register(_CALLBACK)

    back = openid_provider.log_in(_authorize(openid_provider, client), "alice", choice=choice)

    assert back.startswith(_CALLBACK)
    assert answer in parse_qs(urlsplit(back).query)


def test_a_browser_can_go_through_the_real_provider(browser: Browser, openid_provider: OpenIdProvider) -> None:
    """Otherwise the pages people see would never be driven by a real browser."""
    client = openid_provider.register(_CALLBACK)
    page = browser.new_context(ignore_https_errors=True).new_page()

    page.goto(_authorize(openid_provider, client))
    page.get_by_label("Name").fill("bob")
    # Nobody listens at the callback here; that the browser goes there is the point.
    with page.expect_request(_CALLBACK + "**") as callback:
        page.get_by_role("button", name="Sign in").click()

    assert re.search(r"[?&]code=", callback.value.url)
    page.context.close()


def test_the_browser_cannot_look_up_names(browser: Browser) -> None:
    """Otherwise a page that loads something from elsewhere would go unnoticed."""
    page = browser.new_context().new_page()

    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        page.goto("http://login.example.com/")

    page.context.close()
