"""What commands print where it cannot be printed: escaped, or not at all, and never a traceback."""

import io
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from identity.cli import saying
from identity.cli.files import new_ring_file

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("ada  \tx\nnext", "ascii", "ada  \tx\nnext"),
        ("é", "utf-8", "é"),
        ("é", "ascii", r"\xe9"),
        ("é 愛", "latin-1", r"é \u611b"),
        ("愛", "cp1252", r"\u611b"),
        ("😀", "ascii", r"\U0001f600"),
        ("\udcff", "utf-8", r"\udcff"),
        ("a\x1b[2Jb\rc\x00\x85", "utf-8", r"a\x1b[2Jb\rc\x00\x85"),
        ("\u202egpj.exe\u2066\u200f", "utf-8", r"\u202egpj.exe\u2066\u200f"),
    ],
)
def test_what_cannot_be_shown_is_escaped(text: str, encoding: str, shown: str) -> None:
    """Otherwise a name ends a command with a traceback, moves the cursor, or reads backwards."""
    assert saying.shown(text, encoding) == shown


class Full(io.StringIO):
    """A stream whose disk is full."""

    encoding = "utf-8"

    def flush(self) -> None:
        """Fail as the system does."""
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise `accounts list > file` looks like a fault of the program."""
    monkeypatch.setattr(sys, "stdout", Full())

    with pytest.raises(click.ClickException, match="no space left on device"):
        saying.say("x")

    sys.stdout.close()  # what took its place, so that the interpreter has nothing left to write


def test_nothing_prints_beside_it() -> None:
    """Otherwise the one line that was forgotten is the one with the name."""
    cursor = {"simulate.py": 2, "fsck.py": 1}
    for path in (ROOT / "identity" / "cli").glob("*.py"):
        text = path.read_text()

        assert text.count("click.echo(") == cursor.get(path.name, 0), path.name
        assert " print(" not in text, path.name


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Give a folder whose name no terminal can show, with a configuration in it."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xc3\xa9\x1b"))
    folder.mkdir()
    new_ring_file(folder / "identityd.keys")
    (folder / "identityd.ini").write_text("[provider:demo]\nkind = github\nlabel = 愛\n", encoding="utf-8")
    return folder


COMMANDS = (
    ("--help",),
    ("keys", "list", "--file", "{}/identityd.keys"),
    ("check-config", "--offline", "--config", "{}/identityd.ini"),
    ("accounts", "show", "é\u202e", "--config", "{}/identityd.ini"),
    ("é",),
)


def _run(
    odd: Path, command: tuple[str, ...], *, closed: str = "", **environ: str
) -> subprocess.CompletedProcess[bytes]:
    given = [os.fsencode(word.format(odd)) for word in command]
    program = [os.fsencode(sys.executable), os.fsencode(ROOT / "identityd.py"), *given]
    shell = [b"/bin/sh", b"-c", b'exec "$0" "$@" ' + closed.encode(), *program]
    return subprocess.run(shell, capture_output=True, env={**os.environ, **environ}, check=False, timeout=120)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_prints_in_every_encoding(odd: Path, command: tuple[str, ...], encoding: str) -> None:
    """Otherwise `LANG=C` or a log collector turns an answer into a traceback."""
    done = _run(odd, command, PYTHONIOENCODING=encoding, PYTHONUTF8="0")

    assert b"Traceback" not in done.stderr + done.stdout
    assert done.returncode in {0, 2}
    if command[-1] != "--help":
        (done.stdout + done.stderr).decode(encoding)


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&- <&-", ">/dev/full", "2>/dev/full"])
@pytest.mark.parametrize("command", COMMANDS[1:2], ids=" ".join)
def test_every_command_ends_where_nothing_can_be_written(odd: Path, command: tuple[str, ...], closed: str) -> None:
    """Otherwise a service manager that closes a stream gets a traceback, or its text in the account file."""
    done = _run(odd, command, closed=closed)

    assert b"Traceback" not in done.stderr + done.stdout
    assert b"Exception ignored" not in done.stderr
    assert done.returncode in {0, 1, 2}


def test_a_pipe_that_nobody_reads_ends_it_quietly(odd: Path) -> None:
    """Otherwise `keys list | head -0` complains."""
    done = _run(odd, COMMANDS[1], closed="| true")

    assert done.stderr == b""
