"""The registry: what it promises to the configuration, the documentation and the conformance kit."""

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

import pytest

from options import types
from options.option import BadOptions, option, options_of, secrets_of, values_of
from providers import REGISTRY, build
from providers.base import Provider
from providers.demo import DemoOptions
from providers.kind import ProviderKind, ProviderSite
from tests.contracts.provider import ProviderContract
from tests.support.configuration import problems_with, provider_options

_HERE: Final = Path(__file__).parent
_DOCS: Final = _HERE.parents[1] / "docs"
SITE: Final = ProviderSite("http://127.0.0.1:8887", lambda: 0, bytes, demo=True)
SECRET: Final = "canary-secret"
UNBOUND: Final = ("linkedin", "yahoo")
"""Kinds of services that refuse PKCE; what else binds a code to its browser, LinkedIn has not at all."""
BONDS: Final = {
    "test_the_browser_is_sent_with_a_challenge",
    "test_a_code_without_its_verifier_is_worthless",
    "test_a_code_of_another_browsers_login_is_refused_even_with_the_right_state",
}
OAUTH1: Final = ("oauth1", "twitter1")
"""Kinds of a protocol without PKCE and token types; `OAuth1Contract` has its own cases in their place."""


@pytest.mark.parametrize("name", REGISTRY)
def test_a_kind_is_in_the_file_of_its_name(name: str) -> None:
    """Otherwise a configuration's word makes another provider, or fails at the start that first names it."""
    assert isinstance(REGISTRY[name], ProviderKind)
    assert REGISTRY[name].name == name


def test_every_file_with_a_kind_is_registered() -> None:
    """Otherwise a provider is written, tested by its author alone, and no configuration can name it."""
    written = {path.stem for path in (_HERE.parents[1] / "providers").glob("*.py") if "\nKIND: " in path.read_text()}

    assert written == set(REGISTRY)


@pytest.mark.parametrize("name", ["", "base", "kind", "../demo", "demo.os", "nothing"])
def test_a_word_that_is_no_kind_imports_nothing(name: str) -> None:
    """Otherwise what an operator mistypes runs code, or ends in a traceback."""
    assert name not in REGISTRY
    assert REGISTRY.get(name) is None


def contracts() -> Iterator[type[ProviderContract]]:
    """Yield every subclass of the kit in this folder."""
    for path in sorted(_HERE.glob("test_*.py")):
        module = importlib.import_module(f"tests.providers.{path.stem}")
        for _, found in inspect.getmembers(module, inspect.isclass):
            if issubclass(found, ProviderContract) and "KIND" in vars(found):
                yield found


def test_every_kind_is_in_the_kit() -> None:
    """Otherwise a provider is added that nobody ever attacked."""
    assert {contract.KIND for contract in contracts()} == set(REGISTRY)


def test_the_page_says_what_a_login_costs() -> None:
    """Otherwise an operator who pays for traffic reckons with calls the kit never counted."""
    page = (_DOCS / "providers.md").read_text()

    for contract in contracts():
        row = re.search(rf"^\| `{contract.KIND}` \| .* \| (\d)[^|]*\|$", page, re.MULTILINE)
        assert row, contract.KIND
        assert int(row[1]) == len(contract.WARM_CALLS), contract.KIND


def _checks(contract: type[ProviderContract]) -> int:
    """Count what runs: every case, as often as it is parametrised."""
    cases = [case for name in dir(contract) if name.startswith("test_") and callable(case := getattr(contract, name))]
    times = [
        [len(list(mark.args[1])) for mark in getattr(case, "pytestmark", []) if mark.name == "parametrize"]
        for case in cases
    ]
    return sum(prod(each) for each in times)


@pytest.mark.parametrize("contract", [*contracts()], ids=lambda contract: contract.__name__)
def test_every_kind_is_tried_in_many_ways(contract: type[ProviderContract]) -> None:
    """Otherwise cases are left out one by one until a provider is in the kit by name only."""
    assert _checks(contract) >= 40


def test_every_case_left_out_has_its_reason() -> None:
    """Otherwise an inapplicable case is a skipped one."""
    reasons = [reason for contract in contracts() for reason in contract.INAPPLICABLE.values()]

    assert all(len(reason.split()) > 3 for reason in reasons)


def test_a_case_that_does_not_exist_cannot_be_left_out() -> None:
    """Otherwise a renamed case stays left out under its old name, and nobody sees it."""
    with pytest.raises(TypeError, match="no case test_nothing"):
        type("Wrong", (ProviderContract,), {"INAPPLICABLE": {"test_nothing": "it was renamed long ago"}})


