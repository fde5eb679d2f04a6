"""What `check-config`, `doctor` and `providers test` found: one line each, or one object for programs."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from identity.cli.saying import answer, say


class Level(Enum):
    """How much it matters."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, and what to do if it is not in order."""

    level: Level
    text: str


def report(findings: Iterable["Finding"], *, as_json: bool) -> bool:
    """Print findings, to a person as they come; tell whether one is a problem."""
    seen = []
    for finding in findings:
        seen.append(finding)
        if not as_json:
            say(f"{finding.level.value:<8} {finding.text}")
    counts = {level: sum(each.level is level for each in seen) for level in Level}
    if as_json:
        listed = [{"level": each.level.value, "text": each.text} for each in seen]
        answer({"findings": listed, "problems": counts[Level.PROBLEM], "warnings": counts[Level.WARNING]}, as_json=True)
    return counts[Level.PROBLEM] > 0


def ok(text: str) -> Finding:
    """Return a line about something in order."""
    return Finding(Level.OK, text)


def warning(text: str) -> Finding:
    """Return a line about something that works and is probably not meant."""
    return Finding(Level.WARNING, text)


def problem(text: str) -> Finding:
    """Return a line about something that must be put right."""
    return Finding(Level.PROBLEM, text)
