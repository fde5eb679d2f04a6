"""docs/http-api.md and the code say the same: addresses, methods, fields, words and codes."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from identity.errors import ConfigError, IdentityError
from identity.sessions.check import NOT_ALLOWED, Outcome
from identity.sessions.record import Ended
from identity.sessions.store import Unread
from identity.web.http.base import Route
from identity.web.people import demo, refusal_words
from identity.web.programs import checks, forward_auth, session_start
from identity.web.routes import ROUTES
from tests.support.sources import ROOT, files, tree
from tests.support.token_site import TokenSite
from tests.support.web import LOCAL, Site
from tests.web.test_told import TellingHosts, checked, entered

_PAGE: Final = ROOT / "docs" / "http-api.md"
_CODE: Final = re.compile(r"`([^`]+)`")
_SAID: Final = frozenset({"_wrong", "show_trouble"})
"""Functions that take a code as their first argument, beside the errors themselves."""


@cache
def _table(*heading: str) -> list[list[str]]:
    """Return the rows of all tables with this heading."""
    rows: list[list[str]] = []
    inside = False
    for line in _PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if cells == list(heading):
            inside = True
        elif not cells:
            inside = False
        elif inside and not set(line) <= set("|-"):
            rows.append(cells)
    assert rows, heading
    return rows


def _quoted(cell: str) -> str:
    match = _CODE.fullmatch(cell)
    assert match, cell
    return match[1]


def _first(*heading: str) -> set[str]:
    return {_quoted(row[0]) for row in _table(*heading)}


def _shown(route: Route) -> tuple[str, str, str]:
    path = route.path.replace("\\", "").replace("([a-z0-9-]{1,32})", "<provider>")
    methods = [method for method in route.handler.allowed_methods() if method != "HEAD"]
    return path, route.listener.value, "any" if route.handler is forward_auth.Auth else ", ".join(methods)


def test_every_address_is_on_the_page() -> None:
    """Otherwise an operator lets through, or forgets, an address nobody told of."""
    written = {(_quoted(row[0]), row[1], row[2]) for row in _table("address", "listener", "methods", "what")}

    assert written == {_shown(route) for route in (*ROUTES, *demo.ROUTES)}


def test_every_get_address_answers_head() -> None:
    """Otherwise the page promises what monitors then find to be 405."""
    without = [
        route.path
        for route in (*ROUTES, *demo.ROUTES)
        if "GET" in route.handler.allowed_methods() and "HEAD" not in route.handler.allowed_methods()
    ]

    assert without == []


def test_every_code_is_on_the_page() -> None:
    """Otherwise a program meets a code whose meaning is nowhere."""
    written = _first("code", "status", "meaning")

    assert set(_raised()) | {refusal.value for refusal in refusal_words.REFUSALS} == written - {"internal"}


def test_every_code_has_the_status_on_the_page() -> None:
    """Otherwise a client waits for a status that never comes."""
    written = {_quoted(row[0]): row[1] for row in _table("code", "status", "meaning")}
    classes = {each.default_code: each.status for each in _subclasses(IdentityError) if each is not ConfigError}

    assert {code: str(status) for code, status in classes.items() if str(status) not in written[code]} == {}


def _subclasses(of: type[IdentityError]) -> Iterator[type[IdentityError]]:
    for each in of.__subclasses__():
        yield each
        yield from _subclasses(each)


def _raised() -> Iterator[str]:
    """Yield every code in the source: classes' own, and those given where an error is made."""
    classes = dict(_error_classes())
    for code in classes.values():
        if code not in ("config", "internal"):
            yield code
    for path in files("*.py", "identity", "providers"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and node.args and _function(node) in {*classes, *_SAID}:
                yield from _texts(node.args[0])


def _error_classes() -> Iterator[tuple[str, str]]:
    for path in files("*.py", "identity", "providers"):
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.ClassDef):
                continue
            for statement in node.body:
                if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "default_code":
                    yield node.name, ast.literal_eval(statement.value)
                if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == "default_code":
                    yield node.name, ast.literal_eval(statement.value or ast.Constant("internal"))


def _function(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _texts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from _texts(body)
            yield from _texts(orelse)


def test_every_verdict_is_on_the_page() -> None:
    """Otherwise an application meets a verdict it does not know how to pass on."""
    written = _first("verdict", "what it asks of the one who passes it on")

    assert written == {outcome.value for outcome in Outcome}


def test_every_reason_is_on_the_page_with_its_verdicts() -> None:
    """Otherwise a person is told a word that nobody can look up."""
    written = {
        _quoted(row[0]): {Outcome(word.strip()) for word in row[1].split(",")}
        for row in _table("reason", "verdict", "meaning")
    }

    assert written == _reasons()


def _reasons() -> dict[str, set[Outcome]]:
    found: dict[str, set[Outcome]] = {ended.code: {Outcome.LOGIN} for ended in Ended}
    found |= {f"store-{why.value}": {Outcome.RETRY} for why in Unread}
    found[NOT_ALLOWED] = {Outcome.FORBIDDEN}
    for path in files("*.py", "identity/sessions", "identity/forward_auth", "identity/web"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and _function(node) in ("Plan", "Verdict") and len(node.args) > 1:
                outcome = re.fullmatch(r"Outcome\.([A-Z]+)", ast.unparse(node.args[0]))
                for text in _texts(node.args[1]) if outcome else ():
                    found.setdefault(text, set()).add(Outcome[outcome[1]])  # type: ignore[index]
    return found


def test_the_fields_of_a_check_are_on_the_page() -> None:
    """Otherwise an application is refused for a field the page told it to send, or never learns of one."""
    assert _first("field", "type", "needed", "content") == set(checks.FIELDS)


def test_the_fields_of_a_start_are_on_the_page() -> None:
    """Otherwise an application that does its part itself is refused for what the page told it to send."""
    assert _first("field", "needed", "content") == set(session_start.FIELDS)


def test_the_answers_are_on_the_page_field_by_field() -> None:
    """Otherwise whoever writes an application reads fields that are not there."""
    with Site(trusted=(LOCAL,)) as site:
        jar = site.log_in()
        asked = {"checks": [{"cookie": jar.header["Cookie"], "url": f"{site.public_url}/"}]}
        answers = [
            site.check(jar).json(),
            asked,
            site.ask_app("/session/check-many", asked).json(),
            site.internal("GET", "/readyz").json(),
        ]

    with TokenSite() as keeping:
        answers.append(keeping.fetch(keeping.member()).json())

    with TellingHosts() as told:
        browser, _ = entered(told)
        answers.append({"user": checked(told, browser)[0]})

    found = {field for answer in answers for field in _fields(answer, "")}
    # `parts[]` is empty here, and one answer's user is another's: told as "as above".
    found = {field for field in found if not field.startswith("answers[].user.")}
    written = _first("field", "type", "content")

    assert found == {field for field in written if not field.startswith("parts[]")}


def _fields(value: object, at: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            place = f"{at}.{name}" if at else name
            yield place
            yield from _fields(inner, place)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict):
                yield from _fields(inner, f"{at}[]")
