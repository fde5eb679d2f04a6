"""Tables, JSON and plot of simulated results."""

import json
import re
from xml.etree import ElementTree as ET

import pytest

from identity.sessions.planning import Rules
from identity.sessions.rotation import RotationPace
from lab.experiment import Experiment
from lab.networks import GOOD, NETWORKS, Thief
from lab.plot import lifetimes
from lab.report import as_text, as_values
from lab.run import Goal
from lab.study import Part, Question, Result, Study
from lab.tally import Tally, Total, percentile

SVG = "{http://www.w3.org/2000/svg}"


def honest() -> Result:
    total = Total("good")
    total.add(Tally(requests=1_000, writes=88, bounces=2, longest_bounce=1, largest_jar=5), seconds=3_600)
    total.add(Tally(requests=1_000, writes=88, bounces=0, largest_jar=7), seconds=3_600)
    return Result(Part(Question.HONEST, GOOD, Experiment(), Goal()), total)


def theft(thief: Thief = Thief.BROWSER, *, settle_ms: int = 0) -> Result:
    total = Total("good")
    for life in range(1, 101):
        tally = Tally(stolen_at=100.0, served_until=100.0 + life, ended_at=400.0)
        total.add(tally, seconds=3_600)
    rules = Rules(pace=RotationPace(settle_ms=settle_ms))
    return Result(Part(Question.THEFT, GOOD, Experiment(thief=thief, rules=rules), Goal()), total)


def crash() -> Result:
    total = Total("good")
    total.add(Tally(crashed_at=100.0, ended_at=130.0), seconds=600)
    total.add(Tally(crashed_at=100.0), seconds=600)
    return Result(Part(Question.CRASH, GOOD, Experiment(crash=True), Goal()), total)


def rows(text: str, first: str) -> list[list[str]]:
    """The cells of the lines of a table that begin so; two spaces part them at least."""
    return [re.split("  +", line) for line in text.splitlines() if line.startswith(first)]


def test_the_table_of_honest_browsers_has_rates_and_extremes() -> None:
    """An operator compares these very figures with the published ones."""
    [row] = rows(as_text([honest()]), "good")

    assert row == ["good", "0", "2", "2,000", "0", "0.088", "0.00100", "1", "7", "7"]


def test_the_table_of_copies_has_their_lives_and_what_became_of_the_session() -> None:
    """How long, and at whose cost, is what an operator wants to know of a theft."""
    [row] = rows(as_text([theft()]), "browser")

    assert row[4:] == ["100", "50", "90", "99", "0", "0.0 %", "100.0 %"]


def test_the_table_of_crashes_has_the_share_that_ended() -> None:
    """This share is what `settle` is chosen by."""
    [row] = rows(as_text([crash()]), "good")

    assert row == ["good", "0", "2", "1", "50.0 %"]


def test_columns_line_up_in_plain_text() -> None:
    """A table on a terminal is read by columns."""
    lines = as_text([honest()]).splitlines()

    assert lines[0] == "Honest browsers"
    assert len(lines[2]) == len(lines[3])


def test_only_questions_that_were_asked_have_a_table() -> None:
    """An empty table looks like a result."""
    assert "crash" not in as_text([theft()]).lower()


def test_values_are_json_with_counts_and_settings() -> None:
    """A program reads every count without parsing a table."""
    [value] = json.loads(json.dumps(as_values([theft(settle_ms=10_000)])))

    assert (value["thief"], value["settle_s"], value["ended"]) == ("browser", 10, 100)
    assert value["life_s"] == {"p50": 50, "p90": 90, "p99": 99, "p100": 100}


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 2), (0.51, 3), (0.99, 4), (1.0, 4)])
def test_a_percentile_is_one_of_the_values(share: float, expected: float) -> None:
    """An interpolated jar size would be a size no jar had."""
    assert percentile([1, 2, 3, 4], share) == expected


def test_nothing_measured_is_zero_not_an_error() -> None:
    """Ctrl-C in the first second still prints a table."""
    assert percentile([], 0.5) == 0


def test_the_plot_is_an_image_with_a_line_for_each_thief_and_a_panel_for_each_setting() -> None:
    """A plot that leaves one out would be believed."""
    image = ET.fromstring(  # noqa: S314 - our own text
        lifetimes([theft(), theft(Thief.PASSIVE), theft(settle_ms=10_000)], caption="seed 1 & more")
    )
    texts = ["".join(each.itertext()) for each in image.iter(f"{SVG}text")]

    assert sum("settle" in text for text in texts) == 2
    assert [text for text in texts if text in ("passive", "browser")] == ["browser", "passive", "browser"]
    assert "seed 1 & more" in texts
    assert "median 50 s, p99 99 s" in texts


def test_a_line_of_the_plot_falls_from_all_to_none() -> None:
    """Upside down, the best setting would look the worst."""
    image = ET.fromstring(lifetimes([theft()], caption=""))  # noqa: S314 - our own text
    curve = next(p.get("d", "") for p in image.iter(f"{SVG}path") if "L" in p.get("d", ""))
    heights = [float(point.split()[1]) for point in curve[1:].split("L")]

    assert heights == sorted(heights)
    assert heights[0] < heights[-1]


def test_a_plot_of_no_thefts_is_still_an_image() -> None:
    """`--thefts 0 --plot` must not end in a traceback."""
    assert lifetimes([honest()], caption="none").startswith("<svg")


def test_a_study_asks_every_question_under_every_setting() -> None:
    """A comparison with a gap compares nothing."""
    parts = list(Study(paces=(RotationPace(), RotationPace(settle_ms=10_000))).parts())

    assert len(parts) == 2 * (len(NETWORKS) + 2 * len(Thief) + 1)
    assert sum(part.goal.requests for part in parts) <= 2_000_000


def test_thieves_are_played_beside_active_users_and_beside_users_who_pause() -> None:
    """A user who is away unmasks nobody; mixing both hides how fast the rotation is."""
    parts = Study(requests=0, crashes=0, thieves=(Thief.PASSIVE,)).parts()

    assert [part.experiment.traffic.name for part in parts] == ["active", "usual"]


def test_a_study_of_one_network_plays_everything_there() -> None:
    """Whoever names a network wants to know about thieves there too."""
    parts = Study(networks=(NETWORKS[1],), thieves=(Thief.PASSIVE,)).parts()

    assert {part.network.name for part in parts} == {"mobile"}


@pytest.mark.parametrize("left_out", ["requests", "thefts", "crashes"])
def test_a_question_can_be_left_out(left_out: str) -> None:
    """A long run of one question should not wait for the others."""
    kinds = {part.question for part in Study(**{left_out: 0}).parts()}

    assert len(kinds) == 2
