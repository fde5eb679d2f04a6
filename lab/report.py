"""Results as tables people read and as JSON programs read.

Owns the words and the rounding.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from lab.study import Question, Result, seconds
from lab.tally import Total, percentile

Column = tuple[str, Callable[[Result], str]]

_PLACE: Final[tuple[Column, ...]] = (("settle s", lambda r: seconds(r.part.pace.settle_ms)),)
_HONEST: Final[tuple[Column, ...]] = (
    ("network", lambda r: r.part.network.name),
    *_PLACE,
    ("hours", lambda r: f"{r.total.sessions:,}"),
    ("requests", lambda r: f"{r.total.requests:,}"),
    ("false logouts", lambda r: f"{r.total.false_logouts:,}"),
    ("writes/request", lambda r: f"{_per(r.total.writes, r.total.requests):.3f}"),
    ("bounces/request", lambda r: f"{_per(r.total.bounces, r.total.requests):.5f}"),
    ("in a row", lambda r: f"{r.total.longest_bounce}"),
    ("jar max", lambda r: f"{r.total.largest_jar}"),
    ("jar p99", lambda r: f"{r.total.jar_p99}"),
)
_THEFT: Final[tuple[Column, ...]] = (
    ("thief", lambda r: r.part.experiment.thief.value if r.part.experiment.thief else ""),
    ("network", lambda r: r.part.network.name),
    ("traffic", lambda r: r.part.experiment.traffic.name),
    *_PLACE,
    ("thefts", lambda r: f"{r.total.sessions:,}"),
    ("median s", lambda r: _life(r.total.lives, 0.5)),
    ("p90 s", lambda r: _life(r.total.lives, 0.9)),
    ("p99 s", lambda r: _life(r.total.lives, 0.99)),
    ("alive at end", lambda r: f"{r.total.thief_alive}"),
    ("user disturbed", lambda r: _percent(r.total.disturbed, r.total.sessions)),
    ("session ended", lambda r: _percent(r.total.ended, r.total.sessions)),
)
_CRASH: Final[tuple[Column, ...]] = (
    ("network", lambda r: r.part.network.name),
    *_PLACE,
    ("crashes", lambda r: f"{r.total.crashes:,}"),
    ("sessions ended", lambda r: f"{r.total.crashes_ended:,}"),
    ("share", lambda r: _percent(r.total.crashes_ended, r.total.crashes)),
)
_TABLES: Final[Mapping[Question, tuple[str, tuple[Column, ...], str]]] = {
    Question.HONEST: (
        "Honest browsers",
        _HONEST,
        (
            "False logouts must be 0. In a row: bounces of one request. Jar: names in a browser; all but one hour in a "
            "hundred stay within p99."
        ),
    ),
    Question.THEFT: (
        "A copied jar",
        _THEFT,
        (
            "Seconds from the theft to the last accepted answer; active: the user never pauses for minutes, usual: "
            "with pauses of up to ten. Disturbed: the user's own browser met the end of the session."
        ),
    ),
    Question.CRASH: (
        "A browser's crash",
        _CRASH,
        "The jar is set back by up to 20 s; the browser comes back within a minute.",
    ),
}


def as_text(results: Sequence[Result]) -> str:
    """Return a table for each question that was asked, in plain text."""
    return "\n".join(_tables(results))


def as_values(results: Sequence[Result]) -> list[dict[str, object]]:
    """Return every row with its setting and all its counts."""
    return [_values(result) for result in results]


def _tables(results: Sequence[Result]) -> Iterator[str]:
    for question, (title, columns, note) in _TABLES.items():
        rows = [result for result in results if result.part.question is question]
        if rows:
            yield title
            yield ""
            yield from _drawn([[name for name, _ in columns], *([cell(row) for _, cell in columns] for row in rows)])
            yield ""
            yield note
            yield ""


def _drawn(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *others = (
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join((first, *others)).rstrip()


def _values(result: Result) -> dict[str, object]:
    part, total, pace = result.part, result.total, result.part.pace
    values: dict[str, object] = {
        "question": part.question.value,
        "network": part.network.name,
        "traffic": part.experiment.traffic.name,
        "thief": part.experiment.thief.value if part.experiment.thief else None,
        "seed": part.experiment.seed,
        "token_age_s": pace.token_age_ms / 1000,
        "grace_s": pace.grace_ms / 1000,
        "settle_s": pace.settle_ms / 1000,
        "mint_chance": pace.mint_chance,
    }
    values.update((name, getattr(total, name)) for name in _COUNTS)
    if total.lives:
        values["life_s"] = _shares(total.lives)
    return values


_COUNTS: Final = (
    *("sessions", "requests", "false_logouts", "bounces", "longest_bounce", "writes", "minted", "retries"),
    *("ended", "disturbed", "crashes", "crashes_ended", "thief_alive", "largest_jar", "jar_p99"),
)


def _shares(lives: list[float]) -> dict[str, float]:
    ordered = sorted(lives)
    return {f"p{round(share * 100)}": round(percentile(ordered, share), 3) for share in (0.5, 0.9, 0.99, 1.0)}


def _life(lives: list[float], share: float) -> str:
    return f"{percentile(sorted(lives), share):.0f}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * _per(part, whole):.1f} %"


def _per(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def false_logouts(results: Sequence[Result]) -> int:
    """Return how many honest browsers were logged out, in all."""
    return sum(result.total.false_logouts for result in results)


def requests(totals: Sequence[Total]) -> int:
    """Return how many requests were played, in all."""
    return sum(total.requests for total in totals)
