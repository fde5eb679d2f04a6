"""Rows of docs/threats.md that a configuration could open: refused before a socket is opened."""

import pytest

from identity.config.model import SECTIONS
from options.option import options_of
from tests.support.configuration import APP_SECRET, problems_of, problems_with

APP = "[app:wiki]\nsecret = {}\n"
PROVIDER = "[provider:x]\nkind = github\nclient_id = me\nclient_secret = {}\n"


@pytest.mark.threat(3)
@pytest.mark.parametrize("section", [APP, PROVIDER])
@pytest.mark.parametrize("secret", ["", "short", "x" * 64, "ab" * 32, "changeme"])
def test_an_empty_short_or_monotonous_secret_refuses_to_start(section: str, secret: str) -> None:
    """CVE-2026-114616: what is signed or proved with an empty secret is signed or proved by anybody."""
    if section is PROVIDER and secret == "changeme":
        secret = "change"
    (problem,) = problems_of(section.format(secret))
    assert "secret: is" in problem


@pytest.mark.threat(3)
def test_an_application_secret_of_31_characters_is_too_short() -> None:
    """The bound itself: 32 characters at least."""
    assert problems_of(APP.format(APP_SECRET[:32])) == ()
    assert len(problems_of(APP.format(APP_SECRET[:31]))) == 1


@pytest.mark.threat(3)
def test_an_empty_secret_from_the_environment_refuses_to_start() -> None:
    """A variable that an orchestrator failed to fill is empty, not absent."""
    (problem,) = problems_with("[app:wiki]\n", environ={"IDENTITYD_APP_WIKI_SECRET": ""})
    assert problem == "[app:wiki] secret: is empty; nobody may be let in by an empty secret"


@pytest.mark.threat(3)
def test_a_missing_secret_refuses_to_start() -> None:
    """There is no default secret."""
    (problem,) = problems_of("[app:wiki]\n")
    assert problem.startswith("[app:wiki] secret: is missing")


@pytest.mark.threat(37)
@pytest.mark.parametrize(
    "network",
    [
        "0.0.0.0/0",
        "::/0",
        "0.0.0.0/1",
        "128.0.0.0/1",
        "0.0.0.0/7",
        "::ffff:0:0/96",
        "::ffff:0.0.0.0/97",
        "::/64",
        "2000::/3",
    ],
)
def test_trusting_everybody_as_a_proxy_refuses_to_start(network: str) -> None:
    """CVE-2026-40575: whoever connects could say who the browser is; halves of everything count as everything."""
    (problem,) = problems_of(f"[server]\ntrusted_proxies = 10.0.0.5 {network}\n")
    assert problem.startswith("[server] trusted_proxies: ")
    assert "list the proxies' own addresses" in problem


@pytest.mark.threat(37)
def test_by_default_no_peer_is_trusted() -> None:
    """Somebody who never thought about proxies believes nobody's headers."""
    (option,) = (each for each in options_of(SECTIONS["server"]) if each.name == "trusted_proxies")
    assert option.default == ""


@pytest.mark.threat(44)
@pytest.mark.parametrize("section", [*SECTIONS, "provider:x", "app:x"])
def test_an_unknown_option_refuses_to_start_in_every_section(section: str) -> None:
    """GHSA-384w: a renamed setting that is ignored is a rule that no longer holds."""
    kind = "kind = github\n" if section.startswith("provider") else ""
    problems = problems_of(f"[{section}]\n{kind}allowed_users = root\n")
    assert any(problem.startswith(f"[{section}] allowed_users: there is no such option here") for problem in problems)


@pytest.mark.threat(44)
@pytest.mark.parametrize(
    "section", ["identityd", "session", "Server", "DEFAULT", "provider", "provider:", "apps:x", "app", "app:"]
)
def test_an_unknown_section_refuses_to_start(section: str) -> None:
    """The same for a section: everything in it would be ignored."""
    (problem,) = problems_of(f"[{section}]\n")
    assert problem.startswith(f"[{section}] section: ")


@pytest.mark.threat(44)
def test_an_unknown_environment_variable_of_ours_refuses_to_start() -> None:
    """The same for the environment."""
    (problem,) = problems_with(environ={"IDENTITYD_APP_WIKI_SECRET": APP_SECRET})
    assert problem.startswith("[environment] IDENTITYD_APP_WIKI_SECRET: ")
