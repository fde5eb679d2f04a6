"""What of a configuration that was read again a running daemon takes: the table of `config/changes.py`."""

from pathlib import Path
from typing import Final

import pytest

from identity.config import parse
from identity.config.changes import compare, providers_alike
from identity.config.model import SECTIONS, Config
from options.option import Option, options_of

_SECRET: Final = "a secret of an application, 32 characters"
_OTHER: Final = "another secret of an application, also 32"
_OPTIONS: Final = [
    pytest.param(name, option, id=f"{name}.{option.name}")
    for name, cls in SECTIONS.items()
    for option in options_of(cls)
]


def read(text: str = "") -> Config:
    """Read a configuration."""
    return parse(text, base=Path("/etc/identityd"))


def app(**options: str) -> Config:
    """Read one with an application."""
    lines = [f"{name} = {value}" for name, value in {"secret": _SECRET, **options}.items()]
    return read("\n".join(["[app:wiki]", *lines]))


def provider(name: str = "hub", **options: str) -> Config:
    """Read one with a provider."""
    given = {"kind": "github", "client_id": "me", "client_secret": "0123456789", **options}
    return read("\n".join([f"[provider:{name}]", *(f"{option} = {value}" for option, value in given.items())]))


@pytest.mark.parametrize(("section", "option"), _OPTIONS)
def test_every_option_says_whether_it_may_change_while_a_daemon_runs(section: str, option: Option) -> None:
    """A new one would be taken half, or never, and no operator could know."""
    assert option.live is not None, f"[{section}] {option.name}: give option(…, live=…)"


def test_what_is_alike_is_no_change() -> None:
    """Each SIGHUP would say that secrets changed."""
    text = f"[app:wiki]\nsecret = {_SECRET}\nhosts = wiki.localhost\n[group:staff]\nmembers = provider:hub/org=acme\n"
    text += "[provider:hub]\nkind = github\nclient_id = me\nclient_secret = 0123456789\n[server]\nlog_level = error\n"
    found = compare(read(text), read(text))

    assert (found.now, found.waiting) == ((), ())


def test_an_option_that_may_change_is_taken_and_one_that_may_not_waits() -> None:
    """The daemon would run with a port that it does not listen on."""
    found = compare(read(), read("[server]\nport = 9000\npublic_url = http://localhost:8887\nlogins_per_minute = 3\n"))

    assert found.now == ("[server] logins_per_minute changed",)
    assert found.waiting == ("[server] port", "[server] internal_port")
    assert (found.config.server.logins_per_minute, found.config.server.port) == (3, 8887)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (app(), app(secret=_OTHER), "[app:wiki] secret changed"),
        (app(), app(second_secret=_OTHER), "[app:wiki] second_secret changed"),
        (app(), app(allow="user:ada"), "[app:wiki] allow changed"),
        (app(), app(tell="user"), "[app:wiki] tell changed"),
        (read(), app(), "[app:wiki] added"),
        (app(), read(), "[app:wiki] removed"),
        (provider(), provider(client_secret="9876543210"), "[provider:hub] client_secret changed"),
        (provider(), provider(enabled="no"), "[provider:hub] enabled changed"),
        (provider(), provider(name="nub"), "[provider:nub] added"),
        (read(), read("[group:staff]\nmembers = \n"), "[group:staff] added"),
    ],
)
def test_applications_providers_and_groups_are_taken_whole(before: Config, after: Config, said: str) -> None:
    """An application that must not be entered any more would be open until the next restart."""
    found = compare(before, after)

    assert said in found.now
    assert (found.waiting, found.config) == ((), after)


def test_a_provider_of_another_kind_says_so_and_nothing_of_options_it_has_no_more() -> None:
    """Options of two kinds cannot be compared."""
    text = "[provider:hub]\nkind = google\nclient_id = me\nclient_secret = 0123456789\n"
    found = compare(provider(), read(text))

    assert found.now == ("[provider:hub] kind changed", "[provider:hub] label changed")


@pytest.mark.parametrize("named", [True, False])
def test_tls_is_not_begun_or_ended_but_another_certificate_is_taken(*, named: bool) -> None:
    """A listener cannot speak both; the old one would go on without its key."""
    url = "[server]\npublic_url = https://login.example\n"
    old = read(f"{url}tls_certificate = a.pem\ntls_key = a.key\n" if named else url)
    found = compare(old, read(f"{url}tls_certificate = b.pem\ntls_key = b.key\n"))

    assert found.now == (("[server] tls_certificate changed", "[server] tls_key changed") if named else ())
    assert found.waiting == (() if named else ("[server] tls_certificate", "[server] tls_key"))
    assert found.config.server.tls_certificate == (Path("/etc/identityd/b.pem") if named else None)


def test_under_another_address_everything_waits() -> None:
    """Half of the links would lead to the old address, and half to the new one."""
    running = read()
    found = compare(running, read(f"[server]\npublic_url = https://login.example\n[app:wiki]\nsecret = {_SECRET}\n"))

    assert (found.now, found.config) == ((), running)
    assert found.waiting == ("[server] public_url", "[app:wiki]")


def test_a_provider_that_is_called_otherwise_is_not_alike() -> None:
    """It would go on remembering that it could not be reached, under the settings that are mended now."""
    text = "[provider:hub]\nkind = github\nclient_id = me\nclient_secret = 0123456789\n"

    assert providers_alike(provider(), read(text)) == {"hub"}
    assert providers_alike(provider(), read(f"{text}[outbound]\ntimeout_s = 3\n")) == set()
    assert providers_alike(provider(), provider(client_id="you")) == set()
    assert providers_alike(read(), provider()) == set()
