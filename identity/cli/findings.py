"""What `check-config` found: one line each."""

from dataclasses import dataclass
from enum import Enum


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


def ok(text: str) -> Finding:
    """Return a line about something in order."""
    return Finding(Level.OK, text)


def warning(text: str) -> Finding:
    """Return a line about something that works and is probably not meant."""
    return Finding(Level.WARNING, text)


def problem(text: str) -> Finding:
    """Return a line about something that must be put right."""
    return Finding(Level.PROBLEM, text)
