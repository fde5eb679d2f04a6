"""`sessions simulate` as it is typed."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from identity.cli import cli
from identity.cli import simulate as command
from lab import run as running
from lab.run import Job, play
from lab.tally import Total
from tests.support.sources import ROOT

SMALL = ("--requests", "700", "--thefts", "2", "--crashes", "2", "--processes", "1", "--thief", "browser")


def simulate(*arguments: str | Path) -> Result:
    """Run the command; an unexpected exception fails the test with its traceback."""
    words = ["sessions", "simulate", *map(str, arguments)]
    return CliRunner().invoke(cli, words, catch_exceptions=False)


@pytest.fixture(autouse=True)
def few_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """One hour for each job: these tests are about the command."""
    monkeypatch.setattr(running, "SESSIONS_PER_JOB", 1)


def test_tables_go_to_standard_output_and_progress_to_standard_error() -> None:
    """A table in a file must not be mixed with progress."""
    result = simulate(*SMALL, "--network", "good")

    assert result.exit_code == 0
    for words in ("Honest browsers", "A copied jar", "A browser's crash", "seed 1: 0 false logouts"):
        assert words in result.stdout
    assert "1/4 honest on good, usual traffic, settle 0 s:" in result.stderr


def test_settings_are_compared_side_by_side() -> None:
    """`settle` is chosen by comparing."""
    result = simulate(*SMALL, "--settle", "0", "--settle", "10", "--network", "good", "--json")

    values = json.loads(result.stdout)
    assert values["finished"] is True
    assert [(row["question"], row["settle_s"]) for row in values["rows"]] == [
        ("honest", 0),
        ("honest", 10),
        *[("theft", 0)] * 2,
        *[("theft", 10)] * 2,
        ("crash", 0),
        ("crash", 10),
    ]


def test_a_network_of_ones_own_is_played(tmp_path: Path) -> None:
    """The published networks are not everybody's."""
    file = tmp_path / "networks.ini"
    file.write_text("[office]\nlike = mobile\nloss_up = 0.2\n")

    result = simulate(*SMALL, "--network-file", file, "--json")

    assert {row["network"] for row in json.loads(result.stdout)["rows"]} == {"office"}


def test_a_wrong_network_is_a_line_and_exit_code_2() -> None:
    """A traceback tells an operator nothing."""
    result = simulate(*SMALL, "--network", "x:speed=9")

    assert result.exit_code == 2
    assert "speed" in result.stderr


@pytest.mark.parametrize("given", ["1.5", "-1", "many", "1e30", "nan"])
def test_a_count_is_a_whole_number(given: str) -> None:
    """`--requests 1e8` is how such numbers are written; half a request is a slip."""
    result = simulate("--requests", given)

    assert result.exit_code == 2
    assert "whole number" in result.stderr


def test_the_plot_is_written(tmp_path: Path) -> None:
    """The picture in the documents is the command's output."""
    file = tmp_path / "thieves.svg"

    result = simulate(*SMALL, "--requests", "0", "--crashes", "0", "--plot", file)

    assert result.exit_code == 0
    assert file.read_text().startswith("<svg")
    assert "2 thefts for each line" in file.read_text()


def test_a_plot_that_cannot_be_written_is_a_line(tmp_path: Path) -> None:
    """The figures are printed first, so nothing is lost."""
    result = simulate(*SMALL, "--requests", "0", "--crashes", "0", "--plot", tmp_path / "no" / "thieves.svg")

    assert result.exit_code == 2
    assert "A copied jar" in result.stdout
    assert "cannot be written" in result.stderr


def test_a_daemon_without_the_lab_says_what_is_missing(tmp_path: Path) -> None:
    """Who puts the daemon alone on a machine gets a sentence from this command, and not a traceback."""
    for part in ("identity", "options", "providers"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "identityd.py", tmp_path)

    said = subprocess.run(
        [sys.executable, "-P", tmp_path / "identityd.py", "sessions", "simulate"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 1
    assert "lab/, which is not beside identityd.py" in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_an_interrupted_run_prints_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after an hour must not throw the hour away."""

    def interrupted(jobs: Iterator[Job]) -> Iterator[Total]:
        yield play(next(iter(jobs)))
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "crew", lambda _: _Only(interrupted))

    result = simulate("--network", "good", "--requests", "1e9")

    assert "Stopped early. " in result.stdout
    assert "good" in result.stdout


class _Only:
    """A crew as a context."""

    def __init__(self, hands: object) -> None:
        self._hands = hands

    def __enter__(self) -> object:
        return self._hands

    def __exit__(self, *_: object) -> None:
        return None


def test_a_false_logout_is_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that runs the command must stop."""

    def harmed(_: Iterator[Job]) -> Iterator[Total]:
        yield Total("good", sessions=1, requests=10**6, false_logouts=1)

    monkeypatch.setattr(running, "crew", lambda _: _Only(harmed))

    assert simulate("--network", "good", "--thefts", "0", "--crashes", "0").exit_code == 1


def test_a_terminal_sees_a_bar_that_is_gone_afterwards(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bar per batch would scroll the tables away."""
    monkeypatch.setattr(command.sys.stderr, "isatty", lambda: True, raising=False)
    words = ["simulate", *SMALL, "--network", "good", "--thefts", "0", "--crashes", "0"]

    with pytest.raises(SystemExit):
        cli.main(["sessions", *words], standalone_mode=False)

    assert "1/1 [" in (shown := capsys.readouterr().err)
    assert shown.endswith("\r\x1b[K")
