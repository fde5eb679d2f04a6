"""Changing the key ring from the command line: what is added, what is refused, what stays in the file."""

import os
import stat
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from identity import keyring
from identity.cli import cli, files
from identity.config import load_ring
from identity.keyring import SIGNS_AFTER_MS, KeyRing
from identity.types import DAY, MINUTE
from options.secret import Secret
from tests.support.clock import NOON, ManualClock

LIFETIME = 30 * DAY
"""[sessions] absolute_s, unless it is configured."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """Give the time the commands see."""
    made = ManualClock()
    monkeypatch.setattr(files, "now", made)
    monkeypatch.setattr("identity.cli.key_steps.now", made)
    return made


@pytest.fixture
def folder(tmp_path: Path, clock: ManualClock) -> Path:
    """Give a configuration and a key ring of one key."""
    (tmp_path / "identityd.ini").write_text("[keys]\nfile = identityd.keys\n")
    (tmp_path / "identityd.ini").chmod(0o600)
    write(tmp_path, keyring.new_ring(secret=Secret(b"1" * 32), locator=Secret(b"l" * 32), now=clock()))
    return tmp_path


def write(folder: Path, ring: KeyRing, *, remark: str = "") -> None:
    """Put a ring into the folder's key file."""
    file = folder / "identityd.keys"
    file.write_text(ring.render() + remark)
    file.chmod(0o600)


def run(folder: Path, command: str, *more: str) -> Result:
    """Give a command of `keys` with the folder's configuration."""
    words = ["keys", command, "--config", str(folder / "identityd.ini"), *more]
    return CliRunner().invoke(cli, words, catch_exceptions=False)


def numbers(folder: Path) -> list[int]:
    """Return the numbers in the key file."""
    return [key.number for key in load_ring(folder / "identityd.keys").keys]


def test_an_added_key_verifies_at_once_and_signs_ten_minutes_later(folder: Path, clock: ManualClock) -> None:
    """In between, every daemon has to hear of it; a token of an unknown key is a person who waits."""
    result = run(folder, "add")

    ring = load_ring(folder / "identityd.keys")
    assert (result.exit_code, ring.knows(2)) == (0, True)
    assert "before 2027-01-15T08:10:00Z" in result.stdout
    assert ring.signing_number(clock() + SIGNS_AFTER_MS - 1) == 1
    assert ring.signing_number(clock() + SIGNS_AFTER_MS) == 2


def test_adding_keeps_the_locator_key_the_older_keys_and_what_people_wrote(folder: Path) -> None:
    """A lost locator key is every session lost; a lost remark is somebody's knowledge lost."""
    before = load_ring(folder / "identityd.keys")
    write(folder, before, remark="# 2027: kept in the safe, too")

    run(folder, "add")

    text = (folder / "identityd.keys").read_text()
    assert before.continues_in(load_ring(folder / "identityd.keys"))
    assert "# 2027: kept in the safe, too\nkey 2 " in text


def test_adding_keeps_the_files_mode_and_follows_a_link(folder: Path) -> None:
    """A daemon in the file's group must be able to go on reading it, where it was mounted."""
    real = folder / "mounted"
    (folder / "identityd.keys").rename(real)
    real.chmod(0o640)
    (folder / "identityd.keys").symlink_to(real)

    run(folder, "add")

    assert (folder / "identityd.keys").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert numbers(folder) == [1, 2]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away; run this test as root")
def test_root_adds_a_key_without_taking_the_file_from_the_daemons_user(folder: Path) -> None:
    """`sudo identityd.py keys add` must not leave a ring that the daemon cannot read at its next start."""
    os.chown(folder / "identityd.keys", 65_534, 65_534)

    run(folder, "add")

    there = (folder / "identityd.keys").stat()
    assert (there.st_uid, there.st_gid) == (65_534, 65_534)


def test_no_secret_of_an_added_key_is_printed(folder: Path) -> None:
    """A terminal's scrollback is no place for what makes anybody anybody."""
    result = run(folder, "add")

    assert not [
        word for word in (folder / "identityd.keys").read_text().split() if len(word) > 30 and word in result.output
    ]


def test_there_is_no_key_after_number_255(folder: Path) -> None:
    """A number that begins anew would make old tokens of another secret look forged."""
    secret, locator = Secret(b"1" * 32), Secret(b"l" * 32)
    write(folder, KeyRing((keyring.Key(255, NOON, secret),), locator))
    before = (folder / "identityd.keys").read_text()

    result = run(folder, "add")

    assert (result.exit_code, (folder / "identityd.keys").read_text()) == (2, before)
    assert "255 is the last one" in result.stderr


def test_a_machine_whose_clock_is_behind_adds_no_key(folder: Path, clock: ManualClock) -> None:
    """Its key would be dated too early, and sign before any daemon knows it."""
    clock.advance(-MINUTE)

    result = run(folder, "add")

    assert (result.exit_code, numbers(folder)) == (2, [1])
    assert "set this machine's clock right" in result.stderr