def test_no_case_is_left_out_of_a_provider_that_talks() -> None:
    """Otherwise a real provider is tested by halves; what OAuth 1.0a does not have, `OAuth1Contract` replaces."""
    left_out = {contract.KIND: set(contract.INAPPLICABLE) for contract in contracts() if contract.INAPPLICABLE}

    assert left_out.keys() == {"demo", *OAUTH1, *UNBOUND}
    assert all(left_out[kind] <= BONDS for kind in UNBOUND)


@dataclass(frozen=True)
class Flags:
    """Two options."""

    a: bool = option(types.flag, False, "A.")
    b: bool = option(types.flag, False, "B.")


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=lambda kind: kind.name)
def test_every_option_says_what_it_is(kind: ProviderKind[Any]) -> None:
    """Otherwise the example configuration has an option nobody explains."""
    names = [option.name for option in options_of(kind.options)]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)
    assert all(o.sentence.endswith(".") and o.sentence[0].isupper() for o in options_of(kind.options))


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=lambda kind: kind.name)
def test_secrets_are_marked_and_have_no_default(kind: ProviderKind[Any]) -> None:
    """Otherwise a secret is printed, or every installation has the same one (THREATS 3)."""
    for each in options_of(kind.options):
        assert each.secret == ("secret" in each.name or each.name == "key")
        assert not each.default or not each.secret


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=lambda kind: kind.name)
def test_defaults_are_right_in_their_form(kind: ProviderKind[Any]) -> None:
    """Otherwise the configuration complains of a value nobody wrote."""
    for each in options_of(kind.options):
        # An empty option is one left out.
        assert not each.default or each.value(each.default) == each.initial == each.value(None)


@pytest.mark.parametrize(
    "kind", [kind for kind in REGISTRY.values() if options_of(kind.options)], ids=lambda kind: kind.name
)
def test_everything_required_is_asked_for_at_once(kind: ProviderKind[Any]) -> None:
    """Otherwise an operator starts the daemon once for each missing option."""
    _, faults = values_of(options_of(kind.options), {})

    assert set(faults) == {o.name for o in options_of(kind.options) if o.default is None}


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    """Otherwise a typing error is hard to find."""
    with pytest.raises(BadOptions, match=", ".join(sorted(REGISTRY))):
        build("odic", "x", DemoOptions(), site=SITE)


@pytest.mark.parametrize("name", ["", "A", "a" * 33, "a:b", "a/b", "ä"])
def test_a_name_that_would_break_identity_keys_is_refused(name: str) -> None:
    """Otherwise `a:b` of one provider is `b` of another."""
    with pytest.raises(BadOptions, match="1 to 32"):
        build("demo", name, DemoOptions(), site=SITE)


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
    said = {**OIDC, option: value}
    environ = {"IDENTITYD_PROVIDER_X_CLIENT_SECRET": said.pop("client_secret")}
    text = "[provider:x]\nkind = oidc\n" + "".join(f"{each} = {said[each]}\n" for each in said)

    problems = problems_with(text, environ=environ)

    assert [problem.partition(":")[2].partition(":")[0] for problem in problems] == [f"x] {option}"]
    assert SECRET not in str(problems)


def test_flags_are_read_as_people_write_them() -> None:
    """Otherwise `Yes` is refused, or read as no."""
    values, _ = values_of(options_of(Flags), {"a": "Yes"})

    assert values == {"a": True, "b": False}


def test_no_provider_shows_its_secret() -> None:
    """Otherwise a traceback or a debugger's output is enough to be us."""
    options = provider_options("oidc", OIDC)
    built: Provider = build("oidc", "x", options, site=SITE)

    assert SECRET not in repr(built)
    assert SECRET not in repr(options)
    assert [secret.text() for secret in secrets_of(options)] == [SECRET]
    assert built.label == "OpenID Connect"


def test_kinds_of_oauth1_do_not_show_their_secret() -> None:
    """Otherwise who sees a provider's `repr` signs in our name."""
    values = {"consumer_key": "us", "consumer_secret": SECRET}
    url = "https://x.example/"
    more = {f"{name}_url": url for name in ("request_token", "authorize", "access_token", "profile")}

    oauth1, twitter1 = (
        provider_options("oauth1", {**values, **more, "subject": "id"}),
        provider_options(OAUTH1[1], values),
    )

    assert SECRET not in repr(build("oauth1", "x", oauth1, site=SITE))
    assert SECRET not in repr(build("twitter1", "x", twitter1, site=SITE))


def test_github_and_oauth2_do_not_show_their_secret() -> None:
    """Otherwise those two do what the other does not."""
    values = {"client_id": "us", "client_secret": SECRET}
    url = "https://x.example/"
    more = {"authorize_url": url, "token_url": url, "profile_url": url, "subject": "id"}

    github, oauth2 = provider_options("github", values), provider_options("oauth2", {**values, **more})

    assert SECRET not in repr(build("github", "x", github, site=SITE, label="Ours"))
    assert SECRET not in repr(build("oauth2", "x", oauth2, site=SITE))
