"""Times at which nothing works: said in words, before anything is signed or kept."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from identity import clock
from identity.cli import cli
from identity.cli.files import new_ring_file
from identity.errors import ConfigError
from identity.sessions.cookie import ISSUED_SINCE
from identity.types import DAY, Millis
from tests.support.clock import NOON
from tests.support.operator_commands import untouched_log

WRONG = [-1, 0, 86_400_000, clock.EARLIEST - 1, clock.LATEST, 4_102_444_800_000, 7_258_118_400_000, 1 << 60]
RIGHT = [clock.EARLIEST, NOON, clock.LATEST - 1]


@pytest.mark.parametrize("now", WRONG)
def test_a_time_that_cannot_be_is_refused_in_words(now: Millis) -> None:
    """Otherwise a machine that starts in 1970 fails with an OverflowError, or signs what nobody accepts later."""
    with pytest.raises(ConfigError) as caught:
        clock.require(now)

    assert "set this machine's clock right" in caught.value.problems[0]


@pytest.mark.parametrize("now", RIGHT)
def test_a_time_that_can_be_is_accepted(now: Millis) -> None:
    """Otherwise a right clock stops the service."""
    assert clock.require(now) == now


def test_whatever_is_signed_at_an_accepted_time_can_say_when() -> None:
    """Otherwise tokens, or the ends of sessions, do not fit their bytes while the clock is believed."""
    assert clock.EARLIEST == ISSUED_SINCE
    assert clock.LATEST + 400 * DAY - ISSUED_SINCE < 1 << 40


@pytest.mark.parametrize(
    ("ahead", "wrong"), [(-DAY, False), (0, False), (DAY, False), (DAY + 1, True), (9_000 * DAY, True)]
)
def test_a_key_from_the_future_tells_of_a_clock_that_went_back(ahead: Millis, *, wrong: bool) -> None:
    """Otherwise a daemon whose clock was lost ends or revives sessions by years."""
    assert bool(clock.problem_with_key(3, NOON + ahead, now=NOON)) is wrong


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    with untouched_log():
        yield


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a folder with a configuration and its key ring."""
    new_ring_file(tmp_path / "identityd.keys")
    (tmp_path / "identityd.ini").write_text("")
    return tmp_path


@pytest.mark.parametrize("year", [1970, 2019, 2055, 2200])
@pytest.mark.parametrize(
    "command",
    [
        "serve --config {home}/identityd.ini",
        "demo --data {home}/demo",
        "check-config --offline --config {home}/identityd.ini",
        "keys new --file {home}/new.keys",
        "keys add --file {home}/identityd.keys",
        "keys prune --yes --config {home}/identityd.ini",
        "accounts show ada --config {home}/identityd.ini",
        "sessions list ada --config {home}/identityd.ini",
        "fsck --config {home}/identityd.ini",
        "migrate --config {home}/identityd.ini",
    ],
)
def test_every_command_that_signs_or_keeps_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch, command: str, year: int
) -> None:
    """Otherwise an operator's command does what the daemon refuses."""
    now = int((year - 1970) * 365.2425 * DAY * 1_000_000)
    monkeypatch.setattr(time, "time_ns", lambda: now)

    result = CliRunner().invoke(cli, command.format(home=home).split())

    assert result.exit_code == 2, result.output
    assert "[clock] this machine says it is " in result.output
    assert not (home / "new.keys").exists()


def test_a_clock_that_went_back_behind_the_key_ring_does_not_serve(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a machine back in 2021 after a power failure looks healthy and refuses everybody."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_609_459_200_000_000_000)

    result = CliRunner().invoke(cli, ["serve", "--config", str(home / "identityd.ini")])

    assert result.exit_code == 2
    assert "[clock] key 1 was made at " in result.output
