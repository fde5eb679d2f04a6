"""The operator's service without a command line: what an API and pages get."""

import ast
import re
from pathlib import Path
from typing import get_args
from uuid import uuid4

import pytest

from identity.accounts.results import By
from identity.admin import finding, results, shapes
from identity.admin.finding import FoundAccount, Inspected
from identity.admin.problem import Problem
from identity.admin.requests import (
    AccountName,
    AccountQuestion,
    ApplicationsQuestion,
    ChangeAccount,
    EndOneSession,
    IdentityName,
    InspectAccount,
    LinkIdentity,
    UnlinkIdentity,
    actor,
    reason,
)
from identity.admin.results import Action, Changed, Effect, SessionTrouble
from identity.admin.service import OperatorService
from identity.admin.shapes import Result, as_json
from identity.applications.application import Application
from identity.applications.service import ApplicationService
from identity.errors import BadInput
from identity.stores.configured_applications import ConfiguredApplications
from identity.types import ClientId, Host
from options.secret import Secret
from tests.support.accounts import Registry

BY = By("operator:ann", why="ticket 4711")
ALICE = AccountName("alice")
WIKI = Application(
    id=ClientId("wiki"),
    secrets=(Secret(b"a secret of the wiki"), Secret(b"another one")),
    hosts=(Host("wiki.example.com"),),
    return_to=("https://wiki.example.com",),
    static_paths=("/static/",),
)


@pytest.fixture
def service(registry: Registry) -> OperatorService:
    """Give the service over accounts whose sessions live inside a daemon."""
    return OperatorService(
        registry.service,
        registry.store,
        applications=ApplicationService(ConfiguredApplications([WIKI])),
        providers=frozenset({"p"}),
        sessions=None,
        idle_ms=1_000,
        in_order=True,
    )


def link(text: str, *, any_provider: bool = False) -> LinkIdentity:
    """Return the request to link an identity to alice."""
    return LinkIdentity(uuid4(), ALICE, IdentityName(text), "", any_provider=any_provider, by=BY)


def silent(_: Effect) -> None:
    """Need no confirmation."""


class Declined(Exception):
    """The operator says no."""


def declined(_: Effect) -> None:
    """Say no."""
    raise Declined


def test_what_stops_at_the_confirmation_changes_nothing(registry: Registry, service: OperatorService) -> None:
    """An operator who says no would have locked somebody out."""
    registry.member("1", "alice")

    with pytest.raises(Declined):
        service.disable(ChangeAccount(uuid4(), ALICE, BY), declined)

    found = service.find(AccountQuestion(ALICE, BY))
    assert as_json(found)["status"] == "active"


def test_the_effect_is_told_before_the_change(registry: Registry, service: OperatorService) -> None:
    """Who confirms would not know what happens to whom."""
    registry.member("1", "alice")
    effects: list[tuple[Effect, object]] = []

    service.disable(
        ChangeAccount(uuid4(), ALICE, BY),
        lambda effect: effects.append((effect, as_json(service.find(AccountQuestion(ALICE, BY)))["status"])),
    )

    ((effect, status),) = effects
    assert (effect.action, effect.account.username, status) == (Action.DISABLE, "alice", "active")


def test_a_change_has_one_object_for_programs(registry: Registry, service: OperatorService) -> None:
    """An API would have to invent another one."""
    alice = registry.member("1", "alice")

    linked = service.link(link("p:2"), silent)
    unlinked = service.unlink(UnlinkIdentity(uuid4(), ALICE, IdentityName("p:2"), BY), silent)

    about = {"account_id": str(alice), "username": "alice", "identity": "p:2", "session": None, "groups": []}
    assert as_json(linked) == {**about, "action": "link", "reach": "done"}
    assert isinstance(unlinked, Changed)
    assert as_json(unlinked) | {"reach": ""} == {**about, "action": "unlink", "reach": ""}


