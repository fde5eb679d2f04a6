"""Networks as an operator writes them."""

from dataclasses import replace

import pytest

from identity.errors import ConfigError
from lab.definitions import from_file, from_line
from lab.networks import GOOD, NETWORKS

MOBILE = NETWORKS[1]


def test_a_known_name_is_that_network() -> None:
    """The published networks are asked for by name."""
    assert from_line("mobile") is MOBILE


def test_a_line_says_what_differs_from_the_good_network() -> None:
    """Nobody wants to spell out eleven fields to change one."""
    defined = from_line("office:loss_up=0.1, huge_range=5-60,in_order=yes")

    assert defined == replace(GOOD, name="office", loss_up=0.1, huge_range=(5.0, 60.0), in_order=True)


def test_a_line_may_start_from_another_network() -> None:
    """A variant of the mobile network should not begin with the good one's figures."""
    assert from_line("train:like=mobile,loss_down=.2") == replace(MOBILE, name="train", loss_down=0.2)


def test_a_file_holds_networks_that_may_build_on_each_other() -> None:
    """A set of networks is kept in a file and named on the command line."""
    known = from_file("[a]\nlike = mobile\nbad_clock = -30\n[b]\nlike = a\nclock_sigma = 2\n", "nets.ini")

    assert known["b"] == replace(MOBILE, name="b", bad_clock=-30.0, clock_sigma=2.0)
    assert known["good"] is GOOD


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nowhere", "good, mobile"),
        ("x:loss_up=1", "share"),
        ("x:loss_up=nan", "not a number"),
        ("x:loss_up=much", "not a number"),
        ("x:tail_mean=0", "above 0"),
        ("x:huge_range=60-5", "range like 5-60"),
        ("x:huge_range=5", "not a number"),
        ("x:in_order=1", "neither yes nor no"),
        ("x:bad_clock=1e9", "clock"),
        ("x:clock_sigma=-1", "spread"),
        ("x:like=moon", "like moon"),
        ("x:speed=3", "loss_up"),
        ("NET:loss_up=0", "small letters"),
    ],
)
def test_what_is_wrong_is_named(line: str, words: str) -> None:
    """A definition that is silently something else would publish wrong figures."""
    with pytest.raises(ConfigError) as caught:
        from_line(line)

    assert words in " ".join(caught.value.problems)


def test_a_file_reports_every_problem_at_once() -> None:
    """Correcting one at a time takes as many tries as there are mistakes."""
    with pytest.raises(ConfigError) as caught:
        from_file("[a]\nloss_up = 2\nloss_down = x\n[b]\nspeed = 1\n", "nets.ini")

    assert len(caught.value.problems) == 3
    assert all(problem.startswith("nets.ini [") for problem in caught.value.problems)


def test_a_file_that_is_no_ini_is_refused() -> None:
    """A traceback would not say which file it is."""
    with pytest.raises(ConfigError) as caught:
        from_file("loss_up = 1\n", "nets.ini")

    assert caught.value.problems[0].startswith("nets.ini: ")
