"""The registry: what it promises to the configuration, the documentation and the conformance kit."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from providers import REGISTRY, build
from providers.base import Provider
from providers.options import BadOptions, Form, Kind, Option, Settings, Site, settle
from tests.contracts.provider import ProviderContract

_HERE: Final = Path(__file__).parent
_DOCS: Final = _HERE.parents[1] / "docs"
SITE: Final = Site("http://127.0.0.1:8887", lambda: 0, bytes, demo=True)
SECRET: Final = "canary-secret"


def _contracts() -> Iterator[type[ProviderContract]]:
    """Yield every subclass of the kit in this folder."""
    for path in sorted(_HERE.glob("test_*.py")):
        module = importlib.import_module(f"tests.providers.{path.stem}")
        for _, found in inspect.getmembers(module, inspect.isclass):
            if issubclass(found, ProviderContract) and found is not ProviderContract:
                yield found


def test_every_kind_is_in_the_kit() -> None:
    """Otherwise a provider is added that nobody ever attacked."""
    assert {contract.KIND for contract in _contracts()} == set(REGISTRY)


def test_every_case_left_out_has_its_reason() -> None:
    """Otherwise an inapplicable case is a skipped one."""
    reasons = [reason for contract in _contracts() for reason in contract.INAPPLICABLE.values()]

    assert all(len(reason.split()) > 3 for reason in reasons)


def test_a_case_that_does_not_exist_cannot_be_left_out() -> None:
    """Otherwise a renamed case stays left out under its old name, and nobody sees it."""
    with pytest.raises(TypeError, match="no case test_nothing"):
        type("Wrong", (ProviderContract,), {"INAPPLICABLE": {"test_nothing": "it was renamed long ago"}})


def test_no_case_is_left_out_of_a_provider_that_talks() -> None:
    """Otherwise a real provider is tested by halves."""
    assert {contract.KIND for contract in _contracts() if contract.INAPPLICABLE} == {"demo"}


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=lambda kind: kind.name)
def test_every_option_says_what_it_is(kind: Kind) -> None:
    """Otherwise the example configuration has an option nobody explains."""
    names = [option.name for option in kind.options]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)
    assert all(option.help.endswith(".") and option.help[0].isupper() for option in kind.options)


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=lambda kind: kind.name)
def test_secrets_are_marked_and_have_no_default(kind: Kind) -> None:
    """Otherwise a secret is printed, or every installation has the same one (THREATS 3)."""
    for option in kind.options:
        assert option.secret == ("secret" in option.name)
        assert not (option.secret and option.default)
        assert not option.secret or option.required


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=lambda kind: kind.name)
def test_defaults_are_right_in_their_form(kind: Kind) -> None:
    """Otherwise the configuration complains of a value nobody wrote."""
    optional = tuple(option for option in kind.options if not option.required)

    assert settle(optional, {}) == {option.name: option.default for option in optional}


@pytest.mark.parametrize("kind", [kind for kind in REGISTRY.values() if kind.options], ids=lambda kind: kind.name)
def test_everything_required_is_asked_for_at_once(kind: Kind) -> None:
    """Otherwise an operator starts the daemon once for each missing option."""
    with pytest.raises(BadOptions) as refused:
        build(kind.name, "x", {}, site=SITE)

    assert {name for name, _ in refused.value.problems} == {o.name for o in kind.options if o.required}


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    """Otherwise a typing error is hard to find."""
    with pytest.raises(BadOptions, match="demo, github, oauth2, oidc"):
        build("odic", "x", {}, site=SITE)


@pytest.mark.parametrize("name", ["", "A", "a" * 33, "a:b", "a/b", "ä"])
def test_a_name_that_would_break_identity_keys_is_refused(name: str) -> None:
    """Otherwise `a:b` of one provider is `b` of another."""
    with pytest.raises(BadOptions, match="1 to 32"):
        build("demo", name, {}, site=SITE)


OIDC: Final = {"issuer": "https://id.example", "client_id": "us", "client_secret": SECRET}
WRONG: Final = {
    "issuer": [
        "id.example",
        "http://id.example",
        "https://a:b@id.example",
        "https://id.example/#x",
        "https://id.example?x=1",
        "https://[::1",
        "https://id.example:99999",
        "https://id .example",
        "https://ïd.example",
        "https://" + "a" * 3000,
        "https://",
        "ftp://id.example",
    ],
    "scope": ["profile email"],
    "client_auth": ["none", "BASIC"],
    "algorithms": ["none", "HS256", "RS256 HS256"],
    "userinfo": ["maybe", "2"],
    "client_secret": ["a\x00b", ""],
    "no_such_option": ["x"],
}


@pytest.mark.parametrize(("option", "value"), [(option, value) for option, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_by_name_and_without_secrets(option: str, value: str) -> None:
    """Otherwise a mistake shows at the first login, or the log shows the secret."""
    with pytest.raises(BadOptions) as refused:
        build("oidc", "x", {**OIDC, option: value}, site=SITE)

    assert [name for name, _ in refused.value.problems] == [option]
    assert SECRET not in str(refused.value)


def test_flags_are_read_as_people_write_them() -> None:
    """Otherwise `Yes` is refused, or read as no."""
    table = (Option("a", "A.", form=Form.FLAG), Option("b", "B.", form=Form.FLAG, default="no"))
    settings = Settings("x", "X", SITE, settle(table, {"a": "Yes"}))

    assert (settings.flag("a"), settings.flag("b")) == (True, False)


def test_no_provider_shows_its_secret() -> None:
    """Otherwise a traceback or a debugger's output is enough to be us."""
    built: Provider = build("oidc", "x", OIDC, site=SITE)

    assert SECRET not in repr(built)
    assert SECRET not in repr(Settings("x", "X", SITE, OIDC))
    assert built.label == "OpenID Connect"


def test_github_and_oauth2_do_not_show_their_secret() -> None:
    """Otherwise those two do what the other does not."""
    values = {"client_id": "us", "client_secret": SECRET}
    url = "https://x.example/"
    more = {"authorize_url": url, "token_url": url, "profile_url": url, "subject": "id"}

    assert SECRET not in repr(build("github", "x", values, site=SITE, label="Ours"))
    assert SECRET not in repr(build("oauth2", "x", {**values, **more}, site=SITE))