def test_every_problem_has_its_code(registry: Registry, service: OperatorService) -> None:
    """A program would have to read sentences to know why nothing was done."""
    registry.member("1", "alice")
    registry.member("9", "bob")
    change = ChangeAccount(uuid4(), AccountName("carol"), BY)
    last = UnlinkIdentity(uuid4(), ALICE, IdentityName("p:1"), BY)
    results = (
        service.disable(change, silent),
        service.link(link("no identity"), silent),
        service.link(link("other:5"), silent),
        service.link(link("p:9"), silent),
        service.unlink(last, silent),
        service.sessions(AccountQuestion(ALICE, BY)),
        service.end_session(EndOneSession(uuid4(), ALICE, "4f1a", BY), silent),
    )

    assert [as_json(result) for result in results] == [
        {"error": "not-found"},
        {"error": "bad-identity"},
        {"error": "unknown-provider"},
        {"error": "identity-belongs-to-other"},
        {"error": "last-way"},
        {"error": "sessions-inside"},
        {"error": "sessions-inside"},
    ]


def test_an_account_that_is_shown_has_everything_of_one_that_is_found(
    registry: Registry, service: OperatorService
) -> None:
    """A program that goes from one to the other would lose fields."""
    registry.member("1", "alice")

    found = service.find(AccountQuestion(ALICE, BY))
    seen = service.inspect(InspectAccount(ALICE, BY, events=10))

    assert isinstance(found, FoundAccount)
    assert isinstance(seen, Inspected)
    assert as_json(found).items() <= as_json(seen).items()


def test_the_applications_are_listed_without_their_secrets(service: OperatorService) -> None:
    """Who may look would be who may ask about everybody's session."""
    told = as_json(service.applications(ApplicationsQuestion(BY)))

    assert told == {
        "applications": [
            {
                "id": "wiki",
                "hosts": ["wiki.example.com"],
                "secrets": 2,
                "return_to": ["https://wiki.example.com"],
                "mint": True,
                "static_paths": ["/static/"],
                "background_paths": [],
                "allow": ["everyone"],
                "tokens_of": [],
                "tell": ["user", "id"],
                "headers": "identity",
            }
        ]
    }


def test_every_answer_has_its_object() -> None:
    """A command or an endpoint would fail after its change was made."""
    answers = {each for each in get_args(Result) if not issubclass(each, Problem)}

    assert set(shapes._SHAPES) == answers


def test_the_table_of_problem_codes_is_whole() -> None:
    """A program written from the table would meet a code it does not know, or wait for one that never comes."""
    text = (results.__doc__ or "").partition("its `code` is stable:")[2]
    rows = re.findall(r"^    (\S.*?)(?:  .*)?$", text, re.MULTILINE)
    named = {word for row in rows for word in re.findall(r"[a-z]+(?:-[a-z]+)*", row)} - {"any", "refusal"}

    assert named == codes()


def codes() -> set[str]:
    """Return the codes that problems of the operator's service are made with, but for those of refusals."""
    found = {each.value for each in SessionTrouble}
    for module in (results, finding):
        for node in ast.walk(ast.parse(Path(module.__file__ or "").read_text())):
            match node:
                case ast.Assign(targets=[ast.Name("code")]) | ast.AnnAssign(target=ast.Name("code")):
                    found |= texts(node)
                case ast.FunctionDef(name="code"):
                    found |= texts(node)
    return found


def texts(node: ast.AST) -> set[str]:
    """Return the texts that are written out below a node."""
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


@pytest.mark.parametrize("name", ["", "ann lee", "a" * 65, "ann\n"])
def test_a_name_that_does_not_fit_the_audit_is_refused(name: str) -> None:
    """It would forge a line of the audit, or hide who asked."""
    with pytest.raises(BadInput) as refused:
        actor(name)

    assert refused.value.code == "bad-operator-name"


@pytest.mark.parametrize("text", ["", "  ", "a" * 501, "\x1b[2J"])
def test_a_reason_that_does_not_fit_the_audit_is_refused(text: str) -> None:
    """The audit would say nothing, or move the cursor of the operator who reads it."""
    with pytest.raises(BadInput) as refused:
        reason(text)

    assert refused.value.code == "bad-reason"
