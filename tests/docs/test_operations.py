"""docs/operations.md and the code name the same metrics, audit actions, findings, loggers and log lines."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from identity.accounts.tables import PROFILES
from identity.cli import failing
from identity.metrics import METRICS
from identity.sessions.record import Copied
from identity.upkeep.diagnosis import Fault
from identity.web.pages.catalogue import ENGLISH
from tests.support.sources import tree

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "operations.md").read_text()
CODE = sorted((ROOT / "identity").rglob("*.py"))

AUDITING = {"note", "_tell", "_event", "_attempt", "Attempt"}
"""Functions whose first argument, where it is written out, is an audit action."""


def calls() -> Iterator[ast.Call]:
    """Yield every call in the code."""
    for path in CODE:
        yield from (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """Return the last part of the called function's name."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def text(node: ast.expr) -> str:
    """Return a text written out in the code; empty for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def actions() -> set[str]:
    """Return the audit actions the code writes."""
    found = {text(call.args[0]) for call in calls() if called(call) in AUDITING and call.args}
    named = (
        keyword.value
        for call in calls()
        if called(call) == "Event"
        for keyword in call.keywords
        if keyword.arg == "action"
    )
    return {action for action in (*found, *map(text, named)) if re.fullmatch(r"[a-z]+(-[a-z]+)*", action)}


def table(header: str) -> set[str]:
    """Return the words in code spelling of the first column below a header's first cell."""
    rows = MANUAL.partition(f"| {header} |")[2].partition("\n\n")[0].splitlines()[2:]
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row.split(" | ")[0])}


def test_every_metric_is_in_the_manual_with_its_labels_and_sentence() -> None:
    """An alarm is built from the manual; a metric it lacks is watched by nobody."""
    for metric in METRICS:
        labels = " ".join(f"`{label}`" for label in metric.labels) or "-"
        assert f"| `{metric.name}` | {labels} | {metric.help} |" in MANUAL
    assert table("metric") == {metric.name for metric in METRICS}


def test_every_audit_action_is_in_the_manual() -> None:
    """Somebody who reads an audit has to know what a word in it means."""
    assert "login" in actions()
    assert table("action") == actions() | {kind.code for kind in Copied}


def test_every_kind_of_copy_is_in_the_manual() -> None:
    """The audit, the metric and the page after a login use the same words, and support looks them up here."""
    assert table("kind of copy") == {kind.code for kind in Copied}
    for kind in Copied:
        assert ENGLISH.has(f"notice.{kind.code}.title") is (kind is not Copied.FOREIGN_HOST)


def test_every_finding_of_fsck_is_in_the_manual() -> None:
    """A code that nobody can look up is a row nobody dares to touch."""
    assert table("finding") == {fault.value for fault in Fault}


def test_every_field_of_a_profile_is_in_the_manual() -> None:
    """A program written from the manual would not know what providers say of people."""
    [row] = [line for line in MANUAL.splitlines() if line.startswith("| `profile` |")]

    assert re.findall(r"`([a-z_]+)`", row.split("|")[3]) == [name for name in PROFILES.names if name != "account_id"]


def test_every_logger_is_in_the_manual() -> None:
    """An operator filters by it."""
    used = {text(call.args[0]) for call in calls() if called(call) == "getLogger" and call.args}
    assert table("logger") == used - {""}


def test_every_alarming_log_line_is_in_the_manual() -> None:
    """A line of level warning or above that nobody can look up wakes somebody for nothing."""
    logged = {
        text(call.args[0])
        for call in calls()
        if called(call) in {"warning", "error", "exception", "_warn"} and call.args
    }
    named = {line.partition(":")[0] for line in logged if re.match(r"[a-z]+(-[a-z]+)+(:|$)", line)}
    assert "store-corrupt" in named
    missing = sorted(name for name in named if f"`{name}`" not in MANUAL)
    assert missing == []


def test_every_code_of_a_command_that_was_not_done_is_documented() -> None:
    """Scripts compare these words."""
    assert table("code | exit code") == {*failing.NEXT, failing.USAGE}
