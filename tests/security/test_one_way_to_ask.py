"""Rows 32, 35 and 38: every way of asking ends in one function, and sees only its own."""

import ast
from typing import Final

import pytest

from identity.applications.application import Application
from identity.types import ClientId
from tests.support.sources import files, name, tree
from tests.support.web import OTHER_HOST, Site

ASKERS: Final = {
    "identity/web/state/context.py": "gives it to the gatherer, which all handlers ask",
    "identity/web/programs/checks.py": "`/session/check-many`, a list as it is",
}


@pytest.mark.threat(35)
def test_every_way_of_asking_ends_in_one_function() -> None:
    """Otherwise one endpoint has its own idea of who is logged in, and forgets a check the others have."""
    found = {
        name(path)
        for path in files("*.py", "identity/web", "identity/login", "identity/accounts", "identity/app.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "check_many"
    }

    assert found == set(ASKERS)


@pytest.mark.threat(35)
def test_no_handler_decides_by_itself_what_a_cookie_is_worth() -> None:
    """Otherwise a second reader of the cookies disagrees with the first."""
    found = {
        name(path)
        for path in files("*.py", "identity/web", "identity/login", "identity/accounts")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom)
        and node.module in ("identity.sessions.cookie", "identity.sessions.rotation", "identity.sessions.planning")
    }

    assert found == set()


@pytest.mark.threat(32)
@pytest.mark.parametrize("mode", ["browser", "websocket", "read-only"])
def test_an_application_sees_no_session_of_another_host(mode: str) -> None:
    """Otherwise the least careful application decides who may read the sessions of all."""
    with Site() as site:
        jar = site.log_in(host=OTHER_HOST)

        own = site.check(jar, mode=mode).json()
        others = site.check(jar, mode=mode, url=f"https://{OTHER_HOST}/").json()

        assert (own["verdict"], own["reason"], own["user"]) == ("login", "foreign", None)
        assert (others["verdict"], others["user"]) == ("forbidden", None)


@pytest.mark.threat(38)
@pytest.mark.parametrize(
    ("uri", "static"),
    [
        ("/static/app.js", True),
        ("/static/app.js?x=/page", True),
        ("/static/app.js?x=https://y/../z", True),
        ("/favicon.ico", True),
        ("/favicon.ico?v=2", True),
        ("/page?/static/", False),
        ("/page?next=/static/app.js", False),
        ("/page#/static/", False),
        ("/static", False),
        ("/statics/x", False),
        ("/favicon.ico/x", False),
        ("/static/../page", False),
        ("/static/..%2fpage", False),
        ("/static/%2E%2E/page", False),
        ("/static//x", False),
        ("/static/.hidden", False),
        ("/static/a\\..\\page", False),
        ("//static/x", False),
        ("/x/static/", False),
    ],
)
def test_a_rule_by_path_matches_the_path_alone(uri: str, *, static: bool) -> None:
    """Otherwise a query with the right words in it switches something off."""
    app = Application(id=ClientId("wiki"), secrets=(), hosts=(), static_paths=("/static/", "/favicon.ico"))

    assert app.is_static(uri) is static