def test_a_ring_that_cannot_be_exchanged_stays_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk in the middle of it must not cost every session."""
    before = (folder / "identityd.keys").read_text()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    result = run(folder, "add")

    assert result.exit_code == 2
    assert result.stderr.endswith("cannot be changed, and was not: no space left on device\n")
    assert (folder / "identityd.keys").read_text() == before
    assert sorted(path.name for path in folder.iterdir()) == ["identityd.ini", "identityd.keys"]


def _add(file: Path) -> None:
    from identity.cli.key_steps import add  # noqa: PLC0415 - in a process of its own

    add(file)


def test_operators_who_add_at_once_both_get_a_key(folder: Path) -> None:
    """The second exchange must not take the first one's key away: it may have been given out already."""
    context = get_context("spawn")
    file = folder / "identityd.keys"
    write(folder, keyring.new_ring(secret=Secret(b"1" * 32), locator=Secret(b"l" * 32), now=0))
    processes = [context.Process(target=_add, args=(file,)) for _ in range(4)]

    for each in processes:
        each.start()
    for each in processes:
        each.join(60)

    assert [each.exitcode for each in processes] == [0] * 4
    assert numbers(folder) == [1, 2, 3, 4, 5]


@pytest.fixture
def changed(folder: Path, clock: ManualClock) -> Callable[[int], None]:
    """Add key 2; give what moves the clock to so long after it began to sign."""
    run(folder, "add")
    began = clock() + SIGNS_AFTER_MS

    def move(after: int) -> None:
        clock.advance(began + after - clock())

    return move


def test_a_key_is_pruned_a_sessions_life_and_a_minute_after_its_successor_signs(
    folder: Path, changed: Callable[[int], None]
) -> None:
    """Not a millisecond earlier: the oldest session signed with it may still be alive."""
    changed(LIFETIME + MINUTE - 1)
    early = run(folder, "prune", "1", "--yes")
    assert (early.exit_code, numbers(folder)) == (1, [1, 2])
    assert "key 1 may go from 2027-02-14T08:11:00Z" in early.stderr

    changed(LIFETIME + MINUTE)
    late = run(folder, "prune", "1", "--yes")
    assert (late.exit_code, numbers(folder)) == (0, [2])


def test_pruning_without_a_number_says_what_waits_and_is_no_failure(
    folder: Path, changed: Callable[[int], None]
) -> None:
    """It may run every night from a timer."""
    changed(DAY)

    result = run(folder, "prune", "--yes")

    assert (result.exit_code, numbers(folder)) == (0, [1, 2])
    assert "no key can go yet" in result.stdout
    assert "key 2 signs." in result.stdout


def test_the_key_that_signs_and_a_newer_one_never_go(folder: Path, changed: Callable[[int], None]) -> None:
    """Every session would be over at once."""
    changed(10 * LIFETIME)
    run(folder, "add")

    assert [run(folder, "prune", number, "--yes").exit_code for number in ("2", "3", "9")] == [1, 1, 1]
    assert numbers(folder) == [1, 2, 3]


def test_pruning_follows_the_configured_lifetime(folder: Path, changed: Callable[[int], None]) -> None:
    """An installation with short sessions need not keep old keys for a month."""
    (folder / "identityd.ini").write_text(
        "[keys]\nfile = identityd.keys\n[sessions]\nabsolute_s = 86400\nidle_s = 3600\n"
    )
    changed(DAY + MINUTE)

    assert run(folder, "prune", "--yes").exit_code == 0
    assert numbers(folder) == [2]


def test_nothing_is_pruned_when_nobody_confirms(folder: Path, changed: Callable[[int], None]) -> None:
    """A key that is gone is gone for good."""
    changed(LIFETIME + MINUTE)

    result = run(folder, "prune")

    assert (result.exit_code, numbers(folder)) == (2, [1, 2])
    assert "add --yes" in result.stderr


def test_the_list_says_when_each_key_can_go(folder: Path, changed: Callable[[int], None]) -> None:
    """An operator plans by it."""
    changed(-1)
    assert _states(folder) == [
        "signs until 2027-01-15T08:10:00Z and verifies",
        "verifies, and signs from 2027-01-15T08:10:00Z",
    ]

    changed(0)
    assert _states(folder) == [
        "verifies; signed until 2027-01-15T08:10:00Z; may go from 2027-02-14T08:11:00Z",
        "signs and verifies",
    ]

    changed(LIFETIME + MINUTE)
    assert _states(folder)[0] == "verifies; signed until 2027-01-15T08:10:00Z; may go: `keys prune`"


def _states(folder: Path) -> list[str]:
    return [line.split(maxsplit=2)[2] for line in run(folder, "list").stdout.splitlines()[1:]]
