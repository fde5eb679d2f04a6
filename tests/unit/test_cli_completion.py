"""Completion as a shell asks for it: a real bash with its script, and what zsh and fish are answered."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from identity.cli import cli
from identity.cli.completion import FILES, PROGRAM, script
from tests.support.sources import ROOT

_BASH: Final = """
source "$1"; shift
set -- $(complete -p identityd.py) -- "$@"
while [ "$1" != -F ]; do shift; done
function=$2
while [ "$1" != -- ]; do shift; done
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
compopt() { COMPREPLY=("<$2>"); }
$function "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Give an environment that finds the program, in a folder where there is nothing to read."""
    program = tmp_path / PROGRAM
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / PROGRAM}" "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "IDENTITYD_CONFIG": str(tmp_path / "not-there.ini")}


def in_bash(environ: dict[str, str], folder: Path, *line: str) -> list[str]:
    """Return what bash offers for the last word of a line."""
    (folder / "completion").write_text(script("bash"))
    command = ["bash", "-c", _BASH, "bash", str(folder / "completion"), *line]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (("identityd.py", "acc"), ["accounts"]),
        (("identityd.py", "accounts", "li"), ["link", "list"]),
        (("identityd.py", "accounts", "show", "--ev"), ["--events"]),
        (("identityd.py", "completion", ""), ["bash", "zsh", "fish"]),
        (("identityd.py", "serve", "--config", "/etc/"), ["<default>"]),
        (("identityd.py", "accounts", "show", "al"), []),
    ],
    ids=" ".join,
)
def test_bash_offers_commands_options_and_files_and_never_a_person(
    environ: dict[str, str], tmp_path: Path, line: tuple[str, ...], offered: list[str]
) -> None:
    """Names of people on a screen, and a store asked at each press of a key, would be a surprise."""
    assert in_bash(environ, tmp_path, *line) == offered


@pytest.mark.parametrize(
    ("shell", "words", "at"), [("zsh", "identityd.py acc", "1"), ("fish", "identityd.py acc", "acc")]
)
def test_the_other_shells_are_answered(
    environ: dict[str, str], tmp_path: Path, shell: str, words: str, at: str
) -> None:
    """Their scripts ask in words of their own."""
    asked = {"_IDENTITYD_PY_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": at}
    assert all(name in script(shell) for name in asked)
    done = subprocess.run(
        [str(tmp_path / PROGRAM)], env=environ | asked, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "accounts" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("shell", FILES)
def test_the_script_that_is_printed_is_the_one_that_a_release_has(shell: str) -> None:
    """Two would differ one day."""
    printed = CliRunner().invoke(cli, ["completion", shell], catch_exceptions=False)
    assert printed.stdout.strip() == script(shell).strip()
    assert PROGRAM in printed.stdout


def test_completing_loads_nothing_that_a_command_needs_when_it_runs() -> None:
    """It is waited for at each press of the key."""
    code = (
        "import sys; sys.argv = ['identityd.py']; from identity.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('tornado', 'sqlite3', 'authlib', 'pymemcache', 'identity.config', 'identity.opening') "
        "if m in sys.modules])"
    )
    asked = {"_IDENTITYD_PY_COMPLETE": "bash_complete", "COMP_WORDS": "identityd.py accounts li", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | asked, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["plain,link", "plain,list", "[]"]
